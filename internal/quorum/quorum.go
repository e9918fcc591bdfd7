// Package quorum drives etcd's Raft library: it gives it ticks, messages and a durable log, and hands what is committed
// on, in order.
//
// It knows terms, votes, entries, snapshots and segments. It must not know what an entry or a snapshot means: both are
// bytes to it. What a node needs to start from a snapshot is written by its owner; Raft keeps the bytes that name it.
//
// Three goroutines, which Start starts and Close ends: the driver owns the library's state, the appender writes and
// syncs the log, the applier calls the owner. So heartbeats never queue behind a sync, nor behind the owner.
package quorum

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

var (
	// ErrNotLeader is what Propose answers when this node does not lead in the given term.
	ErrNotLeader = errors.New("not the leader of this term")
	// ErrBusy is what Propose answers while too much that it took is not applied yet.
	ErrBusy = errors.New("too many proposals in flight")
	// ErrTooLarge is what Propose answers to a payload above MaxPayloadBytes.
	ErrTooLarge = errors.New("proposal is too large")
	// ErrClosed is what a closed node answers.
	ErrClosed = errors.New("quorum is closed")
	// ErrCorrupt marks a log or snapshot that was durable once and is damaged now. A node must not start on it: what it
	// has promised to others may be in the damaged part.
	ErrCorrupt = errors.New("raft log is corrupt")
)

const (
	// MaxPayloadBytes bounds one proposal.
	MaxPayloadBytes = 16 << 20
	// DefaultMaxInFlightBytes bounds what is proposed and not applied yet.
	DefaultMaxInFlightBytes = 64 << 20
	// MaxInFlightProposals bounds the number of such proposals.
	MaxInFlightProposals = 20_000
	// DefaultSegmentBytes is the size after which the durable log goes on in a new file.
	DefaultSegmentBytes = 8 << 20
	// DefaultSnapshotBytes is the size of applied entries after which a snapshot is asked for.
	DefaultSnapshotBytes = 20 << 20
	// DefaultSnapshotInterval is the age of applied entries after which a snapshot is asked for.
	DefaultSnapshotInterval = time.Hour
	// DefaultQuietBytes is the size of applied entries after which a snapshot is asked for once nothing more comes.
	DefaultQuietBytes = 512 << 10
	// DefaultQuietAfter is how long nothing must have come then.
	DefaultQuietAfter = time.Second
	// DefaultElectionTimeout is how long a follower waits for its leader.
	DefaultElectionTimeout = 300 * time.Millisecond
)

// Entry is a committed entry.
type Entry struct {
	Index, Term uint64
	// Payload is what was proposed. It is nil for the entries that are Raft's own: the first of a leader's term, and
	// changes of membership. It must not be changed.
	Payload []byte
}

// Snapshot names a state of the owner's: the one after the entry at Index.
type Snapshot struct {
	Index, Term uint64
	Data        []byte // the owner's
}

// Bootstrap is how a node that has no log begins.
type Bootstrap struct {
	// Term is where terms go on from; the first leader's is the next one.
	Term uint64
	Data []byte // of the snapshot that the log begins with
	// Voters are the Raft ids of the first voters. Nil: this node alone.
	Voters []uint64
	// Contexts are what the owner keeps about the first voters, by Raft id.
	Contexts map[uint64][]byte
	// Joins has the log begin with nothing, and with no members: the node is no member until a leader adds it, and begins with
	// the snapshot that this one sends.
	Joins bool
}

// Transport sends messages to other members.
type Transport interface {
	// Send hands messages over without waiting. Raft copes with lost ones, once ReportUnreachable has told it of a lost snapshot.
	Send(messages []*raftpb.Message)
}

// Options says how to open a Node. Callbacks are called one at a time, in order, from the applier's goroutine (Restore
// also from Open) and must not call Close.
type Options struct {
	FS  vfs.FS
	Dir string // of the durable log alone; created if missing
	// DirectoryID is the random id of the data directory. The Raft id is derived from it, so a directory that was lost
	// and made anew never votes under its old name.
	DirectoryID     [16]byte
	ElectionTimeout time.Duration
	Transport       Transport // nil while there are no peers
	Logger          *slog.Logger

	// Bootstrap is asked when Dir holds no log.
	Bootstrap func() (Bootstrap, error)
	// Superseded is asked at Open, with the last term of a log whose only voter is this node, whether the owner's state has
	// been taken further by others: the log is then forgotten, and Bootstrap asked.
	Superseded func(term uint64) bool
	// Restore sets the owner's state to the snapshot: at Open, and when a leader sends one. On return from the latter
	// everything that the snapshot names must be durable.
	Restore func(Snapshot) error
	// Apply hands over the next committed entry. After Open this begins again behind the snapshot: the owner passes
	// over what it has already kept.
	Apply func(Entry) error
	// Snapshot captures the state after the entry at index and returns what makes it durable, which is called from
	// another goroutine while entries go on being applied. Once that has returned without an error, the log may be cut
	// up to index: whatever else the owner derives from entries must be durable then too. It may return nil to decline.
	Snapshot func(index, term uint64) func() (data []byte, err error)
	// Kept tells that a snapshot of this node is durable: only what it names is needed from now on, what earlier ones
	// named may go.
	Kept func(Snapshot)
	// Members tells of members as they change after Open; Status has those of Open.
	Members func(Members)
	// Leadership tells that this node leads in term, once everything that earlier leaders committed is applied; and,
	// with false, that it no longer does, before anything of a later term is applied.
	Leadership func(leads bool, term uint64)
	// Failed is called at most once, when the log cannot be written or a callback failed: the node has stopped and
	// acknowledges nothing any more. The process should end.
	Failed func(error)

	SnapshotBytes    int64
	SnapshotInterval time.Duration
	QuietBytes       int64
	QuietAfter       time.Duration
	SegmentBytes     int64
	MaxInFlightBytes int64
}

// RaftID derives a member's Raft id from its directory id.
func RaftID(directoryID [16]byte) uint64 {
	sum := sha256.Sum256(directoryID[:])
	id := binary.BigEndian.Uint64(sum[:8]) >> 1 // clear of the library's ids for local threads
	if id == raft.None {
		return 1
	}
	return id
}

func (o *Options) setDefaults() {
	setDefault(&o.ElectionTimeout, DefaultElectionTimeout)
	setDefault(&o.SnapshotBytes, DefaultSnapshotBytes)
	setDefault(&o.SnapshotInterval, DefaultSnapshotInterval)
	setDefault(&o.QuietBytes, DefaultQuietBytes)
	setDefault(&o.QuietAfter, DefaultQuietAfter)
	setDefault(&o.SegmentBytes, DefaultSegmentBytes)
	setDefault(&o.MaxInFlightBytes, DefaultMaxInFlightBytes)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Transport == nil {
		o.Transport = noPeers{}
	}
	if o.Snapshot == nil {
		o.Snapshot = func(uint64, uint64) func() ([]byte, error) { return nil }
	}
	if o.Leadership == nil {
		o.Leadership = func(bool, uint64) {}
	}
	if o.Members == nil {
		o.Members = func(Members) {}
	}
	if o.Superseded == nil {
		o.Superseded = func(uint64) bool { return false }
	}
	if o.Kept == nil {
		o.Kept = func(Snapshot) {}
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	if o.Restore == nil {
		o.Restore = func(Snapshot) error { return nil }
	}
	if o.Bootstrap == nil {
		o.Bootstrap = func() (Bootstrap, error) { return Bootstrap{}, nil }
	}
}

func setDefault[T ~int64](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

// noPeers is the transport of a quorum of one.
type noPeers struct{}

func (noPeers) Send([]*raftpb.Message) {}
