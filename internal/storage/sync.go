package storage

import (
	"fmt"
)

// syncRound is one sync and those who wait for it.
type syncRound struct {
	done  chan struct{}
	err   error
	begun bool // what is appended from now on needs the next round
}

// Sync makes everything appended before the call durable: one fdatasync per changed file, outside the log's lock, shared
// by concurrent callers. After a failure the log takes no more appends: what the kernel dropped is unknown.
//
// Producer snapshots are not synced: one that is lost or torn is noticed, and the state made again from an older one.
func (l *Log) Sync() error {
	l.syncMu.Lock()
	round := l.syncing
	if round != nil && !round.begun {
		l.syncMu.Unlock()
		<-round.done
		return round.err
	}
	next := &syncRound{done: make(chan struct{})}
	l.syncing = next
	l.syncMu.Unlock()
	if round != nil {
		<-round.done // one at a time
	}
	l.syncMu.Lock()
	next.begun = true
	l.syncMu.Unlock()
	next.err = l.sync()
	close(next.done)
	l.syncMu.Lock()
	if l.syncing == next {
		l.syncing = nil
	}
	l.syncMu.Unlock()
	return next.err
}

// syncWork is what one sync has to see to, taken under mu.
type syncWork struct {
	segments  []syncSegment
	directory bool
	end       int64
	rewinds   int
}

// syncSegment is a segment to be synced, with its indexes once they are complete: those of the active segment a
// recovery rebuilds.
type syncSegment struct {
	*segment
	indexes bool
}

func (l *Log) sync() error {
	work, err := l.takeSyncWork()
	if err != nil {
		return err
	}
	return l.finishSync(work)
}

func (l *Log) finishSync(work syncWork) error {
	if err := l.syncFiles(work); err != nil {
		l.fail(fmt.Errorf("sync failed, and what the kernel dropped is unknown: %w", err))
		return l.storageError("sync", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rewinds == work.rewinds {
		l.flushed.Store(max(l.flushed.Load(), work.end))
	}
	l.lastFlushMs.Store(l.now().UnixMilli())
	return nil
}

// takeSyncWork also writes the leader epochs, which are small and have to be in order with appends.
func (l *Log) takeSyncWork() (syncWork, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.alive(); err != nil {
		return syncWork{}, err
	}
	work := syncWork{end: l.end.Load(), rewinds: l.rewinds, directory: l.directoryDirty}
	if p := l.segments.Load(); p != nil {
		for _, s := range *p {
			indexes := s.sealed && s.indexesDirty
			if s.dirty || indexes {
				work.segments = append(work.segments, syncSegment{s, indexes})
			}
			s.dirty, s.indexesDirty = false, s.indexesDirty && !indexes
		}
	}
	l.directoryDirty = false
	return work, nil
}

func (l *Log) syncFiles(work syncWork) error {
	for _, s := range work.segments {
		err := s.sync(s.indexes)
		if s.stage.Load() == stageDeleted {
			continue // retention took it meanwhile
		}
		if err != nil {
			return err
		}
	}
	if err := l.syncEpochs(); err != nil {
		return err
	}
	if work.directory {
		return l.place.syncDir()
	}
	return nil
}

// syncEpochs holds mu for the write and its sync: it happens once per leader epoch.
func (l *Log) syncEpochs() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.persist(&l.place, true, l.end.Load())
}
