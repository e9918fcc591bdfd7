package quorum_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/quorum"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// list names the files in dir that end in suffix.
func list(t *testing.T, dir, suffix string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names
}

// written makes a log with a few entries and closes it.
func written(t *testing.T, segmentBytes int64) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "raft")
	o := newOwner()
	options := o.options(vfs.OS(), dir)
	options.SegmentBytes = segmentBytes
	n := open(t, o, options)
	propose(t, n, o, "one")
	propose(t, n, o, "two")
	propose(t, n, o, "three")
	shut(t, n)
	return dir
}

// edit changes a file's bytes.
func edit(t *testing.T, name string, change func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(b), 0o644); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 1
		return b
	}
}

func wantCorrupt(t *testing.T, dir string) {
	t.Helper()
	_, err := quorum.Open(newOwner().options(vfs.OS(), dir))
	if !errors.Is(err, quorum.ErrCorrupt) {
		t.Errorf("opened a damaged log: %v", err)
	}
}

func wantOpens(t *testing.T, dir string, payloads ...string) {
	t.Helper()
	o := newOwner()
	n := open(t, o, o.options(vfs.OS(), dir))
	wantPayloads(t, o.applied(), payloads...)
	shut(t, n)
}

func TestATornTailIsCut(t *testing.T) {
	tails := map[string][]byte{
		"zeros":        make([]byte, 100),
		"noise":        []byte(strings.Repeat("noise ", 50)),
		"half a frame": []byte("BRL1\x01\x02\x03\x04\x00\x00\x01\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abc"),
	}
	for name, tail := range tails {
		t.Run(name, func(t *testing.T) {
			dir := written(t, 0)
			edit(t, list(t, dir, ".raft")[0], func(b []byte) []byte { return append(b, tail...) })
			wantOpens(t, dir, "one", "two", "three")
		})
	}
}

func TestASegmentThatWasNeverFinishedIsRemoved(t *testing.T) {
	dir := written(t, 0)
	for _, content := range []string{"", "BRL1", strings.Repeat("\x00", 200)} {
		next := filepath.Join(dir, "00000000000000000002.raft")
		if err := os.WriteFile(next, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		wantOpens(t, dir, "one", "two", "three")
	}
}

func TestDamageToWhatWasDurableIsRefused(t *testing.T) {
	t.Run("a flipped bit in an early frame", func(t *testing.T) {
		dir := written(t, 0)
		edit(t, list(t, dir, ".raft")[0], func(b []byte) []byte {
			return flip(strings.Index(string(b), "two"))(b)
		})
		wantCorrupt(t, dir)
	})
	t.Run("a flipped bit in an early segment", func(t *testing.T) {
		dir := written(t, 128)
		edit(t, list(t, dir, ".raft")[1], func(b []byte) []byte { return flip(len(b) - 9)(b) })
		wantCorrupt(t, dir)
	})
	t.Run("a missing segment", func(t *testing.T) {
		dir := written(t, 128)
		if err := os.Remove(list(t, dir, ".raft")[1]); err != nil {
			t.Fatal(err)
		}
		wantCorrupt(t, dir)
	})
	t.Run("a cut segment", func(t *testing.T) {
		dir := written(t, 128)
		segments := list(t, dir, ".raft")
		edit(t, segments[len(segments)-2], func(b []byte) []byte { return b[:len(b)-8] })
		wantCorrupt(t, dir)
	})
	t.Run("a missing snapshot", func(t *testing.T) {
		dir := written(t, 0)
		if err := os.Remove(list(t, dir, ".raftsnapshot")[0]); err != nil {
			t.Fatal(err)
		}
		wantCorrupt(t, dir)
	})
	t.Run("a damaged snapshot", func(t *testing.T) {
		dir := written(t, 0)
		edit(t, list(t, dir, ".raftsnapshot")[0], flip(30))
		wantCorrupt(t, dir)
	})
}
