package batch

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxStreamWindow is the window that is decoded in a stream, whose memory is the window: what zstd uses up to level 19.
	maxStreamWindow = 8 << 20
	// maxLargeWindow is the largest window that zstd itself decodes by default (levels 20 to 22). A window is a
	// claim; such frames are decoded as a whole, which takes the memory of what they really hold, up to
	// maxLargeWindowDecoded.
	maxLargeWindow        = 128 << 20
	maxLargeWindowDecoded = 64 << 20
)

type zstdChunks struct {
	in  bytes.Reader
	out *zstd.Decoder
	buf [readChunkSize]byte
}

var zstdReaders = sync.Pool{New: func() any {
	return &zstdChunks{out: newZstdDecoder(
		zstd.WithDecoderMaxWindow(maxStreamWindow),
		zstd.WithDecoderMaxMemory(maxStreamWindow),
		zstd.WithDecodeBuffersBelow(0), // it would decode small input as a whole, whatever its output
	)}
}}

// newZstdDecoder makes a decoder without goroutines, so that it may be dropped without Close.
func newZstdDecoder(options ...zstd.DOption) *zstd.Decoder {
	d, err := zstd.NewReader(nil, append(options, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))...)
	if err != nil {
		panic(err) // of the options above only
	}
	return d
}

func openZstd(payload []byte, limit int) (chunks, error) {
	var h zstd.Header
	if len(payload) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if err := h.Decode(payload); err != nil {
		return nil, noEOF(err)
	}
	if h.WindowSize > maxStreamWindow || h.SingleSegment && h.FrameContentSize > maxStreamWindow {
		return openLargeZstd(payload, limit)
	}
	z := zstdReaders.Get().(*zstdChunks)
	z.in.Reset(payload)
	if err := z.out.Reset(&z.in); err != nil {
		z.close()
		return nil, noEOF(err)
	}
	return z, nil
}

func (z *zstdChunks) next() ([]byte, error) { return readPiece(z.out, z.buf[:]) }

func (z *zstdChunks) close() {
	z.in.Reset(nil)
	if z.out.Reset(nil) == nil {
		zstdReaders.Put(z)
	}
}

var largeZstdReaders = sync.Pool{New: func() any {
	return newZstdDecoder(zstd.WithDecoderMaxWindow(maxLargeWindow), zstd.WithDecoderMaxMemory(maxLargeWindowDecoded))
}}

func openLargeZstd(payload []byte, limit int) (chunks, error) {
	d := largeZstdReaders.Get().(*zstd.Decoder)
	defer largeZstdReaders.Put(d)
	out, err := d.DecodeAll(payload, nil)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || len(out) > limit {
		return nil, ErrDecodedTooLarge
	}
	if err != nil {
		return nil, noEOF(err)
	}
	return &plainChunks{out}, nil
}

// zstdWriters are pools by the library's level, of which there are four for zstd's many.
var zstdWriters [zstd.SpeedBestCompression + 1]sync.Pool

// zstdWriteWindow is enough for batches, and keeps our frames within what every reader streams.
const zstdWriteWindow = 4 << 20

// zstdDefaultLevel is Kafka's.
const zstdDefaultLevel = 3

func appendZstd(dst, payload []byte, level int) []byte {
	e, pool := zstdEncoder(level)
	dst = e.EncodeAll(payload, dst)
	pool.Put(e)
	return dst
}

func zstdEncoder(level int) (*zstd.Encoder, *sync.Pool) {
	if level == 0 {
		level = zstdDefaultLevel
	}
	speed := zstd.EncoderLevelFromZstd(level)
	e, ok := zstdWriters[speed].Get().(*zstd.Encoder)
	if !ok {
		var err error
		e, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(speed), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(zstdWriteWindow), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
		if err != nil {
			panic(err) // of the options above only
		}
	}
	return e, &zstdWriters[speed]
}

type zstdPacker struct {
	out  *bytes.Buffer
	e    *zstd.Encoder
	pool *sync.Pool
}

func openZstdPacker(dst []byte, level int) *zstdPacker {
	e, pool := zstdEncoder(level)
	p := &zstdPacker{bytes.NewBuffer(dst), e, pool}
	e.Reset(p.out)
	return p
}

func (p *zstdPacker) write(piece []byte) {
	if _, err := p.e.Write(piece); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
}

func (p *zstdPacker) size() int { return p.out.Len() }

func (p *zstdPacker) finish() []byte {
	if err := p.e.Close(); err != nil {
		panic(err)
	}
	p.e.Reset(nil) // the pool must not keep the result
	p.pool.Put(p.e)
	return p.out.Bytes()
}
