package sim

import (
	"slices"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/members"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

// joinEvery is how often a controller that does not vote says that it is there.
const joinEvery = 500

func memberOf(node int32, directory meta.ID) members.Member {
	return members.Member{NodeID: node, DirectoryID: meta.FormatID(directory)}
}

// wipe replaces the machine's disk. Whoever comes back on it is nobody yet.
func (h *host) wipe() {
	h.w.say("host %d loses its disk", h.id)
	h.w.counts.wipes++
	h.halt()
	h.emptyDisk()
	h.w.lookAt(h)
}

// mayWipe says that the loss of this disk leaves two that vote and know that, and that nobody has just been asked to vote no more:
// two votes that are lost at once are too many. Members have to know, too: one that was there when the last change was committed,
// and has not heard so, still counts the disk that went with it.
func (w *world) mayWipe(gone *host) bool {
	return w.now-w.changed > 3_000 && !slices.ContainsFunc(w.hosts, func(h *host) bool {
		return h.unwanted || h != gone && (!h.up || h.wholeSince < 0 || w.now-h.wholeSince < 500)
	})
}

func (w *world) isWhole(m quorum.Members) bool {
	if m.Joint() || len(m.GetVoters()) != hosts || len(m.GetLearners()) > 0 {
		return false
	}
	return !slices.ContainsFunc(w.hosts, func(h *host) bool { return !slices.Contains(m.GetVoters(), h.raftID()) })
}

// join says to whoever leads that this host is there, until it is a member that hears of a leader.
func (h *host) join() {
	h.after(joinEvery, h.join)
	s := h.raft.Status()
	if s.Leader != 0 && s.Members.Has(h.raftID()) && (h.voted() || !h.anotherDisk()) {
		return
	}
	id, m := h.raftID(), memberOf(h.id, h.directory)
	for _, to := range h.w.hosts {
		h.w.send(h, to, func() {
			if h.raftID() != id {
				return // it went with its disk's process: else there would be a learner for ever that nobody is
			}
			to.change(func(v members.View) (members.Change, error) { return members.Join(v, id, m, false) })
		}, nil)
	}
}

func (h *host) voted() bool { return slices.Contains(h.raft.Status().Members.GetVoters(), h.raftID()) }

// anotherDisk says that this host votes by a disk that it has lost.
func (h *host) anotherDisk() bool {
	for id, said := range h.raft.Status().Members.Contexts {
		if m, err := members.Decode(said); err == nil && m.NodeID == h.id && id != h.raftID() {
			return true
		}
	}
	return false
}

// operate has an operator make voters of the hosts that he wants to vote, and of no others.
func (w *world) operate() {
	w.after(300+w.upTo(600), w.operate)
	for _, leader := range w.hosts {
		if !leader.up || leader.active == nil {
			continue
		}
		for _, h := range w.hosts {
			id, m := h.raftID(), memberOf(h.id, h.directory)
			leader.run(func() {
				leader.change(func(v members.View) (members.Change, error) {
					if h.unwanted {
						return members.Remove(v, id, h.id)
					}
					return members.Add(v, id, m)
				})
			})
		}
	}
}

// change takes the next step, if this host leads and there is one.
func (h *host) change(next func(members.View) (members.Change, error)) {
	if h.active == nil {
		return // only the leader minds
	}
	change, err := next(h.view())
	switch {
	case err != nil || change.None():
		return
	case change.Goes == h.raftID():
		h.steps.HandOver() // who leads then removes this one
		return
	}
	if err := h.steps.ChangeMembers(inRaftsTerms(change)); err == nil {
		h.w.say("host %d changes the members: %+v", h.id, change)
		h.w.counts.changes++
		h.w.changed = h.w.now
	}
}

func (h *host) view() members.View {
	s, progress := h.raft.Status(), h.steps.Progress()
	v := members.View{Busy: s.Members.Joint()}
	for _, votes := range []bool{true, false} {
		ids := s.Members.GetLearners()
		if votes {
			ids = s.Members.GetVoters()
		}
		for _, id := range ids {
			p := progress[id]
			known := members.Known{ID: id, Votes: votes, Active: p.Active, CaughtUp: p.Active && p.Match+10 >= s.Commit}
			known.Member, _ = members.Decode(s.Members.Contexts[id])
			v.Members = append(v.Members, known)
		}
	}
	return v
}

func inRaftsTerms(c members.Change) *raftpb.ConfChangeV2 {
	var changes []*raftpb.ConfChangeSingle
	add := func(kind raftpb.ConfChangeType, id uint64) {
		if id != 0 {
			changes = append(changes, &raftpb.ConfChangeSingle{Type: kind.Enum(), NodeId: &id})
		}
	}
	add(raftpb.ConfChangeRemoveNode, c.Goes)
	add(raftpb.ConfChangeAddLearnerNode, c.Learns)
	add(raftpb.ConfChangeAddNode, c.Votes)
	add(raftpb.ConfChangeUpdateNode, c.Says)
	var contexts map[uint64][]byte
	if about := max(c.Learns, c.Says); about != 0 {
		contexts = map[uint64][]byte{about: c.Member.Encode()}
	}
	return quorum.NewChange(contexts, changes...)
}
