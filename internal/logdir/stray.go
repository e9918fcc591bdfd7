package logdir

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// strays are the folders that were set aside before this start. Whose they are is read when it is first asked for: as a rule
// there are none, or nobody asks.
type strays struct {
	folders   []strayFolder
	read      sync.Once
	takenBack atomic.Bool // any

	mu   sync.Mutex // guards byID
	byID map[strayID][]string
}

type strayFolder struct {
	name      string
	partition int32
}

// strayID is how a stray is known: the topic in a folder's name may be cut.
type strayID struct {
	topic     [16]byte
	partition int32
}

// HasStray says that a log of this topic's partition was set aside here before the start. Hold takes it back.
func (d *Dir) HasStray(id [16]byte, partition int32) bool { return len(d.straysOf(id, partition)) > 0 }

func (d *Dir) straysOf(id [16]byte, partition int32) []string {
	if len(d.strays.folders) == 0 {
		return nil
	}
	d.strays.read.Do(d.readStrays)
	d.strays.mu.Lock()
	defer d.strays.mu.Unlock()
	return d.strays.byID[strayID{id, partition}]
}

func (d *Dir) readStrays() {
	byID := make(map[strayID][]string)
	for _, f := range d.strays.folders {
		b, err := vfs.ReadFile(d.disk, filepath.Join(d.o.Path, f.name, partitionMetadataName))
		if err != nil {
			continue // it does not say whose it is
		}
		if id, err := decodePartitionMetadata(b); err == nil {
			k := strayID{id, f.partition}
			byID[k] = append(byID[k], f.name)
		}
	}
	d.strays.mu.Lock()
	d.strays.byID = byID
	d.strays.mu.Unlock()
}

// takeBack lists a log that was set aside, under the name of an entry whose topic is known again. It has yet to be opened, as after
// a power cut: nobody has looked after it. Of several none is taken, since only a person can tell which is right. e.mu is held.
func (d *Dir) takeBack(e *entry, folders []string) error {
	if len(folders) > 1 {
		return fmt.Errorf("several folders were set aside for it in %s: rename the right one to %s, move the others away and start again: %s",
			d.o.Path, e.key, strings.Join(folders, ", "))
	}
	if err := d.forgetStale(e.key); err != nil {
		return err
	}
	d.strays.takenBack.Store(true)
	d.forgetBoot()
	if err := d.disk.Rename(filepath.Join(d.o.Path, folders[0]), d.folder(e.key)); err != nil {
		return err
	}
	d.strays.mu.Lock()
	delete(d.strays.byID, strayID{e.topicID, e.partition})
	d.strays.mu.Unlock()
	e.unchecked.Store(true)
	d.unrecovered.Add(1)
	if !d.enter(e) {
		return ErrClosed
	}
	d.log.Warn("a log that had been set aside is taken back: its topic is known again", "topic", e.topic, "partition", e.partition,
		"topic_id", formatUUID(e.topicID), "folder", folders[0])
	return nil
}
