package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/client"
	"github.com/barnabas-mq/barnabas/internal/peer"
)

const (
	// maxOutbox bounds each of the two queues of messages that wait for one member; Raft sends anew what is lost.
	maxOutbox = 1_024
	// maxBatchBytes bounds the entries of a batch of messages, unless a single message has more.
	maxBatchBytes = 4 << 20
	// dialAfter and dialAfterMost are the pauses before a member that could not be reached is dialled again.
	dialAfter     = 20 * time.Millisecond
	dialAfterMost = 300 * time.Millisecond
	// dialStrangerAfterMost is that for who is configured, and no member.
	dialStrangerAfterMost = 3 * time.Second
	// deliveryTimeout bounds a dial and a batch of messages: a member that takes longer is as good as gone.
	deliveryTimeout = 2 * time.Second
)

// outbox is the messages that wait for one member.
type outbox struct {
	mu sync.Mutex // guards the two queues
	// urgent are heartbeats, votes and answers: small, and late if they wait behind what is large. Raft allows that they overtake.
	urgent []*raftpb.Message
	bulk   []*raftpb.Message // entries and snapshots, in their order
	wake   chan struct{}     // holds a token when there are some
}

func (b *outbox) init() { b.wake = make(chan struct{}, 1) }

// put takes a message if there is room for it.
func (b *outbox) put(m *raftpb.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue := &b.urgent
	if m.GetType() == raftpb.MsgApp || m.GetType() == raftpb.MsgSnap {
		queue = &b.bulk
	}
	if len(*queue) >= maxOutbox {
		return false
	}
	*queue = append(*queue, m)
	b.signal()
	return true
}

// take is the next batch: all that is urgent, and of the rest one message, or as many as keep the batch small enough that the
// next heartbeat does not wait for long. What is left asks for another one.
func (b *outbox) take() []*raftpb.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch, bytes, n := b.urgent, 0, 0
	for _, m := range b.bulk {
		if bytes += entryBytes(m); n > 0 && bytes > maxBatchBytes {
			break
		}
		n++
	}
	batch = append(batch, b.bulk[:n]...)
	b.urgent, b.bulk = nil, b.bulk[n:]
	if len(b.bulk) > 0 {
		b.signal()
	} else {
		b.bulk = nil // what was sent is not held in memory
	}
	return batch
}

// clear gives up what waits.
func (b *outbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.urgent, b.bulk = nil, nil
}

func (b *outbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// entryBytes is what makes a message large.
func entryBytes(m *raftpb.Message) int {
	bytes := 0
	for _, e := range m.GetEntries() {
		bytes += len(e.GetData())
	}
	return bytes
}

// Send puts Raft's messages into the outboxes of their members. Those for a member that has not said who it is are lost, as
// any message may be, but Raft must hear of a lost snapshot.
func (e *ensemble) Send(messages []*raftpb.Message) {
	for _, m := range messages {
		o := e.member(m.GetTo())
		if (o == nil || !o.outbox.put(m)) && m.GetType() == raftpb.MsgSnap {
			if raft := e.node.metadata.member(); raft != nil {
				raft.ReportSnapshot(m.GetTo(), false)
			}
		}
	}
}

// deliver keeps a connection to another controller, and brings it its messages, until ctx ends.
func (e *ensemble) deliver(ctx context.Context, o *other) {
	wait := dialAfter
	for ctx.Err() == nil {
		c, err := e.dial(ctx, o)
		if err == nil {
			wait = dialAfter
			err = e.bring(ctx, o, c)
			c.Close()
		}
		o.outbox.clear() // what waited is old by the time that it is there
		e.unreachable(o, err)
		if pause(ctx, wait/2+rand.N(wait)) != nil { //nolint:gosec // It only has to differ between nodes.
			return
		}
		most := dialAfterMost
		if h := o.hello.Load(); h == nil || !e.hasMember(h.RaftID) {
			most = dialStrangerAfterMost
		}
		wait = min(2*wait, most)
	}
}

// hasMember says that somebody takes part in the quorum.
func (e *ensemble) hasMember(raftID uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.members.Has(raftID)
}

func (e *ensemble) dial(ctx context.Context, o *other) (*client.Conn, error) {
	c, err := client.Dial(ctx, client.Options{Address: o.address, ClientID: "raft", Version: "1", Timeout: deliveryTimeout})
	if err != nil {
		return nil, err
	}
	if _, err := e.greet(ctx, o, c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// bring brings messages over one connection until that breaks.
func (e *ensemble) bring(ctx context.Context, o *other, c *client.Conn) error {
	to := o.hello.Load().RaftID
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.Done():
			return errBroken
		case <-o.outbox.wake:
		}
		messages := slices.DeleteFunc(o.outbox.take(), func(m *raftpb.Message) bool { return m.GetTo() != to }) // it was another one a moment ago
		if len(messages) == 0 {
			continue
		}
		sent, end := time.Now(), e.node.metadata.log.Position().Offset
		body, err := peer.Messages{ClusterID: e.node.clusterID, To: to, Messages: messages}.Encode(nil)
		if err != nil {
			return err
		}
		answer, err := say(ctx, c, peer.RaftKey, body)
		if err == nil {
			o.report.take(answer, sent, end)
		}
		for _, m := range messages {
			if m.GetType() == raftpb.MsgSnap {
				e.node.metadata.member().ReportSnapshot(to, err == nil) // if it is not installed it is asked for again
			}
		}
		if err != nil {
			return err
		}
	}
}

var errBroken = errors.New("the connection ended")

// unreachable tells Raft that a member does not get its messages. A leader whose process is gone, as its listener refuses or its
// connection broke, need not be waited for.
func (e *ensemble) unreachable(o *other, why error) {
	raft, h := e.node.metadata.member(), o.hello.Load()
	if raft == nil || h == nil {
		return
	}
	raft.ReportUnreachable(h.RaftID)
	if errors.Is(why, syscall.ECONNREFUSED) {
		raft.LeaderGone(h.RaftID)
	}
}
