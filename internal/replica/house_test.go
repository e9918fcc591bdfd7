package replica

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// house is broker 1's replicas in one directory of a disk in memory.
type house struct {
	t       *testing.T
	disk    *vfs.Mem
	dir     *logdir.Dir
	manager *Manager
	image   *meta.Image

	settings *Settings // every topic's; a test changes them before there is one
}

// build opens a house on an empty disk. flushMessages is every topic's flush.messages.
func build(t *testing.T, flushMessages int64) *house {
	t.Helper()
	return buildOn(t, vfs.NewMem(), flushMessages)
}

func buildOn(t *testing.T, disk *vfs.Mem, flushMessages int64) *house {
	t.Helper()
	h := buildWith(t, flushMessages, logdir.Options{FS: disk, Path: "/data"})
	h.disk = disk
	return h
}

// buildWith takes what matters to the test of a directory's options.
func buildWith(t *testing.T, flushMessages int64, o logdir.Options) *house {
	t.Helper()
	return buildNode(t, 1, flushMessages, o, nil)
}

// buildNode is the house of a broker with an id, that proposes in-sync sets.
func buildNode(t *testing.T, id int32, flushMessages int64, o logdir.Options, propose func(Proposal)) *house {
	t.Helper()
	h := &house{t: t, image: meta.Empty()}
	settings := &Settings{
		Storage: &storage.Settings{
			SegmentBytes: 1 << 20, SegmentMs: math.MaxInt64, SegmentIndexBytes: 1 << 16, IndexIntervalBytes: 4096,
			RetentionMs: -1, RetentionBytes: -1, Delete: true, FlushMessages: flushMessages, FlushMs: math.MaxInt64,
			FileDeleteDelayMs: 60_000, ProducerExpirationMs: math.MaxInt64, MaxMessageBytes: 1 << 20,
		},
		Check:       batch.CheckOptions{Codec: batch.CodecProducer, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64, MaxBatchBytes: 1 << 20},
		MinInSync:   1,
		GroupCommit: flushMessages == 1,
	}
	o.NodeID, o.Files, o.Logger, o.BootID = id, storage.NewFiles(100), slog.New(slog.DiscardHandler), "boot"
	o.Settings = func(string) *storage.Settings { return settings.Storage }
	o.Cleaner.Disabled = true
	o.HighWatermark = func(topic string, partition int32) int64 { return h.manager.HighWatermark(topic, partition) }
	o.Idle = func(topic string, partition int32) bool { return h.manager.Idle(topic, partition) }
	o.Rest = func(topic string, partition int32) { h.manager.Rest(topic, partition) }
	dir, err := logdir.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	h.dir, h.settings = dir, settings
	h.manager = New(Options{
		NodeID: id, Propose: propose, Dirs: []*logdir.Dir{dir}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Settings: func(*meta.Image, string) *Settings { return settings },
	})
	t.Cleanup(func() {
		h.manager.Close()
		_ = dir.Close(context.Background()) // Some tests end with a disk that takes nothing more.
		h.manager.Wait()
	})
	return h
}

func idOf(n byte) [16]byte { return [16]byte{0: 9, 15: n} }

// apply commits metadata records.
func (h *house) apply(records ...meta.Record) {
	before := h.image
	h.image = before.Replay(records...)
	h.manager.Apply(h.image, meta.Diff(before, h.image))
}

func topicRecords(name string, id byte) []meta.Record {
	return []meta.Record{
		&meta.TopicRecord{Name: name, TopicID: idOf(id)},
		&meta.PartitionRecord{TopicID: idOf(id), Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, Directories: []meta.ID{{}}},
	}
}

func (h *house) partition(topic string) *Partition {
	h.t.Helper()
	p, err := h.manager.Get(topic, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func letter(value string) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{})
	b.Append(batch.Record{Timestamp: 1_700_000_000_000, Value: []byte(value)})
	return b.Build()
}

func (h *house) post(p *Partition, value string) Appended {
	h.t.Helper()
	appended, err := p.Append(letter(value), AppendOptions{Origin: storage.Client, LeaderEpoch: -1, ProduceVersion: 9})
	if err != nil {
		h.t.Fatal(err)
	}
	return appended
}
