package logdir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// startUp is what Open found, of use until the logs are set up.
type startUp struct {
	Start
	manifest    *manifest
	checkpoints checkpoints
}

func (d *Dir) open() error {
	if err := d.lockDirectory(); err != nil {
		return err
	}
	if err := d.readIdentity(); err != nil {
		return err
	}
	if err := d.readStart(); err != nil {
		return err
	}
	names, err := d.disk.ReadDir(d.o.Path)
	if err != nil {
		return err
	}
	found, leftovers := d.sortFolders(names)
	d.enlist(found)
	if err := d.dropShutdownMarker(); err != nil {
		return err
	}
	d.start.manifest, d.start.checkpoints = nil, checkpoints{} // entries hold on to their parts, no more
	d.reserve.prepare()
	if !d.o.withoutHousekeeping {
		d.tasks.Go(d.keeper.run)
		d.cleaner.start()
	}
	for _, folder := range leftovers {
		d.keeper.removeAt(folder, d.o.Now())
	}
	d.recoverAll()
	return nil
}

// lockDirectory makes the directory if it is not there, and takes it.
func (d *Dir) lockDirectory() error {
	if _, err := d.disk.Stat(d.o.Path); errors.Is(err, fs.ErrNotExist) {
		if err := d.disk.MkdirAll(d.o.Path, 0o755); err != nil {
			return err
		}
		if err := d.disk.SyncDir(filepath.Dir(d.o.Path)); err != nil {
			return err
		}
	}
	lock, err := d.o.FS.Lock(filepath.Join(d.o.Path, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("%w: another process holds %s; stop that process, or give this one a directory of its own (log.dirs)",
			ErrInUse, filepath.Join(d.o.Path, lockName))
	}
	if err != nil {
		return err
	}
	d.lock = lock
	d.whole, err = openWholeDisk(d.o.FS, d.o.Path)
	return err
}

func (d *Dir) unlock() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	if d.whole != nil {
		err = errors.Join(err, d.whole.close())
	}
	return err
}

// readStart learns how the directory was left: by whom, whether in order, and under which boot.
func (d *Dir) readStart() error {
	marker, clean, err := readShutdownMarker(d.disk, d.o.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", cleanShutdownName, err)
	}
	d.start.Clean = clean
	d.start.SameBoot, d.start.BrokerEpoch = d.readBoot()
	if clean {
		d.start.BrokerEpoch = unknownBrokerEpoch // unless the marker says: a Kafka may have been here since
	}
	if marker.BrokerEpoch != nil {
		d.start.BrokerEpoch = *marker.BrokerEpoch
	}
	if marker.Manifest != "" {
		d.start.manifest = d.readManifest(marker.Manifest)
	}
	return nil
}

// readManifest returns nil if the manifest is not the one that the marker names; the folders tell the same, slower.
func (d *Dir) readManifest(nonce string) *manifest {
	b, err := vfs.ReadFile(d.disk, filepath.Join(d.o.Path, manifestName))
	if err == nil {
		var m *manifest
		if m, err = decodeManifest(b); err == nil && m.nonceText() == nonce {
			return m
		}
	}
	d.log.Warn("the manifest is not that of the last stop: reading the folders instead", "error", err)
	return nil
}

// dropShutdownMarker makes it durable that from here on the directory is in use.
func (d *Dir) dropShutdownMarker() error {
	if !d.start.Clean {
		return nil
	}
	if err := d.disk.Remove(filepath.Join(d.o.Path, cleanShutdownName)); err != nil {
		return err
	}
	return d.disk.SyncDir(d.o.Path)
}

// sortFolders tells the folders of logs from those to be removed and those to be left alone.
func (d *Dir) sortFolders(names []fs.DirEntry) (found []key, leftovers []string) {
	for _, name := range names {
		if !name.IsDir() {
			continue
		}
		k, kind := parseFolder(name.Name())
		switch {
		case kind == folderLive && k.topic == clusterMetadataTopic: // the quorum's
		case kind == folderLive:
			found = append(found, k)
		case kind == folderDeleted:
			leftovers = append(leftovers, filepath.Join(d.o.Path, name.Name()))
		case kind == folderStray, kind == folderFuture:
			if kind == folderStray {
				d.strays.folders = append(d.strays.folders, strayFolder{name.Name(), k.partition})
			}
			d.log.Warn("a folder that no partition uses is left alone; remove it when nobody needs it", "folder", name.Name())
		case name.Name() != remoteIndexCacheFolder && name.Name() != lostAndFoundOfExtFolder:
			d.log.Warn("a folder that is no partition's is left alone; Apache Kafka would not start with it", "folder", name.Name())
		}
	}
	return found, leftovers
}

// enlist makes the entries: from the manifest where it can be believed, else from folder and checkpoints.
func (d *Dir) enlist(found []key) {
	trusted := map[key]*manifestEntry{}
	if m := d.start.manifest; m != nil {
		for i := range m.entries {
			trusted[m.entries[i].key] = &m.entries[i]
		}
	}
	var unknown []*entry
	for _, k := range found {
		e := &entry{key: k, listed: true}
		if m := trusted[k]; m != nil {
			e.fromManifest(m)
		} else {
			unknown = append(unknown, e)
		}
		d.logs[k] = e
	}
	d.listed = len(d.logs)
	for k := range trusted {
		if d.logs[k] == nil {
			d.log.Warn("the folder of a log is gone", "partition", k.String())
			d.stale[k] = struct{}{}
		}
	}
	if d.start.manifest == nil || len(unknown) > 0 {
		d.start.checkpoints = d.readCheckpoints()
		d.readFolders(unknown)
	}
}

func (e *entry) fromManifest(m *manifestEntry) {
	e.topic, e.topicID = m.topic, m.topicID // one string for all partitions of a topic
	e.highWatermark.Store(m.highWatermark)
	e.cleaned.Store(m.cleaned)
	e.retentionDue.Store(m.retentionDueMs)
	e.startOffset.Store(m.startOffset)
	e.recoveryPoint.Store(m.recoveryPoint)
	e.open = storage.Checkpoint{RecoveryPoint: m.recoveryPoint, LogStartOffset: m.startOffset, Clean: !m.offline}
	e.lazy = m.log
	e.settled.Store(true)
	if m.offline {
		e.lazy = nil
		e.unchecked.Store(true)
	}
}

// readFolders fills in entries that the manifest does not know. Each needs its topic id, a small file, so this is done by
// several at a time.
func (d *Dir) readFolders(unknown []*entry) {
	c := &d.start.checkpoints
	parallel(d.o.RecoveryThreads, unknown, func(e *entry) {
		e.highWatermark.Store(c.highWatermarks[e.key])
		e.cleaned.Store(c.cleaned[e.key])
		e.startOffset.Store(c.startOffsets[e.key])
		e.recoveryPoint.Store(c.recoveryPoints[e.key])
		e.open = storage.Checkpoint{
			RecoveryPoint: c.recoveryPoints[e.key], LogStartOffset: c.startOffsets[e.key],
			Clean: d.start.Clean, SameBoot: d.start.SameBoot,
		}
		e.unchecked.Store(!d.start.Clean)
		id, err := d.readTopicID(e.key)
		if err != nil {
			d.log.Warn("the topic id of a log is unknown", "partition", e.key.String(), "error", err)
		}
		e.topicID = id
		e.settled.Store(d.start.Clean) // after a crash of the process the folder may be in memory alone
	})
}

// readTopicID returns the zero id for a folder without one.
func (d *Dir) readTopicID(k key) ([16]byte, error) {
	b, err := vfs.ReadFile(d.disk, filepath.Join(d.folder(k), partitionMetadataName))
	if errors.Is(err, fs.ErrNotExist) {
		return [16]byte{}, nil
	}
	if err != nil {
		return [16]byte{}, err
	}
	return decodePartitionMetadata(b)
}

// recoverAll opens, in the background, each log that was not closed in order.
func (d *Dir) recoverAll() {
	waiting := d.entries(func(e *entry) bool { return e.unchecked.Load() })
	d.unrecovered.Store(int64(len(waiting)))
	if len(waiting) == 0 {
		d.rememberBoot()
		close(d.recovered)
		return
	}
	d.tasks.Go(func() {
		defer close(d.recovered)
		if !d.awaitSettings() {
			return
		}
		threads := int(d.recoveryThreads.Load())
		d.log.Info("recovering logs: the last stop was not a clean one", "logs", len(waiting), "same_boot", d.start.SameBoot,
			"workers", threads)
		parallel(threads, waiting, func(e *entry) {
			if d.ctx.Err() == nil {
				d.recoverEntry(e)
			}
		})
	})
}

// recoverEntry opens a log that nobody has asked for yet, and closes it again if there is nothing to it. An error is logged, and
// told to whoever asks for the log.
func (d *Dir) recoverEntry(e *entry) {
	l, err := d.openEntry(e)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.claimed.Load() && e.opened.Load() == l {
		d.rest(e, l)
	}
}

// awaitSettings waits until topics' settings are known, and reports whether that came before Close.
func (d *Dir) awaitSettings() bool {
	if d.o.SettingsKnown == nil {
		return true
	}
	select {
	case <-d.o.SettingsKnown:
		return true
	case <-d.ctx.Done():
		return false
	}
}

// checked counts an entry that has come through its recovery. One that is offline does not: as long as it is here, a
// restart must look at it as thoroughly again. e.mu is held.
func (d *Dir) checked(e *entry) {
	if e.unchecked.CompareAndSwap(true, false) && d.unrecovered.Add(-1) == 0 {
		d.rememberBoot()
	}
}

// parallel calls do for each item, at most n at a time, and returns when all are done.
func parallel[T any](n int, items []T, do func(T)) {
	var wg sync.WaitGroup
	next := make(chan T)
	for range min(n, len(items)) {
		wg.Go(func() {
			for item := range next {
				do(item)
			}
		})
	}
	for _, item := range items {
		next <- item
	}
	close(next)
	wg.Wait()
}
