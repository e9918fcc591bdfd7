package logdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// entry is one log of the directory, open or not. An idle one costs this and its part of the manifest.
type entry struct {
	key
	topicID [16]byte // set before it is listed; then only Create of a log without one changes it, under Dir.mu

	opened atomic.Pointer[storage.Log]

	mu      sync.Mutex // guards the fields below and gone, and the opening, closing and renaming of the log
	offline error      // why it cannot be opened
	lazy    []byte     // storage's part of the manifest, until the log is opened
	open    storage.Checkpoint

	highWatermark atomic.Int64 // as last known for the checkpoint
	cleaned       atomic.Int64 // first dirty offset of compaction, 0: none was made
	startOffset   atomic.Int64 // for checkpoints while the log is not open
	recoveryPoint atomic.Int64
	retentionDue  atomic.Int64 // ms; 0: not known, ask

	unsynced  atomic.Int64 // bytes appended since the last background sync began
	dirty     atomic.Bool  // on the keeper's list
	settled   atomic.Bool  // the folder and its id are durable
	unchecked atomic.Bool  // waits for its recovery
	claimed   atomic.Bool  // the owner has asked for it since Open
	listed    bool         // guarded by Dir.mu: made and not deleted
	gone      bool         // guarded by mu: deleted, or never made
}

func (d *Dir) folder(k key) string { return filepath.Join(d.o.Path, k.String()) }

// openEntry opens the log of an entry, once. A log that cannot be opened stays offline with the reason, unless the
// reason is passing: out of descriptors, say.
func (d *Dir) openEntry(e *entry) (*storage.Log, error) {
	if err := d.failed(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if l := e.opened.Load(); l != nil {
		return l, nil
	}
	if e.gone {
		return nil, fmt.Errorf("%s: no log in %s: %w", e.key, d.o.Path, kerr.UnknownTopicOrPartition)
	}
	if d.isClosed() { // Close waits for e.mu and finds every log that was opened before
		return nil, ErrClosed
	}
	if e.offline != nil {
		return nil, e.offline
	}
	l, err := d.openLog(e)
	if err != nil && vfs.IsNoSpace(err) && d.reserve.spend() { // recovery writes indexes
		l, err = d.openLog(e)
	}
	if err != nil {
		if d.ctx.Err() != nil {
			return nil, ErrClosed // interrupted
		}
		err = fmt.Errorf("%s: %w: %w", e.key, err, kerr.KafkaStorageError)
		d.log.Error("a log is offline", "partition", e.key.String(), "error", err)
		if !passing(err) {
			e.offline = err
		}
		return nil, err
	}
	d.adopt(e, l)
	d.checked(e)
	return l, nil
}

func (d *Dir) openLog(e *entry) (*storage.Log, error) {
	o := d.logOptions(e)
	o.Checkpoint = e.open
	if e.lazy != nil {
		m, rest, err := storage.DecodeManifestEntry(e.lazy)
		if err == nil && len(rest) == 0 {
			o.Manifest = &m
		} else {
			d.log.Warn("unreadable entry in the manifest, opening the log by its files", "partition", e.key.String(), "error", err)
		}
	}
	return storage.Open(o)
}

func (d *Dir) logOptions(e *entry) storage.Options {
	return storage.Options{
		FS: d.disk, Dir: d.folder(e.key), Files: d.o.Files, Settings: d.o.Settings(e.topic), Now: d.o.Now,
		Logger: d.log, SkipRecoveryScan: d.o.SkipRecoveryScan, Interrupted: d.ctx.Err,
		Appended: func(_ *storage.Log, n int) { d.appended(e, n) },
	}
}

// adopt makes an opened log the entry's. e.mu is held.
func (d *Dir) adopt(e *entry, l *storage.Log) {
	e.lazy = nil
	d.mu.Lock()
	d.byLog[l] = e
	d.mu.Unlock()
	e.opened.Store(l)
	d.refresh(e)
	d.keeper.openedSome()
}

// release closes the entry's log, if it is open, without care for what it wrote last. e.mu is held.
func (d *Dir) release(e *entry) error {
	l := e.opened.Load()
	if l == nil {
		return nil
	}
	_, err := d.releaseWith(e, func() (storage.ManifestEntry, error) { return l.Close(false) }, false)
	return err
}

// releaseWith closes the entry's log, which is open, and remembers what checkpoints want to know. e.mu is held.
func (d *Dir) releaseWith(e *entry, closeLog func() (storage.ManifestEntry, error), clean bool) (storage.ManifestEntry, error) {
	l := e.opened.Swap(nil)
	start, flushed := l.StartOffset(), l.FlushedOffset()
	m, err := closeLog()
	if clean && err == nil {
		start, flushed = m.StartOffset, m.FlushedOffset
	}
	e.startOffset.Store(start)
	if e.settled.Load() {
		e.recoveryPoint.Store(flushed)
	}
	e.open = storage.Checkpoint{RecoveryPoint: flushed, LogStartOffset: start, Clean: clean && err == nil, SameBoot: true}
	d.mu.Lock()
	delete(d.byLog, l)
	d.mu.Unlock()
	return m, err
}

// appended is storage's call after each append, under the log's lock.
func (d *Dir) appended(e *entry, n int) {
	d.reserve.appended.Add(int64(n))
	if total := e.unsynced.Add(int64(n)); total >= d.o.SyncEveryBytes && total-int64(n) < d.o.SyncEveryBytes {
		d.keeper.syncAt(e, d.o.Now().Add(d.o.SyncDelay))
	}
	if !e.dirty.Load() {
		d.keeper.dirtied(e)
	}
}

// settle makes durable, after a sync of the log, that its folder exists and whose it is. Without it a power cut could
// keep a log's synced segments in a folder that is not there, or that does not say which topic it belongs to.
func (d *Dir) settle(e *entry) error {
	if e.settled.Load() {
		return nil
	}
	if err := d.settleFolder(e); err != nil {
		return err
	}
	if err := d.disk.SyncDir(d.o.Path); err != nil {
		return err
	}
	e.settled.Store(true)
	return nil
}

// settleFolder is the part of settle inside of the log's folder.
func (d *Dir) settleFolder(e *entry) error {
	folder := d.folder(e.key)
	if d.topicID(e) != ([16]byte{}) {
		if err := syncFile(d.disk, filepath.Join(folder, partitionMetadataName)); err != nil {
			return err
		}
	}
	return d.disk.SyncDir(folder)
}

func (d *Dir) topicID(e *entry) [16]byte {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return e.topicID
}

func syncFile(fsys vfs.FS, name string) error {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
