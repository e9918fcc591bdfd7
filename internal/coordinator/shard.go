package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/group"
	"github.com/barnabas-mq/barnabas/internal/machine"
)

// runtime runs a shard's machine.
type runtime = machine.Runtime[*group.Shard, group.Change]

// shard is one partition of Topic that this broker leads in one epoch: loading, then running until it is closed.
type shard struct {
	o         Options
	partition int32
	epoch     int32
	log       Log

	ctx     context.Context //nolint:containedctx // It is the shard's own life.
	cancel  context.CancelFunc
	loaded  chan struct{} // closed when load has returned
	running atomic.Pointer[runtime]

	mu     sync.Mutex // guards the fields below
	calls  map[*Call]struct{}
	closed bool
}

func newShard(o Options, partition, epoch int32, log Log) *shard {
	ctx, cancel := context.WithCancel(context.Background())
	return &shard{
		o: o, partition: partition, epoch: epoch, log: log,
		ctx: ctx, cancel: cancel, loaded: make(chan struct{}), calls: make(map[*Call]struct{}),
	}
}

func (s *shard) String() string { return fmt.Sprintf("%s-%d", Topic, s.partition) }

const (
	loadRetryMin = 100 * time.Millisecond
	loadRetryMax = 30 * time.Second
)

// load makes the shard from its log and starts its machine. It tries again while it is not closed: a log that cannot be
// read makes its groups wait, rather than start from nothing.
func (s *shard) load() {
	defer close(s.loaded)
	delay := loadRetryMin
	for s.ctx.Err() == nil {
		start := s.o.Now()
		state, stats, err := load(s.ctx, s.log, s.o)
		if err == nil {
			s.start(state)
			level := slog.LevelDebug // an empty shard is nothing to tell of, and there are fifty
			if stats.records > 0 {
				level = slog.LevelInfo
			}
			s.o.Logger.Log(s.ctx, level, "groups loaded", "partition", s.String(), "epoch", s.epoch,
				"records", stats.records, "unknown", stats.unknown, "took", s.o.Now().Sub(start))
			return
		}
		if s.ctx.Err() != nil {
			return
		}
		s.o.Logger.Error("groups not loaded", "partition", s.String(), "epoch", s.epoch, "retry", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-s.ctx.Done():
		}
		delay = min(2*delay, loadRetryMax)
	}
}

func (s *shard) start(state *group.Shard) {
	options := state.Options()
	options.Name = s.String()
	options.Log = &appender{shard: s}
	options.Now, options.Logger = s.o.Now, s.o.Logger
	r := machine.New(options)
	unwatch := s.log.OnHighWatermark(r.Advance)
	r.Advance(s.log.HighWatermark())
	context.AfterFunc(s.ctx, unwatch)
	s.running.Store(r)
}

// close ends the shard and tells everybody who waits. It waits for what runs.
func (s *shard) close() {
	s.cancel()
	<-s.loaded
	gone := fmt.Errorf("partition %s: %w", s, kerr.NotCoordinator)
	if r := s.running.Load(); r != nil {
		r.Close(gone)
	}
	s.mu.Lock()
	s.closed = true
	calls := s.calls
	s.calls = nil
	s.mu.Unlock()
	for call := range calls { // joins and syncs that were parked in the state that is gone
		call.finish(failed(call.request, gone))
	}
}

// committed is the state that may be told.
func (s *shard) committed() (*group.Shard, error) {
	r := s.running.Load()
	if r == nil {
		return nil, fmt.Errorf("partition %s: %w", s, kerr.CoordinatorLoadInProgress)
	}
	return r.Committed(), nil
}

// submit brings an event to the machine.
func (s *shard) submit(e group.Event) error {
	r := s.running.Load()
	if r == nil {
		return fmt.Errorf("partition %s: %w", s, kerr.CoordinatorLoadInProgress)
	}
	switch err := r.Submit(e); {
	case errors.Is(err, machine.ErrBusy):
		return fmt.Errorf("partition %s: %w: %w", s, err, kerr.CoordinatorNotAvailable)
	case err != nil:
		return fmt.Errorf("partition %s: %w: %w", s, err, kerr.NotCoordinator)
	}
	return nil
}

// begin brings a request to the machine, and answers it itself if that cannot be.
func (s *shard) begin(call *Call, event group.Event) {
	if !s.remember(call) {
		call.finish(failed(call.request, fmt.Errorf("partition %s: %w", s, kerr.NotCoordinator)))
		return
	}
	if err := s.submit(event); err != nil {
		call.finish(failed(call.request, err))
	}
}

func (s *shard) remember(call *Call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	call.shard = s
	s.calls[call] = struct{}{}
	return true
}

func (s *shard) forgetCall(call *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, call)
}

// forget deletes the offsets of deleted topics, part by part.
func (s *shard) forget(topics []group.Topic, after *group.Offset) {
	err := s.submit(group.ForgetTopics(topics, after, func(after *group.Offset, err error) {
		if err != nil {
			s.o.Logger.Warn("offsets of deleted topics kept", "partition", s.String(), "error", err)
		} else if after != nil {
			s.forget(topics, after)
		}
	}))
	if err != nil && !errors.Is(err, kerr.NotCoordinator) {
		s.o.Logger.Warn("offsets of deleted topics kept", "partition", s.String(), "error", err)
	}
}
