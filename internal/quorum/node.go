package quorum

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	// electionTicks and heartbeatTicks divide the election timeout.
	electionTicks  = 10
	heartbeatTicks = 1
	// maxInbox bounds the messages of peers that wait for the driver; Raft copes with the loss of the others.
	maxInbox = 4_096
	// maxMessageBytes and maxInflightMessages bound what is under way to one peer.
	maxMessageBytes     = 1 << 20
	maxInflightMessages = 256
)

// Node is one member of the quorum.
type Node struct {
	o       Options
	id      uint64
	storage *storage
	driver  driver
	appends appender
	applies applier
	steps   *Steps // nil: the parts have goroutines

	mu        sync.Mutex // guards the fields up to the blank line
	inbox     []*raftpb.Message
	responses []*raftpb.Message // of the appender and the applier, never dropped
	proposals []proposal
	calls     []func(*driver)
	leadTerm  uint64 // the term in which proposals are taken, 0 for none
	inFlight  int64  // bytes of proposals of leadTerm that are not applied
	count     int    // and their number
	stopped   bool
	failed    bool
	status    Status

	wake    chan struct{} // holds a token when the driver has something to look at
	stop    chan struct{} // closed by Close and by a failure
	running sync.WaitGroup
}

type proposal struct {
	term    uint64
	payload []byte
}

// Status is what a node knows of its quorum.
type Status struct {
	ID, Leader, Term uint64
	Leads            bool
	Commit           uint64
	Members          Members
}

// Open reads the log and restores the owner's state from its snapshot. Nothing else happens before Start.
func Open(o Options) (*Node, error) {
	o.setDefaults()
	id := RaftID(o.DirectoryID)
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("raft log: %w", err)
	}
	// Also of what is there already: a process that died may have made it, and not come to the sync.
	if err := errors.Join(o.FS.SyncDir(parent(o.Dir)), o.FS.SyncDir(o.Dir)); err != nil {
		return nil, fmt.Errorf("raft log: %w", err)
	}
	snapshot, wal, entries, err := openLog(o, id)
	if err == nil && superseded(o, id, wal, snapshot) {
		o.Logger.Info("raft log: others have taken the state further, a new log begins", "term", wal.hardState.GetTerm())
		if err = errors.Join(wal.closeFile(), forget(o)); err == nil {
			snapshot, wal, entries, err = openLog(o, id)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("raft log %s: %w", o.Dir, err)
	}
	m := snapshot.GetMetadata()
	if err := o.Restore(named(snapshot)); err != nil {
		return nil, errors.Join(fmt.Errorf("raft log %s: restore snapshot at %d: %w", o.Dir, m.GetIndex(), err), wal.closeFile())
	}
	n := &Node{
		o: o, id: id,
		storage: newStorage(wal.hardState, snapshot, entries),
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
	n.driver.n, n.appends.n, n.applies.n = n, n, n
	n.appends.wal = wal
	n.appends.queue.init()
	n.applies.queue.init()
	if err := n.driver.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("raft log %s: %w", o.Dir, err), wal.closeFile())
	}
	return n, nil
}

// Start begins to take part, and to call the owner. A node that is the only voter campaigns at once.
func (n *Node) Start() {
	n.running.Go(n.driver.run)
	n.running.Go(n.appends.run)
	n.running.Go(n.applies.run)
}

// Born says whether there is a log in dir, so that Open would ask for no Bootstrap, and who its members are as of its newest
// snapshot: none, where it waits for a leader to add it.
func Born(fs vfs.FS, dir string, directoryID [16]byte) (members Members, born bool, err error) {
	if _, err := fs.Stat(dir); errors.Is(err, iofs.ErrNotExist) {
		return Members{}, false, nil
	}
	snapshot, err := readSnapshot(fs, dir, RaftID(directoryID))
	if err != nil || snapshot == nil {
		return Members{}, false, err
	}
	return membersOf(snapshot), true, nil
}

// openLog reads what there is, or begins it.
func openLog(o Options, id uint64) (*raftpb.Snapshot, *wal, []*raftpb.Entry, error) {
	snapshot, err := readSnapshot(o.FS, o.Dir, id)
	if err == nil && snapshot == nil {
		snapshot, err = bootstrap(o, id)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	wal, entries, err := openWAL(o, id, snapshot.GetMetadata())
	return snapshot, wal, entries, err
}

// superseded asks the owner, if nobody but this node has ever voted here.
func superseded(o Options, id uint64, w *wal, snapshot *raftpb.Snapshot) bool {
	cs := snapshot.GetMetadata().GetConfState()
	alone := len(cs.GetVoters()) == 1 && cs.GetVoters()[0] == id && len(cs.GetVotersOutgoing()) == 0
	return alone && o.Superseded(w.hardState.GetTerm())
}

// forget removes the log, and the snapshots last: while one is there, the next Open comes here again.
func forget(o Options) error {
	entries, err := o.FS.ReadDir(o.Dir)
	if err != nil {
		return err
	}
	for _, suffix := range []string{segmentSuffix, snapshotSuffix} {
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), suffix) {
				continue
			}
			if err := o.FS.Remove(filepath.Join(o.Dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return o.FS.SyncDir(o.Dir)
}

// bootstrap writes the snapshot that a log begins with. It is the first thing in the directory: a log without a
// snapshot is one whose directory entries were lost.
func bootstrap(o Options, id uint64) (*raftpb.Snapshot, error) {
	entries, err := o.FS.ReadDir(o.Dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), segmentSuffix) {
			return nil, fmt.Errorf("%w: %s without a snapshot", ErrCorrupt, e.Name())
		}
	}
	b, err := o.Bootstrap()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	snapshot := firstSnapshot(b, id)
	if err := writeSnapshot(o.FS, o.Dir, id, snapshot); err != nil {
		return nil, err
	}
	return snapshot, nil
}

// firstSnapshot is what a log begins with. The library wants members to begin behind a snapshot that knows them: index 1 stands
// for their first agreement. Who joins others has nothing yet.
func firstSnapshot(b Bootstrap, id uint64) *raftpb.Snapshot {
	if b.Joins {
		return newSnapshot(0, 0, Members{ConfState: &raftpb.ConfState{}}, nil)
	}
	voters := b.Voters
	if len(voters) == 0 {
		voters = []uint64{id}
	}
	return newSnapshot(1, max(b.Term, 1), Members{ConfState: &raftpb.ConfState{Voters: voters}, Contexts: b.Contexts}, b.Data)
}

// Propose queues a payload to be appended, committed and applied, in the order of the calls, by this node as the leader of
// term. It never waits. An error means that the payload was not taken. What was taken in a term is applied, unless
// Leadership tells that the term is lost: then it may or may not be.
func (n *Node) Propose(term uint64, payload []byte) error {
	if len(payload) == 0 || len(payload) > MaxPayloadBytes {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(payload))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.stopped:
		return ErrClosed
	case n.leadTerm != term:
		return ErrNotLeader
	case n.count >= MaxInFlightProposals, n.inFlight > 0 && n.inFlight+int64(len(payload)) > n.o.MaxInFlightBytes:
		return ErrBusy
	}
	n.count++
	n.inFlight += int64(len(payload))
	n.proposals = append(n.proposals, proposal{term, payload})
	n.signal()
	return nil
}

// Step hands in messages that came from other members. It never waits; what is too much is dropped.
func (n *Node) Step(messages ...*raftpb.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range messages {
		if len(n.inbox) < maxInbox && wellFormed(m) {
			n.inbox = append(n.inbox, m)
		}
	}
	n.signal()
}

// wellFormed is about what the library does not look into.
func wellFormed(m *raftpb.Message) bool {
	if m.GetType() != raftpb.MsgSnap {
		return true
	}
	_, err := SnapshotData(m.GetSnapshot())
	return err == nil
}

// ReportUnreachable tells that messages to a member were lost. A snapshot may have been among them, and the library sends
// nothing but heartbeats to a member until it has heard how the sending of one ended: it would wait for as long as this node
// leads. One that is reported although it gets there is sent twice.
func (n *Node) ReportUnreachable(id uint64) {
	n.call(func(d *driver) {
		d.raft.ReportUnreachable(id)
		d.raft.ReportSnapshot(id, raft.SnapshotFailure)
	})
}

// LeaderGone tells that a member's process is no more: if it led, this member does not wait for it, but stands for election soon.
func (n *Node) LeaderGone(id uint64) {
	n.call(func(d *driver) { d.leaderGone(id) })
}

// HandOver has the voter that is furthest lead instead of this node, if it leads, and returns when that is so, or after the time.
func (n *Node) HandOver(within time.Duration) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	n.call((*driver).handOver)
	for n.Status().Leads {
		select {
		case <-look.C:
		case <-deadline.C:
			return
		case <-n.stop:
			return
		}
	}
}

// ReportSnapshot tells how sending a snapshot to a member ended.
func (n *Node) ReportSnapshot(id uint64, sent bool) {
	status := raft.SnapshotFailure
	if sent {
		status = raft.SnapshotFinish
	}
	n.call(func(d *driver) { d.raft.ReportSnapshot(id, status) })
}

// ChangeMembers proposes a change of membership (NewChange). Status shows it once it is committed, which it never is if another one
// was under way, or if this node did not lead.
func (n *Node) ChangeMembers(change *raftpb.ConfChangeV2) error {
	result := make(chan error, 1)
	n.call(func(d *driver) { result <- d.raft.ProposeConfChange(change) })
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("change members: %w", err)
		}
		return nil
	case <-n.stop:
		return ErrClosed
	}
}

// Progress is what a leader knows of a member.
type Progress struct {
	Match  uint64 // the last entry that it is known to have
	Active bool   // it was heard of within an election timeout
}

// Progress is what this node knows of each member while it leads, nil while it does not.
func (n *Node) Progress() map[uint64]Progress {
	result := make(chan map[uint64]Progress, 1)
	n.call(func(d *driver) { result <- d.progress() })
	select {
	case p := <-result:
		return p
	case <-n.stop:
		return nil
	}
}

// Status is the state after the latest step.
func (n *Node) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

// Close stops the node, without a word from Leadership. What was proposed and is not committed may or may not be found committed after the next Open.
func (n *Node) Close() error {
	n.shutDown()
	n.running.Wait()
	n.mu.Lock()
	failed := n.failed
	n.mu.Unlock()
	if failed {
		// Nothing is known about the last writes; one more could make them look good.
		return n.appends.wal.closeFile()
	}
	return n.appends.close()
}

func (n *Node) shutDown() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return
	}
	n.stopped, n.leadTerm = true, 0
	close(n.stop)
	n.appends.queue.close()
	n.applies.queue.close()
}

// fail stops the node for good: its log or its owner is gone.
func (n *Node) fail(err error) {
	n.mu.Lock()
	first := !n.failed
	n.failed = true
	n.mu.Unlock()
	if first {
		n.o.Logger.Error("quorum stopped", "err", err)
		n.shutDown()
		n.o.Failed(err)
	}
}

func (n *Node) call(f func(*driver)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, f)
	n.signal()
}

// respond hands the library's own responses back to it, and those to others to the transport.
func (n *Node) respond(responses []*raftpb.Message) {
	var remote []*raftpb.Message
	n.mu.Lock()
	for _, m := range responses {
		if m.GetTo() == n.id {
			n.responses = append(n.responses, m)
		} else {
			remote = append(remote, m)
		}
	}
	n.signal()
	n.mu.Unlock()
	if len(remote) > 0 {
		n.o.Transport.Send(remote)
	}
}

func (n *Node) signal() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// lead opens or, with 0, closes the door for proposals.
func (n *Node) lead(term uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return
	}
	n.leadTerm, n.inFlight, n.count = term, 0, 0
	if term == 0 {
		n.proposals = nil
	}
}

// applied gives room to further proposals.
func (n *Node) applied(e Entry) {
	if len(e.Payload) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.leadTerm == e.Term {
		n.count--
		n.inFlight -= int64(len(e.Payload))
	}
}
