package storage

// Settle writes what only memory holds: the ends of indexes, the producers' state, leader epochs. Once a Sync has followed, and if
// nothing was appended since, Rest closes the log without touching a file. It writes nothing, and says so, while something
// will have to be done with the log soon: a transaction is open, or files of dropped segments wait for their removal.
func (l *Log) Settle() (settled bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.alive(); err != nil {
		return false, err
	}
	if l.unfinished() {
		return false, nil
	}
	if l.manifest == nil {
		if err := l.writeState(); err != nil {
			return false, err
		}
		l.directoryDirty = true // the names of what was just written
	}
	return true, nil
}

// unfinished says that something is left to do though nobody appends. The caller holds mu.
func (l *Log) unfinished() bool {
	undecided := l.manifest == nil && (l.firstUnstable.Load() >= 0 || l.undecided.Load())
	return undecided || len(l.doomed) > 0 || l.damage.Load() != nil
}

// Rest closes a log of which memory holds nothing that its files and the returned description do not, and which nobody is reading:
// one that was not used since it was made or opened, or that is as Settle and Sync have left it. No file is touched: that the
// names in a new log's directory survive a power cut is left to the owner. Any other log goes on as it is.
func (l *Log) Rest() (m ManifestEntry, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alive() != nil || l.unfinished() || l.epochs.unwritten(l.end.Load()) || l.isSyncing() {
		return ManifestEntry{}, false
	}
	if l.manifest == nil && !l.settled() {
		return ManifestEntry{}, false
	}
	m = l.entry()
	l.shut()
	return m, true
}

// isSyncing says that a sync is under way: what it has taken to see to may not be durable yet.
func (l *Log) isSyncing() bool {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	return l.syncing != nil
}

// settled says that all of a log whose segments are loaded is in its files, durable, and not being read. The caller holds mu.
func (l *Log) settled() bool {
	if l.flushed.Load() != l.end.Load() || l.directoryDirty {
		return false
	}
	if p := l.producers; p != nil && p.end > p.lastSnapshot {
		return false
	}
	for _, s := range *l.segments.Load() {
		if s.dirty || s.indexesDirty || s.busy() {
			return false
		}
	}
	return true
}

// busy says that index entries are in memory alone, or that one of the files is in use.
func (s *segment) busy() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for kind := range s.handles {
		if h := s.handles[kind].Load(); h != nil && h.inUse() {
			return true
		}
	}
	return len(s.offsets.pending)+len(s.times.pending) > 0
}
