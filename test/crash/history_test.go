//go:build suite

// Package crash kills brokers with signal 9 while producers and committers work, starts them again, and checks that
// everything acknowledged is there: once, in order, at its offset.
package crash

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// place is where a record was acknowledged to be.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// history is what the clients sent and what they were told. It judges what a reader finds.
type history struct {
	mu    sync.Mutex
	sent  map[string]bool  // values; each is sent once
	acked map[string]place // by value
}

func newHistory() *history {
	return &history{sent: make(map[string]bool), acked: make(map[string]place)}
}

func (h *history) send(value string) {
	h.mu.Lock()
	h.sent[value] = true
	h.mu.Unlock()
}

func (h *history) ack(value string, at place) {
	h.mu.Lock()
	h.acked[value] = at
	h.mu.Unlock()
}

func (h *history) acknowledged() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acked)
}

// found is one record that a reader got.
type found struct {
	offset int64
	value  string
}

// value is unique: who sent it, to which partition, and a number that rises.
func value(producer int, partition int32, number int) string {
	return fmt.Sprintf("%d/%d/%09d", producer, partition, number)
}

// judge compares what is in a partition below end with the history. The anomalies it names are: invented, doubled,
// reordered, moved and lost records.
func (h *history) judge(topic string, partition int32, records []found, end int64) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	at := make(map[string]int64, len(records))
	last := make(map[string]string) // by producer
	for i, r := range records {
		if i > 0 && r.offset <= records[i-1].offset {
			wrong = append(wrong, fmt.Sprintf("offset %d follows %d", r.offset, records[i-1].offset))
		}
		if !h.sent[r.value] {
			wrong = append(wrong, fmt.Sprintf("invented: %q at offset %d was never sent", r.value, r.offset))
			continue
		}
		if before, twice := at[r.value]; twice {
			wrong = append(wrong, fmt.Sprintf("doubled: %q at offsets %d and %d", r.value, before, r.offset))
		}
		at[r.value] = r.offset
		producer, _, _ := strings.Cut(r.value, "/")
		if r.value < last[producer] {
			wrong = append(wrong, fmt.Sprintf("reordered: %q after %q", r.value, last[producer]))
		}
		last[producer] = r.value
	}
	for v, where := range h.acked {
		if where.topic != topic || where.partition != partition || where.offset >= end {
			continue
		}
		switch offset, ok := at[v]; {
		case !ok:
			wrong = append(wrong, fmt.Sprintf("lost: %q was acknowledged at offset %d", v, where.offset))
		case offset != where.offset:
			wrong = append(wrong, fmt.Sprintf("moved: %q was acknowledged at offset %d and is at %d", v, where.offset, offset))
		}
	}
	slices.Sort(wrong)
	return wrong
}
