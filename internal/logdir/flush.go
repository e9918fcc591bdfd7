package logdir

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/storage"
)

// defaultSyncAllAbove is the number of logs waiting above which one syncfs goes before their own syncs, which then find
// nothing left to write: the disk gets one long ordered list instead of a thousand short ones.
const defaultSyncAllAbove = 1000

// flusher is group commit: whoever waits for a log's sync when one begins shares it, and a few workers sync different
// logs side by side. Workers exist while there is work.
type flusher struct {
	d *Dir

	mu      sync.Mutex // guards the fields below
	jobs    map[*entry]*flushJob
	queue   []*flushJob
	workers int
	syncing bool // a syncfs is under way
	closed  bool
}

// flushJob is what waits for one log.
type flushJob struct {
	e       *entry
	log     *storage.Log
	waiting []flushWaiter
	queued  bool
	running bool
}

type flushWaiter struct {
	upTo int64
	done func(error)
}

func newFlusher(d *Dir) *flusher { return &flusher{d: d, jobs: map[*entry]*flushJob{}} }

// Flush calls done when everything in l below upTo is durable, or cannot become so. done may be called before
// Flush returns or on another goroutine; it must not block. The caller holds no lock of the log.
func (d *Dir) Flush(l *storage.Log, upTo int64, done func(error)) {
	d.mu.RLock()
	e := d.byLog[l]
	d.mu.RUnlock()
	switch {
	case e == nil:
		done(fmt.Errorf("flush of a log that is not in %s: %w", d.o.Path, kerr.KafkaStorageError))
	case e.settled.Load() && l.FlushedOffset() >= upTo:
		done(d.failed())
	case !d.flusher.add(e, l, flushWaiter{upTo, done}):
		done(ErrClosed)
	}
}

// add queues a log's sync. It takes no lock but its own: storage calls it, by way of background, under a log's lock.
func (f *flusher) add(e *entry, l *storage.Log, w flushWaiter) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	job := f.jobs[e]
	if job == nil || job.log != l {
		job = &flushJob{e: e, log: l}
		f.jobs[e] = job
	}
	if w.done != nil {
		job.waiting = append(job.waiting, w)
	}
	f.enqueue(job)
	return true
}

// busy says that a log's sync waits or is under way.
func (f *flusher) busy(e *entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.jobs[e] != nil
}

// background syncs a log that nobody waits for, so that its recovery point advances.
func (f *flusher) background(e *entry) {
	if l := e.opened.Load(); l != nil {
		f.add(e, l, flushWaiter{})
	}
}

// enqueue with f.mu held.
func (f *flusher) enqueue(job *flushJob) {
	if job.queued {
		return
	}
	job.queued = true
	if job.running {
		return // its worker takes it up again
	}
	f.queue = append(f.queue, job)
	if f.workers < f.d.o.FlushWorkers {
		f.workers++
		f.d.tasks.Go(f.work)
	}
}

func (f *flusher) work() {
	for {
		f.mu.Lock()
		if len(f.queue) == 0 {
			f.workers--
			f.mu.Unlock()
			return
		}
		syncAll := len(f.queue) > f.d.o.syncAllAbove && !f.syncing
		if syncAll {
			f.syncing = true
			f.mu.Unlock()
			f.d.syncDisk()
			f.mu.Lock()
			f.syncing = false
		}
		if len(f.queue) == 0 {
			f.mu.Unlock()
			continue
		}
		job := f.queue[0]
		f.queue[0] = nil
		f.queue = f.queue[1:]
		waiting := job.waiting
		job.waiting, job.queued, job.running = nil, false, true
		f.mu.Unlock()

		err := f.d.syncLog(job.e, job.log)
		f.ended(job)
		for _, w := range waiting {
			w.done(flushed(job.log, w.upTo, err))
		}
	}
}

// ended puts a log for which new waiters came meanwhile at the end of the queue.
func (f *flusher) ended(job *flushJob) {
	f.mu.Lock()
	defer f.mu.Unlock()
	job.running = false
	switch {
	case job.queued:
		job.queued = false
		f.enqueue(job)
	case f.jobs[job.e] == job:
		delete(f.jobs, job.e)
	}
}

// flushed is a waiter's answer. A sync that began after Flush covers what was appended before it; what is still
// missing was cut off by a truncation and will never be there.
func flushed(l *storage.Log, upTo int64, err error) error {
	if err == nil && l.FlushedOffset() < upTo {
		return fmt.Errorf("offset %d was truncated before it was durable: %w", upTo-1, kerr.NotLeaderForPartition)
	}
	return err
}

// syncLog makes a log durable with its folder. An error ends the use of the directory, except for a log closed meanwhile.
func (d *Dir) syncLog(e *entry, l *storage.Log) error {
	if err := d.failed(); err != nil {
		return err
	}
	e.unsynced.Store(0)
	err := l.Sync()
	if err == nil {
		err = d.settle(e)
	}
	if err == nil {
		return nil
	}
	if e.opened.Load() != l {
		return fmt.Errorf("%s: closed before it was durable: %w: %w", e.key, err, kerr.KafkaStorageError)
	}
	d.fail(fmt.Errorf("sync of %s: %w", e.key, err))
	return d.failed()
}

// close refuses new work; workers end with what is queued.
func (f *flusher) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}
