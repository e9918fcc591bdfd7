package logdir

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/barnabas-mq/barnabas/internal/storage"
)

// Defaults of CleanerOptions, Kafka's.
const (
	DefaultCleanerThreads     = 1
	DefaultDedupeBytes        = 128 << 20
	DefaultDedupeLoadFactor   = 0.9
	DefaultCleanerBufferBytes = 512 << 10
	DefaultCleanerBackoff     = 15 * time.Second
)

// CleanerOptions are the settings of compaction. Reconfigure changes all of them but Disabled.
type CleanerOptions struct {
	Disabled       bool
	Threads        int           // log.cleaner.threads; memory and rate are shared by them
	DedupeBytes    int64         // log.cleaner.dedupe.buffer.size
	LoadFactor     float64       // log.cleaner.io.buffer.load.factor
	BufferBytes    int           // log.cleaner.io.buffer.size
	BytesPerSecond float64       // log.cleaner.io.max.bytes.per.second; 0: without limit
	Backoff        time.Duration // log.cleaner.backoff.ms: how often logs with too little dirt are looked at
}

func (o *CleanerOptions) setDefaults() {
	o.Threads = orDefault(o.Threads, DefaultCleanerThreads)
	o.DedupeBytes = orDefault(o.DedupeBytes, DefaultDedupeBytes)
	o.BufferBytes = orDefault(o.BufferBytes, DefaultCleanerBufferBytes)
	o.Backoff = orDefault(o.Backoff, DefaultCleanerBackoff)
	if o.LoadFactor <= 0 || o.LoadFactor > 1 {
		o.LoadFactor = DefaultDedupeLoadFactor
	}
}

// cleaner compacts the directory's logs, the dirtiest first. It looks at those that have closed segments which were not cleaned,
// and sleeps while there are none.
type cleaner struct {
	d    *Dir
	rate *rate

	mu         sync.Mutex // guards the fields below
	o          CleanerOptions
	crew       map[int]struct{} // the numbers of the threads that run
	changed    chan struct{}    // closed when o changes, and made anew
	dirty      chan struct{}    // closed when there is a first candidate, and made anew
	candidates map[*entry]struct{}
	running    map[*entry]*cleanJob
	given      map[*entry]struct{} // given up until the next start: their cleaning fails
}

// cleanJob is one cleaning under way.
type cleanJob struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// choice is a log to be cleaned, and why.
type choice struct {
	e    *entry
	log  *storage.Log
	dirt storage.Dirt
}

func newCleaner(d *Dir) *cleaner {
	o := d.o.Cleaner
	return &cleaner{
		d: d, o: o, rate: newRate(o.BytesPerSecond),
		crew: map[int]struct{}{}, changed: make(chan struct{}), dirty: make(chan struct{}),
		candidates: map[*entry]struct{}{}, running: map[*entry]*cleanJob{}, given: map[*entry]struct{}{},
	}
}

// dirtied notes that a log may have something to clean.
func (c *cleaner) dirtied(e *entry) {
	if c.d.o.Cleaner.Disabled || !c.d.o.Settings(e.topic).Compact || e.onlyActive() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, given := c.given[e]; given {
		return
	}
	if len(c.candidates) == 0 {
		close(c.dirty)
		c.dirty = make(chan struct{})
	}
	c.candidates[e] = struct{}{}
}

// busy says that a log may have something to clean, which is looked at again and again, or is being cleaned.
func (c *cleaner) busy(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, candidate := c.candidates[e]
	return candidate || c.running[e] != nil
}

// stop ends a log's cleaning, if there is one, and waits for that. It is called with e.mu held, which a cleaning never takes.
func (c *cleaner) stop(e *entry) {
	c.mu.Lock()
	job := c.running[e]
	delete(c.candidates, e)
	delete(c.given, e)
	c.mu.Unlock()
	if job != nil {
		job.cancel()
		<-job.done
	}
}

// cleanDirtiest cleans one log and reports whether there may be another.
func (c *cleaner) cleanDirtiest() bool {
	if c.d.ctx.Err() != nil || c.d.failed() != nil {
		return false
	}
	best, found := c.choose()
	if !found {
		return false
	}
	ctx, cancel := context.WithCancel(c.d.ctx)
	defer cancel()
	job := &cleanJob{cancel: cancel, done: make(chan struct{})}
	c.mu.Lock()
	if c.running[best.e] != nil {
		c.mu.Unlock()
		return true
	}
	c.running[best.e] = job
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.running, best.e)
		c.mu.Unlock()
		close(job.done)
	}()
	if best.e.opened.Load() != best.log {
		return true // given up meanwhile
	}
	return c.clean(ctx, best)
}

// choose measures the candidates and returns the dirtiest that is due: overdue by max.compaction.lag.ms, or dirtier
// than min.cleanable.dirty.ratio.
func (c *cleaner) choose() (best choice, found bool) {
	c.mu.Lock()
	candidates := make([]*entry, 0, len(c.candidates))
	for e := range c.candidates {
		if c.running[e] == nil {
			candidates = append(candidates, e)
		}
	}
	c.mu.Unlock()
	for _, e := range candidates {
		if c.d.ctx.Err() != nil {
			return choice{}, false
		}
		l, dirt, ok := c.measure(e)
		if !ok {
			continue
		}
		due := dirt.CleanableBytes > 0 && (dirt.Overdue || dirt.Ratio() > c.d.o.Settings(e.topic).MinCleanableRatio)
		if due && (!found || dirt.Ratio() > best.dirt.Ratio()) {
			best, found = choice{e, l, dirt}, true
		}
	}
	return best, found
}

// measure drops a candidate that has nothing to clean before it is appended to again.
func (c *cleaner) measure(e *entry) (*storage.Log, storage.Dirt, bool) {
	l, err := c.d.openEntry(e)
	var dirt storage.Dirt
	if err == nil {
		dirt, err = l.Dirt(e.cleaned.Load(), c.d.o.Now())
	}
	if err != nil || !dirt.Pending || !c.d.o.Settings(e.topic).Compact {
		if err != nil && e.opened.Load() == l && l != nil {
			c.d.log.Error("cannot tell what there is to clean", "partition", e.key.String(), "error", err)
		}
		c.mu.Lock()
		delete(c.candidates, e)
		c.mu.Unlock()
		return nil, dirt, false
	}
	if dirt.Reset {
		e.cleaned.Store(dirt.FirstDirty)
	}
	return l, dirt, true
}

// share is what each thread may take of what they all have together.
func (c *cleaner) share() storage.CleanerOptions {
	c.mu.Lock()
	defer c.mu.Unlock()
	return storage.CleanerOptions{
		DedupeBytes: c.o.DedupeBytes / int64(c.o.Threads), LoadFactor: c.o.LoadFactor,
		BufferBytes: max(c.o.BufferBytes/c.o.Threads, 1), Throttle: c.rate.wait,
	}
}

// clean compacts one log and notes how far. It reports whether to go on with the next.
func (c *cleaner) clean(ctx context.Context, it choice) bool {
	begun := c.d.o.Now()
	stats, err := it.log.Clean(ctx, it.dirt, begun, c.share())
	log := c.d.log.With("partition", it.e.key.String())
	switch {
	case errors.Is(err, storage.ErrCleanAborted):
		return c.d.ctx.Err() == nil
	case err != nil && passing(err):
		log.Warn("compaction will be tried again", "error", err)
		return false
	case err != nil:
		log.Error("compaction is given up until the next start", "error", err)
		c.mu.Lock()
		delete(c.candidates, it.e)
		c.given[it.e] = struct{}{}
		c.mu.Unlock()
		return true
	}
	if stats.CleanedTo <= it.dirt.FirstDirty {
		log.Error("the largest segment's keys do not fit log.cleaner.dedupe.buffer.size", "keys", stats.Keys)
		return false
	}
	log.Info("compacted", "from", it.dirt.FirstDirty, "to", stats.CleanedTo, "keys", stats.Keys, "records_read", stats.RecordsRead,
		"records_kept", stats.RecordsKept, "bytes_read", stats.BytesRead, "bytes_kept", stats.BytesKept,
		"segments", stats.SegmentsRead, "became", stats.Written, "took", c.d.o.Now().Sub(begun))
	it.e.cleaned.Store(stats.CleanedTo)
	if err := c.d.writeCleanerOffsets(); err != nil {
		log.Error("checkpoint of compaction", "error", err)
	}
	c.d.keeper.retainAt(it.e, c.d.o.Now()) // the replaced files go after a delay
	return true
}
