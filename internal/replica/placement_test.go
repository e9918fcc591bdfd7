package replica

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// dirsOf are data directories of one disk, empty ones.
func dirsOf(t *testing.T, paths ...string) (dirs []*logdir.Dir, settings func(*meta.Image, string) *Settings) {
	t.Helper()
	disk := vfs.NewMem()
	s := &Settings{Storage: &storage.Settings{
		SegmentBytes: 1 << 20, SegmentMs: math.MaxInt64, SegmentIndexBytes: 1 << 16, IndexIntervalBytes: 4096,
		RetentionMs: -1, RetentionBytes: -1, FlushMessages: math.MaxInt64, FlushMs: math.MaxInt64, MaxMessageBytes: 1 << 20,
	}}
	for _, path := range paths {
		dir, err := logdir.Open(logdir.Options{
			FS: disk, Path: path, NodeID: 1, Files: storage.NewFiles(100), BootID: "boot",
			Settings: func(string) *storage.Settings { return s.Storage }, Cleaner: logdir.CleanerOptions{Disabled: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = dir.Close(context.Background()) })
		dirs = append(dirs, dir)
	}
	return dirs, func(*meta.Image, string) *Settings { return s }
}

// The process died before the controller heard where it had put the replica, and came back without one of its disks.
func TestALogThatMayBeOnADiskThatIsGoneIsNotMadeAnew(t *testing.T) {
	dirs, settings := dirsOf(t, "/a", "/new")
	gone := meta.ID{0: 1, 15: 200}
	topic := topicRecords("orders", 1)
	topic[1].(*meta.PartitionRecord).Directories = []meta.ID{meta.DirectoryUnassigned}
	image := meta.Empty().Replay(append(topic, &meta.RegisterBrokerRecord{
		BrokerID: 1, BrokerEpoch: 1, LogDirs: []meta.ID{dirs[0].Identity().DirectoryID, gone},
	})...)
	m := New(Options{NodeID: 1, Dirs: dirs, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Settings: settings})
	t.Cleanup(m.Close)

	placed := m.Apply(image, meta.Diff(meta.Empty(), image))
	want := []Placement{{idOf(1), 0, meta.DirectoryLost}}
	if !slices.Equal(placed, want) {
		t.Errorf("the controller is told %v, want %v: the next start has no other way to know", placed, want)
	}
	p, err := m.Get("orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Extent(); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("a log is there: %v", err)
	}
	if dirs[0].Len()+dirs[1].Len() > 0 {
		t.Error("a log was made")
	}

	next := image.Replay(topicRecords("later", 2)...)
	placed = m.Apply(next, meta.Diff(image, next))
	if len(placed) != 1 || placed[0].Topic != idOf(2) || placed[0].Directory == meta.DirectoryLost {
		t.Errorf("a topic that is new has a log: the controller is told %v", placed)
	}
}

// A delete whose rename a power cut undid left the old topic's log where the new one's was to be, and that was offline.
func TestTheLogOfAnOlderTopicOfTheNameIsSetAsideWhereTheNewOneBelongs(t *testing.T) {
	dirs, settings := dirsOf(t, "/a")
	if _, err := dirs[0].Create("orders", 0, idOf(1)); err != nil {
		t.Fatal(err)
	}
	topic := topicRecords("orders", 2)
	topic[1].(*meta.PartitionRecord).Directories = []meta.ID{dirs[0].Identity().DirectoryID}
	image := meta.Empty().Replay(topic...)
	m := New(Options{NodeID: 1, Dirs: dirs, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Settings: settings})
	t.Cleanup(m.Close)
	m.Apply(image, meta.Diff(meta.Empty(), image))
	p, err := m.Get("orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Extent(); err != nil {
		t.Errorf("the new topic has no log: %v", err)
	}
}

// A broker whose disk was replaced is no replica that anybody counts on: it fetches everything anew. While it is counted on it waits for the disk.
func TestAReplicaWhoseDiskWasReplacedBeginsEmptyOnceNobodyCountsOnIt(t *testing.T) {
	dirs, settings := dirsOf(t, "/a")
	gone := meta.ID{0: 1, 15: 200}
	topic := topicRecords("orders", 1)
	record := topic[1].(*meta.PartitionRecord)
	record.Replicas, record.ISR, record.Leader = []int32{1, 2}, []int32{1, 2}, 2
	record.Directories = []meta.ID{gone, gone}
	image := meta.Empty().Replay(topic...)
	m := New(Options{NodeID: 1, Dirs: dirs, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Settings: settings, Follow: func(*Partition, int32, int32) {}})
	t.Cleanup(m.Close)
	m.Apply(image, meta.Diff(meta.Empty(), image))
	p, err := m.Get("orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Extent(); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("it is in the in-sync set, and an empty log takes the place of the lost one: %v", err)
	}
	change := meta.NewPartitionChange(idOf(1), 0)
	change.ISR = []int32{2}
	next := image.Replay(change)
	placed := m.Apply(next, meta.Diff(image, next))
	if len(placed) != 1 || placed[0].Directory != dirs[0].Identity().DirectoryID {
		t.Errorf("the controller is told %v", placed)
	}
	if p, err = m.Get("orders", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Extent(); err != nil {
		t.Errorf("nobody counts on it, and it does not begin anew: %v", err)
	}
}
