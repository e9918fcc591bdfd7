package quorum

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// driver owns the library's state machine. Everything in it belongs to its goroutine.
type driver struct {
	n       *Node
	raft    *raft.RawNode
	members Members
	// changes are the memberships since the snapshot, for the next snapshot to know the one at its index.
	changes []membership
	leads   uint64 // the term in which the applier was told that we lead, 0 for none
	refused uint64 // a term in which a proposal was lost, so that later ones must not be taken
	ticker  *time.Ticker
	// standIn is the number of ticks after which this member stands for election, as its leader is gone; 0: it does not.
	standIn int
}

type membership struct {
	index   uint64
	members Members
}

func (d *driver) start() error {
	snapshot, err := d.n.storage.Snapshot()
	if err != nil {
		return err
	}
	d.setMembers(snapshot)
	d.raft, err = raft.NewRawNode(&raft.Config{
		ID:                        d.n.id,
		ElectionTick:              electionTicks,
		HeartbeatTick:             heartbeatTicks,
		Storage:                   d.n.storage,
		AsyncStorageWrites:        true,
		MaxSizePerMsg:             maxMessageBytes,
		MaxInflightMsgs:           maxInflightMessages,
		CheckQuorum:               true,
		PreVote:                   true,
		DisableProposalForwarding: true, // the leader knows the offsets of what it proposes; nobody else may
		StepDownOnRemoval:         true,
		Logger:                    libraryLogger{d.n.o.Logger},
	})
	if err != nil {
		return err
	}
	d.publish()
	return nil
}

func (d *driver) run() {
	d.work()
	for {
		d.tickOrNot()
		var ticks <-chan time.Time
		if d.ticker != nil {
			ticks = d.ticker.C
		}
		select {
		case <-d.n.stop:
			if d.ticker != nil {
				d.ticker.Stop()
			}
			return
		case <-ticks:
			d.tick()
		case <-d.n.wake:
			d.takeIn()
		}
		d.work()
	}
}

func (d *driver) tick() {
	d.raft.Tick()
	d.stand()
	// A proposal that was lost ended this node's leadership for its owner, as when another one was to lead and did not come to it.
	// Raft takes it for the leader still, and nobody would lead.
	if s := d.raft.BasicStatus(); s.RaftState == raft.StateLeader && d.refused == s.HardState.GetTerm() && s.LeadTransferee == raft.None {
		d.handOver()
	}
}

// work does what follows from a tick or from what was taken in.
func (d *driver) work() {
	d.campaignAlone()
	d.process()
}

// takeIn steps everything that waits.
func (d *driver) takeIn() {
	n := d.n
	n.mu.Lock()
	inbox, responses, proposals, calls := n.inbox, n.responses, n.proposals, n.calls
	n.inbox, n.responses, n.proposals, n.calls = nil, nil, nil, nil
	n.mu.Unlock()
	for _, m := range responses {
		d.step(m)
	}
	for _, m := range inbox {
		d.step(m)
	}
	d.propose(proposals)
	for _, call := range calls {
		call(d)
	}
}

func (d *driver) step(m *raftpb.Message) {
	if t := m.GetType(); len(d.members.GetVoters()) == 0 && (t == raftpb.MsgVote || t == raftpb.MsgPreVote) {
		return // who has nothing yet has no say: what it once had is not known
	}
	// A refused message is one of an unknown member or of a term that is over. Neither is news to us.
	if err := d.raft.Step(m); err != nil {
		d.n.o.Logger.Debug("raft message not taken", "type", m.GetType(), "from", m.GetFrom(), "err", err)
	}
}

// propose appends the proposals as entries of their own. One that the library drops while we lead would leave a gap in
// the offsets that its proposer counts on, so nothing more is taken in that term.
func (d *driver) propose(proposals []proposal) {
	status := d.raft.BasicStatus()
	term := status.HardState.GetTerm()
	var entries []*raftpb.Entry
	for _, p := range proposals {
		if status.RaftState == raft.StateLeader && p.term == term && d.refused != term {
			entries = append(entries, &raftpb.Entry{Data: p.payload})
		}
	}
	if len(entries) == 0 {
		return
	}
	id := d.n.id
	err := d.raft.Step(&raftpb.Message{Type: raftpb.MsgProp.Enum(), From: &id, Entries: entries})
	if err != nil {
		d.n.o.Logger.Warn("proposals dropped, leadership given up", "term", term, "proposals", len(entries), "err", err)
		d.refused = term
	}
}

// campaignAlone makes the only voter lead at once: nobody else could. The library refuses while a change of membership is
// not applied, so it is asked again after each step.
func (d *driver) campaignAlone() {
	s := d.raft.BasicStatus()
	if d.alone() && s.RaftState == raft.StateFollower && s.Applied >= s.HardState.GetCommit() {
		if err := d.raft.Campaign(); err != nil {
			d.n.o.Logger.Warn("campaign", "err", err)
		}
	}
}

// leaderGone forgets a leader whose process is gone, and has this member stand for election after some ticks, which differ
// between members so that they do not take each other's votes.
func (d *driver) leaderGone(id uint64) {
	if d.raft.BasicStatus().Lead != id || id == d.n.id {
		return
	}
	if err := d.raft.ForgetLeader(); err != nil {
		d.n.o.Logger.Debug("leader not forgotten", "err", err)
		return
	}
	d.standIn = 1 + rand.IntN(standWithin) //nolint:gosec // It only has to differ between members.
}

// handOver asks the voter that has most of the log to stand for election.
func (d *driver) handOver() {
	status := d.raft.Status()
	var to, match uint64
	for _, id := range d.members.GetVoters() {
		if p, ok := status.Progress[id]; ok && id != d.n.id && p.RecentActive && p.Match >= match {
			to, match = id, p.Match
		}
	}
	if status.RaftState == raft.StateLeader && to != 0 {
		d.raft.TransferLeader(to)
	}
}

func (d *driver) progress() map[uint64]Progress {
	status := d.raft.Status()
	if status.RaftState != raft.StateLeader {
		return nil
	}
	known := make(map[uint64]Progress, len(status.Progress))
	for id, p := range status.Progress {
		known[id] = Progress{Match: p.Match, Active: p.RecentActive || id == d.n.id}
	}
	return known
}

// standWithin is the number of ticks among which the one is drawn.
const standWithin = 3

// stand campaigns if it is time and nobody leads yet.
func (d *driver) stand() {
	if d.standIn == 0 {
		return
	}
	if d.standIn--; d.standIn > 0 {
		return
	}
	if s := d.raft.BasicStatus(); s.Lead == raft.None && s.RaftState == raft.StateFollower {
		if err := d.raft.Campaign(); err != nil {
			d.n.o.Logger.Debug("campaign", "err", err)
		}
	}
}

func (d *driver) alone() bool {
	cs := d.members
	return len(cs.GetVoters()) == 1 && cs.GetVoters()[0] == d.n.id &&
		len(cs.GetLearners())+len(cs.GetVotersOutgoing())+len(cs.GetLearnersNext()) == 0
}

// process hands out what the library has ready until there is nothing more.
func (d *driver) process() {
	for d.raft.HasReady() {
		d.handle(d.raft.Ready())
	}
	d.noticeLoss()
	d.publish()
}

func (d *driver) handle(ready raft.Ready) {
	d.noticeLoss()
	var remote []*raftpb.Message
	for _, m := range ready.Messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			d.takeMembers(m.GetSnapshot())
			d.n.appends.queue.put(appendTask{message: m})
		case raft.LocalApplyThread:
			added := d.applyMemberships(m.GetEntries())
			d.n.applies.queue.put(applyTask{message: m, leads: d.leadsAfter(m.GetEntries())})
			if added {
				d.n.applies.queue.put(applyTask{due: true}) // who comes begins with a snapshot that knows it
			}
		default:
			remote = append(remote, m)
		}
	}
	if len(remote) > 0 {
		d.n.o.Transport.Send(remote)
	}
}

// noticeLoss tells the applier, before anything of a later term gets to it, that we no longer lead.
func (d *driver) noticeLoss() {
	status := d.raft.BasicStatus()
	term := status.HardState.GetTerm()
	if d.leads == 0 || status.RaftState == raft.StateLeader && term == d.leads && d.refused != term {
		return
	}
	d.n.lead(0)
	d.n.applies.queue.put(applyTask{lost: d.leads})
	d.leads = 0
}

// leadsAfter gives the term to announce after the entries: ours, once one of its entries is committed, for then all that
// came before is applied too.
func (d *driver) leadsAfter(entries []*raftpb.Entry) uint64 {
	status := d.raft.BasicStatus()
	term := status.HardState.GetTerm()
	last := entries[len(entries)-1].GetTerm()
	if d.leads != 0 || status.RaftState != raft.StateLeader || last != term || d.refused == term {
		return 0
	}
	d.leads = term
	return term
}

// applyMemberships lets the library use committed changes of membership. It needs no word of the owner's state, so it
// need not wait for its turn there. It says whether somebody was added.
func (d *driver) applyMemberships(entries []*raftpb.Entry) (added bool) {
	for _, e := range entries {
		var change raftpb.ConfChangeI
		switch e.GetType() {
		case raftpb.EntryConfChange:
			change = decodeChange(e, new(raftpb.ConfChange))
		case raftpb.EntryConfChangeV2:
			change = decodeChange(e, new(raftpb.ConfChangeV2))
		default:
			continue
		}
		before := d.members
		d.members = before.after(d.raft.ApplyConfChange(change), d.contexts(change))
		d.changes = append(d.changes, membership{e.GetIndex(), d.members})
		if d.members.adds(before) {
			d.n.storage.memberAdded(e.GetIndex())
			added = true
		}
		d.tellMembers()
		// Who votes is known by the commit index alone, which else goes with the next entry. After a crash a member would count who
		// is gone: it may be the only one that is left, and wait for the other's vote for ever.
		d.n.appends.queue.put(appendTask{})
	}
	return added
}

func (d *driver) tellMembers() {
	members := d.members
	d.n.applies.queue.put(applyTask{members: &members})
}

// contexts are those that a change brings.
func (d *driver) contexts(change raftpb.ConfChangeI) map[uint64][]byte {
	context := change.AsV2().GetContext()
	if len(context) == 0 {
		return nil
	}
	contexts, _, err := parseContexts(context)
	if err != nil {
		d.n.o.Logger.Error("what a committed change of members says of them is passed over", "err", err)
	}
	return contexts
}

// takeMembers notes the membership that a leader's snapshot brings; the library has switched to it already.
func (d *driver) takeMembers(s *raftpb.Snapshot) {
	if raft.IsEmptySnap(s) {
		return
	}
	d.setMembers(s)
	d.tellMembers()
}

func (d *driver) setMembers(s *raftpb.Snapshot) {
	d.members = membersOf(s)
	d.changes = []membership{{s.GetMetadata().GetIndex(), d.members}}
}

func decodeChange[M interface {
	proto.Message
	raftpb.ConfChangeI
}](e *raftpb.Entry, into M) M {
	if err := proto.Unmarshal(e.GetData(), into); err != nil {
		panic(fmt.Sprintf("committed change of membership at %d: %v", e.GetIndex(), err))
	}
	return into
}

// membersAt gives the membership at index, and forgets older ones.
func (d *driver) membersAt(index uint64) Members {
	for len(d.changes) > 1 && d.changes[1].index <= index {
		d.changes = d.changes[1:]
	}
	return d.changes[0].members
}

// tickOrNot keeps the clock only where somebody can lose touch: a leader without peers sleeps until it has work.
func (d *driver) tickOrNot() {
	quiet := d.alone() && d.raft.BasicStatus().RaftState == raft.StateLeader
	switch {
	case quiet && d.ticker != nil:
		d.ticker.Stop()
		d.ticker = nil
	case !quiet && d.ticker == nil:
		d.ticker = time.NewTicker(max(d.n.o.ElectionTimeout/electionTicks, time.Millisecond))
	}
}

func (d *driver) publish() {
	s := d.raft.BasicStatus()
	d.n.mu.Lock()
	defer d.n.mu.Unlock()
	d.n.status = Status{
		ID: d.n.id, Leader: s.Lead, Term: s.HardState.GetTerm(), Leads: s.RaftState == raft.StateLeader,
		Commit: s.HardState.GetCommit(), Members: d.members,
	}
}

func parent(dir string) string { return filepath.Dir(filepath.Clean(dir)) }
