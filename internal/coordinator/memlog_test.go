package coordinator

import (
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// memLog is a partition's log in memory. Appends are committed at once unless held, and may be made to fail.
type memLog struct {
	mu       sync.Mutex
	batches  [][]byte
	start    int64
	end      int64
	high     int64
	held     bool
	failing  error
	reading  error
	maxBytes int
	observer map[int]func(int64)
	next     int
}

func newMemLog() *memLog { return &memLog{maxBytes: 1 << 20, observer: make(map[int]func(int64))} }

func (l *memLog) Append(b []byte, epoch int32) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing != nil {
		return 0, l.failing
	}
	h, whole, rest, err := batch.Next(b)
	if err != nil || len(rest) > 0 {
		return 0, fmt.Errorf("not one batch: %w: %w", err, kerr.CorruptMessage)
	}
	if err := batch.CheckCRC(whole); err != nil {
		return 0, err
	}
	if h.LeaderEpoch != epoch {
		return 0, fmt.Errorf("batch of epoch %d in epoch %d: %w", h.LeaderEpoch, epoch, kerr.FencedLeaderEpoch)
	}
	l.put(whole, h)
	return l.end, nil
}

// put adds a batch, whoever wrote it. The caller holds mu.
func (l *memLog) put(b []byte, h batch.Header) {
	batch.SetBaseOffset(b, l.end)
	l.batches = append(l.batches, b)
	l.end += int64(h.LastOffsetDelta) + 1
	if !l.held {
		l.raise(l.end)
	}
}

func (l *memLog) raise(high int64) {
	l.high = high
	for _, f := range l.observer {
		f(high)
	}
}

// write adds a batch as a producer or a transaction's coordinator does.
func (l *memLog) write(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, err := batch.ParseHeader(b)
	if err != nil {
		panic(err)
	}
	l.put(b, h)
}

func (l *memLog) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

// commit lets the high watermark catch up.
func (l *memLog) commit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	l.raise(l.end)
}

func (l *memLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = err
}

func (l *memLog) failReads(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reading = err
}

func (l *memLog) Read(from int64, limit int) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading != nil {
		return nil, l.reading
	}
	var out []byte
	for _, b := range l.batches {
		h, err := batch.ParseHeader(b)
		if err != nil {
			return nil, err
		}
		if h.NextOffset() <= from {
			continue
		}
		if len(out) > 0 && len(out)+len(b) > limit {
			break
		}
		out = append(out, b...)
	}
	return out, nil
}

func (l *memLog) StartOffset() int64   { return l.locked(&l.start) }
func (l *memLog) EndOffset() int64     { return l.locked(&l.end) }
func (l *memLog) HighWatermark() int64 { return l.locked(&l.high) }

func (l *memLog) MaxBatchBytes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.maxBytes
}

// limit changes the topic's max.message.bytes.
func (l *memLog) limit(maxBytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.maxBytes = maxBytes
}

func (l *memLog) locked(offset *int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *offset
}

func (l *memLog) OnHighWatermark(f func(int64)) (cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	id := l.next
	l.observer[id] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.observer, id)
	}
}
