package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// MaxSegmentFileBytes bounds a segment on reading: one append goes beyond the configured size, never a row of them.
const MaxSegmentFileBytes = 1 << 30

// openWAL opens the log in dir and returns the entries above the snapshot. A log that does not exist is created.
func openWAL(o Options, raftID uint64, snapshot *raftpb.SnapshotMetadata) (*wal, []*raftpb.Entry, error) {
	w := &wal{
		fs: o.FS, dir: o.Dir, raftID: raftID, segmentBytes: o.SegmentBytes, logger: o.Logger,
		hardState: newHardState(snapshot.GetTerm(), 0, snapshot.GetIndex()),
	}
	found, err := w.list()
	if err != nil {
		return nil, nil, err
	}
	if len(found) == 0 {
		return w, nil, w.roll()
	}
	r := replay{snapshot: snapshot}
	for i, s := range found {
		if err := w.openSegment(s, i == len(found)-1, &r); err != nil {
			return nil, nil, errors.Join(err, w.closeFile())
		}
	}
	if w.file == nil { // the only segment was never finished
		return w, nil, w.roll()
	}
	entries, err := r.finish(w.hardState)
	if err != nil {
		return nil, nil, errors.Join(err, w.closeFile())
	}
	return w, entries, nil
}

func (w *wal) closeFile() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// list finds the segments. Older ones than a missing one were being removed when the power went; they go now.
func (w *wal) list() ([]segment, error) {
	entries, err := w.fs.ReadDir(w.dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", w.dir, err)
	}
	for _, e := range entries { // sorted by name, thus by sequence
		number, isSegment := strings.CutSuffix(e.Name(), segmentSuffix)
		sequence, err := strconv.ParseUint(number, 10, 64)
		if !isSegment || err != nil {
			continue
		}
		w.segments = append(w.segments, segment{sequence: sequence, name: filepath.Join(w.dir, e.Name())})
	}
	first := len(w.segments) - 1
	for first > 0 && w.segments[first-1].sequence == w.segments[first].sequence-1 {
		first--
	}
	if first > 0 {
		if err := w.removeSegments(first); err != nil {
			return nil, err
		}
	}
	found := w.segments
	w.segments = nil
	return found, nil
}

// openSegment replays a segment. Only the last one may have a torn tail, which is cut.
func (w *wal) openSegment(s segment, last bool, r *replay) error {
	file, err := w.fs.OpenFile(s.name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	b, err := readSegment(file)
	if err != nil {
		return errors.Join(fmt.Errorf("read %s: %w", s.name, err), file.Close())
	}
	size, err := w.replaySegment(&s, b, r)
	if err == nil && size < len(b) {
		err = checkTail(s.name, b, size, last)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if !last {
		w.segments = append(w.segments, s)
		return file.Close()
	}
	if size == 0 { // cut off while it was being created: nothing was promised in it
		w.logger.Warn("raft log: removed a segment that was never finished", "file", s.name)
		return errors.Join(file.Close(), w.fs.Remove(s.name), w.reopenLast())
	}
	w.segments = append(w.segments, s)
	return w.resume(file, int64(size), len(b)-size)
}

// resume makes the file the one that is written, cut to its good part.
func (w *wal) resume(file vfs.File, size int64, torn int) error {
	w.file, w.size = file, size
	if torn > 0 {
		w.logger.Warn("raft log: cut a torn tail, which was never synced", "file", file.Name(), "size", size, "bytes", torn)
		if err := file.Truncate(size); err != nil {
			return fmt.Errorf("truncate %s: %w", file.Name(), err)
		}
	}
	// What was read may be in the page cache only. It is about to be relied on.
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", file.Name(), err)
	}
	w.allocated = size
	return nil
}

// reopenLast goes on in the newest finished segment.
func (w *wal) reopenLast() error {
	if len(w.segments) == 0 {
		return nil
	}
	file, err := w.fs.OpenFile(w.segments[len(w.segments)-1].name, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	size, err := file.Size()
	if err != nil {
		return errors.Join(fmt.Errorf("size of %s: %w", file.Name(), err), file.Close())
	}
	return w.resume(file, size, 0)
}

func readSegment(file vfs.File) ([]byte, error) {
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if size > MaxSegmentFileBytes {
		return nil, fmt.Errorf("%w: segment of %d bytes", ErrCorrupt, size)
	}
	b := make([]byte, size)
	if n, err := file.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}

// replaySegment replays frames up to the end or the first bad one, and returns the size of the good part.
func (w *wal) replaySegment(s *segment, b []byte, r *replay) (int, error) {
	at := 0
	for at < len(b) {
		f, err := parseFrame(b[at:])
		if err != nil {
			return at, nil
		}
		if (at == 0) != (f.kind == frameSegment) {
			return at, fmt.Errorf("%w: %s: frame of kind %d at %d", ErrCorrupt, s.name, f.kind, at)
		}
		if err := w.replayFrame(s, f, r); err != nil {
			return at, fmt.Errorf("%s at %d: %w", s.name, at, err)
		}
		at += f.size
	}
	return at, nil
}

func (w *wal) replayFrame(s *segment, f frame, r *replay) error {
	switch f.kind {
	case frameSegment:
		raftID, sequence, err := parseSegmentHeader(f.payload)
		if err != nil {
			return err
		}
		if raftID != w.raftID {
			return fmt.Errorf("this raft log belongs to member %x, not to %x: its directory.id has changed", raftID, w.raftID)
		}
		if sequence != s.sequence {
			return fmt.Errorf("%w: segment %d under another name", ErrCorrupt, sequence)
		}
	case frameHardState:
		hs, err := parseHardState(f.payload)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		w.hardState = hs
	case frameEntry:
		e, err := parseEntry(f.payload)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		s.lastIndex = max(s.lastIndex, e.GetIndex())
		return r.add(e)
	default:
		return fmt.Errorf("frame of unknown kind %d: written by a newer version?", f.kind)
	}
	return nil
}

// checkTail tells a torn tail from damage. A tail is torn when nothing says that it was ever durable: it is at the end of
// the last segment, and no good frame behind it was written after a sync of it.
func checkTail(name string, b []byte, good int, last bool) error {
	if !last {
		return fmt.Errorf("%w: %s: bad frame at %d, and the log goes on in another segment", ErrCorrupt, name, good)
	}
	for at := good + frameAlign; at+frameHeaderSize <= len(b); at += frameAlign {
		f, err := parseFrame(b[at:])
		if err == nil && f.durable > int64(good) {
			return fmt.Errorf("%w: %s: bad frame at %d, but the file was synced up to %d", ErrCorrupt, name, good, f.durable)
		}
	}
	return nil
}

// replay puts together the entries that a row of frames amounts to.
type replay struct {
	snapshot *raftpb.SnapshotMetadata
	entries  []*raftpb.Entry // consecutive
}

// add takes an entry, which replaces those from its index on.
func (r *replay) add(e *raftpb.Entry) error {
	index, next := e.GetIndex(), r.snapshot.GetIndex()+1
	if n := len(r.entries); n > 0 {
		first, last := r.entries[0].GetIndex(), r.entries[n-1].GetIndex()
		if index >= first && index <= last+1 {
			r.entries = append(r.entries[:index-first], e)
			return nil
		}
		if index > last {
			next = max(next, last+1)
		}
	}
	if index > next {
		return fmt.Errorf("%w: entry %d follows, entry %d is missing", ErrCorrupt, index, next)
	}
	// The first entry, or one after a snapshot that came from the leader and replaced what was here.
	r.entries = append(r.entries[:0], e)
	return nil
}

// finish gives the entries above the snapshot.
func (r *replay) finish(hs *raftpb.HardState) ([]*raftpb.Entry, error) {
	base := r.snapshot.GetIndex()
	entries := r.entries
	if n := len(entries); n > 0 {
		first, last := entries[0].GetIndex(), entries[n-1].GetIndex()
		switch {
		case last <= base:
			entries = nil
		case first <= base && entries[base-first].GetTerm() != r.snapshot.GetTerm():
			// The snapshot came from a leader whose log was another one from before its index on.
			entries = nil
		case first <= base:
			entries = detach(entries[base-first+1:])
		case first > base+1:
			return nil, fmt.Errorf("%w: the log begins at entry %d, the snapshot ends at %d", ErrCorrupt, first, base)
		}
	}
	if last := base + uint64(len(entries)); hs.GetCommit() > last {
		return nil, fmt.Errorf("%w: entry %d was committed, the log ends at %d", ErrCorrupt, hs.GetCommit(), last)
	}
	return entries, nil
}

// detach copies entries out of the segments that were read, most of which a snapshot has made useless.
func detach(entries []*raftpb.Entry) []*raftpb.Entry {
	for _, e := range entries {
		e.Data = bytes.Clone(e.Data)
	}
	return slices.Clone(entries)
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
