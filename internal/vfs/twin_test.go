package vfs

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree lists every name below dir with its contents.
func tree(t *testing.T, fsys FS, dir, indent string) string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	must(t, err)
	var out strings.Builder
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			fmt.Fprintf(&out, "%s%s/\n%s", indent, e.Name(), tree(t, fsys, name, indent+"  "))
		} else {
			fmt.Fprintf(&out, "%s%s %q\n", indent, e.Name(), content(t, fsys, name))
		}
	}
	return out.String()
}

// step does one random operation and says what it did and whether it succeeded.
func step(fsys FS, dir string, rng *rand.Rand) string {
	names := []string{"a", "b", "d", "d/a", "d/b", "d/e", "d/e/a"}
	short := names[rng.IntN(len(names))]
	name, other := filepath.Join(dir, short), filepath.Join(dir, names[rng.IntN(len(names))])
	var err error
	var did string
	switch rng.IntN(8) {
	case 0:
		did, err = "mkdir", fsys.MkdirAll(name, 0o755)
	case 1:
		did, err = "remove", fsys.Remove(name)
	case 2:
		did, err = "removeall", fsys.RemoveAll(name)
	case 3:
		did, err = "rename to "+other, fsys.Rename(name, other)
	case 4:
		did, err = "syncdir", fsys.SyncDir(dir)
	default:
		flags := []int{os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_EXCL, os.O_RDWR | os.O_CREATE | os.O_TRUNC}
		did, err = "write", scribble(fsys, name, flags[rng.IntN(len(flags))], rng)
	}
	return fmt.Sprintf("%s %s: %v", did, short, err == nil)
}

func scribble(fsys FS, name string, flag int, rng *rand.Rand) error {
	text, at, size := fmt.Sprint(rng.IntN(1000)), rng.Int64N(6), rng.Int64N(8)
	f, err := fsys.OpenFile(name, flag, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), at)
	if err == nil && size < 4 {
		err = f.Truncate(size)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func TestTheDiskInMemoryDoesWhatTheRealOneDoes(t *testing.T) {
	for seed := range uint64(40) {
		real, mem, dir := OS(), NewMem(), t.TempDir()
		must(t, mem.MkdirAll("/r", 0o755))
		a, b := rand.New(rand.NewPCG(seed, 9)), rand.New(rand.NewPCG(seed, 9))
		var did []string
		for range 60 {
			got, want := step(mem, "/r", b), step(real, dir, a)
			want = strings.ReplaceAll(want, dir, "/r")
			did = append(did, got)
			if got != want {
				t.Fatalf("seed %d: mem %q, os %q, after\n%s", seed, got, want, strings.Join(did, "\n"))
			}
		}
		if got, want := tree(t, mem, "/r", ""), tree(t, real, dir, ""); got != want {
			t.Fatalf("seed %d: mem\n%sos\n%safter\n%s", seed, got, want, strings.Join(did, "\n"))
		}
		// Whatever a power cut leaves is a disk that works, and a prefix in each directory.
		for cut := range uint64(5) {
			after := mem.Crash(rand.New(rand.NewPCG(seed, cut)))
			if _, err := after.Stat("/r"); err == nil {
				must(t, after.RemoveAll("/r"))
			}
		}
	}
}

func TestEveryNameThatWasSyncedSurvives(t *testing.T) {
	for seed := range uint64(40) {
		m := NewMem()
		must(t, m.MkdirAll("/r", 0o755))
		rng := rand.New(rand.NewPCG(seed, 11))
		for range 40 {
			step(m, "/r", rng)
		}
		syncAll(t, m, "/")
		want := tree(t, m, "/r", "")
		if got := tree(t, m.Crash(nil), "/r", ""); got != want {
			t.Fatalf("seed %d: left\n%swant\n%s", seed, got, want)
		}
	}
}

func syncAll(t *testing.T, fsys FS, dir string) {
	t.Helper()
	must(t, fsys.SyncDir(dir))
	entries, err := fsys.ReadDir(dir)
	must(t, err)
	slices.Reverse(entries)
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			syncAll(t, fsys, name)
			continue
		}
		f, err := fsys.OpenFile(name, os.O_RDWR, fs.FileMode(0))
		must(t, err)
		must(t, f.Sync())
		must(t, f.Close())
	}
}
