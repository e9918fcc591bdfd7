package batch

import (
	"errors"
	"io"
)

// chunks gives out a decompressed payload piece by piece.
type chunks interface {
	// next returns the next piece, which is valid until the next call and never empty, or io.EOF at a proper end.
	next() ([]byte, error)
	// close gives what was used back to its pool; nothing given out may be used any more.
	close()
}

// openChunks starts decompression of a payload in the given codec. limit bounds what a codec may hold at once.
// brokenLZ4 accepts the frame checksum of old clients (KAFKA-3160), which is right in messages of magic 0 only.
func openChunks(c Codec, payload []byte, limit int, brokenLZ4 bool) (chunks, error) {
	switch c {
	case CodecNone:
		return &plainChunks{payload}, nil
	case CodecGzip:
		return openGzip(payload)
	case CodecSnappy:
		return openSnappy(payload, limit)
	case CodecLZ4:
		return openLZ4(payload, brokenLZ4)
	case CodecZstd:
		return openZstd(payload, limit)
	default:
		return nil, invalid("codec %d does not exist", c)
	}
}

type plainChunks struct{ rest []byte }

func (p *plainChunks) next() ([]byte, error) {
	if len(p.rest) == 0 {
		return nil, io.EOF
	}
	b := p.rest
	p.rest = nil
	return b, nil
}

func (p *plainChunks) close() {}

// Decompress returns the decompressed payload, for CodecNone the payload itself. maxDecoded of 0 is MaxDecodedBytes.
func Decompress(c Codec, payload []byte, maxDecoded int) ([]byte, error) {
	return decompress(c, payload, maxDecoded, false)
}

func decompress(c Codec, payload []byte, maxDecoded int, brokenLZ4 bool) ([]byte, error) {
	if c == CodecNone {
		return payload, nil
	}
	limit := decodeLimit(maxDecoded)
	from, err := openChunks(c, payload, limit, brokenLZ4)
	if err != nil {
		return nil, undecodable(c, err)
	}
	defer from.close()
	out := make([]byte, 0, min(4*len(payload), limit))
	for {
		piece, err := from.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, undecodable(c, err)
		}
		if len(piece) > limit-len(out) {
			return nil, ErrDecodedTooLarge
		}
		out = append(out, piece...)
	}
}

func decodeLimit(maxDecoded int) int {
	if maxDecoded <= 0 {
		return MaxDecodedBytes
	}
	return maxDecoded
}

// Compress appends the compressed payload to dst, in the framing that Kafka's Java client writes.
func Compress(c Codec, levels Levels, dst, payload []byte) []byte {
	return compress(c, levels, dst, payload, false)
}

func compress(c Codec, levels Levels, dst, payload []byte, brokenLZ4 bool) []byte {
	switch c {
	case CodecNone:
		return append(dst, payload...)
	case CodecGzip:
		return appendGzip(dst, payload, levels.Gzip)
	case CodecSnappy:
		return appendSnappy(dst, payload)
	case CodecLZ4:
		return appendLZ4(dst, payload, levels.LZ4, brokenLZ4)
	case CodecZstd:
		return appendZstd(dst, payload, levels.Zstd)
	default:
		panic("batch: compress with " + c.String())
	}
}
