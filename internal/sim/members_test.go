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

// mayWipe says that the loss of this disk leaves two that vote and know that: one that was there when the last change was committed,
// and has not heard so, still counts the disk that went with it.
func (w *world) mayWipe(gone *host) bool {
	return !slices.ContainsFunc(w.hosts, func(h *host) bool {
		return h != gone && (!h.up || h.wholeSince < 0 || w.now-h.wholeSince < 500)
	})
}

func (w *world) isWhole(m quorum.Members) bool {
	if m.Joint() || len(m.GetVoters()) != hosts || len(m.GetLearners()) > 0 {
		return false
	}
	return !slices.ContainsFunc(w.hosts, func(h *host) bool { return !slices.Contains(m.GetVoters(), h.raftID()) })
}

// join says to whoever leads that this host is there, until it votes.
func (h *host) join() {
	h.after(joinEvery, h.join)
	s := h.raft.Status()
	if slices.Contains(s.Members.GetVoters(), h.raftID()) && !s.Members.Joint() {
		return
	}
	id, m := h.raftID(), memberOf(h.id, h.directory)
	for _, to := range h.w.hosts {
		h.w.send(h, to, func() { to.joins(id, m) }, nil) // only the leader minds
	}
}

// joins takes the next step for a controller that came.
func (h *host) joins(id uint64, m members.Member) {
	if h.active == nil {
		return
	}
	change, err := members.Join(h.view(), id, m, false)
	if err != nil || change.None() {
		return
	}
	if err := h.steps.ChangeMembers(inRaftsTerms(change)); err == nil {
		h.w.say("host %d changes the members: %+v", h.id, change)
		h.w.counts.changes++
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
