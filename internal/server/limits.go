package server

import (
	"context"
	"math"
	"sync"
	"time"
)

// Limits bound what all clients together, and each of them, may take. Each counts as it is: 0 connections are none.
type Limits struct {
	RequestMaxBytes int   // socket.request.max.bytes.
	QueuedMaxBytes  int64 // queued.max.request.bytes: requests that are read and not finished. 0 or less is no limit.
	MaxConnections  int   // max.connections: beyond it nothing is accepted until a connection closes.
	// MaxConnectionsPerIP is max.connections.per.ip: beyond it connections are accepted and closed.
	MaxConnectionsPerIP int
	// PerIP is max.connections.per.ip.overrides, by address.
	PerIP   map[string]int
	MaxIdle time.Duration // connections.max.idle.ms: negative closes no idle connection.
}

// idle is how long nothing may happen on a connection.
func (l *Limits) idle() time.Duration {
	if l.MaxIdle < 0 {
		return math.MaxInt64
	}
	return l.MaxIdle
}

func (l *Limits) connectionsOf(ip string) int {
	if n, set := l.PerIP[ip]; set {
		return n
	}
	return l.MaxConnectionsPerIP
}

// budget is the bytes that requests in flight may take in the whole process. As long as any are left, a request of any
// size is let in, as in Kafka, so that a large one never starves behind small ones. Those that wait are let in in the
// order in which they came.
//
// A request that has begun to arrive and needs more is different: all of them together could hold everything and wait
// for each other. So one at a time may overdraw, and goes on until it is done. The limit is thereby exceeded by two
// requests at most.
type budget struct {
	mu        sync.Mutex // Guards the fields below.
	limit     int64
	used      int64
	overdrawn *incoming // Who overdraws, nil if nobody does.
	waiters   []*waiter
}

// waiter is a place in the line. Its bytes are taken for it when its turn comes.
type waiter struct {
	n      int64
	holder *incoming // Set if it holds bytes already.
	turn   chan struct{}
}

func newBudget() *budget { return &budget{limit: math.MaxInt64} }

func (b *budget) resize(limit int64) {
	if limit <= 0 {
		limit = math.MaxInt64
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = limit
	b.admit()
}

// try takes n bytes if it need not wait for them. The holder is whoever holds some already, else nil.
func (b *budget) try(n int64, holder *incoming) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if holder == nil && len(b.waiters) > 0 {
		return false
	}
	return b.grant(n, holder)
}

// grant takes n bytes if the rules allow it now.
func (b *budget) grant(n int64, holder *incoming) bool {
	switch {
	case b.used < b.limit:
	case holder != nil && (b.overdrawn == nil || b.overdrawn == holder):
		b.overdrawn = holder
	default:
		return false
	}
	b.used += n
	return true
}

// acquire takes n bytes, waiting for them until ctx ends.
func (b *budget) acquire(ctx context.Context, n int64, holder *incoming) error {
	b.mu.Lock()
	w := &waiter{n: n, holder: holder, turn: make(chan struct{})}
	b.waiters = append(b.waiters, w)
	b.admit()
	b.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
		b.leave(w)
		return ctx.Err()
	}
}

// leave gives up a place, or what was taken if its turn had come meanwhile.
func (b *budget) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.waiters {
		if b.waiters[i] == w {
			b.waiters = append(b.waiters[:i], b.waiters[i+1:]...)
			return
		}
	}
	b.used -= w.n
	b.admit()
}

// charge takes n bytes without waiting: for what cannot be put off, an answer that is already made.
func (b *budget) charge(n int64) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	b.used += n
	b.mu.Unlock()
}

// release gives back n bytes, the last that the holder has.
func (b *budget) release(n int64, holder *incoming) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.used < 0 {
		panic("server: more bytes released than were taken")
	}
	if holder != nil && b.overdrawn == holder {
		b.overdrawn = nil
	}
	b.admit()
}

// admit lets in all whose turn has come: holders before those that hold nothing, as they will give back.
func (b *budget) admit() {
	for _, holding := range []bool{true, false} {
		for i := 0; i < len(b.waiters); {
			w := b.waiters[i]
			if (w.holder != nil) != holding {
				i++
				continue
			}
			if !b.grant(w.n, w.holder) {
				break
			}
			b.waiters = append(b.waiters[:i], b.waiters[i+1:]...)
			close(w.turn)
		}
	}
}

// pressed reports whether anyone waits for bytes: then those who hold some without using them are let go sooner.
func (b *budget) pressed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiters) > 0
}
