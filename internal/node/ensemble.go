package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/client"
	"github.com/barnabas-mq/barnabas/internal/members"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/peer"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

// ensemble is the other controllers as this node knows them: who they are, and the ways to them. It brings Raft's messages to
// them, and takes theirs.
type ensemble struct {
	node *Node
	self uint64 // this node's raft id
	// changing holds a token while this node changes the members of the quorum, and lost one when the leader that was told of is none.
	changing, lost chan struct{}

	mu        sync.Mutex // guards what follows up to the blank line
	clusterID string
	// listed says that this node is one of the controllers that are configured, the others of which are configured.
	listed     bool
	configured []string
	others     []*other // those that are configured, and then other members; a new slice with each change
	members    quorum.Members
	contacts   []peer.Contact // the members as another one knows them, while this node is none
	born       bool           // members are those of a raft log
	// installing is the index of the snapshot whose checkpoint is being fetched, 0 for none.
	installing uint64
	life       context.Context //nolint:containedctx // From start to close.

	// told is whom others take for the leader, where Raft does not say it here.
	told      atomic.Pointer[other]
	observers observers
	stop      context.CancelFunc
	running   sync.WaitGroup
}

// quorum is the cluster's id, empty before it is known, and the node that leads the quorum, -1 if none is known to.
func (e *ensemble) quorum() (clusterID string, leader int32) {
	e.mu.Lock()
	clusterID = e.clusterID
	e.mu.Unlock()
	if e.node.controller.runtime.Load() != nil {
		return clusterID, e.node.nodeID
	}
	if o := e.leader(); o != nil {
		if h := o.hello.Load(); h != nil {
			return clusterID, h.NodeID
		}
	}
	return clusterID, -1
}

// alone says that this node is the whole quorum.
func (e *ensemble) alone() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.members
	return m.ConfState != nil && len(m.Voters) == 1 && m.Voters[0] == e.self && len(m.Learners) == 0 && !m.Joint()
}

// firstIndex is where Raft's log begins: nothing was decided there.
const firstIndex = 1

// list are the others now.
func (e *ensemble) list() []*other {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.others
}

// isMember says that this node takes part in the quorum, as it knows itself.
func (e *ensemble) isMember() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.members.Has(e.self)
}

// about is what this node says of itself.
func (e *ensemble) about() peer.Hello {
	e.mu.Lock()
	h := peer.Hello{
		ClusterID: e.clusterID, NodeID: e.node.nodeID, DirectoryID: meta.FormatID(e.node.metadataOwner().Identity().DirectoryID),
		RaftID: e.self, Born: e.born && len(e.members.GetVoters()) > 0, Joins: e.born && len(e.members.GetVoters()) == 0,
		Voters: e.members.GetVoters(), Endpoints: e.node.controllerEndpoints(),
	}
	known := e.members
	e.mu.Unlock()
	for id, said := range known.Contexts {
		if m, err := members.Decode(said); err == nil {
			h.Members = append(h.Members, peer.Contact{RaftID: id, Member: m})
		}
	}
	if raft := e.node.metadata.member(); raft != nil {
		status := raft.Status()
		h.Leader, h.Term, h.Begun = status.Leader, status.Term, status.Commit > firstIndex
	}
	return h
}

// serve answers what other nodes say.
func (e *ensemble) serve(ctx context.Context, key, version int16, body []byte) ([]byte, error) {
	if version != 0 {
		return nil, fmt.Errorf("key %d version %d: %w", key, version, peer.ErrUnknown)
	}
	switch key {
	case peer.HelloKey:
		return e.about().Encode(), nil
	case peer.RaftKey:
		return e.node.metadata.end(), e.take(body)
	case peer.JoinKey:
		return nil, e.join(ctx, body)
	case peer.CheckpointKey:
		return e.node.metadata.piece(body)
	}
	return nil, fmt.Errorf("key %d: %w", key, peer.ErrUnknown)
}

// take hands messages to Raft, if they are meant for this member of this cluster: an address may be somebody else's by now.
func (e *ensemble) take(body []byte) error {
	m, err := peer.DecodeMessages(body)
	if err != nil {
		return err
	}
	raft := e.node.metadata.member()
	if raft == nil {
		return kerr.BrokerNotAvailable
	}
	if id := e.node.clusterID; m.ClusterID != id || m.To != e.self {
		return fmt.Errorf("messages for member %x of cluster %s, this is %x of %s: %w", m.To, m.ClusterID, e.self, id, kerr.InconsistentVoterSet)
	}
	for _, message := range m.Messages {
		if message.GetTo() != e.self {
			continue // to the disk that this node had before
		}
		if message.GetType() == raftpb.MsgSnap {
			e.install(raft, message)
			continue
		}
		raft.Step(message)
	}
	return nil
}

// say sends one of our own words and returns the answer's body.
func say(ctx context.Context, c *client.Conn, key int16, body []byte) ([]byte, error) {
	inner := binary.BigEndian.AppendUint16(nil, uint16(key))
	inner = append(inner, 0, 0, 0, 0, 0, 0, 0xff, 0xff) // version, correlation id, no client id
	req := kmsg.NewPtrEnvelopeRequest()
	req.RequestData = append(inner, body...)
	answer, err := c.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	return opened(answer)
}

// opened is what is in an answer behind its header's correlation id.
func opened(answer kmsg.Response) ([]byte, error) {
	resp, ok := answer.(*kmsg.EnvelopeResponse)
	if !ok {
		return nil, fmt.Errorf("envelope was answered by %T", answer)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.ResponseData) < 4 {
		return nil, fmt.Errorf("answer of %d bytes in an envelope", len(resp.ResponseData))
	}
	return resp.ResponseData[4:], nil
}

// greet asks another controller who it is.
func (e *ensemble) greet(ctx context.Context, o *other, c *client.Conn) (*peer.Hello, error) {
	body, err := say(ctx, c, peer.HelloKey, nil)
	if err != nil {
		return nil, err
	}
	h, err := peer.DecodeHello(body)
	if err != nil {
		return nil, err
	}
	e.greeted(o, &h)
	return &h, nil
}

// member finds another controller by its raft id: where it said so itself, else where the quorum knows it to be.
func (e *ensemble) member(raftID uint64) *other {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range e.others {
		if o.is(raftID) {
			return o
		}
	}
	said, err := members.Decode(e.members.Contexts[raftID])
	if err != nil || len(said.Endpoints) == 0 {
		return nil
	}
	i := slices.IndexFunc(e.others, func(o *other) bool { return o.address == addressOf(said) && o.hello.Load() == nil })
	if i < 0 {
		return nil
	}
	return e.others[i]
}

// leader is the controller that leads the quorum, as Raft tells, or others where this node takes no part; nil if nobody does, or this
// node, or it has not said hello.
func (e *ensemble) leader() *other {
	raft := e.node.metadata.member()
	if raft == nil || !e.isMember() {
		return e.told.Load()
	}
	if status := raft.Status(); status.Leader != 0 && !status.Leads {
		return e.member(status.Leader)
	}
	return nil
}

// doubt forgets a leader that was told of: others are asked anew.
func (e *ensemble) doubt(o *other) {
	if o != nil && e.told.CompareAndSwap(o, nil) {
		select {
		case e.lost <- struct{}{}:
		default:
		}
	}
}

// forward has the active controller decide a request of this node's.
func (e *ensemble) forward(ctx context.Context, req kmsg.Request, principal string) (kmsg.Response, error) {
	leader := e.leader()
	if leader == nil {
		return nil, errNoController
	}
	way := leader.control
	if _, ok := req.(*kmsg.BrokerHeartbeatRequest); ok {
		way = leader.beats
	}
	within, end := while(ctx, func() bool { return e.leader() == leader })
	defer end()
	c, err := way.Connect(within)
	if err == nil {
		var answer kmsg.Response
		if answer, err = wrapped(within, c, req, nodeName(e.node.nodeID), principal); err == nil {
			return answer, nil
		}
	}
	if ctx.Err() != nil {
		return nil, err
	}
	if protocol := (*kerr.Error)(nil); !errors.As(err, &protocol) {
		err = fmt.Errorf("%w: %w", err, kerr.NotController)
	}
	if errors.Is(err, kerr.NotController) {
		e.doubt(leader)
	}
	return nil, fmt.Errorf("active controller at %s: %w", leader.address, err)
}

// start begins to bring messages to the others, and to look for the leader where Raft does not tell.
func (e *ensemble) start() {
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	e.mu.Lock()
	e.life = ctx
	for _, o := range e.others {
		e.deliverTo(o)
	}
	e.mu.Unlock()
	e.running.Go(func() { e.takePart(ctx) })
}

// deliverTo begins to bring messages to another controller. The caller holds mu.
func (e *ensemble) deliverTo(o *other) {
	if e.life == nil || e.life.Err() != nil || e.node.metadata.member() == nil {
		return
	}
	ctx, cancel := context.WithCancel(e.life)
	o.stop = cancel
	e.running.Go(func() { e.deliver(ctx, o) })
}

func (e *ensemble) close() {
	if e.stop != nil {
		e.stop()
	}
	for _, o := range e.list() {
		o.close()
	}
	e.running.Wait()
}
