package metalog

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// checkpointBatchBytes is the size at which a batch of a checkpoint is closed.
const checkpointBatchBytes = 512 << 10

// checkpointFile is a snapshot in Kafka's format: the records that make the state at a position, between a control batch
// with a header and one with a footer.
type checkpointFile struct {
	Position
	size    int64
	written time.Time // the last record's time: copies of a folder keep it
}

// Checkpoint captures the position now, and returns what makes it durable together with the records that make the state
// at it: Raft's log may be cut up to here once that has returned the reference to keep. It is called from any goroutine
// while Apply goes on.
func (l *Log) Checkpoint(records iter.Seq[[]byte]) (func() ([]byte, error), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at >= minRollBytes {
		if err := l.roll(); err != nil {
			return nil, err
		}
	}
	r := reference{l.end, l.timestampMs}
	return func() ([]byte, error) {
		if err := l.sync(); err != nil {
			return nil, err
		}
		if err := l.writeCheckpoint(r, records); err != nil {
			return nil, fmt.Errorf("checkpoint at %d: %w", r.Offset, err)
		}
		return r.bytes(), nil
	}, nil
}

// sync makes what is applied durable.
func (l *Log) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return errors.New("metadata log is closed")
	}
	if err := l.flush(); err != nil {
		return err
	}
	// Under the lock: this happens once a checkpoint, and the file must not be closed meanwhile.
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("sync metadata log: %w", err)
	}
	if err := l.o.FS.SyncDir(l.o.Dir); err != nil {
		return fmt.Errorf("sync metadata log: %w", err)
	}
	return nil
}

func (l *Log) writeCheckpoint(r reference, records iter.Seq[[]byte]) error {
	if r.Offset == 0 || l.hasCheckpoint(r.Position) {
		return nil
	}
	name := l.path(checkpointName(r.Position))
	partial := strings.TrimSuffix(name, checkpointSuffix) + partialSuffix
	size, err := writeCheckpointFile(l.o.FS, partial, r, records)
	if err != nil {
		return errors.Join(err, ignoreNotExist(l.o.FS.Remove(partial)))
	}
	if err := l.o.FS.Rename(partial, name); err != nil {
		return err
	}
	if err := l.o.FS.SyncDir(l.o.Dir); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoints = append(l.checkpoints, checkpointFile{r.Position, size, time.UnixMilli(r.timestampMs)})
	return nil
}

func (l *Log) hasCheckpoint(p Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.checkpoints {
		if c.Position == p {
			return true
		}
	}
	return false
}

// writeCheckpointFile writes and syncs a whole checkpoint.
func writeCheckpointFile(fs vfs.FS, name string, r reference, records iter.Seq[[]byte]) (int64, error) {
	file, err := fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, err
	}
	w := checkpointWriter{file: file, r: r}
	w.control(&meta.SnapshotHeaderRecord{LastContainedLogTimestamp: r.timestampMs})
	for payload := range records {
		w.add(payload)
	}
	w.finish()
	if w.err == nil {
		w.err = file.Sync()
	}
	return w.size, errors.Join(w.err, file.Close())
}

// checkpointWriter numbers the records of a checkpoint from 0, as Kafka does.
type checkpointWriter struct {
	file  vfs.File
	r     reference
	size  int64
	next  int64
	batch *batch.Builder // nil while empty
	err   error
}

func (w *checkpointWriter) builder(control bool) *batch.Builder {
	return batch.NewBuilder(batch.BuilderOptions{BaseOffset: w.next, LeaderEpoch: w.r.Epoch, Control: control})
}

func (w *checkpointWriter) control(r meta.ControlRecord) {
	key, value := meta.EncodeControl(r)
	b := w.builder(true)
	b.Append(batch.Record{Timestamp: w.r.timestampMs, Key: key, Value: value})
	w.write(b)
}

func (w *checkpointWriter) add(payload []byte) {
	if w.err != nil {
		return
	}
	if w.batch == nil {
		w.batch = w.builder(false)
	}
	w.batch.Append(batch.Record{Timestamp: w.r.timestampMs, Value: payload})
	if w.batch.Size() >= checkpointBatchBytes {
		w.close()
	}
}

func (w *checkpointWriter) close() {
	if w.batch != nil {
		w.write(w.batch)
		w.batch = nil
	}
}

func (w *checkpointWriter) finish() {
	w.close()
	w.control(&meta.SnapshotFooterRecord{})
}

func (w *checkpointWriter) write(b *batch.Builder) {
	if w.err != nil {
		return
	}
	w.next += int64(b.Count())
	data := b.Build()
	_, w.err = w.file.WriteAt(data, w.size)
	w.size += int64(len(data))
}

// ReadCheckpoint yields the batches of a file in the format of checkpoints, such as bootstrap.checkpoint. It yields
// ErrCorrupt if the file is not whole.
func ReadCheckpoint(fs vfs.FS, name string) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		header, footer := false, false
		for r, err := range scanFile(fs, name) {
			if err == nil && footer {
				err = errors.New("goes on behind its footer")
			}
			var b Batch
			if err == nil {
				b, err = toBatch(r, everything)
			}
			if err == nil {
				header, footer, err = frameOf(r, header)
			}
			if err != nil {
				yield(Batch{}, damaged(name, err))
				return
			}
			if len(b.Records) > 0 && !yield(b, nil) {
				return
			}
		}
		if !footer {
			yield(Batch{}, damaged(name, errors.New("has no footer")))
		}
	}
}

// damaged says what is wrong with a checkpoint, unless it is that it cannot be read at all.
func damaged(name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, name, err)
}

// frameOf looks for header and footer among the control records of a batch.
func frameOf(r raw, hadHeader bool) (header, footer bool, err error) {
	header = hadHeader
	if r.header.Control() {
		for record, err := range batch.Records(r.bytes, 0) {
			if err != nil {
				return header, false, err
			}
			kind, err := batch.ParseControlType(record.Key)
			if err != nil {
				return header, false, err
			}
			header = header || kind == batch.ControlSnapshotHeader
			footer = footer || kind == batch.ControlSnapshotFooter
		}
	}
	if !header {
		return header, footer, errors.New("has no header")
	}
	return header, footer, nil
}

// newestCheckpoint gives the newest good checkpoint at or before a position. An older one than the newest will do only if
// the log reaches back to it, which State finds out.
func (l *Log) newestCheckpoint(at Position) (checkpointFile, error) {
	err := fmt.Errorf("%w: no checkpoint at or before offset %d", ErrCorrupt, at.Offset)
	for i := len(l.checkpoints) - 1; i >= 0; i-- {
		c := l.checkpoints[i]
		if at.before(c.Position) {
			continue
		}
		bad := l.verify(c)
		if bad == nil {
			return c, nil
		}
		l.o.Logger.Error("metadata log: a checkpoint is damaged, an older one will be tried", "err", bad)
		err = errors.Join(err, bad)
	}
	return checkpointFile{}, err
}

func (l *Log) verify(c checkpointFile) error {
	for _, err := range ReadCheckpoint(l.o.FS, l.path(checkpointName(c.Position))) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Trim is called when a snapshot with this reference is durable. It removes checkpoints, oldest first, while there are newer
// ones up to the reference and they are too old or everything is too large; and the segments that only they needed.
func (l *Log) Trim(data []byte) error {
	r, err := parseReference(data)
	if err != nil {
		return fmt.Errorf("metadata log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.o.Now().Add(-l.o.Retention)
	for len(l.checkpoints) > 1 && !r.before(l.checkpoints[1].Position) &&
		(l.size() > l.o.RetentionBytes || l.checkpoints[0].written.Before(oldest)) {
		name := l.path(checkpointName(l.checkpoints[0].Position))
		if err := l.o.FS.Remove(name); ignoreNotExist(err) != nil {
			return fmt.Errorf("metadata log: remove checkpoint: %w", err)
		}
		l.checkpoints = l.checkpoints[1:]
		needed := l.checkpoints[0].Offset
		n := 0
		for n < l.active && l.segments[n+1].base <= needed {
			n++
		}
		if err := l.removeSegments(0, n); err != nil {
			return fmt.Errorf("metadata log: remove segments: %w", err)
		}
		l.active -= n
	}
	return nil
}

func (l *Log) size() int64 {
	total := int64(0)
	for _, s := range l.segments {
		total += s.size
	}
	for _, c := range l.checkpoints {
		total += c.size
	}
	return total
}
