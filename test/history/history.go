// Package history keeps what clients sent to brokers and what they were told, and judges what a reader then finds.
package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Place is where a record was acknowledged to be.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// History is what the clients sent and what they were told. It judges what a reader finds.
type History struct {
	mu    sync.Mutex
	sent  map[string]bool // values; each is sent once
	acked map[string]acknowledged
}

// acknowledged is where a value is said to be, and how many others were acknowledged before it.
type acknowledged struct {
	Place
	after int
}

// New is a history in which nothing has happened.
func New() *History {
	return &History{sent: make(map[string]bool), acked: make(map[string]acknowledged)}
}

// Send says that a value is about to be sent.
func (h *History) Send(value string) {
	h.mu.Lock()
	h.sent[value] = true
	h.mu.Unlock()
}

// Ack says that a value was acknowledged.
func (h *History) Ack(value string, at Place) {
	h.mu.Lock()
	h.acked[value] = acknowledged{at, len(h.acked)}
	h.mu.Unlock()
}

// Sent is how many values were sent.
func (h *History) Sent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sent)
}

// Acknowledged is how many were acknowledged.
func (h *History) Acknowledged() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acked)
}

// Found is one record that a reader got.
type Found struct {
	Offset int64
	Epoch  int32 // of the leader that took it
	Value  string
}

// Reading is what a reader got from a partition.
type Reading struct {
	Topic     string
	Partition int32
	Records   []Found
	End       int64 // that it had as the reading began
	// Acked is how many values had been acknowledged before that: those were there to be read.
	Acked int
}

// Value is unique: who sent it, to which partition, and a number that rises.
func Value(producer int, partition int32, number int) string {
	return fmt.Sprintf("%d/%d/%09d", producer, partition, number)
}

// Judge compares what was read of a partition with the history. The anomalies it names are: invented, doubled,
// reordered, moved and lost records, and offsets and leader epochs that go back.
func (h *History) Judge(r Reading) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	at := make(map[string]int64, len(r.Records))
	last := make(map[string]string) // by producer
	for i, f := range r.Records {
		if i > 0 && f.Offset <= r.Records[i-1].Offset {
			wrong = append(wrong, fmt.Sprintf("offset %d follows %d", f.Offset, r.Records[i-1].Offset))
		}
		if i > 0 && f.Epoch < r.Records[i-1].Epoch {
			wrong = append(wrong, fmt.Sprintf("leader epoch %d at offset %d follows %d", f.Epoch, f.Offset, r.Records[i-1].Epoch))
		}
		if !h.sent[f.Value] {
			wrong = append(wrong, fmt.Sprintf("invented: %q at offset %d was never sent", f.Value, f.Offset))
			continue
		}
		if before, twice := at[f.Value]; twice {
			wrong = append(wrong, fmt.Sprintf("doubled: %q at offsets %d and %d", f.Value, before, f.Offset))
		}
		at[f.Value] = f.Offset
		producer, _, _ := strings.Cut(f.Value, "/")
		if f.Value < last[producer] {
			wrong = append(wrong, fmt.Sprintf("reordered: %q after %q", f.Value, last[producer]))
		}
		last[producer] = f.Value
	}
	for v, where := range h.acked {
		if where.Topic != r.Topic || where.Partition != r.Partition || where.Offset >= r.End && where.after >= r.Acked {
			continue
		}
		switch offset, ok := at[v]; {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("lost: %q was acknowledged at offset %d", v, where.Offset))
		case offset != where.Offset:
			wrong = append(wrong, fmt.Sprintf("moved: %q was acknowledged at offset %d and is at %d", v, where.Offset, offset))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// Read reads a partition to the end that it has when called.
func (h *History) Read(ctx context.Context, address, topic string, partition int32) (Reading, error) {
	read := Reading{Topic: topic, Partition: partition, Acked: h.Acknowledged()}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(0)}}))
	if err != nil {
		return read, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return read, err
	}
	end, ok := ends.Lookup(topic, partition)
	if !ok || end.Err != nil {
		return read, fmt.Errorf("end of %s-%d: %v", topic, partition, end.Err)
	}
	read.End = end.Offset
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			return read, fmt.Errorf("read %s-%d at offset %d: %w", e.Topic, e.Partition, next, e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < end.Offset {
				read.Records = append(read.Records, Found{r.Offset, r.LeaderEpoch, string(r.Value)})
			}
			next = r.Offset + 1
		})
	}
	return read, nil
}
