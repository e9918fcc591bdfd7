package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// disks are the two that have to behave alike to programs.
func disks(t *testing.T, story func(t *testing.T, fsys FS, dir string)) {
	t.Run("os", func(t *testing.T) { story(t, OS(), t.TempDir()) })
	t.Run("mem", func(t *testing.T) {
		m := NewMem()
		must(t, m.MkdirAll("/data", 0o755))
		story(t, m, "/data")
		if n := m.OpenFiles(); n != 0 {
			t.Errorf("%d files left open", n)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t testing.TB, fsys FS, name string, content string) File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	must(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	must(t, err)
	return f
}

func content(t testing.TB, fsys FS, name string) string {
	t.Helper()
	b, err := ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "(none)"
	}
	must(t, err)
	return string(b)
}

func TestFilesAreWrittenAndReadAtOffsets(t *testing.T) {
	disks(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "a")
		f := create(t, fsys, name, "hello")
		_, err := f.WriteAt([]byte("world"), 10)
		must(t, err)
		must(t, f.Preallocate(0, 1<<20))
		must(t, f.Sync())
		size, err := f.Size()
		if err != nil || size != 15 {
			t.Fatalf("size %d, %v", size, err)
		}
		p := make([]byte, 20)
		if n, err := f.ReadAt(p, 0); n != 15 || err != io.EOF || string(p[:n]) != "hello\x00\x00\x00\x00\x00world" {
			t.Fatalf("%q, %v", p[:n], err)
		}
		must(t, f.Truncate(3))
		must(t, f.Truncate(6))
		if got := content(t, fsys, name); got != "hel\x00\x00\x00" {
			t.Fatalf("%q after truncation", got)
		}
		if n, err := f.ReadAt(p[:1], 6); n != 0 || err != io.EOF {
			t.Fatalf("%d, %v at the end", n, err)
		}
		must(t, f.Close())
		if _, err := f.ReadAt(p, 0); !errors.Is(err, fs.ErrClosed) {
			t.Fatalf("read after close: %v", err)
		}
	})
}

func TestNamesAreMadeMovedAndRemoved(t *testing.T) {
	disks(t, func(t *testing.T, fsys FS, dir string) {
		at := func(name string) string { return filepath.Join(dir, name) }
		must(t, fsys.MkdirAll(at("x/y"), 0o755))
		must(t, create(t, fsys, at("x/one"), "1").Close())
		f := create(t, fsys, at("x/two"), "2")
		must(t, fsys.Rename(at("x/one"), at("x/two")))
		if b := make([]byte, 1); true {
			if _, err := f.ReadAt(b, 0); err != nil || b[0] != '2' {
				t.Fatalf("the replaced file reads %q, %v through its open handle", b, err)
			}
		}
		must(t, f.Close())
		must(t, fsys.SyncDir(at("x")))
		must(t, fsys.Rename(at("x"), at("z")))
		entries, err := fsys.ReadDir(at("z"))
		if err != nil || len(entries) != 2 || entries[0].Name() != "two" || !entries[1].IsDir() {
			t.Fatalf("%v, %v", entries, err)
		}
		if err := fsys.Remove(at("z")); err == nil {
			t.Fatal("a directory with names in it was removed")
		}
		must(t, fsys.RemoveAll(at("z")))
		must(t, fsys.RemoveAll(at("z")))
		if _, err := fsys.Stat(at("z")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := fsys.Remove(at("z")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if _, err := fsys.OpenFile(at("no/such"), os.O_RDWR|os.O_CREATE, 0o644); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		must(t, create(t, fsys, at("e"), "").Close())
		if _, err := fsys.OpenFile(at("e"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	})
}

func TestALockHasOneHolder(t *testing.T) {
	disks(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, ".lock")
		first, err := fsys.Lock(name)
		must(t, err)
		if _, err := fsys.Lock(name); !errors.Is(err, ErrLocked) {
			t.Fatalf("second lock: %v", err)
		}
		must(t, first.Close())
		again, err := fsys.Lock(name)
		must(t, err)
		must(t, again.Close())
	})
}

func TestAtomicWriteReplacesTheWholeFile(t *testing.T) {
	disks(t, func(t *testing.T, fsys FS, dir string) {
		name := filepath.Join(dir, "checkpoint")
		must(t, WriteFileAtomic(fsys, name, bytes.Repeat([]byte("long"), 100), true))
		must(t, WriteFileAtomic(fsys, name, []byte("short"), false))
		if got := content(t, fsys, name); got != "short" {
			t.Fatalf("%q", got)
		}
		if entries, err := fsys.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Fatalf("%v, %v", entries, err)
		}
		free, total, err := fsys.Free(dir)
		if err != nil || free == 0 || free > total {
			t.Fatalf("free %d of %d, %v", free, total, err)
		}
	})
}
