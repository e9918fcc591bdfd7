package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/members"
	"github.com/barnabas-mq/barnabas/internal/peer"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

const (
	// joinAgain is the pause before a controller that is not yet what it came for asks again.
	joinAgain = 100 * time.Millisecond
	// joinLook is how often a controller looks whether it still is what it came for, and whoever is no member who leads.
	joinLook = time.Second
	// aloneLook is that for who is the whole quorum: whoever comes is told of.
	aloneLook = time.Hour
	// joinTimeout bounds what the active controller may take for one step.
	joinTimeout = 5 * time.Second
	// almost is how many entries a member may lack and has caught up: while others are written nobody ever has them all.
	almost = 256
	// changeTimeout bounds how long a change of members may take; another step tries again.
	changeTimeout = 2 * time.Second
)

// takePart finds the leader where Raft does not tell, and has this controller be a member of the quorum, known by where it is
// reached, until ctx ends.
func (e *ensemble) takePart(ctx context.Context) {
	settled := false
	for ctx.Err() == nil {
		if e.mustAsk() && e.told.Load() == nil {
			e.told.Store(e.find(ctx))
		}
		if raft := e.node.metadata.member(); raft != nil && (!settled || raft.Status().Leader == 0 || !e.isMember()) {
			settled = e.announce(ctx, raft)
		}
		wait := joinLook
		if settled && e.alone() {
			wait = aloneLook
		}
		if !settled && e.node.metadata.member() != nil || e.mustAsk() && e.told.Load() == nil {
			wait = joinAgain
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-e.lost:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// changed takes the members of the quorum as they are from now on.
func (e *ensemble) changed(m quorum.Members) {
	e.keepUp(m)
	select {
	case e.lost <- struct{}{}: // it may be this one that is a member now, or no more
	default:
	}
}

// mustAsk says that Raft does not tell here who leads.
func (e *ensemble) mustAsk() bool { return e.node.metadata.member() == nil || !e.isMember() }

// find asks the others who leads: nil if nobody knows.
func (e *ensemble) find(ctx context.Context) *other {
	hellos, _ := e.greetAll(ctx)
	var newest peer.Hello
	for _, h := range hellos {
		if !e.isMember() && len(h.Members) > 0 {
			e.met(h.Members)
		}
		if h.Leader != 0 && h.Term > newest.Term {
			newest = h
		}
	}
	for _, o := range e.list() {
		if newest.Leader != 0 && o.is(newest.Leader) {
			return o
		}
	}
	return nil
}

// announce says to the active controller that this one is there, and says whether it is what it came for.
func (e *ensemble) announce(ctx context.Context, raft *quorum.Node) bool {
	self := e.node.selfMember()
	join := peer.Join{ClusterID: e.node.clusterID, RaftID: e.self, Votes: config.ControllerQuorumAutoJoinEnable.Of(e.node.live.values()), Member: self}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	if raft.Status().Leads {
		return e.join(ctx, join.Encode()) == nil
	}
	leader := e.leader()
	if leader == nil {
		if leader = e.find(ctx); leader == nil {
			return false
		}
		e.told.Store(leader)
	}
	c, err := leader.control.Connect(ctx)
	if err == nil {
		_, err = say(ctx, c, peer.JoinKey, join.Encode())
	}
	if err != nil {
		if !errors.Is(err, kerr.RequestTimedOut) {
			e.doubt(leader)
			e.node.logger.Debug("this controller is no member of the quorum yet", "leader", leader.address, "error", err)
		}
		return false
	}
	return true
}

// selfMember is what is to be known of this node's member of the quorum.
func (n *Node) selfMember() members.Member { return n.ensemble.about().Member() }

// join takes one step for a controller that says that it is there. RequestTimedOut asks it to come again.
func (e *ensemble) join(ctx context.Context, body []byte) error {
	j, err := peer.DecodeJoin(body)
	if err != nil {
		return err
	}
	if j.ClusterID != e.node.clusterID {
		return fmt.Errorf("controller %d is of cluster %s, this is %s: %w", j.NodeID, j.ClusterID, e.node.clusterID, kerr.InconsistentClusterID)
	}
	_, err = e.step(ctx, func(v members.View) (members.Change, error) { return members.Join(v, j.RaftID, j.Member, j.Votes) })
	if errors.Is(err, members.ErrWait) {
		return kerr.RequestTimedOut
	}
	return err
}

// step makes the next change of members, if there is one to make, and returns when it is made. ErrWait asks to try again.
func (e *ensemble) step(ctx context.Context, next func(members.View) (members.Change, error)) (changed bool, err error) {
	raft := e.node.metadata.member()
	if raft == nil || e.node.controller.runtime.Load() == nil {
		return false, errNoController
	}
	select {
	case e.changing <- struct{}{}:
		defer func() { <-e.changing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	change, err := next(view(raft))
	if err != nil || change.None() {
		return false, err
	}
	if change.Says == 0 {
		e.node.logger.Info("the members of the quorum change", "change", describe(change))
	}
	contexts, all := changes(change)
	if err := raft.ChangeMembers(quorum.NewChange(contexts, all...)); err != nil {
		return false, fmt.Errorf("%w: %w", err, kerr.NotController)
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	for !made(raft.Status().Members, change) {
		if pause(ctx, retryAfter) != nil {
			return false, members.ErrWait // lost with a leader, or late
		}
	}
	return true, members.ErrWait // there may be another step
}

// view is the quorum as its leader sees it.
func view(raft *quorum.Node) members.View {
	status, progress := raft.Status(), raft.Progress()
	v := members.View{Busy: status.Members.Joint()}
	add := func(ids []uint64, votes bool) {
		for _, id := range ids {
			p := progress[id]
			k := members.Known{ID: id, Votes: votes, Active: p.Active, CaughtUp: p.Active && p.Match+almost >= status.Commit}
			m, err := members.Decode(status.Members.Contexts[id])
			if k.Member = m; err != nil {
				k.NodeID = unknownNode
			}
			v.Members = append(v.Members, k)
		}
	}
	add(status.Members.GetVoters(), true)
	add(status.Members.GetLearners(), false)
	return v
}

// unknownNode is the node id of a member of which nothing was written down.
const unknownNode = -1

// changes is a change in Raft's terms.
func changes(c members.Change) (contexts map[uint64][]byte, all []*raftpb.ConfChangeSingle) {
	add := func(kind raftpb.ConfChangeType, id uint64) {
		if id != 0 {
			all = append(all, &raftpb.ConfChangeSingle{Type: kind.Enum(), NodeId: &id})
		}
	}
	add(raftpb.ConfChangeRemoveNode, c.Goes)
	add(raftpb.ConfChangeAddLearnerNode, c.Learns)
	add(raftpb.ConfChangeAddNode, c.Votes)
	add(raftpb.ConfChangeUpdateNode, c.Says)
	if about := max(c.Learns, c.Says); about != 0 {
		contexts = map[uint64][]byte{about: c.Member.Encode()}
	}
	return contexts, all
}

// made says that a change is through.
func made(m quorum.Members, c members.Change) bool {
	has := func(ids []uint64, id uint64) bool { return id == 0 || slices.Contains(ids, id) }
	return !m.Joint() && has(m.GetLearners(), c.Learns) && has(m.GetVoters(), c.Votes) && (c.Goes == 0 || !m.Has(c.Goes)) &&
		(c.Says == 0 || string(m.Contexts[c.Says]) == string(c.Member.Encode()))
}

func describe(c members.Change) string {
	var said []string
	add := func(what string, id uint64) {
		if id != 0 {
			said = append(said, fmt.Sprintf("%x %s", id, what))
		}
	}
	add("goes", c.Goes)
	add("learns", c.Learns)
	add("votes", c.Votes)
	if c.Learns != 0 {
		said = append(said, fmt.Sprintf("it is node %d with directory %s", c.Member.NodeID, c.Member.DirectoryID))
	}
	return strings.Join(said, ", ")
}

// report is what another controller says of how far it is.
type report struct {
	mu       sync.Mutex // guards what follows
	end      int64      // of the metadata that it has applied; -1 if it does not say
	heard    time.Time
	caughtUp time.Time // when it had all that there was
}

// take takes an answer to messages that were sent at a time when the metadata here ended at an offset.
func (r *report) take(body []byte, sent time.Time, end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard, r.end = time.Now(), -1
	if len(body) >= 8 {
		r.end = int64(binary.BigEndian.Uint64(body))
	}
	if r.end >= end {
		r.caughtUp = sent
	}
}

func (r *report) get() (end int64, heard, caughtUp time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end, r.heard, r.caughtUp
}
