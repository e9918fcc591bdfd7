package vfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
)

// afterCuts collects what name may contain after a power cut now, over many of them.
func afterCuts(t *testing.T, m *Mem, name string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for seed := range uint64(300) {
		found[content(t, m.Crash(rand.New(rand.NewPCG(seed, 1))), name)]++
	}
	return found
}

func TestUnsyncedContentsMayBeKeptLostOrTorn(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/f", "synced")
	must(t, f.Sync())
	must(t, m.SyncDir("/"))
	_, err := f.WriteAt([]byte("AB"), 6)
	must(t, err)
	_, err = f.WriteAt([]byte("CD"), 8)
	must(t, err)

	if got := content(t, m.Crash(nil), "/f"); got != "synced" {
		t.Fatalf("the worst power cut leaves %q", got)
	}
	found := afterCuts(t, m, "/f")
	for _, want := range []string{"synced", "syncedAB", "syncedABCD", "syncedA", "synced\x00\x00CD", "syncedABC"} {
		if found[want] == 0 {
			t.Errorf("no power cut left %q, only %v", want, found)
		}
	}
	for got := range found {
		if !strings.HasPrefix(got, "synced") {
			t.Errorf("a power cut took synced bytes: %q", got)
		}
	}
}

func TestAFileWithoutASyncedNameIsGone(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("/d", 0o755))
	f := create(t, m, "/d/f", "x")
	must(t, f.Sync())
	must(t, m.SyncDir("/d")) // but not of /, which holds d
	if got := content(t, m.Crash(nil), "/d/f"); got != "(none)" {
		t.Fatalf("%q", got)
	}
	if err := m.SyncDir("/"); !m.Off() || !errors.Is(err, ErrPowerOff) {
		t.Fatalf("after a power cut: %v", err)
	}
}

func TestNamesAreLostFromTheEnd(t *testing.T) {
	m := NewMem()
	for _, name := range []string{"/1", "/2", "/3", "/4"} {
		must(t, create(t, m, name, name).Close())
	}
	seen := map[int]bool{}
	for seed := range uint64(100) {
		after := m.Crash(rand.New(rand.NewPCG(seed, 2)))
		entries, err := after.ReadDir("/")
		must(t, err)
		for i, e := range entries {
			if e.Name() != string(rune('1'+i)) {
				t.Fatalf("names %v are not a prefix", entries)
			}
		}
		seen[len(entries)] = true
	}
	if !seen[0] || !seen[4] || len(seen) < 4 {
		t.Fatalf("only so many names were left: %v", seen)
	}
}

func TestARenameIsWholeOrNot(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("/a", 0o755))
	must(t, m.MkdirAll("/b", 0o755))
	f := create(t, m, "/a/f", "old")
	must(t, f.Sync())
	for _, d := range []string{"/", "/a", "/b"} {
		must(t, m.SyncDir(d))
	}
	must(t, m.Rename("/a/f", "/b/f"))
	both := map[string]int{}
	for seed := range uint64(50) {
		after := m.Crash(rand.New(rand.NewPCG(seed, 3)))
		both[content(t, after, "/a/f")+" "+content(t, after, "/b/f")]++
	}
	if len(both) != 2 || both["old (none)"] == 0 || both["(none) old"] == 0 {
		t.Fatalf("%v", both)
	}
}

func TestSyncingTheTargetOfARenameSettlesItsSource(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("/a", 0o755))
	must(t, m.MkdirAll("/b", 0o755))
	must(t, m.SyncDir("/"))
	f := create(t, m, "/a/f", "x")
	must(t, f.Sync())
	must(t, m.Rename("/a/f", "/b/f"))
	must(t, m.SyncDir("/b"))
	after := m.Crash(nil)
	if content(t, after, "/a/f") != "(none)" || content(t, after, "/b/f") != "x" {
		t.Fatal("the rename was not durable")
	}
}

func TestARemovedDirectoryComesBackWithWhatItHeld(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("/d/e", 0o755))
	f := create(t, m, "/d/e/f", "x")
	must(t, f.Sync())
	for _, d := range []string{"/", "/d", "/d/e"} {
		must(t, m.SyncDir(d))
	}
	must(t, m.RemoveAll("/d"))
	if got := content(t, m.Crash(nil), "/d/e/f"); got != "x" {
		t.Fatalf("%q", got)
	}
	for seed := range uint64(100) { // no half-removed tree is inconsistent
		after := m.Crash(rand.New(rand.NewPCG(seed, 4)))
		if err := after.RemoveAll("/d"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheDeathOfTheProcessLosesNothingButLocks(t *testing.T) {
	m := NewMem()
	_, err := m.Lock("/.lock")
	must(t, err)
	f := create(t, m, "/f", "unsynced")
	after := m.Kill()
	if _, err := f.WriteAt([]byte("late"), 0); !errors.Is(err, ErrPowerOff) {
		t.Fatalf("a dead process wrote: %v", err)
	}
	if got := content(t, after, "/f"); got != "unsynced" {
		t.Fatalf("%q", got)
	}
	if _, err := after.Lock("/.lock"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, after.Crash(nil), "/f"); got != "(none)" {
		t.Fatalf("a kill made %q durable", got)
	}
}

// atomicWrites is a program whose promise is checked at every point of failure: after each step the file holds that step's number.
func atomicWrites(fsys FS) (done int, err error) {
	for ; done < 3; done++ {
		if err := WriteFileAtomic(fsys, "/c", []byte{byte('0' + done)}, true); err != nil {
			return done, err
		}
	}
	return done, nil
}

// brokenPromises runs atomicWrites and cuts the power before every one of its changes.
func brokenPromises(t *testing.T, wrap func(FS) FS) int {
	t.Helper()
	whole := NewMem()
	if _, err := atomicWrites(wrap(whole)); err != nil {
		t.Fatal(err)
	}
	broken := 0
	for n := range whole.Changes() + 1 {
		for seed := range uint64(20) {
			m := NewMem()
			m.PowerOffAt(n)
			done, _ := atomicWrites(wrap(m))
			got := content(t, m.Crash(rand.New(rand.NewPCG(seed, uint64(n)))), "/c")
			acknowledged, next := string(rune('0'+done-1)), string(rune('0'+done))
			if got != next && (done > 0 && got != acknowledged || done == 0 && got != "(none)") {
				broken++
			}
		}
	}
	return broken
}

func TestAnAtomicWriteSurvivesAPowerCutAtEveryStepAndNeedsEachSync(t *testing.T) {
	if n := brokenPromises(t, func(f FS) FS { return f }); n != 0 {
		t.Fatalf("%d broken promises", n)
	}
	for _, without := range []Mutation{{Kind: OpSync, Pattern: "*.tmp"}, {Kind: OpSyncDir}} {
		if n := brokenPromises(t, func(f FS) FS { return WithoutSyncs(f, without) }); n == 0 {
			t.Errorf("no power cut noticed a run %s", without)
		}
	}
}

func TestAFullDiskTakesWhatFitsAndIsFreedByRemoval(t *testing.T) {
	m := NewMem()
	m.SetCapacity(10)
	must(t, create(t, m, "/a", "123456").Close())
	f, err := m.OpenFile("/b", os.O_RDWR|os.O_CREATE, 0o644)
	must(t, err)
	if n, err := f.WriteAt([]byte("abcdef"), 0); n != 4 || !IsNoSpace(err) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	must(t, m.Remove("/a"))
	if free, _, _ := m.Free("/"); free != 6 {
		t.Fatalf("%d free", free)
	}
	if _, err := f.WriteAt([]byte("ef"), 4); err != nil {
		t.Fatal(err)
	}
}

func TestAFaultyDiskFailsSkipsAndWritesShort(t *testing.T) {
	m := NewMem()
	var fate error
	fsys := NewFaulty(m, func(op Op) error {
		if op.Kind == OpWrite || op.Kind == OpSync {
			return fate
		}
		return nil
	})
	f := create(t, fsys, "/f", "base")
	fate = &ShortWrite{N: 1, Err: syscall.EIO}
	if n, err := f.WriteAt([]byte("XY"), 4); n != 1 || !errors.Is(err, syscall.EIO) {
		t.Fatalf("%d, %v", n, err)
	}
	fate = syscall.ENOSPC
	var named *fs.PathError
	if err := f.Sync(); !IsNoSpace(err) || !errors.As(err, &named) || named.Path != "/f" {
		t.Fatalf("%v", err)
	}
	fate = ErrSkip
	if n, err := f.WriteAt([]byte("lost"), 0); n != 4 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if got := content(t, fsys, "/f"); got != "baseX" {
		t.Fatalf("%q", got)
	}
}

func TestAHookSeesEachOperationBeforeItHappens(t *testing.T) {
	m := NewMem()
	var seen []string
	m.SetHook(func(op Op) error { seen = append(seen, op.String()); return nil })
	must(t, WriteFileAtomic(m, "/c", []byte("x"), true))
	want := "create /c.tmp; write /c.tmp 0+1; sync /c.tmp; rename /c.tmp /c; syncdir /"
	if got := strings.Join(seen, "; "); got != want {
		t.Fatalf("%s\nwant %s", got, want)
	}
}
