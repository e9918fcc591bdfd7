package quorum

import (
	"sync"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// storage is what the library reads of the durable log. It holds the entries above the cut in memory: they are bounded
// by the distance between snapshots. The appender writes it after it has synced, the driver reads it.
type storage struct {
	mu        sync.Mutex // guards what follows
	hardState *raftpb.HardState
	snapshot  *raftpb.Snapshot
	// added is the index at which a member came last: a snapshot that does not know it is of no use to it.
	added uint64
	// cutIndex and cutTerm are those of the entry before entries[0].
	cutIndex, cutTerm uint64
	entries           []*raftpb.Entry
}

var _ raft.Storage = (*storage)(nil)

func newStorage(hs *raftpb.HardState, snapshot *raftpb.Snapshot, entries []*raftpb.Entry) *storage {
	m := snapshot.GetMetadata()
	return &storage{
		hardState: hs, snapshot: snapshot, entries: entries,
		cutIndex: m.GetIndex(), cutTerm: m.GetTerm(),
	}
}

func (s *storage) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	commit := max(s.hardState.GetCommit(), s.snapshot.GetMetadata().GetIndex())
	hs := newHardState(s.hardState.GetTerm(), s.hardState.GetVote(), commit)
	return hs, s.snapshot.GetMetadata().GetConfState(), nil
}

func (s *storage) Entries(lo, hi, maxSize uint64) ([]*raftpb.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lo <= s.cutIndex {
		return nil, raft.ErrCompacted
	}
	if hi > s.cutIndex+uint64(len(s.entries))+1 {
		return nil, raft.ErrUnavailable
	}
	found := s.entries[lo-s.cutIndex-1 : hi-s.cutIndex-1]
	n, size := 0, uint64(0)
	for n < len(found) {
		size += entrySize(found[n])
		if n > 0 && size > maxSize {
			break
		}
		n++
	}
	return found[:n:n], nil
}

// entrySize is what an entry counts as; the library asks for no exact figure.
func entrySize(e *raftpb.Entry) uint64 { return uint64(len(e.GetData())) + entryHeaderSize }

func (s *storage) Term(index uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case index < s.cutIndex:
		return 0, raft.ErrCompacted
	case index == s.cutIndex:
		return s.cutTerm, nil
	case index > s.cutIndex+uint64(len(s.entries)):
		return 0, raft.ErrUnavailable
	}
	return s.entries[index-s.cutIndex-1].GetTerm(), nil
}

func (s *storage) LastIndex() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutIndex + uint64(len(s.entries)), nil
}

func (s *storage) FirstIndex() (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutIndex + 1, nil
}

func (s *storage) Snapshot() (*raftpb.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snapshot.GetMetadata().GetIndex() < s.added {
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return s.snapshot, nil
}

// memberAdded keeps snapshots from before index from being sent.
func (s *storage) memberAdded(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added = index
}

// append takes entries that are durable. They replace those from the first one's index on.
func (s *storage) append(entries []*raftpb.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(entries) > 0 && entries[0].GetIndex() <= s.cutIndex {
		entries = entries[1:]
	}
	if len(entries) == 0 {
		return
	}
	keep := entries[0].GetIndex() - s.cutIndex - 1
	if keep > uint64(len(s.entries)) {
		panic("raft log: appended entries leave a gap")
	}
	if keep < uint64(len(s.entries)) {
		// A reader may hold what is replaced, which must not change under it.
		s.entries = s.entries[:keep:keep]
	}
	s.entries = append(s.entries, entries...)
}

// setSnapshot takes a durable snapshot of this node's own, and drops the entries up to cut.
func (s *storage) setSnapshot(snapshot *raftpb.Snapshot, cut uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshot = snapshot
	if cut <= s.cutIndex {
		return
	}
	drop := cut - s.cutIndex
	s.cutIndex, s.cutTerm = cut, s.entries[drop-1].GetTerm()
	s.entries = append([]*raftpb.Entry(nil), s.entries[drop:]...)
}

// reset takes a durable snapshot that came from a leader, in place of everything here.
func (s *storage) reset(snapshot *raftpb.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := snapshot.GetMetadata()
	s.snapshot, s.entries = snapshot, nil
	s.cutIndex, s.cutTerm = m.GetIndex(), m.GetTerm()
}

func (s *storage) metadata() *raftpb.SnapshotMetadata {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot.GetMetadata()
}
