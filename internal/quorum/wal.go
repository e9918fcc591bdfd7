package quorum

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	segmentSuffix = ".raft"
	// preallocateBytes is reserved on disk ahead of what is written, so that a node can still vote, lead and cut its log
	// on a disk that others have filled.
	preallocateBytes = 1 << 20
)

// segment is one file of the log.
type segment struct {
	sequence  uint64
	name      string
	lastIndex uint64 // the highest entry index ever written to it, 0 for none
}

// wal is the durable log: segments of which only the last is written. It belongs to the appender.
type wal struct {
	fs           vfs.FS
	dir          string
	raftID       uint64
	segmentBytes int64
	logger       *slog.Logger

	segments  []segment // oldest first, the last one is open
	file      vfs.File
	size      int64 // of the last segment: all of it is synced, and the next frame goes there
	allocated int64 // the part of it that is reserved on disk
	hardState *raftpb.HardState
	buffer    []byte // reused from append to append
}

// append writes and syncs a hard state and entries. After an error that mayRetry the same call may be repeated; any other
// one leaves the log's contents unknown, and the node must stop.
func (w *wal) append(hs *raftpb.HardState, entries []*raftpb.Entry) error {
	if w.size >= w.segmentBytes {
		if err := w.roll(); err != nil {
			return err
		}
	}
	last := &w.segments[len(w.segments)-1]
	b := appendHardState(w.buffer[:0], w.size, hs)
	for _, e := range entries {
		b = appendEntry(b, w.size, e)
	}
	if err := w.write(b); err != nil {
		return fmt.Errorf("append to %s: %w", last.name, err)
	}
	if err := w.file.Sync(); err != nil {
		return &syncError{fmt.Errorf("sync %s: %w", last.name, err)}
	}
	w.size += int64(len(b))
	w.hardState = hs
	for _, e := range entries {
		last.lastIndex = max(last.lastIndex, e.GetIndex())
	}
	return nil
}

// syncError is a failed sync: what it was to make durable may be lost whatever happens next.
type syncError struct{ error }

func (e *syncError) Unwrap() error { return e.error }

// mayRetry says whether the append that gave err may be tried again.
func mayRetry(err error) bool {
	var failedSync *syncError
	return !errors.As(err, &failedSync) && vfs.IsNoSpace(err)
}

func (w *wal) write(b []byte) error {
	if need := w.size + int64(len(b)); need > w.allocated {
		// Reserving is a kindness to the next append; the write itself says whether there is space.
		if w.file.Preallocate(w.size, int64(len(b))+preallocateBytes) == nil {
			w.allocated = need + preallocateBytes
		}
	}
	if _, err := w.file.WriteAt(b, w.size); err != nil {
		return err
	}
	const maxKeptBuffer = 1 << 20
	if w.buffer = b; cap(b) > maxKeptBuffer {
		w.buffer = nil
	}
	return nil
}

// roll goes on in a new segment, which begins with the hard state so that older ones can be removed.
func (w *wal) roll() error {
	sequence := uint64(1)
	if n := len(w.segments); n > 0 {
		sequence = w.segments[n-1].sequence + 1
	}
	name := filepath.Join(w.dir, fmt.Sprintf("%020d%s", sequence, segmentSuffix))
	file, size, err := w.createSegment(name, sequence)
	if err != nil {
		return fmt.Errorf("create segment %s: %w", name, errors.Join(err, ignoreNotExist(w.fs.Remove(name))))
	}
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			return errors.Join(fmt.Errorf("close segment: %w", err), file.Close())
		}
	}
	w.segments = append(w.segments, segment{sequence: sequence, name: name})
	w.file, w.size, w.allocated = file, size, size
	return nil
}

func (w *wal) createSegment(name string, sequence uint64) (vfs.File, int64, error) {
	file, err := w.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, 0, err
	}
	b := appendSegmentHeader(nil, w.raftID, sequence)
	b = appendHardState(b, 0, w.hardState)
	_, err = file.WriteAt(b, 0)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = w.fs.SyncDir(w.dir)
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, int64(len(b)), nil
}

// cut removes the segments that hold nothing above index. The last one stays.
func (w *wal) cut(index uint64) error {
	n := 0
	for n < len(w.segments)-1 && w.segments[n].lastIndex <= index {
		n++
	}
	return w.removeSegments(n)
}

// removeSegments removes the oldest segments. That needs no sync: what comes back is known to be useless.
func (w *wal) removeSegments(n int) error {
	for range n {
		if err := w.fs.Remove(w.segments[0].name); ignoreNotExist(err) != nil {
			return fmt.Errorf("remove segment: %w", err)
		}
		w.segments = w.segments[1:]
	}
	return nil
}

// close keeps the commit index, so that the next start need not wait for an election to apply what is committed. What is
// reserved behind the end stays so, for a start on a full disk.
func (w *wal) close() error {
	return errors.Join(w.append(w.hardState, nil), w.file.Close())
}
