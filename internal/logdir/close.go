package logdir

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/barnabas-mq/barnabas/internal/storage"
)

// closeWorkers close logs side by side; each may wait for a sync.
const closeWorkers = 8

// closeGrace is what Close gives its own steps to end after its context has: each looks at the context, but a disk may hang.
const closeGrace = time.Second

// Close stops in order: what the logs hold becomes durable, then the manifest and the checkpoints are written, last the marker
// that says so. When ctx ends first, or something fails, the marker is not written and the next start recovers; the
// error says why. The lock is let go, unless the disk hangs: then it ends with the process. Logs must not be used any more.
func (d *Dir) Close(ctx context.Context) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.flusher.close()
	ended := make(chan error, 1)
	go func() { ended <- d.close(ctx) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		grace := time.NewTimer(closeGrace)
		defer grace.Stop()
		select {
		case err = <-ended:
		case <-grace.C:
			err = fmt.Errorf("given up while the disk does not answer: %w", ctx.Err())
		}
	}
	if err != nil {
		return fmt.Errorf("close data directory %s: %w", d.o.Path, err)
	}
	return nil
}

func (d *Dir) close(ctx context.Context) error {
	d.tasks.Wait()
	m, err := d.closeLogs(ctx)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = d.writeStop(m)
	}
	return errors.Join(err, d.unlock())
}

// closeLogs closes all logs, in order while that is possible, and returns the manifest. An error means that the stop is not
// a clean one.
func (d *Dir) closeLogs(ctx context.Context) (*manifest, error) {
	entries := d.entries(func(*entry) bool { return true })
	slices.SortFunc(entries, func(a, b *entry) int { return compareKeys(a.key, b.key) })
	c := closing{d: d, ctx: ctx}
	if err := unrecovered(entries); err != nil {
		c.trouble.Store(&err) // the rest need not be closed in order either: the next start looks at all
	} else {
		c.ends = d.syncedEnds(ctx, entries)
	}
	m := &manifest{nonce: d.o.NewID(), entries: make([]manifestEntry, len(entries))}
	parallel(closeWorkers, indexes(len(entries)), func(i int) { c.closeEntry(entries[i], i, &m.entries[i]) })
	if err := c.trouble.Load(); err != nil {
		return nil, *err
	}
	if err := d.failed(); err != nil {
		return nil, err
	}
	m.entries = slices.DeleteFunc(m.entries, func(e manifestEntry) bool { return e.topic == "" })
	return m, d.settleAll(entries)
}

// unrecovered says which log waits for its recovery still.
func unrecovered(entries []*entry) error {
	for _, e := range entries {
		e.mu.Lock()
		waits := !e.gone && e.offline == nil && e.unchecked.Load()
		e.mu.Unlock()
		if waits {
			return fmt.Errorf("%s: %w", e.key, errUnrecovered)
		}
	}
	return nil
}

var errUnrecovered = errors.New("its recovery has not ended")

// closing is the closing of all logs side by side.
type closing struct {
	d       *Dir
	ctx     context.Context
	ends    []int64 // of each log that one sync of the whole disk has made durable up to its end; nil: none has
	trouble atomic.Pointer[error]
}

const notSynced = -1

// syncedEnds has many logs write what they hold, and syncs the disk once: file by file it takes a disk many times as long,
// even where nothing is left to write. It returns nil if they are few, or if that cannot be relied on: then each log syncs
// its own files.
func (d *Dir) syncedEnds(ctx context.Context, entries []*entry) []int64 {
	if countUnflushed(entries) < d.o.syncAllAbove {
		return nil
	}
	ends := make([]int64, len(entries))
	parallel(closeWorkers, indexes(len(entries)), func(i int) {
		ends[i] = notSynced
		l := entries[i].opened.Load()
		if ctx.Err() != nil || d.failed() != nil {
			return
		}
		if l == nil {
			ends[i] = 0 // closed: only its folder may be new
			return
		}
		if end, err := l.Finish(); err == nil { // an error comes again when it is closed
			ends[i] = end
		}
	})
	if ctx.Err() != nil || !d.syncDisk() {
		return nil
	}
	return ends
}

func countUnflushed(entries []*entry) (n int) {
	for _, e := range entries {
		l := e.opened.Load()
		if !e.settled.Load() || l != nil && l.FlushedOffset() < l.EndOffset() {
			n++
		}
	}
	return n
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// settleAll makes all new folders durable with one sync of the directory.
func (d *Dir) settleAll(entries []*entry) error {
	if !slices.ContainsFunc(entries, func(e *entry) bool { return !e.settled.Load() }) {
		return nil
	}
	if err := d.disk.SyncDir(d.o.Path); err != nil {
		return err
	}
	for _, e := range entries {
		if e.settled.CompareAndSwap(false, true) {
			e.recoveryPoint.Store(e.open.RecoveryPoint)
		}
	}
	return nil
}

// closeEntry closes one log and fills in its line of the manifest.
func (c *closing) closeEntry(e *entry, i int, line *manifestEntry) {
	inOrder := c.ctx.Err() == nil && c.trouble.Load() == nil && c.d.failed() == nil
	synced := int64(notSynced)
	if c.ends != nil {
		synced = c.ends[i]
	}
	if err := c.d.closeEntry(e, inOrder, synced, line); err != nil {
		err = fmt.Errorf("%s: %w", e.key, err)
		c.trouble.CompareAndSwap(nil, &err)
	}
}

func (d *Dir) closeEntry(e *entry, inOrder bool, synced int64, line *manifestEntry) error {
	d.takeHighWatermark(e) // before the lock: who is asked may be waiting for it
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return nil // its line stays empty and is left out
	}
	*line = manifestEntry{key: e.key, topicID: d.topicID(e), cleaned: e.cleaned.Load(), retentionDueMs: e.retentionDue.Load()}
	if e.dirty.Load() {
		line.retentionDueMs = 0 // nobody has looked since the last append
	}
	l := e.opened.Load()
	switch {
	case l != nil:
		damagedAt, _ := l.Damaged()
		line.offline = damagedAt >= 0
		state, err := d.releaseWith(e, func() (storage.ManifestEntry, error) {
			if inOrder && synced != notSynced {
				return l.CloseSynced(synced)
			}
			return l.Close(inOrder)
		}, inOrder)
		if err == nil && inOrder && synced == notSynced && !e.settled.Load() {
			err = d.settleFolder(e)
		}
		if err != nil {
			d.forgetBoot() // perhaps a sync failed
			return err
		}
		if inOrder && !line.offline {
			line.log = state.AppendTo(nil)
		}
	case e.offline != nil:
		line.offline = true
	case e.unchecked.Load():
		return errUnrecovered
	default:
		line.log = e.lazy // nil if it was never opened nor in a manifest: then its folder is read again
		if inOrder && synced == notSynced && !e.settled.Load() {
			if err := d.settleFolder(e); err != nil {
				d.forgetBoot()
				return err
			}
		}
	}
	line.highWatermark, line.recoveryPoint, line.startOffset = e.highWatermark.Load(), e.open.RecoveryPoint, e.startOffset.Load()
	return nil
}

// writeStop writes what a clean stop leaves. The order matters: the marker vouches for all that comes before it.
func (d *Dir) writeStop(m *manifest) error {
	for _, write := range []func() error{d.writeRecoveryPoints, d.writeHighWatermarks, d.writeCleanerOffsets} {
		if err := write(); err != nil {
			return err
		}
	}
	if err := d.writeWithReserve(manifestName, m.encode()); err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	marker := shutdownMarker{Manifest: m.nonceText()}
	if d.o.BrokerEpoch != nil {
		epoch := d.o.BrokerEpoch()
		marker.BrokerEpoch = &epoch
	}
	b, err := marker.encode()
	if err != nil {
		return err
	}
	if err := d.writeWithReserve(cleanShutdownName, b); err != nil {
		return fmt.Errorf("%s: %w", cleanShutdownName, err)
	}
	return nil
}
