package batch

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// packer compresses a payload that comes in pieces, behind the bytes that it was opened with.
type packer interface {
	write(piece []byte)
	// size is how much has come out so far, the bytes before it included. A codec may hold back a block.
	size() int
	// finish returns all of it and ends the packer's use.
	finish() []byte
}

func openPacker(c Codec, levels Levels, dst []byte, brokenLZ4 bool) packer {
	switch c {
	case CodecGzip:
		p := openGzipPacker(dst, levels.Gzip)
		return &p
	case CodecSnappy:
		return &blockPacker{
			out: appendSnappyHead(dst), blocks: appendSnappyBlocks, end: func(dst []byte) []byte { return dst },
		}
	case CodecLZ4:
		return &blockPacker{
			out:    appendLZ4Head(dst, brokenLZ4),
			blocks: func(dst, piece []byte) []byte { return appendLZ4Blocks(dst, piece, levels.LZ4) },
			end:    func(dst []byte) []byte { return binary.LittleEndian.AppendUint32(dst, lz4EndMark) },
		}
	case CodecZstd:
		return openZstdPacker(dst, levels.Zstd)
	default:
		panic("batch: compress with " + c.String())
	}
}

// blockPacker is for codecs whose frame is a run of independent blocks: each piece ends one.
type blockPacker struct {
	out    []byte
	blocks func(dst, piece []byte) []byte
	end    func(dst []byte) []byte
}

func (p *blockPacker) write(piece []byte) { p.out = p.blocks(p.out, piece) }
func (p *blockPacker) size() int          { return len(p.out) }
func (p *blockPacker) finish() []byte     { return p.end(p.out) }

// stagedBytes is how much of a payload is encoded before its compression begins. Ordinary batches stay below and are
// compressed at once, which makes the smallest frames; larger ones never lie in memory uncompressed.
const stagedBytes = 1 << 20

// body is the payload that is being built, in its codec. What is encoded is appended to staged and followed by a drain.
type body struct {
	codec     Codec
	levels    Levels
	brokenLZ4 bool
	limit     int    // the most that may come out, room included; 0: what a length field can say
	room      int    // bytes left free at the start of the result, and of staged
	staged    []byte // encoded and not compressed; with CodecNone the result
	packed    packer // nil until staged was full once
	drained   int    // what has gone from staged into packed
}

// drain compresses what is staged when that is enough, and says when the result outgrows its limit.
func (p *body) drain() error {
	size := len(p.staged)
	if p.codec != CodecNone {
		if size-p.room < stagedBytes {
			return nil
		}
		if p.packed == nil {
			p.packed = openPacker(p.codec, p.levels, make([]byte, p.room, 64<<10), p.brokenLZ4)
		}
		p.packed.write(p.staged[p.room:])
		p.drained += size - p.room
		p.staged = p.staged[:p.room]
		size = p.packed.size()
	}
	limit := p.limit
	if limit == 0 {
		limit = math.MaxInt32
	}
	if size > limit {
		return fmt.Errorf("batch grows to more than %d bytes: %w", limit, kerr.MessageTooLarge)
	}
	return nil
}

// Write stages a piece; the error is the limit's.
func (p *body) Write(piece []byte) (int, error) {
	for rest := piece; len(rest) > 0; {
		n := min(len(rest), stagedBytes)
		p.staged = append(p.staged, rest[:n]...)
		if err := p.drain(); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(piece), nil
}

// encoded is the size of the payload before compression, with the room.
func (p *body) encoded() int { return p.drained + len(p.staged) }

// finish returns the payload compressed, behind its room, and ends the body's use.
func (p *body) finish() []byte {
	staged := p.staged
	p.staged = nil
	switch {
	case p.codec == CodecNone:
		return staged
	case p.packed == nil:
		dst := make([]byte, p.room, p.room+len(staged)/2)
		return compress(p.codec, p.levels, dst, staged[p.room:], p.brokenLZ4)
	default:
		p.packed.write(staged[p.room:])
		return p.packed.finish()
	}
}
