package metalog

import (
	"errors"
	"fmt"
	"os"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// Adopt takes the folder as it is for the beginning of a new raft log: one that a stopped Kafka left, or an empty one. It
// gives the term to go on from, and the reference for the first snapshot. What the folder holds is durable on return.
//
// All that is whole in it counts as committed, as it does to a quorum's only voter; so a folder that belonged to
// one of several voters is refused.
func (l *Log) Adopt() (term uint64, data []byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	state, err := l.readQuorumState()
	if err != nil {
		return 0, nil, fmt.Errorf("metadata log %s: %w", l.o.Dir, err)
	}
	a := adoption{l: l}
	if state != nil {
		a.epoch, a.voters = state.LeaderEpoch, len(state.Voters)
	}
	if err := a.run(); err != nil {
		return 0, nil, fmt.Errorf("metadata log %s: %w", l.o.Dir, err)
	}
	if a.voters > 1 {
		return 0, nil, fmt.Errorf("metadata log %s: it belonged to one of %d voters, and what they agreed on may not be in it; "+
			"only a controller that was alone can be adopted", l.o.Dir, a.voters)
	}
	a.epoch = max(a.epoch, a.end.Epoch)
	if a.end.Offset > 0 {
		l.o.Logger.Info("metadata log: adopted", "dir", l.o.Dir, "offset", a.end.Offset, "epoch", a.epoch)
	}
	return uint64(a.epoch), a.end.bytes(), nil
}

type adoption struct {
	l      *Log
	epoch  int32
	voters int
	end    reference
}

func (a *adoption) run() error {
	l := a.l
	if n := len(l.checkpoints); n > 0 {
		newest := l.checkpoints[n-1]
		a.end.Position = newest.Position
		if err := a.look(l.path(checkpointName(newest.Position))); err != nil {
			return err
		}
	}
	for i, s := range l.segments {
		if i+1 < len(l.segments) && l.segments[i+1].base <= a.end.Offset {
			continue
		}
		if err := a.readSegment(i, s); err != nil {
			return err
		}
	}
	if err := l.o.FS.SyncDir(l.o.Dir); err != nil {
		return err
	}
	return a.syncCheckpoint()
}

// readSegment follows the log to its end, where a torn batch is cut off, and makes it durable.
func (a *adoption) readSegment(i int, s segment) error {
	l := a.l
	file, err := l.o.FS.OpenFile(s.name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	size := s.size
	for r, err := range scan(file, s.size) {
		if errors.Is(err, errTorn) {
			size = r.at
			break
		}
		if err == nil {
			err = a.take(r)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s.name, err), file.Close())
		}
	}
	if size < s.size {
		if i < len(l.segments)-1 {
			return errors.Join(fmt.Errorf("%w: %s: bad batch at %d, and the log goes on in another segment", ErrCorrupt, s.name, size), file.Close())
		}
		l.o.Logger.Warn("metadata log: cut a torn tail", "file", s.name, "size", size, "bytes", s.size-size)
		err = file.Truncate(size)
		l.segments[i].size = size
	}
	return errors.Join(err, file.Sync(), file.Close())
}

// take moves the end over a batch, and counts the voters that it names.
func (a *adoption) take(r raw) error {
	if r.header.NextOffset() <= a.end.Offset {
		return nil
	}
	if r.header.BaseOffset > a.end.Offset {
		return fmt.Errorf("%w: batch at offset %d, expected at %d", ErrCorrupt, r.header.BaseOffset, a.end.Offset)
	}
	a.end = reference{Position{r.header.NextOffset(), r.header.LeaderEpoch}, r.header.MaxTimestamp}
	return a.countVoters(r)
}

func (a *adoption) look(checkpoint string) error {
	for r, err := range scanFile(a.l.o.FS, checkpoint) {
		if err == nil {
			err = a.countVoters(r)
		}
		if err != nil {
			return damaged(checkpoint, err)
		}
		a.end.timestampMs = max(a.end.timestampMs, r.header.MaxTimestamp)
	}
	return nil
}

func (a *adoption) countVoters(r raw) error {
	if !r.header.Control() {
		return nil
	}
	for record, err := range batch.Records(r.bytes, 0) {
		if err != nil {
			return err
		}
		control, err := meta.DecodeControl(record.Key, record.Value)
		if err != nil {
			return err
		}
		if voters, ok := control.(*meta.VotersRecord); ok {
			a.voters = len(voters.Voters)
		}
	}
	return nil
}

// syncCheckpoint makes the checkpoint durable that the state will be read from.
func (a *adoption) syncCheckpoint() error {
	l := a.l
	if len(l.checkpoints) == 0 {
		return nil
	}
	newest := l.checkpoints[len(l.checkpoints)-1]
	// Kafka makes its checkpoints read-only; a sync needs no more.
	file, err := l.o.FS.OpenFile(l.path(checkpointName(newest.Position)), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
