package quorum

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

// Members are the members of the quorum as of some entry. They must not be changed.
type Members struct {
	*raftpb.ConfState
	// Contexts are the owner's bytes about members, by Raft id: they came with the change that made them members.
	Contexts map[uint64][]byte
}

// MaxContextBytes bounds the owner's bytes about one member.
const MaxContextBytes = 16 << 10

var errContexts = errors.New("what is said about members is malformed")

// Has says that an id is a member's, in whatever role.
func (m Members) Has(id uint64) bool {
	for _, ids := range [][]uint64{m.GetVoters(), m.GetLearners(), m.GetVotersOutgoing(), m.GetLearnersNext()} {
		if slices.Contains(ids, id) {
			return true
		}
	}
	return false
}

// Joint says that a change from one set of voters to another is under way: no other one begins before it is through.
func (m Members) Joint() bool { return len(m.GetVotersOutgoing()) > 0 }

// after is the membership after a change that brought contexts. Those of who is no member any more are forgotten.
func (m Members) after(cs *raftpb.ConfState, brought map[uint64][]byte) Members {
	next := Members{ConfState: cs, Contexts: maps.Clone(m.Contexts)}
	if next.Contexts == nil {
		next.Contexts = make(map[uint64][]byte)
	}
	maps.Copy(next.Contexts, brought)
	maps.DeleteFunc(next.Contexts, func(id uint64, _ []byte) bool { return !next.Has(id) })
	return next
}

// adds says that somebody is a member who was not before.
func (m Members) adds(before Members) bool {
	for _, ids := range [][]uint64{m.GetVoters(), m.GetLearners()} {
		if slices.ContainsFunc(ids, func(id uint64) bool { return !before.Has(id) }) {
			return true
		}
	}
	return false
}

// appendContexts is how contexts are kept in a change of membership and before the owner's bytes in a snapshot:
//
//	count u32 | count times, by rising id: id u64, length u32, bytes
func appendContexts(dst []byte, contexts map[uint64][]byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(contexts)))
	for _, id := range slices.Sorted(maps.Keys(contexts)) {
		dst = binary.BigEndian.AppendUint64(dst, id)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(contexts[id])))
		dst = append(dst, contexts[id]...)
	}
	return dst
}

// parseContexts reads what appendContexts wrote, and returns what follows.
func parseContexts(b []byte) (contexts map[uint64][]byte, rest []byte, err error) {
	r := reader{b: b}
	count := r.uint32()
	if r.bad || count > maxMembers {
		return nil, nil, fmt.Errorf("%w: %d members in %d bytes", errContexts, count, len(b))
	}
	contexts = make(map[uint64][]byte, count)
	for last, i := uint64(0), uint32(0); i < count && !r.bad; i++ {
		id := r.uint64()
		r.bad = r.bad || i > 0 && id <= last
		contexts[id], last = bytes.Clone(r.bytes(MaxContextBytes)), id
	}
	if r.bad {
		return nil, nil, fmt.Errorf("%w: %d members in %d bytes", errContexts, count, len(b))
	}
	return contexts, r.b, nil
}

// SnapshotData is the owner's bytes in a snapshot of the library's, which may have come from another member.
func SnapshotData(s *raftpb.Snapshot) ([]byte, error) {
	_, data, err := parseContexts(s.GetData())
	return data, err
}

// membersOf are those that a snapshot holds. It has been parsed before.
func membersOf(s *raftpb.Snapshot) Members {
	contexts, _, err := parseContexts(s.GetData())
	if err != nil {
		panic(fmt.Sprintf("quorum: snapshot at %d: %v", s.GetMetadata().GetIndex(), err))
	}
	return Members{ConfState: s.GetMetadata().GetConfState(), Contexts: contexts}
}

// NewChange is a change of membership with the owner's bytes about the members that it adds or is about.
func NewChange(contexts map[uint64][]byte, changes ...*raftpb.ConfChangeSingle) *raftpb.ConfChangeV2 {
	return &raftpb.ConfChangeV2{Changes: changes, Context: appendContexts(nil, contexts)}
}
