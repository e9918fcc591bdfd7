package api

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// stock is a world whose broker holds logs, on a disk in memory.
type stock struct {
	*world
	disk     *vfs.Mem
	files    *storage.Files
	settings *replica.Settings
}

// newStock has the given flush.messages, and segments of the given size.
func newStock(t *testing.T, flushMessages, segmentBytes int64) *stock {
	t.Helper()
	s := &stock{world: newWorld(t, nil), disk: vfs.NewMem(), files: storage.NewFiles(1000)}
	s.settings = &replica.Settings{
		Storage: &storage.Settings{
			SegmentBytes: segmentBytes, SegmentMs: math.MaxInt64, SegmentIndexBytes: 1 << 16, IndexIntervalBytes: 4096,
			RetentionMs: -1, RetentionBytes: -1, Delete: true, FlushMessages: flushMessages, FlushMs: math.MaxInt64,
			FileDeleteDelayMs: 60_000, ProducerExpirationMs: math.MaxInt64, MaxMessageBytes: 1 << 20,
		},
		Check:     batch.CheckOptions{Codec: batch.CodecProducer, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64, MaxBatchBytes: 1 << 20},
		MinInSync: 1, GroupCommit: flushMessages == 1,
	}
	dir, err := logdir.Open(logdir.Options{
		FS: s.disk, Path: "/data", NodeID: 1, Files: s.files, Logger: slog.New(slog.DiscardHandler), BootID: "boot",
		Settings: func(string) *storage.Settings { return s.settings.Storage }, Cleaner: logdir.CleanerOptions{Disabled: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	replicas := replica.New(replica.Options{
		NodeID: 1, Dirs: []*logdir.Dir{dir}, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Settings: func(*meta.Image, string) *replica.Settings { return s.settings },
	})
	t.Cleanup(func() {
		replicas.Close()
		_ = dir.Close(context.Background()) // Some tests end with a disk that takes nothing more.
		replicas.Wait()
	})
	s.broker.Replicas, s.broker.FetchMaxBytes, s.broker.FetchSessions = replicas, 50<<20, NewFetchSessions(10)
	return s
}

// stored makes a topic whose partitions this broker leads.
func (s *stock) stored(name string, id byte, partitions int) {
	s.t.Helper()
	before := s.now()
	records := []meta.Record{&meta.TopicRecord{Name: name, TopicID: topicID(id)}}
	for i := range partitions {
		records = append(records, &meta.PartitionRecord{
			PartitionID: int32(i), TopicID: topicID(id), Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, Directories: []meta.ID{{}},
		})
	}
	s.replay(records...)
	s.broker.Replicas.Apply(s.now(), meta.Diff(before, s.now()))
}

func parcel(bytes int) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{})
	b.Append(batch.Record{Timestamp: 1_700_000_000_000, Value: make([]byte, bytes)})
	return b.Build()
}

func produceTo(topic string, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = acks, 10_000
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.ProduceRequestTopicPartition{p}
	request.Topics = append(request.Topics, t)
	return request
}

// put produces one record and returns the answer of its partition.
func (s *stock) put(topic string, partition int32, bytes int) *kmsg.ProduceResponseTopicPartition {
	s.t.Helper()
	response := s.ask(produceTo(topic, partition, 1, parcel(bytes)), 9).(*kmsg.ProduceResponse)
	return &response.Topics[0].Partitions[0]
}

// start runs a request up to where it would wait.
func (s *stock) start(body kmsg.Request, version int16) Result {
	s.t.Helper()
	body.SetVersion(version)
	for _, row := range Table() {
		if row.Key == body.Key() {
			return row.Handle(s.broker, &Request{
				Conn: s.conn, Key: row.Key, Version: version, Body: body, Received: time.Now(), Ctx: s.t.Context(),
			})
		}
	}
	s.t.Fatalf("api key %d is not served", body.Key())
	return Result{}
}
