package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/client"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/peer"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

// ensemble is the other controllers as this node knows them: who they are, and the ways to them. It brings Raft's messages to
// them, and takes theirs. A node that is alone has none.
type ensemble struct {
	node   *Node
	others []*other // in the order in which they are configured; settled before this node takes part

	// clusterID and voters are set at birth, or known at the start; born comes after them.
	mu        sync.Mutex
	clusterID string
	voters    []uint64
	born      bool
	// installing is the index of the snapshot whose checkpoint is being fetched, 0 for none.
	installing uint64

	life    context.Context //nolint:containedctx // From start to close; guarded by mu.
	stop    context.CancelFunc
	running sync.WaitGroup
}

// other is one of the other controllers.
type other struct {
	address string
	hello   atomic.Pointer[peer.Hello] // what it last said of itself; nil before it ever has
	control *client.Peer               // for requests that wait for a commit
	beats   *client.Peer               // for heartbeats, which wait behind nothing else
	outbox  outbox
}

// newEnsemble makes the ways to the others. Nothing is dialled yet.
func newEnsemble(n *Node) *ensemble {
	e := &ensemble{node: n}
	for _, address := range n.otherControllers() {
		o := &other{address: address}
		at := func() (string, bool) { return address, true }
		options := client.Options{ClientID: nodeName(n.nodeID), Version: "1"}
		o.control, o.beats = client.NewPeer(at, options), client.NewPeer(at, options)
		o.outbox.init()
		e.others = append(e.others, o)
	}
	return e
}

// otherControllers are the addresses of the configured controllers but for this node.
func (n *Node) otherControllers() []string {
	v := n.live.values()
	var addresses []string
	for _, voter := range v.Voters() {
		if voter.ID != n.nodeID {
			addresses = append(addresses, net.JoinHostPort(voter.Host, strconv.Itoa(int(voter.Port))))
		}
	}
	if len(v.Voters()) > 0 {
		return addresses
	}
	for _, server := range v.BootstrapServers() {
		if !n.isOwnController(server) {
			addresses = append(addresses, server)
		}
	}
	return addresses
}

// isOwnController says that an address is one at which this node's controller listens.
func (n *Node) isOwnController(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	for _, l := range n.live.values().ControllerListeners() {
		if strconv.Itoa(int(l.Port)) == port && (l.Host == host || sameHost(l.Host, host)) {
			return true
		}
	}
	return false
}

// sameHost says that a name is this host's, where a listener is on every interface or names it otherwise.
func sameHost(listens, asked string) bool {
	asks, err := net.LookupHost(asked)
	if err != nil {
		return false
	}
	var own []string
	if listens == "" || listens == "0.0.0.0" || listens == "::" {
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			return false
		}
		for _, a := range addresses {
			if ip, ok := a.(*net.IPNet); ok {
				own = append(own, ip.IP.String())
			}
		}
	} else if own, err = net.LookupHost(listens); err != nil {
		return false
	}
	for _, a := range asks {
		for _, b := range own {
			if a == b {
				return true
			}
		}
	}
	return false
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
		return clusterID, o.hello.Load().NodeID
	}
	return clusterID, -1
}

// alone says that this node is the whole quorum.
func (e *ensemble) alone() bool { return len(e.others) == 0 }

// about is what this node says of itself.
func (e *ensemble) about() peer.Hello {
	e.mu.Lock()
	defer e.mu.Unlock()
	directory := e.node.metadataOwner().Identity().DirectoryID
	return peer.Hello{
		ClusterID: e.clusterID, NodeID: e.node.nodeID, DirectoryID: meta.FormatID(directory), RaftID: quorum.RaftID(directory),
		Born: e.born, Voters: e.voters,
	}
}

// serve answers what other nodes say.
func (e *ensemble) serve(_ context.Context, key, version int16, body []byte) ([]byte, error) {
	if version != 0 {
		return nil, fmt.Errorf("key %d version %d: %w", key, version, peer.ErrUnknown)
	}
	switch key {
	case peer.HelloKey:
		return e.about().Encode(), nil
	case peer.RaftKey:
		return nil, e.take(body)
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
	if about := e.about(); m.ClusterID != about.ClusterID || m.To != about.RaftID {
		return fmt.Errorf("messages for member %x of cluster %s, this is %x of %s: %w", m.To, m.ClusterID, about.RaftID, about.ClusterID, kerr.InconsistentVoterSet)
	}
	for _, message := range m.Messages {
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
func (o *other) greet(ctx context.Context, c *client.Conn) (*peer.Hello, error) {
	body, err := say(ctx, c, peer.HelloKey, nil)
	if err != nil {
		return nil, err
	}
	h, err := peer.DecodeHello(body)
	if err != nil {
		return nil, err
	}
	o.hello.Store(&h)
	return &h, nil
}

// member finds another controller by its raft id.
func (e *ensemble) member(raftID uint64) *other {
	for _, o := range e.others {
		if h := o.hello.Load(); h != nil && h.RaftID == raftID {
			return o
		}
	}
	return nil
}

// leader is the controller that leads the quorum, as Raft tells; nil if nobody does, or this node, or it has not said hello.
func (e *ensemble) leader() *other {
	raft := e.node.metadata.member()
	if raft == nil {
		return nil
	}
	if status := raft.Status(); status.Leader != 0 && !status.Leads {
		return e.member(status.Leader)
	}
	return nil
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
	out := kmsg.NewPtrEnvelopeRequest()
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID(nodeName(e.node.nodeID)))
	out.RequestData = format.AppendRequest(nil, req, 0)[4:]
	if principal != "" {
		out.RequestPrincipal = []byte(principal)
	}
	within, end := while(ctx, func() bool { return e.leader() == leader })
	defer end()
	answer, err := way.Do(within, out)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, fmt.Errorf("active controller at %s: %w: %w", leader.address, err, kerr.NotController)
	}
	body, err := opened(answer)
	if err != nil {
		return nil, fmt.Errorf("active controller at %s: %w", leader.address, err)
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if resp.IsFlexible() {
		if len(body) == 0 {
			return nil, errors.New("answer of the active controller ends early")
		}
		body = body[1:] // our own header never has tags
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("answer of the active controller at %s: %w", leader.address, err)
	}
	return resp, nil
}

// start begins to bring messages to the others.
func (e *ensemble) start() {
	ctx, cancel := context.WithCancel(context.Background())
	e.mu.Lock()
	e.life = ctx
	e.mu.Unlock()
	e.stop = cancel
	for _, o := range e.others {
		e.running.Go(func() { e.deliver(ctx, o) })
	}
}

func (e *ensemble) close() {
	if e.stop != nil {
		e.stop()
	}
	for _, o := range e.others {
		o.control.Close()
		o.beats.Close()
	}
	e.running.Wait()
}
