package logdir

import (
	"context"
	"sync"
	"time"
)

// rate spreads bytes over time.
type rate struct {
	mu        sync.Mutex // guards the fields below
	perSecond float64
	free      time.Time     // when the bytes so far are paid for
	changed   chan struct{} // closed when perSecond changes, and made anew
}

func newRate(perSecond float64) *rate {
	return &rate{perSecond: perSecond, changed: make(chan struct{})}
}

// set changes the rate and forgets what is owed by the old one: who waits goes on.
func (r *rate) set(perSecond float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if perSecond == r.perSecond {
		return
	}
	r.perSecond, r.free = perSecond, time.Time{}
	close(r.changed)
	r.changed = make(chan struct{})
}

// wait returns when n more bytes may be read or written.
func (r *rate) wait(ctx context.Context, n int) error {
	due, changed := r.pay(n)
	now := time.Now()
	if !due.After(now) {
		return nil
	}
	timer := time.NewTimer(due.Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-changed:
	case <-timer.C:
	}
	return nil
}

// pay takes the next n bytes, and tells from when they are free and what ends the wait for that.
func (r *rate) pay(n int) (due time.Time, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.perSecond <= 0 {
		return time.Time{}, nil
	}
	if now := time.Now(); r.free.Before(now) {
		r.free = now
	}
	due = r.free
	r.free = r.free.Add(time.Duration(float64(n) / r.perSecond * float64(time.Second)))
	return due, r.changed
}
