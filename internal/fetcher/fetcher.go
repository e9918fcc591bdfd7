package fetcher

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/client"
	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

const (
	// backoff and backoffMost are the pauses before a broker that could not be reached is dialled again, and a partition with
	// an error asked for again.
	backoff     = 20 * time.Millisecond
	backoffMost = 500 * time.Millisecond
	// grace is how long a fetch that is under way may take when there is something new to fetch: one that is parked at the
	// leader would keep the new partitions waiting, and with them whoever waits for a commit.
	grace = 5 * time.Millisecond
	// answerTimeout bounds the wait for an answer beyond the fetch's own.
	answerTimeout = 5 * time.Second
	// frameMargin is what an answer may have beside its records: it holds at least one batch, however large.
	frameMargin = 100 << 20
)

// following is one partition that is fetched. But for changes it belongs to the fetcher's goroutine.
type following struct {
	partition *replica.Partition
	epoch     int32 // of its leader
	next      replica.Next
	sent      asked     // what the session has of it
	until     time.Time // it is not asked for before that, after an error
	failures  int
}

// asked is what a session remembers of a partition.
type asked struct {
	in        bool
	next      replica.Next
	epoch     int32
	partition key
}

// key names a partition in a session.
type key struct {
	topic     [16]byte
	partition int32
}

func keyOf(p *replica.Partition) key { return key{p.Topic().ID, p.Index} }

// fetcher fetches from one broker, on one goroutine.
type fetcher struct {
	o      *Options
	broker int32
	peer   *client.Peer
	wake   chan struct{} // holds a token when there are changes

	mu      sync.Mutex // guards changes
	changes map[*replica.Partition]*following

	parts   map[key]*following
	session session
}

// session is the fetch session that the broker keeps for us (KIP-227).
type session struct{ id, epoch int32 }

func newFetcher(o *Options, broker int32) *fetcher {
	return &fetcher{
		o: o, broker: broker, wake: make(chan struct{}, 1),
		changes: make(map[*replica.Partition]*following), parts: make(map[key]*following),
		peer: client.NewPeer(func() (string, bool) { return o.Address(broker) }, client.Options{
			ClientID: "broker-" + strconv.Itoa(int(o.NodeID)) + "-fetcher", Version: "1",
			Timeout: o.MaxWait + answerTimeout, MaxResponse: int(o.MaxBytes) + frameMargin,
		}),
	}
}

// change has a partition fetched, or with nil no more. It never waits.
func (f *fetcher) change(p *replica.Partition, to *following) {
	f.mu.Lock()
	f.changes[p] = to
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *fetcher) run(ctx context.Context) {
	defer f.peer.Close()
	wait := backoff
	for ctx.Err() == nil {
		f.takeChanges()
		if len(f.parts) == 0 {
			f.session = session{}
			f.sleep(ctx, -1)
			continue
		}
		if err := f.fetch(ctx); err != nil {
			f.session = session{}
			f.o.Logger.Debug("fetch from another broker failed", "broker", f.broker, "error", err)
			f.sleep(ctx, wait/2+rand.N(wait)) //nolint:gosec // It only has to differ between brokers.
			wait = min(2*wait, backoffMost)
			continue
		}
		wait = backoff
	}
}

// sleep waits for a change, at most so long; a negative time is for ever.
func (f *fetcher) sleep(ctx context.Context, most time.Duration) {
	var due <-chan time.Time
	if most >= 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-f.wake:
	case <-due:
	}
}

func (f *fetcher) takeChanges() {
	f.mu.Lock()
	changes := f.changes
	if len(changes) == 0 {
		f.mu.Unlock()
		return
	}
	f.changes = make(map[*replica.Partition]*following)
	f.mu.Unlock()
	for p, to := range changes {
		at := keyOf(p)
		before := f.parts[at]
		if to == nil {
			if before != nil && before.partition == p {
				before.epoch, before.partition = -1, nil // forgotten with the next request
			}
			continue
		}
		if before != nil {
			to.sent = before.sent
		}
		next, err := p.Next(to.epoch)
		if err != nil {
			// It follows somebody else by now, or its log is still being opened: in both cases it is told again.
			f.o.Logger.Debug("not fetched", "partition", p.String(), "error", err)
			to.partition = nil
		}
		to.next = next
		f.parts[at] = to
	}
}

// fetch asks once, and acts on the answer.
func (f *fetcher) fetch(ctx context.Context) error {
	conn, err := f.peer.Connect(ctx)
	if err != nil {
		return err
	}
	req := f.request(conn)
	resp, frame, err := f.exchange(ctx, conn, req)
	if err != nil {
		return err
	}
	defer frame.Free()
	return f.act(ctx, conn, resp)
}

var errCut = errors.New("cut for new partitions")

// exchange sends the request and waits for the answer, unless there is something new to fetch: then a new session begins on a new
// connection.
func (f *fetcher) exchange(ctx context.Context, conn *client.Conn, req *kmsg.FetchRequest) (*kmsg.FetchResponse, *wire.Buffer, error) {
	type outcome struct {
		answer kmsg.Response
		frame  *wire.Buffer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		answer, frame, err := conn.DoPooled(ctx, req)
		done <- outcome{answer, frame, err}
	}()
	var o outcome
	select {
	case o = <-done:
	case <-f.wake:
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case o = <-done:
		case <-timer.C:
			conn.Close()
			if o = <-done; o.err != nil {
				return nil, nil, f.again(errCut)
			}
		}
		f.again(nil)
	}
	if o.err != nil {
		return nil, nil, o.err
	}
	resp, ok := o.answer.(*kmsg.FetchResponse)
	if !ok {
		o.frame.Free()
		return nil, nil, errors.New("fetch was not answered by one")
	}
	return resp, o.frame, nil
}

// again leaves a token for the changes that have not been taken.
func (f *fetcher) again(err error) error {
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return err
}
