package quorum

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

const (
	// diskFullRetry is how long the appender waits before it tries a full disk again.
	diskFullRetry = time.Second
	// keptForFollowers is how many entries below a snapshot stay for members that are a little behind.
	keptForFollowers = 1_000
)

// appender makes durable what the library asks for, and only then lets the library's responses go: the acknowledgement of
// an entry, the vote in a term.
type appender struct {
	n     *Node
	wal   *wal
	queue queue[appendTask]
}

// appendTask is a MsgStorageAppend, or a snapshot of this node's own with the index up to which the log may be cut, or, empty, the
// wish to have the commit index durable.
type appendTask struct {
	message  *raftpb.Message
	snapshot *raftpb.Snapshot
	cut      uint64
}

func (t appendTask) alone() bool {
	return t.message == nil || !raft.IsEmptySnap(t.message.GetSnapshot())
}

func (a *appender) run() {
	for {
		tasks := a.queue.take()
		if tasks == nil {
			return
		}
		if !a.handleAll(tasks) {
			return
		}
	}
}

func (a *appender) handleAll(tasks []appendTask) bool {
	for len(tasks) > 0 {
		n := groupSize(tasks)
		if err := a.handle(tasks[:n]); err != nil {
			a.n.fail(fmt.Errorf("raft log: %w", err))
			return false
		}
		tasks = tasks[n:]
	}
	return true
}

// groupSize counts the tasks that one write and one sync can serve.
func groupSize(tasks []appendTask) int {
	n := 0
	for n < len(tasks) && !tasks[n].alone() {
		n++
	}
	return max(n, 1)
}

func (a *appender) handle(tasks []appendTask) error {
	if own := tasks[0].snapshot; own != nil {
		a.keepSnapshot(own, tasks[0].cut)
		return nil
	}
	if tasks[0].message == nil {
		_, err := a.write(a.wal.hardState, nil)
		return err
	}
	if sent := tasks[0].message.GetSnapshot(); !raft.IsEmptySnap(sent) {
		if err := a.installSnapshot(sent); err != nil {
			return err
		}
	}
	stopped, err := a.persist(tasks)
	if err != nil || stopped {
		return err
	}
	for _, t := range tasks {
		if entries := t.message.GetEntries(); len(entries) > 0 {
			a.n.storage.append(entries)
		}
	}
	for _, t := range tasks {
		if responses := t.message.GetResponses(); len(responses) > 0 {
			a.n.respond(responses)
		}
	}
	return nil
}

// persist writes and syncs what the messages carry.
func (a *appender) persist(tasks []appendTask) (stopped bool, err error) {
	hs := a.wal.hardState
	var entries []*raftpb.Entry
	for _, t := range tasks {
		m := t.message
		if state := newHardState(m.GetTerm(), m.GetVote(), m.GetCommit()); !raft.IsEmptyHardState(state) {
			hs = state
		}
		entries = append(entries, m.GetEntries()...)
	}
	voted := hs.GetTerm() != a.wal.hardState.GetTerm() || hs.GetVote() != a.wal.hardState.GetVote()
	if len(entries) == 0 && !voted {
		// The commit index alone is no promise: it goes with the next entry, a change of members, or Close.
		a.wal.hardState = hs
		return false, nil
	}
	return a.write(hs, entries)
}

// write writes and syncs. A full disk is waited for: nothing is lost by it, and what others wait for is bounded by
// Options.MaxInFlightBytes.
func (a *appender) write(hs *raftpb.HardState, entries []*raftpb.Entry) (stopped bool, err error) {
	for tries := 0; ; tries++ {
		err := a.wal.append(hs, entries)
		if err == nil || !mayRetry(err) {
			return false, err
		}
		const triesPerLine = 60
		if tries%triesPerLine == 0 {
			a.n.o.Logger.Error("raft log: disk full, metadata changes wait for space", "err", err)
		}
		select {
		case <-a.n.stop:
			return true, nil
		case <-time.After(diskFullRetry):
		}
	}
}

// keepSnapshot writes a snapshot of our own and then, only then, cuts the log below it. When that fails, the log stays as
// long as it is, and the next snapshot tries again.
func (a *appender) keepSnapshot(s *raftpb.Snapshot, cut uint64) {
	n, index := a.n, s.GetMetadata().GetIndex()
	if index <= n.storage.metadata().GetIndex() {
		return // a leader's came in between
	}
	err := writeSnapshot(n.o.FS, n.o.Dir, n.id, s)
	if err == nil {
		n.applies.queue.put(applyTask{kept: s})
		n.storage.setSnapshot(s, cut)
		err = a.wal.cut(cut)
	}
	if err == nil {
		err = removeSnapshotsBelow(n.o.FS, n.o.Dir, index)
	}
	if err != nil {
		n.o.Logger.Warn("raft log: not cut", "snapshot", index, "err", err)
	}
}

// installSnapshot replaces everything by a snapshot that a leader sent: the owner's state first, so that the snapshot
// never names what is not there.
func (a *appender) installSnapshot(s *raftpb.Snapshot) error {
	n, m := a.n, s.GetMetadata()
	done := make(chan error, 1)
	n.applies.queue.put(applyTask{restore: s, restored: done})
	if n.steps != nil {
		n.steps.Apply()
	}
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("restore snapshot at %d: %w", m.GetIndex(), err)
		}
	case <-n.stop:
		return ErrClosed
	}
	if err := writeSnapshot(n.o.FS, n.o.Dir, n.id, s); err != nil {
		return err
	}
	n.storage.reset(s)
	if err := a.wal.roll(); err != nil {
		return err
	}
	if err := a.wal.cut(m.GetIndex()); err != nil {
		return err
	}
	return removeSnapshotsBelow(n.o.FS, n.o.Dir, m.GetIndex())
}

func (a *appender) close() error {
	if err := a.wal.close(); err != nil {
		return fmt.Errorf("close raft log: %w", err)
	}
	return nil
}
