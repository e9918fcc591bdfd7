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
	sent  map[string]bool  // values; each is sent once
	acked map[string]Place // by value
}

// New is a history in which nothing has happened.
func New() *History {
	return &History{sent: make(map[string]bool), acked: make(map[string]Place)}
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
	h.acked[value] = at
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
	Value  string
}

// Value is unique: who sent it, to which partition, and a number that rises.
func Value(producer int, partition int32, number int) string {
	return fmt.Sprintf("%d/%d/%09d", producer, partition, number)
}

// Judge compares what is in a partition below end with the history. The anomalies it names are: invented, doubled,
// reordered, moved and lost records.
func (h *History) Judge(topic string, partition int32, records []Found, end int64) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	at := make(map[string]int64, len(records))
	last := make(map[string]string) // by producer
	for i, r := range records {
		if i > 0 && r.Offset <= records[i-1].Offset {
			wrong = append(wrong, fmt.Sprintf("offset %d follows %d", r.Offset, records[i-1].Offset))
		}
		if !h.sent[r.Value] {
			wrong = append(wrong, fmt.Sprintf("invented: %q at offset %d was never sent", r.Value, r.Offset))
			continue
		}
		if before, twice := at[r.Value]; twice {
			wrong = append(wrong, fmt.Sprintf("doubled: %q at offsets %d and %d", r.Value, before, r.Offset))
		}
		at[r.Value] = r.Offset
		producer, _, _ := strings.Cut(r.Value, "/")
		if r.Value < last[producer] {
			wrong = append(wrong, fmt.Sprintf("reordered: %q after %q", r.Value, last[producer]))
		}
		last[producer] = r.Value
	}
	for v, where := range h.acked {
		if where.Topic != topic || where.Partition != partition || where.Offset >= end {
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

// ReadPartition reads a partition from an offset to the end that it has when called.
func ReadPartition(ctx context.Context, address, topic string, partition int32, from int64) ([]Found, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}))
	if err != nil {
		return nil, 0, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, 0, err
	}
	end, ok := ends.Lookup(topic, partition)
	if !ok || end.Err != nil {
		return nil, 0, fmt.Errorf("end of %s-%d: %v", topic, partition, end.Err)
	}
	var records []Found
	next := from
	for next < end.Offset {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			return records, end.Offset, fmt.Errorf("read %s-%d at offset %d: %w", e.Topic, e.Partition, next, e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < end.Offset {
				records = append(records, Found{r.Offset, string(r.Value)})
			}
			next = r.Offset + 1
		})
	}
	return records, end.Offset, nil
}
