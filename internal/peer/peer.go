// Package peer holds what nodes say to each other beside Kafka's own requests: who they are, and Raft's messages. Such words
// travel inside of Envelope, as a forwarded request does, behind an ordinary request header whose key is one of ours.
//
// The package knows words and their bytes. It must not know connections, Raft's rules, or what a node does about a word.
package peer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/barnabas-mq/barnabas/internal/members"
)

// The keys of our own words. Kafka's are all below FirstKey.
const (
	FirstKey = 10_000
	// HelloKey asks a node who it is. Version 0: no body; the answer is a Hello.
	HelloKey = 10_000
	// RaftKey brings messages of Raft's. Version 0: Messages; the answer is the end of the metadata that the member has applied, u64.
	RaftKey = 10_001
	// CheckpointKey asks for a piece of the checkpoint that a snapshot of Raft's names. Version 0: a Piece; the answer is the
	// size of the whole, u64, and the bytes.
	CheckpointKey = 10_002
	// JoinKey tells the active controller that a controller is there. Version 0: a Join; the answer has no body. The error is
	// RequestTimedOut while the controller has to ask again for what it came for.
	JoinKey = 10_003
)

const (
	maxHello     = 64 << 10
	maxReference = 1 << 10
	maxMessages  = 4_096
	lengthBytes  = 4
)

var (
	// ErrMalformed is wrapped by every error about the bytes of a word.
	ErrMalformed = errors.New("malformed message between nodes")
	// ErrUnknown is what a node answers to a word that it does not know, or not at that version.
	ErrUnknown = errors.New("message between nodes is not known")
)

// Hello is a node's word about itself. Unknown fields are passed over and missing ones are zero, so nodes of different
// versions understand each other.
type Hello struct {
	ClusterID string `json:"clusterId"` // empty: it knows none yet
	NodeID    int32  `json:"nodeId"`
	// DirectoryID is of its metadata directory, in Kafka's notation. It is durable once ClusterID is set.
	DirectoryID string `json:"directoryId"`
	RaftID      uint64 `json:"raftId,string"`
	// Born says that it has a raft log: the quorum exists, whoever else has forgotten it.
	Born   bool     `json:"born"`
	Voters []uint64 `json:"voters,omitempty"` // of a born one, by raft id
	// Begun says that the quorum has decided something since it was born.
	Begun bool `json:"begun,omitempty"`
	// Joins says that it has a raft log and is no member: it waits to be one of a quorum that exists.
	Joins bool `json:"joins,omitempty"`
	// Endpoints are those of its controller listeners.
	Endpoints []members.Endpoint `json:"endpoints,omitempty"`
	// Members are those that a born one knows of.
	Members []Contact `json:"members,omitempty"`
	// Leader is the raft id of whom it takes for the leader, in Term; 0 for nobody.
	Leader uint64 `json:"leader,string,omitempty"`
	Term   uint64 `json:"term,omitempty"`
}

// Contact is a member of the quorum, and where it is reached.
type Contact struct {
	RaftID uint64 `json:"raftId,string"`
	members.Member
}

// Member is what is written down of the node that says hello.
func (h Hello) Member() members.Member {
	return members.Member{NodeID: h.NodeID, DirectoryID: h.DirectoryID, Endpoints: h.Endpoints}
}

// Join says that a controller is there, and where: it asks to be a member, or to have its endpoints written down.
type Join struct {
	ClusterID string `json:"clusterId"`
	RaftID    uint64 `json:"raftId,string"`
	// Votes says that it would vote without being asked to: controller.quorum.auto.join.enable.
	Votes bool `json:"votes,omitempty"`
	members.Member
}

// Encode is a Join's bytes.
func (j Join) Encode() []byte {
	b, err := json.Marshal(j)
	if err != nil {
		panic(fmt.Sprintf("peer: join: %v", err))
	}
	return b
}

// DecodeJoin reads what Encode wrote.
func DecodeJoin(b []byte) (Join, error) {
	var j Join
	if len(b) > maxHello {
		return j, fmt.Errorf("join of %d bytes: %w", len(b), ErrMalformed)
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return j, fmt.Errorf("join: %w: %w", err, ErrMalformed)
	}
	return j, nil
}

// Encode is a Hello's bytes.
func (h Hello) Encode() []byte {
	b, err := json.Marshal(h)
	if err != nil {
		panic(fmt.Sprintf("peer: hello: %v", err))
	}
	return b
}

// DecodeHello reads what Encode wrote.
func DecodeHello(b []byte) (Hello, error) {
	var h Hello
	if len(b) > maxHello {
		return h, fmt.Errorf("hello of %d bytes: %w", len(b), ErrMalformed)
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("hello: %w: %w", err, ErrMalformed)
	}
	return h, nil
}

// Messages are Raft's, from one member to another.
type Messages struct {
	ClusterID string
	To        uint64 // the raft id of the member that is meant
	Messages  []*raftpb.Message
}

// Encode appends to dst:
//
//	cluster id: length u32, bytes | to u64 | count u32 | messages: length u32, protobuf
func (m Messages) Encode(dst []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.ClusterID)))
	dst = append(dst, m.ClusterID...)
	dst = binary.BigEndian.AppendUint64(dst, m.To)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.Messages)))
	for _, message := range m.Messages {
		at := len(dst)
		dst = binary.BigEndian.AppendUint32(dst, 0)
		var err error
		if dst, err = (proto.MarshalOptions{}).MarshalAppend(dst, message); err != nil {
			return nil, fmt.Errorf("raft message: %w", err)
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-lengthBytes))
	}
	return dst, nil
}

// DecodeMessages reads what Encode wrote. Nothing in the result refers to b.
func DecodeMessages(b []byte) (Messages, error) {
	r := reader{b: b}
	m := Messages{ClusterID: string(r.bytes())}
	m.To = r.uint64()
	n := r.uint32()
	if r.bad || n > maxMessages || int(n) > len(r.b)/lengthBytes {
		return m, fmt.Errorf("raft messages: %d of them in %d bytes: %w", n, len(b), ErrMalformed)
	}
	for range n {
		message := new(raftpb.Message)
		body := r.bytes()
		if r.bad {
			return m, fmt.Errorf("raft messages end early: %w", ErrMalformed)
		}
		if err := proto.Unmarshal(body, message); err != nil {
			return m, fmt.Errorf("raft message: %w: %w", err, ErrMalformed)
		}
		m.Messages = append(m.Messages, message)
	}
	if len(r.b) > 0 {
		return m, fmt.Errorf("%d bytes behind raft messages: %w", len(r.b), ErrMalformed)
	}
	return m, nil
}

// Piece asks for a part of a checkpoint.
type Piece struct {
	Reference []byte // the data of Raft's snapshot
	At        int64
}

// Encode is at u64, and the reference.
func (p Piece) Encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(p.At)), p.Reference...)
}

// DecodePiece reads what Encode wrote.
func DecodePiece(b []byte) (Piece, error) {
	r := reader{b: b}
	p := Piece{At: int64(r.uint64())}
	if r.bad || p.At < 0 || len(r.b) > maxReference {
		return p, fmt.Errorf("request for a piece of a checkpoint: %w", ErrMalformed)
	}
	p.Reference = append([]byte(nil), r.b...)
	return p, nil
}

// reader takes numbers and lengths off the front of bytes; bad says that they ended early.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) bytes() []byte { return r.take(int(r.uint32())) }
