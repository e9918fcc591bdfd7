//go:build suite

package oracle

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// rightLZ4 gives an LZ4 frame of a magic 0 message the header checksum that other decoders expect: Kafka's clients of
// that time computed it over the magic number, too (KIP-57), and brokers must do the same for them.
func rightLZ4(frame []byte) []byte {
	if len(frame) < 7 {
		return frame
	}
	frame = slices.Clone(frame)
	end := 6
	if frame[4]&0x08 != 0 {
		end += 8
	}
	frame[end] = byte(xxh32(frame[4:end]) >> 8)
	return frame
}

// wrongLZ4 is the other way round.
func wrongLZ4(frame []byte) []byte {
	frame = slices.Clone(frame)
	end := 6
	if frame[4]&0x08 != 0 {
		end += 8
	}
	frame[end] = byte(xxh32(frame[:end]) >> 8)
	return frame
}

// xxh32 of fewer than 16 bytes, which headers are.
func xxh32(b []byte) uint32 {
	const prime1, prime2, prime3, prime4, prime5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
	h := uint32(prime5) + uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		h += binary.LittleEndian.Uint32(b) * prime3
		h = bits.RotateLeft32(h, 17) * prime4
	}
	for _, c := range b {
		h += uint32(c) * prime5
		h = bits.RotateLeft32(h, 11) * prime1
	}
	h ^= h >> 15
	h *= prime2
	h ^= h >> 13
	h *= prime3
	return h ^ h>>16
}
