package quorum_test

import (
	"slices"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/quorum"
)

func single(kind raftpb.ConfChangeType, id uint64) *raftpb.ConfChangeSingle {
	return &raftpb.ConfChangeSingle{Type: kind.Enum(), NodeId: &id}
}

func (c *cluster) change(contexts map[uint64][]byte, changes ...*raftpb.ConfChangeSingle) {
	c.t.Helper()
	if err := c.leader().node.ChangeMembers(quorum.NewChange(contexts, changes...)); err != nil {
		c.t.Fatal(err)
	}
	settle()
}

func TestWhatIsSaidOfAMemberGoesToEverybodyAndOutlivesRestarts(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		leader := c.leader()
		propose(t, leader.node, leader.owner, "a")
		fourth := c.start(4, newDisk(t))
		c.change(map[uint64][]byte{fourth.id: []byte("the fourth")}, single(raftpb.ConfChangeAddLearnerNode, fourth.id))
		c.change(nil, single(raftpb.ConfChangeAddNode, fourth.id))
		c.change(map[uint64][]byte{fourth.id: []byte("moved")}, single(raftpb.ConfChangeUpdateNode, fourth.id))
		disk := fourth.disk
		c.stop(fourth)
		c.start(4, disk)
		settle()
		c.mu.Lock()
		defer c.mu.Unlock()
		for id, m := range c.members {
			members := m.node.Status().Members
			if got := string(members.Contexts[fourth.id]); got != "moved" {
				t.Errorf("member %x knows %q of the fourth", id, got)
			}
			if len(members.GetVoters()) != 4 {
				t.Errorf("member %x knows voters %x", id, members.GetVoters())
			}
		}
	})
}

func TestWhoLostItsDiskTakesItsOldPlaceUnderANewId(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		gone := c.follower()
		c.stop(gone)
		leader := c.leader()
		propose(t, leader.node, leader.owner, "a", "b")
		again := c.start(4, newDisk(t)) // the same node, in an empty directory
		c.change(nil, single(raftpb.ConfChangeAddLearnerNode, again.id))
		c.change(nil, single(raftpb.ConfChangeRemoveNode, gone.id), single(raftpb.ConfChangeAddNode, again.id))
		members := c.leader().node.Status().Members
		if members.Joint() || members.Has(gone.id) || !slices.Contains(members.GetVoters(), again.id) {
			t.Errorf("members are %v", members.ConfState)
		}
		// It counts: with another one gone the two that are left are a majority.
		c.stop(c.follower())
		leader = c.leader()
		propose(t, leader.node, leader.owner, "c")
		c.wantEverywhere("a", "b", "c")
	})
}

func TestWhoIsRemovedVotesNoMore(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		gone := c.follower()
		c.change(nil, single(raftpb.ConfChangeRemoveNode, gone.id))
		leader := c.leader()
		if members := leader.node.Status().Members; members.Has(gone.id) || len(members.GetVoters()) != 2 {
			t.Errorf("members are %v", members.ConfState)
		}
		c.stop(gone)
		propose(t, leader.node, leader.owner, "a")
		c.wantEverywhere("a")
	})
}

func TestALeaderThatIsRemovedHandsOver(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		first := c.leader()
		c.change(nil, single(raftpb.ConfChangeRemoveNode, first.id))
		second := c.leader()
		if second == first {
			t.Fatal("who was removed still leads")
		}
		propose(t, second.node, second.owner, "a")
		settle()
		wantPayloads(t, second.owner.applied(), "a")
	})
}

func TestWhoWasLeftAloneKnowsThatAfterACrash(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		for len(c.members) > 1 {
			gone := c.follower()
			c.change(nil, single(raftpb.ConfChangeRemoveNode, gone.id))
			settle()
			c.stop(gone)
		}
		// Nothing is written after the last change, and the process dies without a word. One that still counted who was removed
		// would wait for a vote that never comes.
		last := c.leader()
		delete(c.members, last.id)
		disk := last.disk.Kill()
		_ = last.node.Close()
		for i := range voters() {
			if quorum.RaftID(directory(i+1)) == last.id {
				last = c.start(i+1, disk)
			}
		}
		if leader := c.leader(); leader != last {
			t.Errorf("%x leads, not %x", leader.id, last.id)
		}
	})
}
