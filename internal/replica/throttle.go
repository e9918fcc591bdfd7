package replica

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Throttle bounds the bytes a second that one side of replication moves of what is throttled (KIP-73): replicas that a topic's
// configs name, for as long as they are not in sync. It is an average over a window of samples, as in Kafka: one answer may
// go beyond it, and is paid for by a pause.
type Throttle struct {
	limit   atomic.Int64
	samples int
	size    time.Duration

	mu     sync.Mutex // guards the rest
	window []sample   // oldest first
}

// sample is what was moved in a part of the window.
type sample struct {
	from  time.Time
	bytes int64
}

// NoLimit is the rate of a throttle that does nothing.
const NoLimit = math.MaxInt64

func newThrottle(samples int, size time.Duration) *Throttle {
	t := &Throttle{samples: max(samples, 1), size: max(size, time.Millisecond)}
	t.limit.Store(NoLimit)
	return t
}

// SetLimit is the bytes a second from now on.
func (t *Throttle) SetLimit(bytesPerSecond int64) { t.limit.Store(bytesPerSecond) }

// moved counts bytes.
func (t *Throttle) moved(bytes int, now time.Time) {
	if bytes == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	if n := len(t.window); n == 0 || now.Sub(t.window[n-1].from) >= t.size {
		t.window = append(t.window, sample{from: now})
	}
	t.window[len(t.window)-1].bytes += int64(bytes)
}

// exceeded says that no more may be moved now.
func (t *Throttle) exceeded(now time.Time) bool {
	limit := t.limit.Load()
	if limit == NoLimit {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	if len(t.window) == 0 {
		return limit == 0
	}
	total := int64(0)
	for _, s := range t.window {
		total += s.bytes
	}
	over := max(now.Sub(t.window[0].from), t.size)
	return float64(total)/over.Seconds() > float64(limit)
}

// forget drops the samples that have left the window. The caller holds mu.
func (t *Throttle) forget(now time.Time) {
	oldest := now.Add(-time.Duration(t.samples) * t.size)
	t.window = slices.DeleteFunc(t.window, func(s sample) bool { return s.from.Before(oldest) })
}

// Throttled are the partitions of a topic whose replica here is throttled, on one side of replication.
type Throttled struct {
	All        bool
	Partitions map[int32]bool
}

func (t Throttled) has(partition int32) bool { return t.All || t.Partitions[partition] }

// holdsBack says that a follower is given nothing for now: it is not in sync, and throttled. The caller does not hold mu.
func (p *Partition) holdsBack(l *leader, follower int32) bool {
	if !p.Settings().LeaderThrottled.has(p.Index) {
		return false
	}
	p.mu.Lock()
	inSync := slices.Contains(l.inSync, follower)
	p.mu.Unlock()
	m := p.topic.manager
	return !inSync && m.leaderThrottle.exceeded(m.now())
}

// gave counts what a follower is given.
func (p *Partition) gave(bytes int) {
	if m := p.topic.manager; p.Settings().LeaderThrottled.has(p.Index) {
		m.leaderThrottle.moved(bytes, m.now())
	}
}

// MayFetch says that this replica may ask its leader for more: it is in sync, or not throttled, or not over the limit.
func (p *Partition) MayFetch() bool {
	m := p.topic.manager
	if !p.Settings().FollowerThrottled.has(p.Index) || !m.followerThrottle.exceeded(m.now()) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.assigned.ISR, m.o.NodeID)
}

// got counts what the leader gave.
func (p *Partition) got(bytes int) {
	if m := p.topic.manager; p.Settings().FollowerThrottled.has(p.Index) {
		m.followerThrottle.moved(bytes, m.now())
	}
}

// SetThrottles sets the rates of leader.replication.throttled.rate and follower.replication.throttled.rate.
func (m *Manager) SetThrottles(leaderRate, followerRate int64) {
	m.leaderThrottle.SetLimit(leaderRate)
	m.followerThrottle.SetLimit(followerRate)
}
