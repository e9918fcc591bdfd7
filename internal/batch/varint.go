package batch

import "math/bits"

// Varints are zigzag-encoded little-endian groups of seven bits, as in protocol buffers.

const (
	maxVarint32Size = 5
	maxVarint64Size = 10
)

// readVarint64 reads at b[i:] and returns where it ended, or -1 if it does not parse. One byte, nearly always the case, is inlined.
func readVarint64(b []byte, i int) (int64, int) {
	if uint(i) < uint(len(b)) && b[i] < 0x80 {
		return unzigzag(uint64(b[i])), i + 1
	}
	return readLongVarint(b, i, maxVarint64Size)
}

// readVarint32 is readVarint64 for 32 bits; what needs more does not parse.
func readVarint32(b []byte, i int) (int32, int) {
	if uint(i) < uint(len(b)) && b[i] < 0x80 {
		return int32(unzigzag(uint64(b[i]))), i + 1
	}
	v, end := readLongVarint(b, i, maxVarint32Size)
	if v != int64(int32(v)) {
		return 0, -1
	}
	return int32(v), end
}

func readLongVarint(b []byte, i, maxSize int) (int64, int) {
	if i < 0 {
		return 0, -1
	}
	if i+1 < len(b) && b[i+1] < 0x80 { // two bytes: the lengths of most records
		return unzigzag(uint64(b[i]&0x7f) | uint64(b[i+1])<<7), i + 2
	}
	var u uint64
	for n := 0; n < maxSize && i < len(b); n++ {
		c := b[i]
		i++
		if n == maxVarint64Size-1 && c > 1 {
			return 0, -1
		}
		u |= uint64(c&0x7f) << (7 * n)
		if c < 0x80 {
			return unzigzag(u), i
		}
	}
	return 0, -1
}

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }

func appendVarint(b []byte, v int64) []byte {
	u := zigzag(v)
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

func varintSize(v int64) int { return (bits.Len64(zigzag(v)|1) + 6) / 7 }
