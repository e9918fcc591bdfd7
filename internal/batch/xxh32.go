package batch

import (
	"encoding/binary"
	"math/bits"
)

// xxh32 is the checksum of LZ4 frames, XXH32 with seed 0. The lz4 library keeps its own to itself, and we need it
// because old Kafka clients computed it over the wrong bytes.
type xxh32 struct {
	v     [4]uint32
	buf   [16]byte
	held  int
	total uint64
}

const (
	xxhPrime1 uint32 = 2654435761
	xxhPrime2 uint32 = 2246822519
	xxhPrime3 uint32 = 3266489917
	xxhPrime4 uint32 = 668265263
	xxhPrime5 uint32 = 374761393
)

func (x *xxh32) reset() {
	p1, p2 := xxhPrime1, xxhPrime2 // as variables: the sums wrap
	*x = xxh32{v: [4]uint32{p1 + p2, p2, 0, -p1}}
}

func (x *xxh32) write(b []byte) {
	x.total += uint64(len(b))
	if x.held > 0 {
		n := copy(x.buf[x.held:], b)
		x.held += n
		b = b[n:]
		if x.held < len(x.buf) {
			return
		}
		x.stripe(x.buf[:])
		x.held = 0
	}
	for len(b) >= len(x.buf) {
		x.stripe(b)
		b = b[len(x.buf):]
	}
	x.held = copy(x.buf[:], b)
}

func (x *xxh32) stripe(b []byte) {
	_ = b[15]
	for i := range x.v {
		x.v[i] = bits.RotateLeft32(x.v[i]+binary.LittleEndian.Uint32(b[4*i:])*xxhPrime2, 13) * xxhPrime1
	}
}

func (x *xxh32) sum() uint32 {
	var h uint32
	if x.total >= uint64(len(x.buf)) {
		for i, turn := range [4]int{1, 7, 12, 18} {
			h += bits.RotateLeft32(x.v[i], turn)
		}
	} else {
		h = xxhPrime5
	}
	h += uint32(x.total)
	b := x.buf[:x.held]
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*xxhPrime3, 17) * xxhPrime4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*xxhPrime5, 11) * xxhPrime1
	}
	h = (h ^ h>>15) * xxhPrime2
	h = (h ^ h>>13) * xxhPrime3
	return h ^ h>>16
}

func sumXXH32(b []byte) uint32 {
	var x xxh32
	x.reset()
	x.write(b)
	return x.sum()
}
