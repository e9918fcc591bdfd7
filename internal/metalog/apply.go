package metalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// complaintInterval keeps a full disk from filling the log of the process too.
const complaintInterval = time.Minute

// Restore sets the log to the position that a snapshot of Raft refers to; State then gives what it holds up to there.
// What the folder holds beyond it is compared with what Apply brings.
func (l *Log) Restore(data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := parseReference(data)
	if err != nil {
		return fmt.Errorf("metadata log: %w", err)
	}
	if err := l.closeFile(); err != nil {
		return fmt.Errorf("metadata log: %w", err)
	}
	l.end, l.timestampMs, l.unwritten = r.Position, r.timestampMs, nil
	l.recent, l.nextRecent = nil, 0
	l.readEpochs(r.Position)
	if err := l.seek(r.Offset); err != nil {
		return fmt.Errorf("metadata log %s: %w", l.o.Dir, err)
	}
	return nil
}

func (l *Log) closeFile() error {
	if l.file == nil {
		return nil
	}
	file := l.file
	l.file = nil
	return file.Close()
}

// seek opens the segment in which the batch at offset is or will be.
func (l *Log) seek(offset int64) error {
	i := len(l.segments) - 1
	for i >= 0 && l.segments[i].base > offset {
		i--
	}
	if i >= 0 {
		found, err := l.seekIn(i, offset)
		if found || err != nil {
			return err
		}
	}
	// The log does not reach the offset, which is well if a checkpoint stands for all before it.
	if _, err := l.newestCheckpoint(l.end); offset > 0 && err != nil {
		return err
	}
	if offset > 0 && len(l.segments) > 0 {
		l.o.Logger.Warn("metadata log: begins anew behind its checkpoint, which it does not reach", "offset", offset)
	}
	if err := l.removeSegments(0, len(l.segments)); err != nil {
		return err
	}
	l.active = 0
	return l.create(offset)
}

func (l *Log) seekIn(i int, offset int64) (found bool, err error) {
	s := l.segments[i]
	file, err := l.o.FS.OpenFile(s.name, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	next, at := s.base, int64(0)
	for r, err := range scan(file, s.size) {
		if next >= offset || errors.Is(err, errTorn) {
			break
		}
		if err != nil {
			return false, errors.Join(err, file.Close())
		}
		if r.header.BaseOffset != next {
			break
		}
		next, at = r.header.NextOffset(), r.at+int64(len(r.bytes))
	}
	if next != offset {
		return false, file.Close()
	}
	l.active, l.file, l.at = i, file, at
	return true, nil
}

// create begins a new last segment.
func (l *Log) create(base int64) error {
	name := l.path(segmentName(base))
	file, err := l.o.FS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("create segment: %w", err)
	}
	if err := l.closeFile(); err != nil {
		return errors.Join(err, file.Close())
	}
	l.segments = append(l.segments, segment{base: base, name: name})
	l.active, l.file, l.at = len(l.segments)-1, file, 0
	return nil
}

// Apply takes the next committed entry: its term and its payload, which Writer made. An entry of Raft's own, without a
// payload, adds nothing.
func (l *Log) Apply(term uint64, payload []byte) (Batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(payload) == 0 {
		return Batch{End: l.end, TimestampMs: l.timestampMs}, nil
	}
	h, err := l.check(term, payload)
	if err != nil {
		return Batch{}, err
	}
	b, err := toBatch(raw{header: h, bytes: payload}, everything)
	if err != nil {
		return Batch{}, err
	}
	held, err := l.holds(payload)
	if err != nil {
		return Batch{}, err
	}
	if held {
		l.at += int64(len(payload))
	} else if err := l.append(payload); err != nil {
		return Batch{}, err
	}
	if len(l.unwritten) == 0 {
		l.remember(h.BaseOffset, l.at-int64(len(payload)))
	}
	l.noteEpoch(h.LeaderEpoch, h.BaseOffset)
	l.end, l.timestampMs = b.End, h.MaxTimestamp
	return b, nil
}

// check asserts what Writer promises. A payload that breaks it was damaged or made by somebody else.
func (l *Log) check(term uint64, payload []byte) (batch.Header, error) {
	h, whole, rest, err := batch.Next(payload)
	switch {
	case err != nil:
		return h, fmt.Errorf("metadata entry: %w", err)
	case len(rest) > 0:
		return h, fmt.Errorf("metadata entry: %d bytes behind its batch", len(rest))
	case h.BaseOffset != l.end.Offset || h.LastOffsetDelta != h.NumRecords-1 || h.NumRecords < 1:
		return h, fmt.Errorf("metadata entry: %d records up to offset %d, at offset %d", h.NumRecords, h.LastOffset(), l.end.Offset)
	case term > math.MaxInt32 || h.LeaderEpoch != int32(term):
		return h, fmt.Errorf("metadata entry: epoch %d in term %d", h.LeaderEpoch, term)
	}
	if err := batch.CheckCRC(whole); err != nil {
		return h, fmt.Errorf("metadata entry: %w", err)
	}
	return h, nil
}

// holds says whether the batch is in the folder already, from before a restart. A torn tail is cut there; another
// good batch in its place means that the two logs are not of one history.
func (l *Log) holds(payload []byte) (bool, error) {
	if len(l.unwritten) > 0 {
		return false, nil
	}
	if next := l.active + 1; next < len(l.segments) && l.at == l.segments[l.active].size {
		if found, err := l.goOn(next); err != nil || !found {
			return false, err
		}
	}
	s := &l.segments[l.active]
	if l.at == s.size {
		return false, nil
	}
	r, err := readBatch(l.file, l.at, s.size)
	if err == nil && bytes.Equal(r.bytes, payload) {
		return true, nil
	}
	if err == nil && r.header.BaseOffset == l.end.Offset {
		return false, fmt.Errorf("%w (offset %d)", ErrDiverged, l.end.Offset)
	}
	if err != nil && !errors.Is(err, errTorn) {
		return false, err
	}
	l.o.Logger.Warn("metadata log: cut a torn tail, to be written again from the raft log",
		"file", s.name, "size", l.at, "bytes", s.size-l.at)
	return false, l.cutTail()
}

// goOn moves to the next segment if that begins where this one ends, else the later ones are useless.
func (l *Log) goOn(next int) (bool, error) {
	if l.segments[next].base != l.end.Offset {
		return false, l.removeSegments(next, len(l.segments))
	}
	file, err := l.o.FS.OpenFile(l.segments[next].name, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	if err := l.closeFile(); err != nil {
		return false, errors.Join(err, file.Close())
	}
	l.active, l.file, l.at = next, file, 0
	return true, nil
}

func (l *Log) cutTail() error {
	if err := l.file.Truncate(l.at); err != nil {
		return fmt.Errorf("cut %s: %w", l.file.Name(), err)
	}
	l.segments[l.active].size = l.at
	return l.removeSegments(l.active+1, len(l.segments))
}

// append writes the batch behind the others. On a full disk it waits in memory: the raft log has it.
func (l *Log) append(payload []byte) error {
	if l.at >= l.o.SegmentBytes && len(l.unwritten) == 0 {
		if err := l.roll(); err != nil {
			return err
		}
	}
	l.unwritten = append(l.unwritten, payload...)
	err := l.flush()
	if err == nil || !vfs.IsNoSpace(err) || len(l.unwritten) > MaxUnwrittenBytes {
		return err
	}
	if now := l.o.Now(); now.Sub(l.complained) >= complaintInterval {
		l.complained = now
		l.o.Logger.Error("metadata log: disk full, its end waits in memory", "bytes", len(l.unwritten), "err", err)
	}
	return nil
}

func (l *Log) flush() error {
	if len(l.unwritten) == 0 {
		return nil
	}
	if _, err := l.file.WriteAt(l.unwritten, l.at); err != nil {
		return fmt.Errorf("write metadata log: %w", err)
	}
	l.at += int64(len(l.unwritten))
	l.segments[l.active].size = l.at
	if l.unwritten = l.unwritten[:0]; cap(l.unwritten) > minRollBytes {
		l.unwritten = nil
	}
	return nil
}

// roll begins a new segment, unless the disk is full. The old one is synced here: it is not looked at again.
func (l *Log) roll() error {
	if l.active != len(l.segments)-1 || l.at < l.segments[l.active].size || len(l.unwritten) > 0 {
		return nil
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("sync metadata log: %w", err)
	}
	if err := l.create(l.end.Offset); err != nil && !vfs.IsNoSpace(err) {
		return err
	}
	return nil
}

// confirmed says whether the folder holds nothing beyond what is applied. A leader has applied all that was ever
// committed, so what is beyond was committed and is lost from the raft log, or came from elsewhere.
func (l *Log) confirmed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return errors.New("metadata log is closed")
	}
	if l.active < len(l.segments)-1 && l.segments[l.active+1].size > 0 {
		return fmt.Errorf("%w (offset %d and beyond)", ErrDiverged, l.segments[l.active+1].base)
	}
	r, err := readBatch(l.file, l.at, l.segments[l.active].size)
	switch {
	case errors.Is(err, io.EOF), len(l.unwritten) > 0:
		return nil
	case errors.Is(err, errTorn):
		return l.cutTail()
	case err != nil:
		return err
	}
	return fmt.Errorf("%w (offset %d and beyond)", ErrDiverged, r.header.BaseOffset)
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
