package logdir

import (
	"math"
	"sync"
	"time"
)

const (
	// minRetentionGap keeps a log that always has something due from being asked all the time.
	minRetentionGap = time.Second
	// removalRetry is when a folder that could not be removed is tried again.
	removalRetry = time.Minute
	// nothingDue is an entry's retentionDue when retention has nothing to do before the next append.
	nothingDue = -1
)

// keeper does what is due: checkpoints, retention, flush.ms, syncs of what has grown, removal of folders, the closing of logs that
// nobody uses. It sleeps until the soonest of these, and without a bound when nothing is dirty or open: idle logs cost it nothing.
type keeper struct {
	d    *Dir
	wake chan struct{}

	mu         sync.Mutex // guards the fields below; taken under a log's lock
	fresh      []*entry   // became dirty since the last look
	added      []due
	checkpoint bool // recovery points, start offsets or the set of logs have changed
	opened     bool // logs were opened

	// The rest is run's own.
	schedule       schedule
	dirty          map[*entry]struct{} // appended to since their last retention
	behind         map[*entry]struct{} // whose checkpointed high watermark is not their end
	nextRetention  time.Time           // zero: not due
	nextCheckpoint time.Time
	nextWatermarks time.Time
	nextRest       time.Time
	toRest         []*entry // what is left of a round among the open logs
}

func newKeeper(d *Dir) *keeper {
	return &keeper{d: d, wake: make(chan struct{}, 1), dirty: map[*entry]struct{}{}, behind: map[*entry]struct{}{}}
}

// dirtied notes a first append since the last look. It is called under the log's lock.
func (k *keeper) dirtied(e *entry) {
	if !e.dirty.CompareAndSwap(false, true) {
		return
	}
	e.retentionDue.CompareAndSwap(nothingDue, 0)
	k.mu.Lock()
	k.fresh = append(k.fresh, e)
	k.mu.Unlock()
	k.signal()
}

func (k *keeper) removeAt(folder string, at time.Time) {
	k.add(due{at: at.UnixMilli(), kind: dueRemoval, folder: folder})
}

func (k *keeper) retainAt(e *entry, at time.Time) {
	e.retentionDue.Store(at.UnixMilli())
	k.add(due{at: at.UnixMilli(), kind: dueRetention, e: e})
}

// syncAt is called under the log's lock.
func (k *keeper) syncAt(e *entry, at time.Time) {
	k.add(due{at: at.UnixMilli(), kind: dueSync, e: e})
}

func (k *keeper) add(item due) {
	k.mu.Lock()
	k.added = append(k.added, item)
	k.mu.Unlock()
	k.signal()
}

func (k *keeper) checkpointSoon() {
	k.mu.Lock()
	k.checkpoint = true
	k.mu.Unlock()
	k.signal()
}

// openedSome is called with an entry's lock held.
func (k *keeper) openedSome() {
	k.mu.Lock()
	first := !k.opened
	k.opened = true
	k.mu.Unlock()
	if first {
		k.signal()
	}
}

func (k *keeper) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-k.d.ctx.Done():
			return
		case <-k.wake:
		case <-timer.C:
		}
		if next, any := k.round(k.d.o.Now()); any {
			timer.Reset(max(0, next.Sub(k.d.o.Now())))
		} else {
			timer.Stop()
		}
	}
}

// claimed notes when a log's retention is due, from the manifest if that knows.
func (k *keeper) claimed(e *entry) {
	switch at := e.retentionDue.Load(); at {
	case nothingDue:
	case 0:
		k.retainAt(e, k.d.o.Now().Add(k.d.o.RetentionCheck))
	default:
		k.add(due{at: at, kind: dueRetention, e: e})
	}
}

// round does what is due and tells when to look again.
func (k *keeper) round(now time.Time) (next time.Time, any bool) {
	k.collect(now)
	if k.d.failed() != nil {
		return time.Time{}, false
	}
	for _, item := range k.schedule.take(now.UnixMilli()) {
		k.do(item, now)
	}
	if passed(k.nextRetention, now) {
		k.retentionRound(now)
	}
	if passed(k.nextWatermarks, now) {
		k.watermarkRound(now)
	}
	if passed(k.nextCheckpoint, now) {
		k.checkpointRound()
	}
	if passed(k.nextRest, now) {
		k.restRound(now)
	}
	return k.next()
}

func passed(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// collect takes in what others have added since the last round.
func (k *keeper) collect(now time.Time) {
	k.mu.Lock()
	fresh, added, checkpoint, opened := k.fresh, k.added, k.checkpoint, k.opened
	k.fresh, k.added, k.checkpoint, k.opened = nil, nil, false, false
	k.mu.Unlock()
	for _, item := range added {
		k.schedule.add(item)
	}
	for _, e := range fresh {
		k.dirty[e] = struct{}{}
		k.behind[e] = struct{}{}
		if flushMs := k.d.o.Settings(e.topic).FlushMs; flushMs > 0 && flushMs < math.MaxInt64-now.UnixMilli() {
			k.schedule.add(due{at: now.UnixMilli() + flushMs, kind: dueFlush, e: e})
		}
		k.d.cleaner.dirtied(e)
	}
	soonest(&k.nextCheckpoint, checkpoint || len(fresh) > 0, now.Add(k.d.o.CheckpointEvery))
	soonest(&k.nextRetention, len(k.dirty) > 0, now.Add(k.d.o.RetentionCheck))
	soonest(&k.nextWatermarks, len(k.behind) > 0, now.Add(k.d.o.HighWatermarkEvery))
	soonest(&k.nextRest, opened && k.d.o.Idle != nil, now.Add(k.d.o.RestAfter))
}

func soonest(at *time.Time, wanted bool, then time.Time) {
	if wanted && at.IsZero() {
		*at = then
	}
}

func (k *keeper) next() (time.Time, bool) {
	next := time.Time{}
	if len(k.schedule) > 0 {
		next = time.UnixMilli(k.schedule[0].at)
	}
	for _, at := range []time.Time{k.nextRetention, k.nextWatermarks, k.nextCheckpoint, k.nextRest} {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, !next.IsZero()
}

func (k *keeper) do(item due, now time.Time) {
	switch item.kind {
	case dueRetention:
		if item.e.retentionDue.Load() == item.at { // else a sooner one has been there
			k.retain(item.e, now)
		}
	case dueFlush:
		k.rearm(item.e)
		k.d.flusher.background(item.e)
	case dueSync:
		k.d.flusher.background(item.e)
	case dueRemoval:
		k.remove(item, now)
	case dueRest:
		k.d.o.Rest(item.e.topic, item.e.partition)
	}
}

// rearm lets the next append make the log dirty again. What came between the log's last look and this call was not
// noted, so it counts as dirty from here.
func (k *keeper) rearm(e *entry) {
	e.dirty.Store(false)
	k.dirty[e] = struct{}{}
	k.d.cleaner.dirtied(e)
}

func (k *keeper) retentionRound(now time.Time) {
	dirty := k.dirty
	k.dirty, k.nextRetention = map[*entry]struct{}{}, time.Time{}
	for e := range dirty {
		k.retain(e, now)
	}
}

// retain rolls and deletes what the topic's settings say.
func (k *keeper) retain(e *entry, now time.Time) {
	if k.d.ctx.Err() != nil {
		return
	}
	l, err := k.d.openEntry(e)
	if err != nil { // told by openEntry
		e.retentionDue.Store(0)
		return
	}
	did, err := l.Housekeep(now)
	if err != nil {
		if e.opened.Load() == l {
			k.d.log.Error("retention", "partition", e.key.String(), "error", err)
			k.retainAt(e, now.Add(k.d.o.RetentionCheck))
		}
		return
	}
	if did.DeletedSegments > 0 || did.Rolled {
		k.checkpointSoon()
	}
	if did.Rolled {
		k.d.cleaner.dirtied(e)
	}
	if did.NextDue.IsZero() {
		e.retentionDue.Store(nothingDue)
		return
	}
	at := did.NextDue
	if soonest := now.Add(minRetentionGap); at.Before(soonest) {
		at = soonest
	}
	k.retainAt(e, at)
}

// watermarkRound takes the high watermarks of logs that were appended to. One that has reached its log's end stands
// still until the next append, and is not asked again before.
func (k *keeper) watermarkRound(now time.Time) {
	changed := false
	for e := range k.behind {
		k.rearm(e)
		at, moved := k.d.takeHighWatermark(e)
		changed = changed || moved
		if l := e.opened.Load(); l == nil || at < 0 || at >= l.EndOffset() {
			delete(k.behind, e)
		}
	}
	k.nextWatermarks = time.Time{}
	soonest(&k.nextWatermarks, len(k.behind) > 0, now.Add(k.d.o.HighWatermarkEvery))
	soonest(&k.nextRetention, len(k.dirty) > 0, now.Add(k.d.o.RetentionCheck))
	if !changed {
		return
	}
	if err := k.d.writeHighWatermarks(); err != nil {
		k.d.log.Error("checkpoint of high watermarks", "error", err)
	}
}

// takeHighWatermark asks for a partition's high watermark and keeps it for the checkpoint. It is negative if nobody knows.
func (d *Dir) takeHighWatermark(e *entry) (at int64, moved bool) {
	if d.o.HighWatermark == nil {
		return -1, false
	}
	at = d.o.HighWatermark(e.topic, e.partition)
	if at < 0 {
		return at, false
	}
	return at, e.highWatermark.Swap(at) != at
}

func (k *keeper) checkpointRound() {
	k.nextCheckpoint = time.Time{}
	if err := k.d.writeRecoveryPoints(); err != nil {
		k.d.log.Error("checkpoint of recovery points", "error", err)
		k.checkpointSoon()
	}
	k.d.reserve.prepare()
}

func (k *keeper) remove(item due, now time.Time) {
	if err := k.d.disk.RemoveAll(item.folder); err != nil {
		k.d.log.Error("removing a deleted log", "folder", item.folder, "error", err)
		k.removeAt(item.folder, now.Add(removalRetry))
	}
}
