package quorum

import (
	"fmt"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// snapshotRetry is how long the applier waits after a snapshot that failed.
const snapshotRetry = time.Minute

// applier calls the owner: entries, leadership, snapshots, one at a time and in order.
type applier struct {
	n     *Node
	queue queue[applyTask]

	// What follows belongs to its goroutine.
	index, term uint64 // of the last applied entry
	bytes       int64  // applied since the last snapshot
	building    bool
	wanted      bool // another snapshot, as soon as this one is built
	timer       *time.Timer
	quiet       *time.Timer // until nothing was applied for QuietAfter
}

// applyTask has one of its fields set, save that leads goes with a message.
type applyTask struct {
	message  *raftpb.Message // MsgStorageApply
	leads    uint64          // to be told after the message
	lost     uint64          // the term in which we no longer lead
	restore  *raftpb.Snapshot
	restored chan error
	built    *built
	kept     *raftpb.Snapshot
	members  *Members
	due      bool // the last snapshot is SnapshotInterval old
}

// built is how a snapshot ended.
type built struct {
	index, term uint64
	data        []byte
	err         error
}

func (a *applier) run() {
	defer a.stopTimers()
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

func (a *applier) handleAll(tasks []applyTask) bool {
	for _, t := range tasks {
		if err := a.handle(t); err != nil {
			a.n.fail(err)
			return false
		}
	}
	return true
}

func (a *applier) handle(t applyTask) error {
	switch {
	case t.message != nil:
		if err := a.apply(t.message.GetEntries()); err != nil {
			return err
		}
		a.n.respond(t.message.GetResponses())
		if t.leads != 0 {
			a.n.lead(t.leads)
			a.n.o.Leadership(true, t.leads)
		}
		a.snapshotIfDue(a.bytes >= a.n.o.SnapshotBytes)
		a.snapshotWhenQuiet()
	case t.lost != 0:
		a.n.lead(0)
		a.n.o.Leadership(false, t.lost)
	case t.restore != nil:
		a.bytes = 0
		t.restored <- a.n.o.Restore(named(t.restore))
	case t.built != nil:
		a.keep(t.built)
	case t.kept != nil:
		a.n.o.Kept(named(t.kept))
	case t.members != nil:
		a.n.o.Members(*t.members)
	case t.due:
		a.snapshotIfDue(true)
	}
	return nil
}

func named(s *raftpb.Snapshot) Snapshot {
	m := s.GetMetadata()
	data, err := SnapshotData(s)
	if err != nil {
		panic(fmt.Sprintf("quorum: snapshot at %d: %v", m.GetIndex(), err)) // it was parsed as it came
	}
	return Snapshot{Index: m.GetIndex(), Term: m.GetTerm(), Data: data}
}

func (a *applier) apply(entries []*raftpb.Entry) error {
	for _, raw := range entries {
		e := Entry{Index: raw.GetIndex(), Term: raw.GetTerm()}
		if raw.GetType() == raftpb.EntryNormal && len(raw.GetData()) > 0 {
			e.Payload = raw.GetData()
		}
		if err := a.n.o.Apply(e); err != nil {
			return fmt.Errorf("apply entry %d of term %d: %w", e.Index, e.Term, err)
		}
		a.n.applied(e)
		a.index, a.term = e.Index, e.Term
		if a.bytes == 0 && !a.building {
			a.setTimer(a.n.o.SnapshotInterval)
		}
		a.bytes += int64(entrySize(raw))
	}
	return nil
}

// snapshotIfDue captures the state and lets another goroutine write it.
func (a *applier) snapshotIfDue(due bool) {
	if !due || a.building || a.bytes == 0 {
		a.wanted = a.wanted || due && a.building
		return
	}
	a.wanted = false
	index, term := a.index, a.term
	build := a.n.o.Snapshot(index, term)
	if build == nil {
		a.setTimer(a.n.o.SnapshotInterval)
		return
	}
	a.building, a.bytes = true, 0
	a.n.aside(func() {
		data, err := build()
		if err == nil && len(data) > MaxSnapshotData {
			err = fmt.Errorf("snapshot data of %d bytes", len(data))
		}
		a.queue.put(applyTask{built: &built{index, term, data, err}})
	})
}

func (a *applier) keep(b *built) {
	a.building = false
	if b.err != nil {
		a.n.o.Logger.Warn("snapshot not written, the raft log grows on", "index", b.index, "err", b.err)
		a.bytes = max(a.bytes, 1)
		a.setTimer(snapshotRetry)
		return
	}
	if a.bytes > 0 {
		a.setTimer(a.n.o.SnapshotInterval)
	}
	a.n.call(func(d *driver) {
		cut := b.index
		if !d.alone() {
			cut -= min(cut, keptForFollowers)
		}
		snapshot := newSnapshot(b.index, b.term, d.membersAt(b.index), b.data)
		d.n.appends.queue.put(appendTask{snapshot: snapshot, cut: cut})
	})
	a.snapshotIfDue(a.wanted || a.bytes >= a.n.o.SnapshotBytes)
}

// snapshotWhenQuiet lets a burst of entries end in a snapshot: until then they are in memory, and are read again at a start.
func (a *applier) snapshotWhenQuiet() {
	if a.bytes < a.n.o.QuietBytes {
		return
	}
	if a.quiet != nil {
		a.quiet.Stop()
	}
	a.quiet = time.AfterFunc(a.n.o.QuietAfter, func() { a.queue.put(applyTask{due: true}) })
}

func (a *applier) setTimer(after time.Duration) {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.timer = time.AfterFunc(after, func() { a.queue.put(applyTask{due: true}) })
}

func (a *applier) stopTimers() {
	for _, timer := range []*time.Timer{a.timer, a.quiet} {
		if timer != nil {
			timer.Stop()
		}
	}
}
