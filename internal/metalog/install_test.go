package metalog_test

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/metalog"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// folder is a metadata log by itself, on a disk in memory.
func folder(t *testing.T, dir string) *metalog.Log {
	t.Helper()
	l, err := metalog.Open(metalog.Options{FS: vfs.NewMem(), Dir: dir, NodeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// withCheckpoint is a log whose checkpoint holds the records, and the reference to it.
func withCheckpoint(t *testing.T, records ...string) (*metalog.Log, []byte) {
	t.Helper()
	l := folder(t, "/a/__cluster_metadata-0")
	if _, _, err := l.Adopt(); err != nil {
		t.Fatal(err)
	}
	if err := l.Restore(nil); err != nil {
		t.Fatal(err)
	}
	var payloads [][]byte
	w, err := metalog.Lead(l, 2, func(r string) ([]byte, error) { return []byte(r), nil }, func(payload []byte) error {
		payloads = append(payloads, slices.Clone(payload))
		return nil
	})
	if err == nil {
		_, err = w.Append(records)
	}
	for _, payload := range payloads {
		if err == nil {
			_, err = l.Apply(2, payload)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	write, err := l.Checkpoint(func(yield func([]byte) bool) {
		for _, r := range records {
			if !yield([]byte(r)) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	reference, err := write()
	if err != nil {
		t.Fatal(err)
	}
	return l, reference
}

// pieces reads another log's checkpoint, so many bytes at a time, and ends with an error after so many pieces (0: never).
func pieces(l *metalog.Log, reference []byte, size, most int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for at, n := int64(0), 0; ; n++ {
			piece, whole, err := l.ReadCheckpointAt(reference, at, size)
			if most > 0 && n == most {
				err = errors.New("the other node is gone")
			}
			at += int64(len(piece))
			if !yield(piece, err) || err != nil || at >= whole {
				return
			}
		}
	}
}

func state(t *testing.T, l *metalog.Log) []string {
	t.Helper()
	var records []string
	for b, err := range l.State() {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.Records {
			records = append(records, string(r))
		}
	}
	return records
}

func TestACheckpointOfAnotherNodeIsGoneOnFrom(t *testing.T) {
	from, reference := withCheckpoint(t, "a", "b", "c")
	to := folder(t, "/b/__cluster_metadata-0")
	if err := to.Install(reference, pieces(from, reference, 50, 0)); err != nil {
		t.Fatal(err)
	}
	if err := to.Restore(reference); err != nil {
		t.Fatal(err)
	}
	if got := state(t, to); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("the state is %v", got)
	}
	if to.Position() != from.Position() {
		t.Errorf("at %+v, the other at %+v", to.Position(), from.Position())
	}
}

func TestACheckpointThatDoesNotComeWholeIsNotKept(t *testing.T) {
	from, reference := withCheckpoint(t, "a", "b", "c")
	to := folder(t, "/b/__cluster_metadata-0")
	if err := to.Install(reference, pieces(from, reference, 50, 1)); err == nil {
		t.Fatal("a part was taken for the whole")
	}
	if _, _, err := to.ReadCheckpointAt(reference, 0, 10); !errors.Is(err, metalog.ErrNoCheckpoint) {
		t.Errorf("what is there of it: %v", err)
	}
	if err := to.Install(reference, pieces(from, reference, 1<<20, 0)); err != nil {
		t.Errorf("the second time: %v", err)
	}
}
