package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// A snapshot file holds what Raft must know of a snapshot, and the owner's bytes (docs/format/raft-log.md):
//
//	magic u32 | version u32 | raft id u64 | index u64 | term u64 | auto leave u8 | 4 x (count u32, ids u64...) |
//	length u32, contexts of members and the owner's data | crc32c u32 of all before
const (
	snapshotSuffix  = ".raftsnapshot"
	snapshotMagic   = 0x42525331 // "BRS1"
	snapshotVersion = 2
	// versionWithoutContexts has the owner's bytes alone as data.
	versionWithoutContexts = 1
	// MaxSnapshotData bounds the owner's bytes in a snapshot: they name a state, they are not one.
	MaxSnapshotData = 16 << 20
	// maxMembers bounds each list of members.
	maxMembers = 1_000
)

func snapshotName(dir string, index uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", index, snapshotSuffix))
}

func writeSnapshot(fs vfs.FS, dir string, raftID uint64, s *raftpb.Snapshot) error {
	m := s.GetMetadata()
	b := binary.BigEndian.AppendUint32(nil, snapshotMagic)
	b = binary.BigEndian.AppendUint32(b, snapshotVersion)
	b = binary.BigEndian.AppendUint64(b, raftID)
	b = binary.BigEndian.AppendUint64(b, m.GetIndex())
	b = binary.BigEndian.AppendUint64(b, m.GetTerm())
	cs := m.GetConfState()
	b = append(b, 0)
	if cs.GetAutoLeave() {
		b[len(b)-1] = 1
	}
	for _, ids := range [][]uint64{cs.GetVoters(), cs.GetLearners(), cs.GetVotersOutgoing(), cs.GetLearnersNext()} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(ids)))
		for _, id := range ids {
			b = binary.BigEndian.AppendUint64(b, id)
		}
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.GetData())))
	b = append(b, s.GetData()...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if err := vfs.WriteFileAtomic(fs, snapshotName(dir, m.GetIndex()), b, true); err != nil {
		return fmt.Errorf("snapshot at %d: %w", m.GetIndex(), err)
	}
	return nil
}

func parseSnapshot(b []byte) (raftID uint64, s *raftpb.Snapshot, err error) {
	r := reader{b: b}
	if magic := r.uint32(); magic != snapshotMagic {
		return 0, nil, errors.New("not a snapshot")
	}
	version := r.uint32()
	if r.bad || version != snapshotVersion && version != versionWithoutContexts {
		return 0, nil, fmt.Errorf("snapshot version %d, this program knows %d", version, snapshotVersion)
	}
	raftID = r.uint64()
	index, term := r.uint64(), r.uint64()
	autoLeave := r.byte() == 1
	cs := &raftpb.ConfState{AutoLeave: &autoLeave}
	for _, ids := range []*[]uint64{&cs.Voters, &cs.Learners, &cs.VotersOutgoing, &cs.LearnersNext} {
		*ids = r.ids()
	}
	data := r.bytes(MaxSnapshotData)
	sum := crc32.Checksum(b[:len(b)-len(r.b)], castagnoli)
	if got := r.uint32(); r.bad || got != sum || len(r.b) != 0 {
		return 0, nil, errors.New("bad checksum or length")
	}
	members := Members{ConfState: cs}
	if version != versionWithoutContexts {
		if members.Contexts, data, err = parseContexts(data); err != nil {
			return 0, nil, err
		}
	}
	return raftID, newSnapshot(index, term, members, data), nil
}

func newSnapshot(index, term uint64, members Members, data []byte) *raftpb.Snapshot {
	return &raftpb.Snapshot{
		Data:     append(appendContexts(nil, members.Contexts), data...),
		Metadata: &raftpb.SnapshotMetadata{Index: &index, Term: &term, ConfState: members.ConfState},
	}
}

// readSnapshot gives the newest snapshot in dir, nil if there is none. The log before it has been cut, so when it is
// damaged there is nothing older to fall back on.
func readSnapshot(fs vfs.FS, dir string, raftID uint64) (*raftpb.Snapshot, error) {
	indexes, err := listSnapshots(fs, dir)
	if err != nil || len(indexes) == 0 {
		return nil, err
	}
	newest := indexes[len(indexes)-1]
	name := snapshotName(dir, newest)
	b, err := vfs.ReadFile(fs, name)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	owner, s, err := parseSnapshot(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, name, err)
	}
	if owner != raftID {
		return nil, fmt.Errorf("%s belongs to member %x, not to %x: its directory.id has changed", name, owner, raftID)
	}
	if s.GetMetadata().GetIndex() != newest {
		return nil, fmt.Errorf("%w: %s: snapshot at %d under another name", ErrCorrupt, name, s.GetMetadata().GetIndex())
	}
	return s, nil
}

// listSnapshots gives the indexes of the snapshots in dir, rising.
func listSnapshots(fs vfs.FS, dir string) ([]uint64, error) {
	entries, err := fs.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	var indexes []uint64
	for _, e := range entries {
		number, isSnapshot := strings.CutSuffix(e.Name(), snapshotSuffix)
		index, err := strconv.ParseUint(number, 10, 64)
		if isSnapshot && err == nil {
			indexes = append(indexes, index)
		}
	}
	return indexes, nil
}

// removeSnapshotsBelow removes what a newer snapshot has made useless.
func removeSnapshotsBelow(fs vfs.FS, dir string, index uint64) error {
	indexes, err := listSnapshots(fs, dir)
	if err != nil {
		return err
	}
	for _, i := range indexes {
		if i >= index {
			break
		}
		if err := fs.Remove(snapshotName(dir, i)); ignoreNotExist(err) != nil {
			return fmt.Errorf("remove snapshot: %w", err)
		}
	}
	return nil
}

// reader takes a file apart; bad is set once it is too short or absurd.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return make([]byte, min(n, 8))
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) ids() []uint64 {
	count := r.uint32()
	if r.bad = r.bad || count > maxMembers; r.bad {
		return nil
	}
	var ids []uint64
	for range count {
		ids = append(ids, r.uint64())
	}
	return ids
}

func (r *reader) bytes(limit uint32) []byte {
	length := r.uint32()
	if r.bad = r.bad || length > limit || int(length) > len(r.b); r.bad {
		return nil
	}
	return r.take(int(length))
}
