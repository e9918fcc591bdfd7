// Package metalog keeps the folder __cluster_metadata-0 as Kafka lays it out: the log of metadata records, its
// checkpoints, quorum-state. It is derived: Raft's own log says what is committed, and this one is written from that, so
// it needs no sync of its own until Raft's log is to be cut.
//
// One entry of Raft is one record batch, proposed as the bytes that are kept here; its leader epoch is the term. Entries
// that are Raft's own take no offset, so that every member's log is the same.
//
// The package knows segments, batches, checkpoints and offsets. It must not know what a metadata record means, nor how
// entries come to be committed.
package metalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

var (
	// ErrCorrupt marks a folder from which the state cannot be read.
	ErrCorrupt = errors.New("metadata log is corrupt")
	// ErrDiverged marks a log that holds something else than what Raft has committed.
	ErrDiverged = errors.New("metadata log holds what the raft log does not: was an older raft log put in its place? " +
		"Remove the raft log to take the metadata log as it is")
	// ErrTooLarge is what Writer.Append answers to records that do not fit a batch.
	ErrTooLarge = errors.New("metadata batch is too large")
)

const (
	// MaxBatchBytes bounds a batch, as Kafka's readers do.
	MaxBatchBytes = 8 << 20
	// MaxUnwrittenBytes bounds the batches that wait in memory for space on a full disk.
	MaxUnwrittenBytes = 32 << 20
	// DefaultSegmentBytes, DefaultRetentionBytes and DefaultRetention are Kafka's.
	DefaultSegmentBytes   = 1 << 30
	DefaultRetentionBytes = 100 << 20
	DefaultRetention      = 7 * 24 * time.Hour
	// minRollBytes is the size above which a checkpoint begins a new segment, so that the next start reads no further
	// back than the checkpoint, and idle clusters don't collect small files.
	minRollBytes = 1 << 20
)

// Position is a place between records: the offset of the next one, and the leader epoch of the last.
type Position struct {
	Offset int64
	Epoch  int32
}

// Batch is what one record batch adds to the state.
type Batch struct {
	End         Position
	TimestampMs int64
	// Records are the payloads of metadata records, in order; none for a control batch. They must not be changed.
	Records [][]byte
}

// Options says where a Log is and how it is kept.
type Options struct {
	FS             vfs.FS
	Dir            string // …/__cluster_metadata-0
	NodeID         int32
	SegmentBytes   int64
	RetentionBytes int64
	Retention      time.Duration
	Now            func() time.Time
	Logger         *slog.Logger
}

// Log is the metadata log of one node. Adopt, Restore, State, Apply, Checkpoint and Trim are called one at a time; the
// function that Checkpoint returns, and Position, at any time.
type Log struct {
	o Options

	mu          sync.Mutex // guards what follows
	segments    []segment
	active      int      // the segment in which the next batch goes
	file        vfs.File // of the active segment, nil before Restore
	at          int64    // where in it the next batch goes
	end         Position
	timestampMs int64   // of the last batch
	unwritten   []byte  // batches before end that wait for space; they belong at the position at
	recent      []place // of the last batches that were applied: a ring, once it is full
	nextRecent  int
	epochs      []epochStart
	checkpoints []checkpointFile // by rising offset
	complained  time.Time        // when the full disk was last logged
}

// segment is one .log file. Its size is that of the file: beyond what is applied there may be batches of an earlier
// run, or a torn tail.
type segment struct {
	base int64
	name string
	size int64
}

// Open looks at what the folder holds, creating it if needed. Nothing is changed in it but leftovers of checkpoints that
// were never finished.
func Open(o Options) (*Log, error) {
	o.setDefaults()
	l := &Log{o: o}
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("metadata log: %w", err)
	}
	if err := o.FS.SyncDir(filepath.Dir(filepath.Clean(o.Dir))); err != nil {
		return nil, fmt.Errorf("metadata log: %w", err)
	}
	if err := l.list(); err != nil {
		return nil, fmt.Errorf("metadata log: %w", err)
	}
	return l, nil
}

func (o *Options) setDefaults() {
	setDefault(&o.SegmentBytes, DefaultSegmentBytes)
	setDefault(&o.RetentionBytes, DefaultRetentionBytes)
	setDefault(&o.Retention, DefaultRetention)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

func setDefault[T ~int64](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

// Position is the end of what is applied.
func (l *Log) Position() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Close writes what can be written and closes the files. Nothing is lost if it is not called.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.flush()
	file := l.file
	l.file = nil
	return errors.Join(err, file.Close())
}

// A reference is what a snapshot of Raft keeps for us: the position whose state it stands for.
const (
	referenceVersion = 1
	referenceSize    = 2 + 8 + 4 + 8
)

type reference struct {
	Position
	timestampMs int64
}

func (r reference) bytes() []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, referenceSize), referenceVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Offset))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Epoch))
	return binary.BigEndian.AppendUint64(b, uint64(r.timestampMs))
}

func parseReference(b []byte) (reference, error) {
	if len(b) == 0 { // a log that began with nothing
		return reference{}, nil
	}
	if len(b) < 2 || binary.BigEndian.Uint16(b) != referenceVersion {
		return reference{}, errors.New("snapshot reference of an unknown version")
	}
	if len(b) != referenceSize {
		return reference{}, fmt.Errorf("snapshot reference of %d bytes", len(b))
	}
	r := reference{
		Position:    Position{Offset: int64(binary.BigEndian.Uint64(b[2:])), Epoch: int32(binary.BigEndian.Uint32(b[10:]))},
		timestampMs: int64(binary.BigEndian.Uint64(b[14:])),
	}
	if r.Offset < 0 || r.Epoch < 0 {
		return reference{}, fmt.Errorf("snapshot reference to %+v", r.Position)
	}
	return r, nil
}
