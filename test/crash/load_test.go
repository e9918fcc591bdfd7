//go:build suite

package crash

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/barnabas-mq/barnabas/test/history"
)

// topic is one that the load writes to.
type topic struct {
	name       string
	partitions int32
	configs    map[string]*string
}

func text(s string) *string { return &s }

// topics differ in how their logs are kept: often rolled, synced before each acknowledgement, compacted.
func topics() []topic {
	return []topic{
		{"rolled", 4, map[string]*string{"internal.segment.bytes": text("65536")}},
		{"synced", 1, map[string]*string{"flush.messages": text("1")}},
		{"compacted", 1, map[string]*string{"cleanup.policy": text("compact"), "internal.segment.bytes": text("65536"),
			"min.cleanable.dirty.ratio": text("0.01")}},
	}
}

// inFlight bounds what a producer has sent and not been told about, so that a dead broker stops the load.
const inFlight = 100

// load is producers and a committer at work through all crashes: their clients live on, and send again what they do not
// know the fate of.
type load struct {
	history  *history.History
	clients  []*kgo.Client
	stop     context.CancelFunc
	running  sync.WaitGroup
	failures chan error

	committed atomic.Int64 // the newest offset whose commit was acknowledged
}

func startLoad(t *testing.T, address string, h *history.History, producers int) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{history: h, stop: stop, failures: make(chan error, 100)}
	l.committed.Store(-1)
	for p := range producers {
		client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerLinger(0), kgo.RecordDeliveryTimeout(time.Minute), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
			kgo.MaxBufferedRecords(inFlight), kgo.MetadataMinAge(20*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		l.clients = append(l.clients, client)
		l.running.Go(func() { l.produce(ctx, client, p) })
	}
	committer, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		t.Fatal(err)
	}
	l.clients = append(l.clients, committer)
	l.running.Go(func() { l.commit(ctx, kadm.NewClient(committer)) })
	return l
}

// produce sends to all partitions in turn until ctx ends. Each value is a key, too, so that compaction keeps it.
func (l *load) produce(ctx context.Context, client *kgo.Client, producer int) {
	for number := 0; ctx.Err() == nil; number++ {
		for _, t := range topics() {
			for partition := range t.partitions {
				v := history.Value(producer, partition, number)
				l.history.Send(t.name + " " + v)
				client.Produce(ctx, &kgo.Record{Topic: t.name, Partition: partition, Key: []byte(v), Value: []byte(t.name + " " + v)}, func(r *kgo.Record, err error) {
					if err == nil {
						l.history.Ack(string(r.Value), history.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset})
					} else if ctx.Err() == nil {
						l.fail(fmt.Errorf("produce %s: %w", r.Value, err))
					}
				})
			}
		}
	}
	l.settle(client)
}

func (l *load) settle(client *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := client.Flush(ctx); err != nil {
		l.fail(fmt.Errorf("flush: %w", err))
	}
}

// group commits rising offsets of a partition that need not exist so far.
const group = "committer"

func (l *load) commit(ctx context.Context, admin *kadm.Client) {
	for offset := int64(0); ctx.Err() == nil; offset++ {
		var offsets kadm.Offsets
		offsets.AddOffset("rolled", 0, offset, -1)
		one, cancel := context.WithTimeout(ctx, 10*time.Second)
		responses, err := admin.CommitOffsets(one, group, offsets)
		cancel()
		if err == nil {
			err = responses.Error()
		}
		if err == nil {
			l.committed.Store(offset)
		}
	}
}

func (l *load) fail(err error) {
	select {
	case l.failures <- err:
	default:
	}
}

// end stops the load and reports what failed although it was allowed to retry for a minute.
func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.running.Wait()
	for _, c := range l.clients {
		c.Close()
	}
	for {
		select {
		case err := <-l.failures:
			if !errors.Is(err, context.Canceled) && !errors.Is(err, kgo.ErrClientClosed) {
				t.Error(err)
			}
		default:
			return
		}
	}
}

func createTopics(t *testing.T, address string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, topic := range topics() {
		if _, err := kadm.NewClient(client).CreateTopic(t.Context(), topic.partitions, 1, topic.configs, topic.name); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			t.Fatal(err)
		}
	}
}
