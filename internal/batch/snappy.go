package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/snappy"
)

// Java's snappy-java ("xerial") frames raw blocks: a header of magic, version, compatible version, then for each block of
// at most 32 KiB its compressed length and itself. librdkafka and others send one raw block instead; it is told by the
// missing magic.

var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHeaderSize = 16
	xerialVersion    = 1
	xerialBlockSize  = 32 << 10

	// maxSnappyRatio is what the densest code of the format, a copy of 64 bytes in 3, can reach, rounded up. A block that claims
	// more lies, and would have us allocate up to 4 GiB for it.
	maxSnappyRatio = 22
)

var (
	errSnappyLength = errors.New("impossible block length")
	errSnappyEmpty  = errors.New("empty input")

	errSnappyExtension = errors.New("codes that are not snappy's")
)

type snappyChunks struct {
	rest  []byte
	raw   bool
	limit int
	buf   []byte
}

var snappyReaders = sync.Pool{New: func() any { return new(snappyChunks) }}

func openSnappy(payload []byte, limit int) (chunks, error) {
	if len(payload) == 0 {
		return nil, errSnappyEmpty
	}
	s := snappyReaders.Get().(*snappyChunks)
	s.rest, s.limit, s.raw = payload, limit, true
	if isXerial(payload) {
		s.rest, s.raw = payload[xerialHeaderSize:], false
	}
	return s, nil
}

func isXerial(b []byte) bool {
	return len(b) >= xerialHeaderSize && bytes.HasPrefix(b, xerialMagic)
}

func (s *snappyChunks) next() ([]byte, error) {
	for len(s.rest) > 0 {
		block, err := s.takeBlock()
		if err != nil {
			return nil, err
		}
		if block == nil {
			continue
		}
		size, err := snappy.DecodedLen(block)
		if err != nil {
			return nil, err
		}
		if size > maxSnappyRatio*(len(block)+1) {
			return nil, errSnappyLength
		}
		if size > s.limit {
			return nil, ErrDecodedTooLarge
		}
		if cap(s.buf) < size {
			s.buf = make([]byte, max(size, xerialBlockSize))
		}
		if !isStandardSnappy(block) {
			return nil, errSnappyExtension
		}
		out, err := snappy.Decode(s.buf[:cap(s.buf)], block)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 {
			return out, nil
		}
	}
	return nil, io.EOF
}

// isStandardSnappy looks through the codes of a block for copies from distance 0. To our library they are an extension ("repeat
// the last distance"), to every other snappy an error: stored, they would break other consumers. The library's
// strict decoder takes three times as long as this and the fast one. What else is wrong the decoder finds.
func isStandardSnappy(block []byte) bool {
	_, i := binary.Uvarint(block)
	for i = max(i, 0); i < len(block); {
		tag := block[i]
		switch tag & 3 {
		case 0: // literal: up to 60 bytes, or a length in 1 to 4 bytes
			size := int(tag>>2) + 1
			if extra := size - 60; extra > 0 {
				if extra >= len(block)-i {
					return true
				}
				size = 1
				for k := range extra {
					size += int(block[i+1+k]) << (8 * k)
				}
				i += extra
			}
			if size > len(block)-i {
				return true
			}
			i += 1 + size
		case 1:
			if i+1 < len(block) && tag>>5 == 0 && block[i+1] == 0 {
				return false
			}
			i += 2
		case 2:
			if i+2 < len(block) && block[i+1]|block[i+2] == 0 {
				return false
			}
			i += 3
		case 3:
			if i+4 < len(block) && block[i+1]|block[i+2]|block[i+3]|block[i+4] == 0 {
				return false
			}
			i += 5
		}
	}
	return true
}

// takeBlock returns the next block, or nil when it skipped the header of a concatenated stream.
func (s *snappyChunks) takeBlock() ([]byte, error) {
	if s.raw {
		block := s.rest
		s.rest = nil
		return block, nil
	}
	if isXerial(s.rest) {
		s.rest = s.rest[xerialHeaderSize:]
		return nil, nil
	}
	if len(s.rest) < 4 {
		return nil, io.ErrUnexpectedEOF
	}
	size := binary.BigEndian.Uint32(s.rest)
	if uint64(size) > uint64(len(s.rest)-4) {
		return nil, errSnappyLength
	}
	block := s.rest[4 : 4+size]
	s.rest = s.rest[4+size:]
	return block, nil
}

func (s *snappyChunks) close() {
	const maxKept = 1 << 20
	s.rest = nil
	if cap(s.buf) <= maxKept {
		snappyReaders.Put(s)
	}
}

func appendSnappy(dst, payload []byte) []byte {
	return appendSnappyBlocks(appendSnappyHead(dst), payload)
}

func appendSnappyHead(dst []byte) []byte {
	dst = append(dst, xerialMagic...)
	dst = binary.BigEndian.AppendUint32(dst, xerialVersion)
	return binary.BigEndian.AppendUint32(dst, xerialVersion)
}

func appendSnappyBlocks(dst, payload []byte) []byte {
	for len(payload) > 0 {
		n := min(len(payload), xerialBlockSize)
		start := len(dst)
		room := start + 4 + snappy.MaxEncodedLen(n)
		dst = append(dst, make([]byte, room-start)...)
		block := snappy.Encode(dst[start+4:room], payload[:n])
		binary.BigEndian.PutUint32(dst[start:], uint32(len(block)))
		dst = dst[:start+4+len(block)]
		payload = payload[n:]
	}
	return dst
}
