// Package machine runs a pure state machine over a replicated log.
//
// A machine is a function: it takes its newest state, an event and the time, and gives back records and replies. Its
// state changes by replaying those records, which the runtime does as it appends them, into a new version. So decisions
// always see the newest version, while whatever leaves the process (a reply, a read of Committed) waits until the log
// says that the records below it are committed. Nobody is told what may still be undone.
//
// The package knows the order of events, versions, parked replies and timers. It must not know what a record means,
// which log it goes to, or who asks.
package machine

import (
	"errors"
	"log/slog"
	"time"
)

var (
	// ErrClosed is what Submit answers after Close.
	ErrClosed = errors.New("machine is closed")
	// ErrBusy is what Submit answers while QueueLimit events wait for their turn or for the log.
	ErrBusy = errors.New("machine has too many unanswered events")
)

// Event decides. It runs on the runtime's goroutine, must not wait, and must not keep or change s.
//
// An event that is still queued at Close is decided all the same, so that its replies can be told: its records are
// dropped and its replies get Close's error.
type Event[S, R any] func(s S, now time.Time) Decision[S, R]

// Decision is what an event leads to.
type Decision[S, R any] struct {
	// State is the state the event was given, or that state with changes that no record carries and that a reload may
	// forget (when a member was last heard of, say).
	State S
	// Records are appended as part of one atomic batch, and replayed into State.
	Records []R
	// Replies are called in order, once each, on the runtime's goroutine: with nil once everything that was appended up
	// to and including this decision is committed, else with the reason. They must not wait.
	Replies []func(error)
}

// Log is where records go.
type Log[R any] interface {
	// Append appends the records as one atomic batch without waiting for their commit, and returns the offset after
	// the last one. Ends grow from call to call. An error promises that none of the records is in the log, now or
	// later; a log that cannot promise this must have the runtime closed instead.
	Append(records []R) (end int64, err error)
}

// Options says what a Runtime runs.
type Options[S, R any] struct {
	Name  string // for the log lines
	State S      // what the replayed log makes
	// End is the offset below which State holds the log's records. Set when some of them may not be committed yet:
	// replies then wait until Advance has reached it. Zero when State is committed.
	End int64
	// Replay gives the state after the record, and leaves s as it is.
	Replay func(s S, record R) S
	Log    Log[R]
	// Timer, if set, is asked after every batch of events and when the time it last named has come. It decides what is
	// due and names the next time, or the zero time for none. It must be cheap when nothing is due.
	Timer func(s S, now time.Time) (Decision[S, R], time.Time)
	// Size is what a record takes in the log; with BatchBytes it bounds an append, so that decisions which happen to be
	// batched never make one that the log finds too large. A single decision's records are never split. BatchBytes is
	// asked at each decision, as the bound may change. Both may be nil.
	Size       func(record R) int
	BatchBytes func() int
	// QueueLimit bounds the events that are not answered yet. Zero means DefaultQueueLimit.
	QueueLimit int
	Now        func() time.Time // time.Now if nil
	Logger     *slog.Logger     // slog.Default() if nil
}

const (
	// DefaultQueueLimit bounds the unanswered events of a runtime.
	DefaultQueueLimit = 20_000
	// MaxBatchEvents bounds the events that are decided before their records are appended.
	MaxBatchEvents = 256
	// MaxBatchRecords bounds the records of an append, save that one decision's records are never split.
	MaxBatchRecords = 1_000
	// minTimerDelay keeps a Timer that names the past again and again from taking the whole processor.
	minTimerDelay = time.Millisecond
	// minTimerRetry and maxTimerRetry bound how long a Timer waits after its records could not be appended: each failure
	// doubles it, so that a full disk is neither hammered nor logged ten times a second.
	minTimerRetry = 100 * time.Millisecond
	maxTimerRetry = 30 * time.Second
)
