package logdir

import (
	"maps"
	"time"
)

const (
	// DefaultRestAfter is how long a log stays open that nobody uses; at most twice as long, as each is looked at once in
	// that time.
	DefaultRestAfter = 5 * time.Minute
	// restsAtOnce is how many logs are let go in one round, and restPause the time to the next: each may take a few syncs, and
	// others want the disk.
	restsAtOnce = 64
	restPause   = time.Second
)

// restRound lets logs rest that nobody has used since it last came by. It goes round all open ones, some at a time.
func (k *keeper) restRound(now time.Time) {
	if len(k.toRest) == 0 {
		k.toRest = k.d.entries(func(e *entry) bool { return e.opened.Load() != nil })
	}
	for n := 0; n < restsAtOnce && len(k.toRest) > 0; {
		last := len(k.toRest) - 1
		if k.letRest(k.toRest[last], now) {
			n++
		}
		k.toRest = k.toRest[:last]
	}
	k.nextRest = time.Time{}
	switch {
	case len(k.toRest) > 0:
		k.nextRest = now.Add(restPause)
	case k.d.shrink():
		k.behind, k.toRest = maps.Clone(k.behind), nil
		k.nextRest = now.Add(k.d.o.RestAfter)
	}
}

// letRest closes a log that is idle, at once if nothing of it is in memory alone, else when it has been written and synced. It
// reports whether that was something to do. What retention, compaction or the checkpoint of high watermarks still has to look at
// is left for the next time.
func (k *keeper) letRest(e *entry, now time.Time) bool {
	l := e.opened.Load()
	_, dirty := k.dirty[e]
	_, behind := k.behind[e]
	if l == nil || dirty || behind || e.dirty.Load() || !e.claimed.Load() || k.d.cleaner.busy(e) || !k.d.o.Idle(e.topic, e.partition) {
		return false
	}
	k.d.o.Rest(e.topic, e.partition)
	if e.opened.Load() == nil {
		return true
	}
	if k.d.Writable() != nil {
		return false
	}
	settled, err := l.Settle()
	if err != nil && e.opened.Load() == l {
		k.d.log.Warn("an idle log stays open", "partition", e.key.String(), "error", err)
	}
	if !settled || err != nil {
		return true
	}
	return k.d.flusher.add(e, l, flushWaiter{done: func(err error) {
		if err == nil {
			k.add(due{at: now.UnixMilli(), kind: dueRest, e: e})
		}
	}})
}

// shrink gives back what the table of open logs took when there were more, as maps do not, and says whether any is open.
func (d *Dir) shrink() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byLog = maps.Clone(d.byLog)
	return len(d.byLog) > 0
}
