package metalog

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// errTorn is where a file stops being a row of good batches.
var errTorn = errors.New("bad batch")

// raw is one batch as it stands in a file.
type raw struct {
	header batch.Header
	bytes  []byte
	at     int64 // position in the file
}

// readBatch reads the good batch at a position: errTorn when there is none, io.EOF at the end of the file.
func readBatch(file vfs.File, at, size int64) (raw, error) {
	if at >= size {
		return raw{}, io.EOF
	}
	var head [batch.HeaderSize]byte
	if n, err := file.ReadAt(head[:], at); n < len(head) {
		return raw{}, tornOr(err)
	}
	h, err := batch.ParseHeader(head[:])
	if err != nil || h.Size() > MaxBatchBytes || at+int64(h.Size()) > size {
		return raw{}, errTorn
	}
	b := make([]byte, h.Size())
	if n, err := file.ReadAt(b, at); n < len(b) {
		return raw{}, tornOr(err)
	}
	if batch.CheckCRC(b) != nil {
		return raw{}, errTorn
	}
	return raw{header: h, bytes: b, at: at}, nil
}

func tornOr(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return errTorn
	}
	return err
}

// scan yields the batches of a file up to size. It ends silently at size, and with errTorn where there is no good batch.
func scan(file vfs.File, size int64) iter.Seq2[raw, error] {
	return func(yield func(raw, error) bool) {
		for at := int64(0); ; {
			r, err := readBatch(file, at, size)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(raw{at: at}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
			at += int64(len(r.bytes))
		}
	}
}

// scanFile is scan of a whole file by name.
func scanFile(fs vfs.FS, name string) iter.Seq2[raw, error] {
	return func(yield func(raw, error) bool) {
		file, err := fs.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			yield(raw{}, err)
			return
		}
		defer file.Close()
		size, err := file.Size()
		if err != nil {
			yield(raw{}, err)
			return
		}
		scan(file, size)(yield)
	}
}

// payloads gives the metadata records of a batch from an offset on.
func payloads(r raw, from int64) ([][]byte, error) {
	if r.header.Control() {
		return nil, nil
	}
	var values [][]byte
	for record, err := range batch.Records(r.bytes, 0) {
		if err != nil {
			return nil, fmt.Errorf("batch at offset %d: %w", r.header.BaseOffset, err)
		}
		if record.Offset >= from {
			values = append(values, record.Value)
		}
	}
	return values, nil
}

// toBatch is a batch as a reader of the log sees it.
func toBatch(r raw, from int64) (Batch, error) {
	values, err := payloads(r, from)
	if err != nil {
		return Batch{}, err
	}
	return Batch{
		End:         Position{Offset: r.header.NextOffset(), Epoch: r.header.LeaderEpoch},
		TimestampMs: r.header.MaxTimestamp,
		Records:     values,
	}, nil
}

const everything = math.MinInt64
