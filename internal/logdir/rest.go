package logdir

import "github.com/barnabas-mq/barnabas/internal/storage"

// Held is what is known of a log without opening it.
type Held struct {
	Start, End    int64
	HighWatermark int64 // as last checkpointed
	Size          int64
	StartEpoch    int32 // leader epoch of the record at Start, -1 if unknown
	Undecided     bool  // a transaction is open
	// Open says that the log is open, because it is in use or had to be recovered: what was last checkpointed says little then.
	Open bool

	segments int // 0: not known
}

func heldOpen(l *storage.Log) Held {
	return Held{
		Start: l.StartOffset(), End: l.EndOffset(), HighWatermark: l.HighWatermark(), Size: l.Size(),
		StartEpoch: l.EpochAt(l.StartOffset()), Undecided: l.Undecided(), Open: true,
	}
}

// Look tells what is known of a log that Hold left closed, or of an open one. ok is false for any other.
func (d *Dir) Look(topic string, partition int32) (held Held, ok bool) {
	d.mu.RLock()
	e := d.logs[key{topic, partition}]
	d.mu.RUnlock()
	if e == nil {
		return Held{}, false
	}
	if l := e.opened.Load(); l != nil {
		return heldOpen(l), true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if resting := e.resting(); resting != nil {
		return *resting, true
	}
	return Held{}, false
}

// resting describes a log that can be opened without touching a file; nil if it is none. e.mu is held.
func (e *entry) resting() *Held {
	if e.gone || e.offline != nil || e.lazy == nil || e.unchecked.Load() || e.opened.Load() != nil {
		return nil
	}
	m, rest, err := storage.DecodeManifestEntry(e.lazy)
	if err != nil || len(rest) > 0 {
		return nil
	}
	held := Held{
		Start: m.StartOffset, End: m.EndOffset, segments: len(m.Segments),
		StartEpoch: m.EpochAt(m.StartOffset), Undecided: m.FirstUnstableOffset >= 0,
	}
	held.HighWatermark = min(max(e.highWatermark.Load(), held.Start), held.End)
	for _, s := range m.Segments {
		held.Size += s.Size
	}
	return &held
}

// onlyActive says that a log is closed and has but one segment, which compaction leaves alone. It does not wait for whoever is at the log.
func (e *entry) onlyActive() bool {
	if e.opened.Load() != nil || !e.mu.TryLock() {
		return false
	}
	defer e.mu.Unlock()
	held := e.resting()
	return held != nil && held.segments == 1
}

// Rest closes a log of which nothing is in memory alone, and of which nothing is under way here, and says whether it did. It is for the
// owner, who lets nobody use the log meanwhile; Get opens it again.
func (d *Dir) Rest(topic string, partition int32) bool {
	d.mu.RLock()
	e, closed := d.logs[key{topic, partition}], d.closed
	d.mu.RUnlock()
	if e == nil || closed || d.failed() != nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.opened.Load()
	if l == nil {
		return true
	}
	if e.dirty.Load() || d.flusher.busy(e) || d.cleaner.busy(e) {
		return false
	}
	return !d.rest(e, l).Open
}

// rest closes a log that is open, if that is all the same to it. One whose folder may not survive a power cut must hold
// no record: what rests counts as durable. e.mu is held.
func (d *Dir) rest(e *entry, l *storage.Log) Held {
	held := heldOpen(l)
	if held.Size > 0 && !e.settled.Load() {
		return held
	}
	m, ok := l.Rest()
	if !ok {
		return held
	}
	held.segments = len(m.Segments)
	_, _ = d.releaseWith(e, func() (storage.ManifestEntry, error) { return m, nil }, true)
	e.lazy, held.Open = m.AppendTo(nil), false
	if held.Size == 0 {
		e.retentionDue.CompareAndSwap(0, nothingDue)
	}
	return held
}
