package quorum_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/barnabas-mq/barnabas/internal/quorum"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// cluster is three members with a network that can be cut, in fake time.
type cluster struct {
	t       *testing.T
	options func(*quorum.Options)

	mu      sync.Mutex // guards what follows
	members map[uint64]*member
	cut     map[uint64]bool
	lost    int // of the next snapshots that are sent, how many get lost on the way
}

type member struct {
	id    uint64
	node  *quorum.Node
	owner *owner
	disk  *vfs.Mem
}

func directory(i int) [16]byte { return [16]byte{byte(i)} }

// endpoint is the transport of one member.
type endpoint struct {
	c  *cluster
	id uint64
}

func (e endpoint) Send(messages []*raftpb.Message) {
	for _, m := range messages {
		e.c.mu.Lock()
		to := e.c.members[m.GetTo()]
		dropped := e.c.cut[e.id] || e.c.cut[m.GetTo()]
		lost := m.GetType() == raftpb.MsgSnap && !dropped && e.c.lost > 0
		if lost {
			e.c.lost--
		}
		from := e.c.members[e.id]
		e.c.mu.Unlock()
		if lost {
			from.node.ReportUnreachable(m.GetTo())
			continue
		}
		if to != nil && to.node != nil && !dropped {
			to.node.Step(proto.Clone(m).(*raftpb.Message))
		}
	}
}

func newCluster(t *testing.T, options func(*quorum.Options)) *cluster {
	c := &cluster{t: t, options: options, members: map[uint64]*member{}, cut: map[uint64]bool{}}
	for i := 1; i <= 3; i++ {
		c.start(i, newDisk(t))
	}
	return c
}

func voters() []uint64 {
	return []uint64{quorum.RaftID(directory(1)), quorum.RaftID(directory(2)), quorum.RaftID(directory(3))}
}

func (c *cluster) start(i int, disk *vfs.Mem) *member {
	c.t.Helper()
	m := &member{id: quorum.RaftID(directory(i)), owner: newOwner(), disk: disk}
	options := m.owner.options(disk, cutDir)
	options.DirectoryID, options.Transport = directory(i), endpoint{c, m.id}
	options.Bootstrap = func() (quorum.Bootstrap, error) {
		return quorum.Bootstrap{Voters: voters(), Contexts: map[uint64][]byte{m.id: nil}, Joins: i > len(voters())}, nil
	}
	if c.options != nil {
		c.options(&options)
	}
	node, err := quorum.Open(options)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	m.node = node
	c.members[m.id] = m
	c.mu.Unlock()
	node.Start()
	return m
}

func (c *cluster) stop(m *member) {
	c.t.Helper()
	c.mu.Lock()
	delete(c.members, m.id)
	c.mu.Unlock()
	shut(c.t, m.node)
}

func (c *cluster) stopAll() {
	for _, id := range append(voters(), quorum.RaftID(directory(4))) {
		c.mu.Lock()
		m := c.members[id]
		c.mu.Unlock()
		if m != nil {
			c.stop(m)
		}
	}
}

func (c *cluster) isolate(m *member, isolated bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut[m.id] = isolated
}

// settle lets a second or two pass, which is enough for elections and for everybody to catch up.
func settle() {
	time.Sleep(2 * time.Second)
	synctest.Wait()
}

// leader gives the one connected member that says that it leads.
func (c *cluster) leader() *member {
	c.t.Helper()
	settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	var found *member
	for _, m := range c.members {
		m.owner.mu.Lock()
		leads := m.owner.term != 0 && !c.cut[m.id]
		m.owner.mu.Unlock()
		if leads && found != nil {
			c.t.Fatalf("both %x and %x lead", found.id, m.id)
		}
		if leads {
			found = m
		}
	}
	if found == nil {
		c.t.Fatal("nobody leads")
	}
	return found
}

func (c *cluster) follower() *member {
	leader := c.leader()
	for _, id := range voters() {
		if m := c.members[id]; m != nil && m != leader {
			return m
		}
	}
	c.t.Fatal("there is no follower")
	return nil
}

func (c *cluster) wantEverywhere(want ...string) {
	c.t.Helper()
	settle()
	for _, m := range c.members {
		wantPayloads(c.t, m.owner.applied(), want...)
	}
}

func inBubble(t *testing.T, options func(*quorum.Options), story func(c *cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, options)
		defer c.stopAll()
		story(c)
	})
}

func TestThreeMembersElectALeaderAndApplyTheSame(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		leader := c.leader()
		propose(t, leader.node, leader.owner, "a", "b")
		c.wantEverywhere("a", "b")
	})
}

func TestAnotherLeadsWhenTheLeaderIsGoneAndItCatchesUpLater(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		first := c.leader()
		propose(t, first.node, first.owner, "a")
		firstTerm := first.owner.term
		c.stop(first)
		second := c.leader()
		if second.owner.term <= firstTerm {
			t.Errorf("leads in term %d after term %d", second.owner.term, firstTerm)
		}
		propose(t, second.node, second.owner, "b")
		for i := 1; i <= 3; i++ {
			if quorum.RaftID(directory(i)) == first.id {
				c.start(i, first.disk)
			}
		}
		c.wantEverywhere("a", "b")
	})
}

func TestALeaderThatIsCutOffSaysSoAndItsProposalIsNotApplied(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		first := c.leader()
		propose(t, first.node, first.owner, "a")
		term := first.owner.term
		c.isolate(first, true)
		if err := first.node.Propose(term, []byte("lost")); err != nil {
			t.Fatal(err)
		}
		second := c.leader()
		if first.owner.term != 0 {
			t.Error("the leader that is cut off still says that it leads")
		}
		if err := first.node.Propose(term, []byte("late")); err == nil {
			t.Error("it still takes proposals")
		}
		propose(t, second.node, second.owner, "b")
		c.isolate(first, false)
		c.wantEverywhere("a", "b")
	})
}

func TestAFollowerThatWasAwayWhileTheLogWasCutGetsASnapshot(t *testing.T) {
	getsASnapshot(t, 0)
}

func TestASnapshotThatGetsLostOnTheWayIsSentAgain(t *testing.T) {
	getsASnapshot(t, 3)
}

// getsASnapshot has a follower need one, of which the first ones get lost.
func getsASnapshot(t *testing.T, lost int) {
	t.Helper()
	const entries = 13_000 // more than is kept for those who are a little behind
	small := func(o *quorum.Options) { o.SnapshotBytes = 10_000 }
	inBubble(t, small, func(c *cluster) {
		away := c.follower()
		c.isolate(away, true)
		leader := c.leader()
		batch := make([]string, 1_000)
		for i := range batch {
			batch[i] = "x"
		}
		for range entries / len(batch) {
			propose(t, leader.node, leader.owner, batch...)
		}
		settle()
		c.mu.Lock()
		c.lost = lost
		c.mu.Unlock()
		c.isolate(away, false)
		settle()
		c.mu.Lock()
		left := c.lost
		c.mu.Unlock()
		if left > 0 {
			t.Errorf("%d snapshots fewer were sent than were to get lost", left)
		}
		if got := len(away.owner.applied()); got != entries {
			t.Errorf("applied %d, want %d", got, entries)
		}
		if away.owner.restores != 2 {
			t.Errorf("restored %d times, want once at the start and once from the leader", away.owner.restores)
		}
	})
}

func TestAMemberIsAddedAsALearnerAndThenVotes(t *testing.T) {
	inBubble(t, nil, func(c *cluster) {
		leader := c.leader()
		propose(t, leader.node, leader.owner, "a")
		fourth := c.start(4, newDisk(t))
		for _, kind := range []raftpb.ConfChangeType{raftpb.ConfChangeAddLearnerNode, raftpb.ConfChangeAddNode} {
			change := &raftpb.ConfChangeV2{Changes: []*raftpb.ConfChangeSingle{{Type: kind.Enum(), NodeId: &fourth.id}}}
			if err := leader.node.ChangeMembers(change); err != nil {
				t.Fatal(err)
			}
			settle()
		}
		if got := len(leader.node.Status().Members.GetVoters()); got != 4 {
			t.Errorf("%d voters, want 4", got)
		}
		c.wantEverywhere("a")
	})
}

func TestASoleVoterThatIdlesDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(t)
		o := newOwner()
		options := o.options(disk, cutDir)
		options.SnapshotInterval = 1_000 * time.Hour
		n := open(t, o, options)
		propose(t, n, o, "a")
		synctest.Wait()
		before := disk.Changes()
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		if after := disk.Changes(); after != before {
			t.Errorf("%d changes of the disk while idle", after-before)
		}
		shut(t, n)
	})
}

func TestASnapshotIsTakenInTimeEvenIfLittleHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(t)
		o := newOwner()
		n := open(t, o, o.options(disk, cutDir))
		propose(t, n, o, "a")
		time.Sleep(quorum.DefaultSnapshotInterval + time.Minute)
		synctest.Wait()
		entries, err := disk.ReadDir(cutDir)
		if err != nil {
			t.Fatal(err)
		}
		names := fmt.Sprint(entries)
		if len(entries) != 2 || names == "" {
			t.Errorf("files: %v", names)
		}
		if _, err := disk.Stat(cutDir + "/00000000000000000001.raftsnapshot"); err == nil {
			t.Error("the first snapshot is still there")
		}
		shut(t, n)
	})
}

func TestAFullDiskIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newDisk(t)
		o := newOwner()
		n := open(t, o, o.options(disk, cutDir))
		propose(t, n, o, "a")
		disk.SetCapacity(1)
		if err := n.Propose(o.term, []byte("b")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		wantPayloads(t, o.applied(), "a")
		disk.SetCapacity(1 << 30)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		wantPayloads(t, o.applied(), "a", "b")
		shut(t, n)
	})
}

func TestAFailedSyncStopsTheNode(t *testing.T) {
	disk := newDisk(t)
	var broken lockedOp // any operation in it: syncs fail
	fs := vfs.NewFaulty(disk, func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && broken.get().Kind != 0 {
			return fmt.Errorf("input/output error")
		}
		return nil
	})
	o := newOwner()
	n := open(t, o, o.options(fs, cutDir))
	propose(t, n, o, "a")
	term := o.term
	broken.swap(vfs.Op{Kind: vfs.OpSync})
	if err := n.Propose(term, []byte("b")); err != nil {
		t.Fatal(err)
	}
	if err := o.await(func() bool { return false }); err == nil {
		t.Error("the owner was not told")
	}
	wantPayloads(t, o.applied(), "a")
	if err := n.Propose(term, []byte("c")); err == nil {
		t.Error("takes proposals after a failed sync")
	}
	shut(t, n)
}
