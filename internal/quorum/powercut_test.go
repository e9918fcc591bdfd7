package quorum_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/quorum"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	cutDir = "/data/__cluster_metadata-0/raft"
	// crashes is how many of the disks that one power cut may leave are looked at.
	crashes = 8
)

// newDisk is a disk with the data directory, which is durable.
func newDisk(t *testing.T) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	for _, dir := range []string{"/data", "/data/__cluster_metadata-0"} {
		if err := m.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := m.SyncDir(filepath.Dir(dir)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// session is one life of a node: it proposes payloads one by one until something fails.
type session struct {
	acknowledged []string // told to be committed
	term         uint64   // the highest in which it led
	err          error
}

// live opens a node, and proposes count payloads.
func live(fs vfs.FS, segmentBytes int64, prefix string, count int) session {
	o := newOwner()
	options := o.options(fs, cutDir)
	options.SegmentBytes, options.SnapshotBytes = segmentBytes, 200
	n, err := quorum.Open(options)
	if err != nil {
		return session{err: err}
	}
	n.Start()
	s := session{err: o.await(func() bool { return o.term != 0 })}
	s.term = o.term
	for i := 0; i < count && s.err == nil; i++ {
		want := len(o.applied()) + 1
		if s.err = n.Propose(s.term, fmt.Appendf(nil, "%s payload %d", prefix, i)); s.err == nil {
			s.err = o.await(func() bool { return len(o.payloads) == want })
		}
		s.acknowledged = o.applied()
	}
	if s.acknowledged == nil {
		s.acknowledged = o.applied()
	}
	if err := n.Close(); s.err == nil {
		s.err = err
	}
	return s
}

// judge opens the disk that a power cut left, and says which promise is broken.
func judge(fs vfs.FS, before session) error {
	after := live(fs, 256, "after", 1)
	if after.err != nil {
		return fmt.Errorf("does not start again: %w", after.err)
	}
	kept := len(before.acknowledged)
	if len(after.acknowledged) < kept || !slices.Equal(after.acknowledged[:kept], before.acknowledged) {
		return fmt.Errorf("acknowledged %q, after the power cut there is %q", before.acknowledged, after.acknowledged)
	}
	// What was proposed last may be there without having been acknowledged; nothing else may.
	if extra := len(after.acknowledged) - kept - 1; extra < 0 || extra > 1 {
		return fmt.Errorf("acknowledged %q, after the power cut there is %q", before.acknowledged, after.acknowledged)
	}
	if after.term <= before.term {
		return fmt.Errorf("leads in term %d after having led in term %d", after.term, before.term)
	}
	return nil
}

// cuts takes the power away before each change of a life of a node, and gives the broken promises. With killed, the
// process dies there first and lives once more before the power goes.
func cuts(t *testing.T, segmentBytes int64, killed bool, wrap func(vfs.FS) vfs.FS) (broken []error) {
	t.Helper()
	for at := int64(0); ; at++ {
		disk := newDisk(t)
		disk.PowerOffAt(disk.Changes() + at)
		first := live(wrap(disk), segmentBytes, "first", 12)
		complete := first.err == nil
		if killed {
			disk = disk.Kill()
			first = live(wrap(disk), segmentBytes, "second", 1)
		}
		for seed := range uint64(crashes) {
			rng := rand.New(rand.NewPCG(seed, uint64(at)))
			if err := judge(disk.Crash(rng), first); err != nil {
				broken = append(broken, fmt.Errorf("power cut at change %d, seed %d: %w", at, seed, err))
			}
		}
		if complete {
			return broken
		}
	}
}

// segmentSizes are: a segment for each append, some appends, all of them.
func segmentSizes() []int64 { return []int64{1, 300, 1 << 20} }

func unchanged(fs vfs.FS) vfs.FS { return fs }

func TestNothingAcknowledgedIsLostByAPowerCutAtAnyStep(t *testing.T) {
	for _, segmentBytes := range segmentSizes() {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("segments of %d, killed before %v", segmentBytes, killed), func(t *testing.T) {
				for _, err := range cuts(t, segmentBytes, killed, unchanged) {
					t.Error(err)
				}
			})
		}
	}
}

// mutation leaves out one sync of the code, told by what was done just before it.
type mutation struct {
	name    string
	kind    vfs.OpKind
	pattern string // of the name that is synced
	after   func(op vfs.Op) bool
	killed  bool // shows only when the process dies before the power goes
}

func anything(vfs.Op) bool { return true }

// mutations are all the syncs there are but one: that of a snapshot's name, which comes before the removal of what the
// snapshot stands for. Mem, like the file systems we know, keeps the order of changes within a folder; POSIX does not.
func mutations() []mutation {
	wrote := func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && op.Offset > 0 }
	began := func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && op.Offset == 0 }
	opened := func(op vfs.Op) bool { return op.Kind != vfs.OpWrite }
	return []mutation{
		{"entries and votes", vfs.OpSync, "*.raft", wrote, false},
		{"a new segment", vfs.OpSync, "*.raft", began, false},
		{"a new segment's name", vfs.OpSyncDir, "raft", func(op vfs.Op) bool { return op.Kind == vfs.OpSync }, false},
		{"what a new process found", vfs.OpSync, "*.raft", opened, true},
		{"a snapshot", vfs.OpSync, "*.raftsnapshot.tmp", anything, false},
		{"names that a new process found", vfs.OpSyncDir, "raft", func(op vfs.Op) bool { return op.Kind == vfs.OpSyncDir }, true},
		{"the folder's name", vfs.OpSyncDir, "__cluster_metadata-0", anything, false},
	}
}

// without gives a disk that pretends the mutation's syncs.
func (m mutation) without(fs vfs.FS) vfs.FS {
	var mu lockedOp
	return vfs.NewFaulty(fs, func(op vfs.Op) error {
		last := mu.swap(op)
		matches := vfs.Mutation{Kind: m.kind, Pattern: m.pattern}.Matches(op)
		if matches && m.after(last) {
			return vfs.ErrSkip
		}
		return nil
	})
}

func TestEachSyncIsNeeded(t *testing.T) {
	for _, m := range mutations() {
		t.Run("without the sync of "+m.name, func(t *testing.T) {
			for _, segmentBytes := range segmentSizes() {
				if len(cuts(t, segmentBytes, m.killed, m.without)) > 0 {
					return
				}
			}
			t.Error("no power cut shows that it is missing")
		})
	}
}

// lockedOp remembers the operation before. The appender's own come in order; those of others hardly come between.
type lockedOp struct {
	mu sync.Mutex
	op vfs.Op
}

func (l *lockedOp) swap(op vfs.Op) vfs.Op {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.op
	l.op = op
	return last
}

func (l *lockedOp) get() vfs.Op {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.op
}
