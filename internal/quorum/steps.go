package quorum

import (
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
)

// Steps runs a node without its goroutines: whoever calls says which part goes next, and how far behind the others one falls. So
// a simulation decides with its seed what in a process the scheduler and the disk decide, with the same code. All of it
// belongs to one goroutine.
type Steps struct {
	n      *Node
	builds []func() // of snapshots, each of which has a goroutine otherwise
}

// Steps takes the place of Start. Calls that wait for the driver (ChangeMembers, Progress, HandOver) wait for ever then; use those
// of Steps. Timers of snapshots are real ones: set their options so that none is due.
func (n *Node) Steps() *Steps {
	n.steps = &Steps{n: n}
	n.driver.work()
	return n.steps
}

// aside runs what must keep neither the driver nor the applier.
func (n *Node) aside(f func()) {
	if n.steps != nil {
		n.steps.builds = append(n.steps.builds, f)
		return
	}
	n.running.Go(f)
}

// Waiting says which parts have something to do.
func (s *Steps) Waiting() (driver, appender, applier, builder bool) {
	n := s.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return false, false, false, false
	}
	driver = len(n.inbox)+len(n.responses)+len(n.proposals)+len(n.calls) > 0
	return driver, n.appends.queue.waits(), n.applies.queue.waits(), len(s.builds) > 0
}

// Tick is a tenth of the election timeout passing.
func (s *Steps) Tick() {
	if s.runs() {
		s.n.driver.tick()
		s.n.driver.work()
	}
}

// Drive has the driver take in messages, responses, proposals and calls.
func (s *Steps) Drive() {
	if s.runs() {
		s.n.driver.takeIn()
		s.n.driver.work()
	}
}

// Append writes, syncs and answers what the driver asked for.
func (s *Steps) Append() {
	if s.runs() {
		s.n.appends.handleAll(s.n.appends.queue.takeNow())
	}
}

// Apply calls the owner.
func (s *Steps) Apply() {
	if s.runs() {
		s.n.applies.handleAll(s.n.applies.queue.takeNow())
	}
}

// Build has a snapshot written that the owner was asked for.
func (s *Steps) Build() {
	if len(s.builds) > 0 && s.runs() {
		build := s.builds[0]
		s.builds = s.builds[1:]
		build()
	}
}

// ChangeMembers is Node's.
func (s *Steps) ChangeMembers(change *raftpb.ConfChangeV2) error {
	defer s.n.driver.work()
	if err := s.n.driver.raft.ProposeConfChange(change); err != nil {
		return fmt.Errorf("change members: %w", err)
	}
	return nil
}

// HandOver is Node's, and does not wait.
func (s *Steps) HandOver() {
	s.n.driver.handOver()
	s.n.driver.work()
}

// Progress is Node's.
func (s *Steps) Progress() map[uint64]Progress { return s.n.driver.progress() }

// Halt ends the node where it stands, as a crash does: nothing more is written.
func (s *Steps) Halt() {
	s.n.shutDown()
	s.n.applies.stopTimers()
}

func (s *Steps) runs() bool {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	return !s.n.stopped
}
