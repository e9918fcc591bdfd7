package logdir

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// checkpoints are Kafka's four files. A partition that a file does not name is 0 in it.
type checkpoints struct {
	recoveryPoints, startOffsets, highWatermarks, cleaned map[key]int64
}

// writtenCheckpoints remembers digests of what is on disk, so that nothing is written again that is there already.
type writtenCheckpoints struct {
	mu      sync.Mutex // held while a checkpoint is written: two writers would use the same temporary file
	digests map[string][sha256.Size]byte
}

// readCheckpoints never fails: a checkpoint only saves work. What an unreadable one knew is found in the logs again, by
// scanning from their start.
func (d *Dir) readCheckpoints() (c checkpoints) {
	for name, offsets := range map[string]*map[key]int64{
		recoveryPointsName: &c.recoveryPoints, logStartOffsetsName: &c.startOffsets,
		highWatermarksName: &c.highWatermarks, cleanerOffsetsName: &c.cleaned,
	} {
		var err error
		if *offsets, err = readCheckpoint(d.disk, d.o.Path, name); err != nil {
			d.log.Warn("a checkpoint is unreadable and will be rebuilt", "file", name, "error", err)
		}
		for k := range *offsets {
			if d.logs[k] == nil {
				d.stale[k] = struct{}{}
			}
		}
	}
	return c
}

// writeRecoveryPoints writes the checkpoints of recovery points and log start offsets.
func (d *Dir) writeRecoveryPoints() error {
	recovery, start := map[key]int64{}, map[key]int64{}
	for _, e := range d.entries(func(*entry) bool { return true }) {
		s, r := e.startOffset.Load(), e.recoveryPoint.Load()
		if l := e.opened.Load(); l != nil {
			s = l.StartOffset()
			if e.settled.Load() {
				r = l.FlushedOffset()
			}
		}
		recovery[e.key] = r
		if s > 0 { // as in Kafka: a log that starts at its first segment needs no line
			start[e.key] = s
		}
	}
	if err := d.writeCheckpoint(recoveryPointsName, recovery); err != nil {
		return err
	}
	return d.writeCheckpoint(logStartOffsetsName, start)
}

func (d *Dir) writeHighWatermarks() error {
	offsets := map[key]int64{}
	for _, e := range d.entries(func(*entry) bool { return true }) {
		offsets[e.key] = e.highWatermark.Load()
	}
	return d.writeCheckpoint(highWatermarksName, offsets)
}

func (d *Dir) writeCleanerOffsets() error {
	offsets := map[key]int64{}
	for _, e := range d.entries(func(e *entry) bool { return e.cleaned.Load() > 0 }) {
		offsets[e.key] = e.cleaned.Load()
	}
	return d.writeCheckpoint(cleanerOffsetsName, offsets)
}

// writeCheckpoint replaces one file, durably: a recovery point must not be in it before it is true, which it is,
// nor a deleted topic's offset come back when its name is used again.
func (d *Dir) writeCheckpoint(name string, offsets map[key]int64) error {
	b := encodeCheckpoint(offsets)
	digest := sha256.Sum256(b)
	d.written.mu.Lock()
	defer d.written.mu.Unlock()
	if d.written.digests[name] == digest {
		return nil
	}
	if err := d.writeWithReserve(name, b); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if d.written.digests == nil {
		d.written.digests = map[string][sha256.Size]byte{}
	}
	d.written.digests[name] = digest
	return nil
}

// writeWithReserve writes a small file of the directory's own, on a full disk out of what was held back for it.
func (d *Dir) writeWithReserve(name string, b []byte) error {
	path := filepath.Join(d.o.Path, name)
	err := vfs.WriteFileAtomic(d.disk, path, b, true)
	if err != nil && vfs.IsNoSpace(err) && d.reserve.spend() {
		err = vfs.WriteFileAtomic(d.disk, path, b, true)
	}
	return err
}

// forgetStale makes the checkpoints on disk forget a log that is gone, before its name is used again: else a crash could
// give the new log the old one's offsets, and hide or cut its records.
func (d *Dir) forgetStale(k key) error {
	d.mu.RLock()
	_, stale := d.stale[k]
	d.mu.RUnlock()
	if !stale {
		return nil
	}
	d.mu.RLock()
	gone := make([]key, 0, len(d.stale))
	for k := range d.stale {
		gone = append(gone, k)
	}
	d.mu.RUnlock()
	for _, write := range []func() error{d.writeRecoveryPoints, d.writeHighWatermarks, d.writeCleanerOffsets} {
		if err := write(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	for _, k := range gone {
		delete(d.stale, k)
	}
	d.mu.Unlock()
	return nil
}

// KeepRecoveryPoints writes the recovery points of all logs as they are, durably. An owner that has cut off a log's flushed end
// calls it before it appends anything: below a recovery point nothing would be cut after a power cut.
func (d *Dir) KeepRecoveryPoints() error { return d.writeRecoveryPoints() }
