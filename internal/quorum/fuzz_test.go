package quorum

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func sampleEntry(index, term uint64, data string) *raftpb.Entry {
	kind := raftpb.EntryNormal
	return &raftpb.Entry{Index: &index, Term: &term, Type: &kind, Data: []byte(data)}
}

func sampleSegment() []byte {
	b := appendSegmentHeader(nil, 5, 1)
	b = appendHardState(b, 0, newHardState(1, 5, 1))
	b = appendEntry(b, int64(len(b)), sampleEntry(2, 1, ""))
	return appendEntry(b, int64(len(b)), sampleEntry(3, 1, "payload"))
}

// FuzzASegmentOfAnyBytesIsReadOrRefused also writes on behind what was read, and reads that.
func FuzzASegmentOfAnyBytesIsReadOrRefused(f *testing.F) {
	good := sampleSegment()
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(append(good[:len(good):len(good)], make([]byte, 64)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		disk := vfs.NewMem()
		if err := errors.Join(disk.MkdirAll("/raft", 0o755), vfs.WriteFileAtomic(disk, "/raft/00000000000000000001.raft", b, true)); err != nil {
			t.Fatal(err)
		}
		base := newSnapshot(1, 1, Members{ConfState: &raftpb.ConfState{Voters: []uint64{5}}}, nil).GetMetadata()
		o := Options{FS: disk, Dir: "/raft", Logger: slog.New(slog.DiscardHandler)}
		o.setDefaults()
		w, entries, err := openWAL(o, 5, base)
		if err != nil {
			return
		}
		next := base.GetIndex() + uint64(len(entries)) + 1
		if err := w.append(w.hardState, []*raftpb.Entry{sampleEntry(next, 9, "more")}); err != nil {
			t.Fatal(err)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		again, more, err := openWAL(o, 5, base)
		if err != nil {
			t.Fatalf("what was written behind cannot be read: %v", err)
		}
		if len(more) != len(entries)+1 || !bytes.Equal(more[len(entries)].GetData(), []byte("more")) {
			t.Errorf("%d entries, then %d", len(entries), len(more))
		}
		if err := again.close(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzASnapshotOfAnyBytesIsReadOrRefused(f *testing.F) {
	disk := vfs.NewMem()
	members := Members{ConfState: &raftpb.ConfState{Voters: []uint64{5, 6}, Learners: []uint64{7}}, Contexts: map[uint64][]byte{5: []byte("five"), 7: nil}}
	if err := errors.Join(disk.MkdirAll("/raft", 0o755), writeSnapshot(disk, "/raft", 5, newSnapshot(9, 2, members, []byte("data")))); err != nil {
		f.Fatal(err)
	}
	b, err := vfs.ReadFile(disk, snapshotName("/raft", 9))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		id, s, err := parseSnapshot(b)
		if err != nil {
			return
		}
		disk := vfs.NewMem()
		if err := errors.Join(disk.MkdirAll("/raft", 0o755), writeSnapshot(disk, "/raft", id, s)); err != nil {
			t.Fatal(err)
		}
		again, err := vfs.ReadFile(disk, snapshotName("/raft", s.GetMetadata().GetIndex()))
		if old := b[7] == versionWithoutContexts; err != nil || !old && !bytes.Equal(again, b) {
			t.Errorf("%x came back as %x: %v", b, again, err)
		}
	})
}
