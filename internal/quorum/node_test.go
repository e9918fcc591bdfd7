package quorum_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/barnabas-mq/barnabas/internal/quorum"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// owner is a state machine that remembers every payload. Its snapshots are the payloads themselves.
type owner struct {
	mu       sync.Mutex
	changed  sync.Cond
	payloads []string
	index    uint64
	term     uint64 // in which we lead, 0: we do not
	restores int
	failed   error
}

func newOwner() *owner {
	o := &owner{}
	o.changed.L = &o.mu
	return o
}

func (o *owner) options(fs vfs.FS, dir string) quorum.Options {
	return quorum.Options{
		FS: fs, Dir: dir, DirectoryID: [16]byte{1}, Logger: slog.New(slog.DiscardHandler),
		Restore: o.restore, Apply: o.apply, Leadership: o.leadership, Snapshot: o.snapshot,
		Failed: func(err error) { o.set(func() { o.failed = err }) },
	}
}

func (o *owner) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
	o.changed.Broadcast()
}

// await waits until the condition holds, or the node has failed.
func (o *owner) await(condition func() bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !condition() && o.failed == nil {
		o.changed.Wait()
	}
	return o.failed
}

func (o *owner) restore(s quorum.Snapshot) error {
	o.set(func() {
		o.restores++
		o.index, o.payloads = s.Index, nil
		for data := s.Data; len(data) > 0; data = data[1+int(data[0]):] {
			o.payloads = append(o.payloads, string(data[1:1+int(data[0])]))
		}
	})
	return nil
}

func (o *owner) apply(e quorum.Entry) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e.Index != o.index+1 {
		return fmt.Errorf("entry %d after entry %d", e.Index, o.index)
	}
	o.index = e.Index
	if e.Payload != nil {
		o.payloads = append(o.payloads, string(e.Payload))
	}
	o.changed.Broadcast()
	return nil
}

func (o *owner) snapshot(uint64, uint64) func() ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	payloads := slices.Clone(o.payloads)
	return func() ([]byte, error) {
		var data []byte
		for _, p := range payloads {
			data = append(append(data, byte(len(p))), p...)
		}
		return data, nil
	}
}

func (o *owner) leadership(leads bool, term uint64) {
	o.set(func() {
		if o.term = 0; leads {
			o.term = term
		}
	})
}

func (o *owner) applied() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.payloads)
}

// open opens and starts a node, and waits until it leads.
func open(t *testing.T, o *owner, options quorum.Options) *quorum.Node {
	t.Helper()
	n, err := quorum.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	if err := o.await(func() bool { return o.term != 0 }); err != nil {
		t.Fatal(err)
	}
	return n
}

// propose proposes payloads and waits until the last is applied.
func propose(t *testing.T, n *quorum.Node, o *owner, payloads ...string) {
	t.Helper()
	want := len(o.applied()) + len(payloads)
	for _, p := range payloads {
		if err := n.Propose(o.term, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.await(func() bool { return len(o.payloads) == want }); err != nil {
		t.Fatal(err)
	}
}

func shut(t *testing.T, n *quorum.Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

func wantPayloads(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("applied %q, want %q", got, want)
	}
}

func TestASoleVoterLeadsAtOnceAndKeepsWhatItCommitted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raft")
	first := newOwner()
	began := time.Now()
	n := open(t, first, first.options(vfs.OS(), dir))
	propose(t, n, first, "a", "b", "c")
	t.Logf("from nothing to the third commit: %v", time.Since(began))
	firstTerm := first.term
	shut(t, n)

	second := newOwner()
	n = open(t, second, second.options(vfs.OS(), dir))
	wantPayloads(t, second.applied(), "a", "b", "c")
	if second.term <= firstTerm {
		t.Errorf("leads in term %d after term %d", second.term, firstTerm)
	}
	propose(t, n, second, "d")
	wantPayloads(t, second.applied(), "a", "b", "c", "d")
	if err := n.Propose(firstTerm, []byte("late")); !errors.Is(err, quorum.ErrNotLeader) {
		t.Errorf("proposal of an old term: %v", err)
	}
	shut(t, n)
	if err := n.Propose(second.term, []byte("late")); !errors.Is(err, quorum.ErrClosed) {
		t.Errorf("proposal after close: %v", err)
	}
}

func TestTheLogIsCutBehindSnapshots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raft")
	o := newOwner()
	options := o.options(vfs.OS(), dir)
	options.SegmentBytes, options.SnapshotBytes = 512, 1_000
	n := open(t, o, options)
	var want []string
	for i := range 100 {
		p := fmt.Sprintf("payload %d", i)
		want = append(want, p)
		propose(t, n, o, p)
	}
	shut(t, n)
	if segments := list(t, dir, ".raft"); len(segments) > 8 {
		t.Errorf("%d segments are left", len(segments))
	}
	if snapshots := list(t, dir, ".raftsnapshot"); len(snapshots) != 1 {
		t.Errorf("snapshots left: %v", snapshots)
	}

	o = newOwner()
	options = o.options(vfs.OS(), dir)
	n = open(t, o, options)
	wantPayloads(t, o.applied(), want...)
	shut(t, n)
}

func TestTheFirstTermFollowsTheOneItBeginsWith(t *testing.T) {
	o := newOwner()
	options := o.options(vfs.OS(), filepath.Join(t.TempDir(), "raft"))
	options.Bootstrap = func() (quorum.Bootstrap, error) {
		return quorum.Bootstrap{Term: 41, Data: []byte("\x05given")}, nil
	}
	n := open(t, o, options)
	defer shut(t, n)
	if o.term != 42 {
		t.Errorf("leads in term %d, want 42", o.term)
	}
	wantPayloads(t, o.applied(), "given")
}

func TestADirectoryOfAnotherMemberIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raft")
	o := newOwner()
	shut(t, open(t, o, o.options(vfs.OS(), dir)))
	options := newOwner().options(vfs.OS(), dir)
	options.DirectoryID = [16]byte{2}
	if _, err := quorum.Open(options); err == nil {
		t.Error("opened under another directory id")
	}
}

func TestProposalsInFlightAreBounded(t *testing.T) {
	o := newOwner()
	options := o.options(vfs.OS(), filepath.Join(t.TempDir(), "raft"))
	options.MaxInFlightBytes = 100
	n := open(t, o, options)
	defer shut(t, n)
	o.mu.Lock() // the applier gets no further
	defer o.mu.Unlock()
	if err := n.Propose(o.term, make([]byte, 200)); err != nil {
		t.Errorf("one large proposal: %v", err)
	}
	if err := n.Propose(o.term, make([]byte, 1)); !errors.Is(err, quorum.ErrBusy) {
		t.Errorf("one more: %v, want busy", err)
	}
	if err := n.Propose(o.term, make([]byte, quorum.MaxPayloadBytes+1)); !errors.Is(err, quorum.ErrTooLarge) {
		t.Errorf("a huge one: %v, want too large", err)
	}
}

func TestABurstEndsInASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOwner()
		kept := 0
		options := o.options(vfs.NewMem(), "/raft")
		options.QuietBytes = 1_000
		options.Kept = func(quorum.Snapshot) { o.set(func() { kept++ }) }
		n := open(t, o, options)
		defer shut(t, n)
		snapshots := func() int {
			synctest.Wait()
			o.mu.Lock()
			defer o.mu.Unlock()
			return kept
		}
		propose(t, n, o, "little")
		time.Sleep(2 * quorum.DefaultQuietAfter)
		if n := snapshots(); n != 0 {
			t.Errorf("%d snapshots for a few bytes", n)
		}
		for i := range 20 {
			propose(t, n, o, fmt.Sprintf("%d: %100s", i, "much"))
			time.Sleep(quorum.DefaultQuietAfter / 2)
		}
		if n := snapshots(); n != 0 {
			t.Errorf("%d snapshots amid a burst", n)
		}
		time.Sleep(quorum.DefaultQuietAfter)
		if n := snapshots(); n != 1 {
			t.Errorf("%d snapshots after the burst", n)
		}
	})
}
