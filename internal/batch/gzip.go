package batch

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// readChunkSize is the piece in which codecs that decode to a reader are read.
const readChunkSize = 32 << 10

type gzipChunks struct {
	in  bytes.Reader
	out gzip.Reader
	buf [readChunkSize]byte
}

var gzipReaders = sync.Pool{New: func() any { return new(gzipChunks) }}

func openGzip(payload []byte) (chunks, error) {
	g := gzipReaders.Get().(*gzipChunks)
	g.in.Reset(payload)
	if err := g.out.Reset(&g.in); err != nil {
		g.close()
		return nil, noEOF(err)
	}
	return g, nil
}

func (g *gzipChunks) next() ([]byte, error) { return readPiece(&g.out, g.buf[:]) }

func (g *gzipChunks) close() {
	g.in.Reset(nil)
	gzipReaders.Put(g)
}

// readPiece reads until there is something to give.
func readPiece(r io.Reader, buf []byte) ([]byte, error) {
	const maxEmptyReads = 100
	for range maxEmptyReads {
		n, err := r.Read(buf)
		if n > 0 {
			return buf[:n], nil // an error comes again
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, io.ErrNoProgress
}

// noEOF keeps the end of the input inside a header from being taken for the proper end of the output.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// gzipWriters are pools by level, from the default (-1) to 9.
var gzipWriters [gzip.BestCompression - gzip.DefaultCompression + 1]sync.Pool

func appendGzip(dst, payload []byte, level int) []byte {
	p := openGzipPacker(dst, level)
	p.write(payload)
	return p.finish()
}

type gzipPacker struct {
	out  *bytes.Buffer
	w    *gzip.Writer
	pool *sync.Pool
}

func openGzipPacker(dst []byte, level int) gzipPacker {
	if level < gzip.BestSpeed || level > gzip.BestCompression {
		level = gzip.DefaultCompression
	}
	pool := &gzipWriters[level-gzip.DefaultCompression]
	out := bytes.NewBuffer(dst)
	w, ok := pool.Get().(*gzip.Writer)
	if ok {
		w.Reset(out)
	} else {
		w, _ = gzip.NewWriterLevel(out, level) // fails on bad levels only
	}
	return gzipPacker{out, w, pool}
}

func (p *gzipPacker) write(piece []byte) {
	if _, err := p.w.Write(piece); err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
}

func (p *gzipPacker) size() int { return p.out.Len() }

func (p *gzipPacker) finish() []byte {
	if err := p.w.Close(); err != nil {
		panic(err)
	}
	p.pool.Put(p.w)
	return p.out.Bytes()
}
