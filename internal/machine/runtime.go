package machine

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Runtime runs one machine on one goroutine, which New starts and Close ends.
type Runtime[S, R any] struct {
	o Options[S, R]

	committed atomic.Pointer[S]
	advanced  atomic.Int64  // the highest end that Advance was told
	wake      chan struct{} // holds a token when there is something to look at
	done      chan struct{} // closed when the goroutine has ended

	mu         sync.Mutex // guards the fields up to the blank line
	queue      []Event[S, R]
	unanswered int // queued events, and decided ones whose replies are parked
	closeErr   error
	closed     bool

	// What follows belongs to the goroutine.
	newest     S
	inFlight   []version[S] // appended and not yet committed, by rising end
	batch      batch[S, R]
	timer      *time.Timer
	timerRetry time.Duration // how long the Timer waits after the last append failed; zero after one that went well
}

// version is the state after an append, and who waits for its commit.
type version[S any] struct {
	end     int64
	state   S
	replies []func(error)
	events  int
}

// batch is what was decided and is not appended yet.
type batch[S, R any] struct {
	before  S // the state to go back to if the append fails
	records []R
	bytes   int
	replies []func(error)
	events  int
}

// New starts a runtime. Its owner must Close it.
func New[S, R any](o Options[S, R]) *Runtime[S, R] {
	if o.QueueLimit == 0 {
		o.QueueLimit = DefaultQueueLimit
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	r := &Runtime[S, R]{
		o:      o,
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
		newest: o.State,
	}
	r.committed.Store(&o.State)
	if o.End > 0 {
		r.inFlight = []version[S]{{end: o.End, state: o.State}}
	}
	go r.run()
	return r
}

// Submit queues an event. It never waits: ErrBusy and ErrClosed mean that the event was not taken and will not run.
func (r *Runtime[S, R]) Submit(e Event[S, R]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if r.unanswered >= r.o.QueueLimit {
		return ErrBusy
	}
	r.unanswered++
	r.queue = append(r.queue, e)
	if len(r.queue) == 1 {
		r.signal()
	}
	return nil
}

// Committed is the newest state whose records are all committed. When a reply has been called with nil, Committed holds
// what its decision recorded.
func (r *Runtime[S, R]) Committed() S { return *r.committed.Load() }

// Advance tells that the log is committed below end. It never waits, may be called from within Log.Append, and ignores
// an end below an earlier one.
func (r *Runtime[S, R]) Advance(end int64) {
	for {
		old := r.advanced.Load()
		if end <= old {
			return
		}
		if r.advanced.CompareAndSwap(old, end) {
			r.signal()
			return
		}
	}
}

// Close ends the runtime: every reply that has not been called is called with err, which leaves open whether records that
// are in the log already will be committed. It returns when the last one has
// been, so it must not be called from an event, a reply or Log.Append. A second Close only waits.
func (r *Runtime[S, R]) Close(err error) {
	if err == nil {
		err = ErrClosed
	}
	r.mu.Lock()
	if !r.closed {
		r.closed, r.closeErr = true, err
		r.signal()
	}
	r.mu.Unlock()
	<-r.done
}

func (r *Runtime[S, R]) signal() {
	select {
	case r.wake <- struct{}{}:
	default: // a token is there already
	}
}

func (r *Runtime[S, R]) run() {
	defer close(r.done)
	r.timer = time.NewTimer(time.Hour)
	r.timer.Stop()
	defer r.timer.Stop()
	r.askTimer()
	r.flush()
	for due := false; ; {
		r.commit()
		events, closed := r.take()
		if closed {
			r.failAll(events)
			return
		}
		if len(events) == 0 && !due {
			select {
			case <-r.wake:
			case <-r.timer.C:
				due = true
			}
			continue
		}
		due = false
		now := r.o.Now()
		for _, e := range events {
			r.decide(e(r.newest, now), 1)
		}
		r.askTimer()
		r.flush()
	}
}

// take gives the next events, or all of them when the runtime is closed.
func (r *Runtime[S, R]) take() (events []Event[S, R], closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.queue) <= MaxBatchEvents {
		events, r.queue = r.queue, nil
	} else {
		events = r.queue[:MaxBatchEvents:MaxBatchEvents]
		r.queue = r.queue[MaxBatchEvents:]
	}
	return events, r.closed
}

// decide takes a decision into the batch. One without records joins what is already appended, unless the batch holds
// records that it has seen.
func (r *Runtime[S, R]) decide(d Decision[S, R], events int) {
	if len(d.Records) == 0 && len(r.batch.records) == 0 {
		r.newest = d.State
		r.park(d.Replies, events)
		return
	}
	size := r.size(d.Records)
	if r.full(len(d.Records), size) {
		if err := r.flush(); err != nil {
			// The decision was made on the version that was just undone.
			r.answer(d.Replies, events, err)
			return
		}
	}
	if len(r.batch.records) == 0 {
		r.batch.before = r.newest
	}
	r.newest = d.State
	for _, record := range d.Records {
		r.newest = r.o.Replay(r.newest, record)
	}
	r.batch.records = append(r.batch.records, d.Records...)
	r.batch.bytes += size
	r.batch.replies = append(r.batch.replies, d.Replies...)
	r.batch.events += events
}

// full says whether the batch must be appended before n more records of that size may join it.
func (r *Runtime[S, R]) full(n, size int) bool {
	have := len(r.batch.records)
	if have == 0 || n == 0 {
		return false
	}
	return have+n > MaxBatchRecords || r.o.BatchBytes != nil && r.batch.bytes+size > r.o.BatchBytes()
}

func (r *Runtime[S, R]) size(records []R) int {
	if r.o.Size == nil {
		return 0
	}
	total := 0
	for _, record := range records {
		total += r.o.Size(record)
	}
	return total
}

// flush appends the batch. When that fails, the newest version is again the one before the batch: everything decided
// since has seen records that do not exist, so it is told the error.
func (r *Runtime[S, R]) flush() error {
	b := r.batch
	if len(b.records) == 0 {
		return nil
	}
	r.batch = batch[S, R]{}
	end, err := r.o.Log.Append(b.records)
	if err != nil {
		r.newest = b.before
		if b.events == 0 { // else those who asked are told
			r.o.Logger.Warn("records not appended, to be tried again", "machine", r.o.Name, "records", len(b.records), "err", err)
		}
		r.answer(b.replies, b.events, err)
		r.retryTimer()
		return err
	}
	r.timerRetry = 0
	if n := len(r.inFlight); n > 0 && end <= r.inFlight[n-1].end {
		panic(fmt.Sprintf("machine %s: append ended at %d after one that ended at %d", r.o.Name, end, r.inFlight[n-1].end))
	}
	r.inFlight = append(r.inFlight, version[S]{end: end, state: r.newest, replies: b.replies, events: b.events})
	return nil
}

// park keeps replies of the newest state, which needs no append, until what it was decided on is committed.
func (r *Runtime[S, R]) park(replies []func(error), events int) {
	n := len(r.inFlight)
	if n == 0 {
		state := r.newest
		r.committed.Store(&state)
		r.answer(replies, events, nil)
		return
	}
	last := &r.inFlight[n-1]
	last.state = r.newest
	last.replies = append(last.replies, replies...)
	last.events += events
}

// commit publishes the newest version that the log has committed, and answers those who waited for it.
func (r *Runtime[S, R]) commit() {
	end := r.advanced.Load()
	n := 0
	for n < len(r.inFlight) && r.inFlight[n].end <= end {
		n++
	}
	if n == 0 {
		return
	}
	state := r.inFlight[n-1].state
	r.committed.Store(&state)
	for _, v := range r.inFlight[:n] {
		r.answer(v.replies, v.events, nil)
	}
	r.inFlight = slices.Delete(r.inFlight, 0, n)
}

// failAll answers everything that is parked or queued with the error that the runtime was closed with.
func (r *Runtime[S, R]) failAll(queued []Event[S, R]) {
	for _, v := range r.inFlight {
		r.answer(v.replies, v.events, r.closeErr)
	}
	r.inFlight = nil
	now := r.o.Now()
	for _, e := range queued {
		r.answer(e(r.newest, now).Replies, 1, r.closeErr)
	}
}

func (r *Runtime[S, R]) answer(replies []func(error), events int, err error) {
	for _, reply := range replies {
		reply(err)
	}
	if events > 0 {
		r.mu.Lock()
		r.unanswered -= events
		r.mu.Unlock()
	}
}

// askTimer lets the machine decide what is due, and sets the timer for the next time it names.
func (r *Runtime[S, R]) askTimer() {
	if r.o.Timer == nil {
		return
	}
	now := r.o.Now()
	d, next := r.o.Timer(r.newest, now)
	r.setTimer(next, now)
	r.decide(d, 0)
}

// retryTimer asks the Timer again a little later: what it decided may just have been undone.
func (r *Runtime[S, R]) retryTimer() {
	if r.o.Timer == nil {
		return
	}
	r.timerRetry = min(max(2*r.timerRetry, minTimerRetry), maxTimerRetry)
	r.timer.Reset(r.timerRetry)
}

func (r *Runtime[S, R]) setTimer(next, now time.Time) {
	if next.IsZero() {
		r.timer.Stop()
		return
	}
	r.timer.Reset(max(next.Sub(now), minTimerDelay))
}
