package metalog

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrBeforeStart is what Read answers for an offset that the log does not reach back to: a checkpoint stands for it.
var ErrBeforeStart = errors.New("the metadata log begins later")

// maxRecent is the number of batches whose place in the files is known without looking.
const maxRecent = 1_024

// place is where a batch stands: in the segment with a base, at a position.
type place struct {
	offset, base, at int64
}

// Read gives whole batches from an offset on, which is where a batch begins: at most limit bytes, but one batch in any case. There is
// nothing at the end of what is applied, nor while it waits for space on a full disk. It may be called at any time.
func (l *Log) Read(offset int64, limit int) ([]byte, error) {
	p, name, size, err := l.place(offset)
	if err != nil || name == "" {
		return nil, err
	}
	file, err := l.o.FS.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if p.offset < offset {
		for r, err := range scan(file, size) {
			if err != nil {
				return nil, fmt.Errorf("read metadata log at offset %d: %w", offset, err)
			}
			if p.at = r.at; r.header.BaseOffset >= offset {
				break
			}
			p.at += int64(len(r.bytes))
		}
	}
	first, err := readBatch(file, p.at, size)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil || first.header.BaseOffset != offset {
		return nil, fmt.Errorf("read metadata log at offset %d, batch at %d: %w", offset, first.header.BaseOffset, errors.Join(err, ErrCorrupt))
	}
	out := first.bytes
	for {
		next, err := readBatch(file, p.at+int64(len(out)), size)
		if err != nil || len(out)+len(next.bytes) > limit {
			return out, nil // the rest comes with the next read, as does what is wrong with it
		}
		out = append(out, next.bytes...)
	}
}

// place finds the segment of an offset, and where in it the batch stands, or one before it. No name: there is nothing.
func (l *Log) place(offset int64) (p place, name string, size int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset >= l.end.Offset || len(l.segments) == 0 {
		return p, "", 0, nil
	}
	i := l.active
	for i >= 0 && l.segments[i].base > offset {
		i--
	}
	if i < 0 {
		return p, "", 0, ErrBeforeStart
	}
	s := l.segments[i]
	p = place{offset: s.base, base: s.base}
	for _, r := range l.recent {
		if r.offset == offset && r.base == s.base {
			p = r
		}
	}
	if size = s.size; i == l.active {
		size = l.at
	}
	return p, s.name, size, nil
}

// remember notes where a batch stands that was applied. The caller holds mu.
func (l *Log) remember(offset, at int64) {
	p := place{offset: offset, base: l.segments[l.active].base, at: at}
	if len(l.recent) < maxRecent {
		l.recent = append(l.recent, p)
		return
	}
	l.recent[l.nextRecent] = p
	l.nextRecent = (l.nextRecent + 1) % maxRecent
}

// Start is the first offset that Read reaches back to, and NewestCheckpoint the position of a checkpoint that stands for all before it.
func (l *Log) Start() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) == 0 {
		return l.end.Offset
	}
	return l.segments[0].base
}

// NewestCheckpoint is where the newest checkpoint stands that what is applied has reached.
func (l *Log) NewestCheckpoint() (Position, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.checkpoints) - 1; i >= 0; i-- {
		if c := l.checkpoints[i].Position; !l.end.before(c) {
			return c, true
		}
	}
	return Position{}, false
}

// CheckpointReference is how the checkpoint at a position is referred to. The time in it is that of its last record if it is here.
func (l *Log) CheckpointReference(p Position) []byte {
	r := reference{Position: p}
	if l.hasCheckpoint(p) {
		r.timestampMs = l.checkpointTime(checkpointName(p)).UnixMilli()
	}
	return r.bytes()
}

// Resume gives the reference to the end of what the folder holds, for Restore: what a follower had fetched before it stopped. A torn
// end is cut off; what it held is fetched again.
func (l *Log) Resume() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := adoption{l: l}
	if err := a.run(); err != nil {
		return nil, fmt.Errorf("metadata log %s: %w", l.o.Dir, err)
	}
	return a.end.bytes(), nil
}
