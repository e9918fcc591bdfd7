package metalog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func newDisk(t *testing.T) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	if err := errors.Join(m.MkdirAll("/data", 0o755), m.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return m
}

// session is one life of a controller: it records until something fails.
type session struct {
	acknowledged []string
	err          error
}

func live(fs vfs.FS, prefix string, count int) session {
	c, err := open(settings{fs: fs, dir: "/data", segmentBytes: 300, snapshotBytes: 600, retention: 3_000})
	if err != nil {
		return session{err: err}
	}
	s := session{acknowledged: c.records()}
	for i := 0; i < count && s.err == nil; i++ {
		r := fmt.Sprintf("%s record %d", prefix, i)
		if s.err = c.record(r); s.err == nil {
			s.acknowledged = append(s.acknowledged, r)
		}
	}
	return session{s.acknowledged, errors.Join(s.err, c.close())}
}

func judge(fs vfs.FS, before session) error {
	after := live(fs, "after", 1)
	if after.err != nil {
		return fmt.Errorf("does not start again: %w", after.err)
	}
	kept := len(before.acknowledged)
	if len(after.acknowledged) < kept || !slices.Equal(after.acknowledged[:kept], before.acknowledged) {
		return fmt.Errorf("acknowledged %q, after the power cut there is %q", before.acknowledged, after.acknowledged)
	}
	if extra := len(after.acknowledged) - kept - 1; extra < 0 || extra > 1 {
		return fmt.Errorf("acknowledged %q, after the power cut there is %q", before.acknowledged, after.acknowledged)
	}
	return nil
}

// cuts takes the power away before each change of a life, and gives the broken promises.
func cuts(t *testing.T, wrap func(vfs.FS) vfs.FS) (broken []error) {
	t.Helper()
	const crashes = 4
	for at := int64(0); ; at++ {
		disk := newDisk(t)
		disk.PowerOffAt(disk.Changes() + at)
		first := live(wrap(disk), "first", 25)
		for seed := range uint64(crashes) {
			if err := judge(disk.Crash(rand.New(rand.NewPCG(seed, uint64(at)))), first); err != nil {
				broken = append(broken, fmt.Errorf("power cut at change %d, seed %d: %w", at, seed, err))
			}
		}
		if first.err == nil {
			return broken
		}
	}
}

func TestNoRecordIsLostByAPowerCutAtAnyStep(t *testing.T) {
	for _, err := range cuts(t, func(fs vfs.FS) vfs.FS { return fs }) {
		t.Error(err)
	}
}

// TestEachSyncIsNeeded leaves out the syncs of this package, one kind at a time. Those of leader-epoch-checkpoint do not
// exist, that of quorum-state matters to a later Kafka only.
func TestEachSyncIsNeeded(t *testing.T) {
	for _, m := range []vfs.Mutation{
		{Kind: vfs.OpSync, Pattern: "*.checkpoint.part"},
		{Kind: vfs.OpSyncDir, Pattern: "__cluster_metadata-0"},
		{Kind: vfs.OpSyncDir, Pattern: "data"},
	} {
		t.Run(m.String(), func(t *testing.T) {
			if len(cuts(t, func(fs vfs.FS) vfs.FS { return vfs.WithoutSyncs(fs, m) })) == 0 {
				t.Error("no power cut shows that it is missing")
			}
		})
	}
}

// TestTheLogIsSyncedBeforeRaftsIsCut: a checkpoint stands for the log before it, so the loss of that shows only when the
// checkpoint is damaged too.
func TestTheLogIsSyncedBeforeRaftsIsCut(t *testing.T) {
	play := func(wrap func(vfs.FS) vfs.FS) (broken int) {
		for at := int64(30); at < 400; at += 7 {
			disk := newDisk(t)
			disk.PowerOffAt(disk.Changes() + at)
			first := live(wrap(disk), "first", 25)
			after := disk.Crash(nil)
			if !damageNewest(t, after) {
				continue
			}
			if err := judge(after, first); err != nil {
				broken++
			}
		}
		return broken
	}
	if n := play(func(fs vfs.FS) vfs.FS { return fs }); n > 0 {
		t.Errorf("%d times the log and an older checkpoint did not do", n)
	}
	without := vfs.Mutation{Kind: vfs.OpSync, Pattern: "*.log"}
	if play(func(fs vfs.FS) vfs.FS { return vfs.WithoutSyncs(fs, without) }) == 0 {
		t.Error("no power cut shows that the sync of the log is missing")
	}
}

// damageNewest flips a bit in the newest checkpoint, if there is an older one.
func damageNewest(t *testing.T, disk *vfs.Mem) bool {
	t.Helper()
	s := settings{fs: disk, dir: "/data"}
	if _, err := disk.Stat(s.metadataDir()); err != nil {
		return false
	}
	checkpoints := files(t, s, ".checkpoint")
	if len(checkpoints) < 2 {
		return false
	}
	name := filepath.Join(s.metadataDir(), checkpoints[len(checkpoints)-1])
	b, err := vfs.ReadFile(disk, name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := vfs.WriteFileAtomic(disk, name, b, true); err != nil {
		t.Fatal(err)
	}
	return true
}
