package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// LZ4 frames are read and written here block by block, with the library's block codec: Kafka's frames are restricted
// (independent blocks, no dictionary), blocks bound our memory, and messages of magic 0 carry a wrong frame checksum.

const (
	lz4Magic       = 0x184D2204
	lz4BlockSize   = 64 << 10 // what Java's client writes
	lz4BlockSizeID = 4
	lz4EndMark     = 0
	lz4Stored      = 1 << 31 // in a block's length: the block is not compressed

	lz4FlagVersion         = 1 << 6
	lz4FlagVersionMask     = 3 << 6
	lz4FlagIndependent     = 1 << 5
	lz4FlagBlockChecksum   = 1 << 4
	lz4FlagContentSize     = 1 << 3
	lz4FlagContentChecksum = 1 << 2
	lz4FlagReserved        = 3
)

var (
	errLZ4Magic    = errors.New("not an lz4 frame")
	errLZ4Flags    = errors.New("lz4 frame with features that Kafka does not have")
	errLZ4Checksum = errors.New("lz4 checksum does not match")
	errLZ4Block    = errors.New("lz4 block larger than its frame allows")
)

type lz4Chunks struct {
	rest    []byte
	flags   byte
	block   int // largest block of this frame
	buf     []byte
	content xxh32
	done    bool
}

var lz4Readers = sync.Pool{New: func() any { return new(lz4Chunks) }}

func openLZ4(payload []byte, brokenChecksum bool) (chunks, error) {
	l := lz4Readers.Get().(*lz4Chunks)
	l.rest, l.done = payload, false
	l.content.reset()
	if err := l.readHeader(brokenChecksum); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lz4Chunks) readHeader(brokenChecksum bool) error {
	const fixed = 7 // magic, flags, block size, checksum
	b := l.rest
	if len(b) < fixed {
		return io.ErrUnexpectedEOF
	}
	if binary.LittleEndian.Uint32(b) != lz4Magic {
		return errLZ4Magic
	}
	l.flags = b[4]
	sizeID := b[5] >> 4
	if l.flags&lz4FlagVersionMask != lz4FlagVersion || l.flags&lz4FlagIndependent == 0 ||
		l.flags&lz4FlagReserved != 0 || b[5]&0x8f != 0 || sizeID < lz4BlockSizeID {
		return errLZ4Flags
	}
	l.block = 1 << (2*int(sizeID) + 8)
	end := 6
	if l.flags&lz4FlagContentSize != 0 {
		end += 8
	}
	if len(b) <= end {
		return io.ErrUnexpectedEOF
	}
	if !brokenChecksum && b[end] != byte(sumXXH32(b[4:end])>>8) {
		return errLZ4Checksum
	}
	l.rest = b[end+1:]
	return nil
}

func (l *lz4Chunks) next() ([]byte, error) {
	for {
		if l.done {
			return nil, io.EOF
		}
		if len(l.rest) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		word := binary.LittleEndian.Uint32(l.rest)
		l.rest = l.rest[4:]
		if word == lz4EndMark {
			l.done = true
			if err := l.checkContent(); err != nil {
				return nil, err
			}
			continue // to the end
		}
		out, err := l.decodeBlock(word)
		if err != nil {
			return nil, err
		}
		if l.flags&lz4FlagContentChecksum != 0 {
			l.content.write(out)
		}
		if len(out) > 0 {
			return out, nil
		}
	}
}

func (l *lz4Chunks) decodeBlock(word uint32) ([]byte, error) {
	size := int(word &^ uint32(lz4Stored))
	if size > l.block {
		return nil, errLZ4Block
	}
	if size > len(l.rest) {
		return nil, io.ErrUnexpectedEOF
	}
	block := l.rest[:size]
	l.rest = l.rest[size:]
	if l.flags&lz4FlagBlockChecksum != 0 {
		if len(l.rest) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		if binary.LittleEndian.Uint32(l.rest) != sumXXH32(block) {
			return nil, errLZ4Checksum
		}
		l.rest = l.rest[4:]
	}
	if word&lz4Stored != 0 {
		return block, nil
	}
	// A small block cannot fill a large buffer: at best a byte of it becomes 255.
	const maxRatio = 255
	if room := min(l.block, maxRatio*(size+1)); len(l.buf) < room {
		l.buf = make([]byte, max(room, lz4BlockSize))
	}
	n, err := lz4.UncompressBlock(block, l.buf[:min(len(l.buf), l.block)])
	if err != nil {
		return nil, err
	}
	return l.buf[:n], nil
}

// checkContent checks the checksum behind the end mark. Java's client does not look at it, others do.
func (l *lz4Chunks) checkContent() error {
	if l.flags&lz4FlagContentChecksum == 0 {
		return nil
	}
	if len(l.rest) < 4 {
		return io.ErrUnexpectedEOF
	}
	if binary.LittleEndian.Uint32(l.rest) != l.content.sum() {
		return errLZ4Checksum
	}
	return nil
}

func (l *lz4Chunks) close() {
	const maxKept = 1 << 20
	l.rest = nil
	if cap(l.buf) <= maxKept {
		lz4Readers.Put(l)
	}
}

var (
	lz4Fast = sync.Pool{New: func() any { return new(lz4.Compressor) }}
	lz4HC   = sync.Pool{New: func() any { return new(lz4.CompressorHC) }}
)

// lz4DefaultLevel means the fast compressor, every other level the high one: so it is in Kafka.
const lz4DefaultLevel = 9

func appendLZ4(dst, payload []byte, level int, brokenChecksum bool) []byte {
	dst = appendLZ4Blocks(appendLZ4Head(dst, brokenChecksum), payload, level)
	return binary.LittleEndian.AppendUint32(dst, lz4EndMark)
}

func appendLZ4Head(dst []byte, brokenChecksum bool) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, lz4Magic)
	dst = append(dst, lz4FlagVersion|lz4FlagIndependent, lz4BlockSizeID<<4)
	described := dst[start+4:]
	if brokenChecksum {
		described = dst[start:]
	}
	return append(dst, byte(sumXXH32(described)>>8))
}

func appendLZ4Blocks(dst, payload []byte, level int) []byte {
	compressBlock, done := lz4Compressor(level)
	defer done()
	for len(payload) > 0 {
		n := min(len(payload), lz4BlockSize)
		dst = appendLZ4Block(dst, payload[:n], compressBlock)
		payload = payload[n:]
	}
	return dst
}

func lz4Compressor(level int) (compress func(src, dst []byte) (int, error), done func()) {
	if level == 0 || level == lz4DefaultLevel {
		c := lz4Fast.Get().(*lz4.Compressor)
		return c.CompressBlock, func() { lz4Fast.Put(c) }
	}
	c := lz4HC.Get().(*lz4.CompressorHC)
	c.Level = lz4SearchDepth(level)
	return c.CompressBlock, func() { lz4HC.Put(c) }
}

// lz4SearchDepth doubles with each level, as in the library's own nine.
func lz4SearchDepth(level int) lz4.CompressionLevel {
	const highest = 9
	return lz4.Level1 << (min(max(level, 1), highest) - 1)
}

func appendLZ4Block(dst, block []byte, compress func(src, dst []byte) (int, error)) []byte {
	start := len(dst)
	body := start + 4
	dst = append(dst, make([]byte, 4+lz4.CompressBlockBound(len(block)))...)
	n, err := compress(block, dst[body:])
	if err != nil {
		panic(fmt.Sprintf("batch: lz4 of %d bytes: %v", len(block), err)) // there is room for the worst case
	}
	if n == 0 || n >= len(block) {
		binary.LittleEndian.PutUint32(dst[start:], uint32(len(block))|lz4Stored)
		return append(dst[:body], block...)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(n))
	return dst[:body+n]
}
