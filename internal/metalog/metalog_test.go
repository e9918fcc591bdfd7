package metalog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/metalog"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func real(t *testing.T) settings { return settings{fs: vfs.OS(), dir: t.TempDir()} }

// files names what is in the metadata folder and ends in suffix.
func files(t *testing.T, s settings, suffix string) []string {
	t.Helper()
	entries, err := s.fs.ReadDir(s.metadataDir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	return names
}

func edit(t *testing.T, s settings, name string, change func([]byte) []byte) {
	t.Helper()
	name = filepath.Join(s.metadataDir(), name)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(b), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsCommittedIsThereAfterARestartAtTheSameOffsets(t *testing.T) {
	s := real(t)
	c := mustOpen(t, s)
	mustRecord(t, c, "a", "b")
	mustRecord(t, c, "c")
	// Offset 0 says who leads.
	if got, want := c.log.Position(), (metalog.Position{Offset: 4, Epoch: 2}); got != want {
		t.Errorf("at %+v, want %+v", got, want)
	}
	mustClose(t, c)

	c = mustOpen(t, s)
	wantRecords(t, c, "a", "b", "c")
	mustRecord(t, c, "d")
	if got, want := c.log.Position(), (metalog.Position{Offset: 6, Epoch: 3}); got != want {
		t.Errorf("at %+v, want %+v", got, want)
	}
	mustClose(t, c)
	edit(t, s, "leader-epoch-checkpoint", func(b []byte) []byte {
		if string(b) != "0\n2\n2 0\n3 4\n" {
			t.Errorf("leader epochs:\n%s", b)
		}
		return b
	})
	edit(t, s, "quorum-state", func(b []byte) []byte {
		want := `{"clusterId":"","leaderId":1,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}`
		if string(b) != want {
			t.Errorf("quorum state is %s\nwant            %s", b, want)
		}
		return b
	})
}

func TestALogThatIsLostOrTornIsWrittenAgainFromTheRaftLog(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"lost":          func([]byte) []byte { return nil },
		"cut":           func(b []byte) []byte { return b[:len(b)-5] },
		"zeros":         func(b []byte) []byte { return append(b, make([]byte, 300)...) },
		"torn amid":     func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"half and half": func(b []byte) []byte { return append(b[:len(b)-5], "noise noise"...) },
	} {
		t.Run(name, func(t *testing.T) {
			s := real(t)
			c := mustOpen(t, s)
			mustRecord(t, c, "a", "b")
			mustRecord(t, c, "c")
			mustClose(t, c)
			edit(t, s, "00000000000000000000.log", change)
			c = mustOpen(t, s)
			wantRecords(t, c, "a", "b", "c")
			mustClose(t, c)
			c = mustOpen(t, s)
			wantRecords(t, c, "a", "b", "c")
			mustClose(t, c)
		})
	}
}

func TestCheckpointsTakeThePlaceOfOldSegments(t *testing.T) {
	s := real(t)
	s.segmentBytes, s.snapshotBytes, s.retention = 1_000, 2_000, 8_000
	c := mustOpen(t, s)
	var want []string
	for i := range 200 {
		r := fmt.Sprintf("record %d", i)
		want = append(want, r)
		mustRecord(t, c, r)
	}
	mustClose(t, c)
	segments := files(t, s, ".log")
	if segments[0] == "00000000000000000000.log" || len(segments) > 12 {
		t.Errorf("segments left: %v", segments)
	}
	if checkpoints := files(t, s, ".checkpoint"); len(checkpoints) > 4 {
		t.Errorf("checkpoints left: %v", checkpoints)
	}
	c = mustOpen(t, s)
	wantRecords(t, c, want...)
	mustClose(t, c)
}

func TestADamagedCheckpointIsNotUsed(t *testing.T) {
	s := real(t)
	s.snapshotBytes = 500
	c := mustOpen(t, s)
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("record %d", i))
		mustRecord(t, c, want[i])
	}
	mustClose(t, c)
	checkpoints := files(t, s, ".checkpoint")
	for _, change := range []func([]byte) []byte{
		func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		func(b []byte) []byte { return b[:len(b)-70] },
		func(b []byte) []byte { return nil },
	} {
		edit(t, s, checkpoints[len(checkpoints)-1], change)
		c = mustOpen(t, s) // the one before it and the log will do
		wantRecords(t, c, want...)
		mustClose(t, c)
	}
	for _, name := range files(t, s, ".checkpoint") {
		edit(t, s, name, func([]byte) []byte { return nil })
	}
	if _, err := open(s); !errors.Is(err, metalog.ErrCorrupt) {
		t.Errorf("opened without a good checkpoint: %v", err)
	}
}

func TestALogThatSomebodyElseWroteOnIsRefused(t *testing.T) {
	s := real(t)
	c := mustOpen(t, s)
	mustRecord(t, c, "a")
	mustClose(t, c)
	other := real(t)
	c = mustOpen(t, other)
	mustRecord(t, c, "a")
	mustRecord(t, c, "elsewhere")
	mustClose(t, c)
	b, err := os.ReadFile(filepath.Join(other.metadataDir(), "00000000000000000000.log"))
	if err != nil {
		t.Fatal(err)
	}
	edit(t, s, "00000000000000000000.log", func([]byte) []byte { return b })
	if _, err := open(s); !errors.Is(err, metalog.ErrDiverged) {
		t.Errorf("opened: %v", err)
	}
	// Without the raft log the metadata log is taken as it is.
	if err := os.RemoveAll(s.raftDir()); err != nil {
		t.Fatal(err)
	}
	c = mustOpen(t, s)
	wantRecords(t, c, "a", "elsewhere")
	mustClose(t, c)
}

func TestRecordsThatDoNotFitABatchAreRefused(t *testing.T) {
	c := mustOpen(t, real(t))
	if err := c.record(strings.Repeat("x", metalog.MaxBatchBytes)); !errors.Is(err, metalog.ErrTooLarge) {
		t.Errorf("recorded: %v", err)
	}
	mustRecord(t, c, "small")
	wantRecords(t, c, "small")
	mustClose(t, c)
}

func TestAFullDiskKeepsTheEndInMemoryUntilThereIsSpace(t *testing.T) {
	disk := vfs.NewMem()
	var full atomic.Bool
	fs := vfs.NewFaulty(disk, func(op vfs.Op) error {
		if full.Load() && op.Kind == vfs.OpWrite && strings.HasSuffix(op.Name, ".log") {
			return syscall.ENOSPC
		}
		return nil
	})
	s := settings{fs: fs, dir: "/data"}
	c := mustOpen(t, s)
	mustRecord(t, c, "a")
	full.Store(true)
	mustRecord(t, c, "b")
	mustRecord(t, c, "c")
	full.Store(false)
	mustRecord(t, c, "d")
	mustClose(t, c)
	if err := disk.RemoveAll(s.raftDir()); err != nil {
		t.Fatal(err)
	}
	c = mustOpen(t, s)
	wantRecords(t, c, "a", "b", "c", "d")
	mustClose(t, c)
}
