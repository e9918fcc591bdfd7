package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/raft/v3/raftpb"
)

// A segment is a row of frames, each at a multiple of 8 bytes (docs/format/raft-log.md):
//
//	0       4       8       12  13    16            24
//	+-------+-------+-------+---+-----+--------------+--------------+------+
//	| magic |  crc  | length|typ|  0  |   durable    |   payload    | 0-7  |
//	+-------+-------+-------+---+-----+--------------+--------------+------+
//	                 `------------------- crc32c --------------------------'
//
// durable is the size up to which the file was synced when the frame was written. It tells a torn tail, which nobody
// was promised, from damage to what was promised: a bad frame below the durable mark of a later, good one.
const (
	frameMagic      = 0x42524c31 // "BRL1"
	frameHeaderSize = 24
	frameAlign      = 8

	frameSegment   = 1 // version u32, raft id u64, sequence u64; the first frame of each segment
	frameHardState = 2 // term u64, vote u64, commit u64
	frameEntry     = 3 // index u64, term u64, kind u8, data

	segmentVersion = 1

	segmentPayloadSize   = 20
	hardStatePayloadSize = 24
	entryHeaderSize      = 17
	maxFramePayload      = MaxPayloadBytes + entryHeaderSize
)

// errBadFrame is a frame that is not whole, whatever the reason.
var errBadFrame = errors.New("bad frame")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type frame struct {
	kind    byte
	durable int64
	payload []byte
	size    int // with header and padding
}

func paddedSize(payload int) int {
	return (frameHeaderSize + payload + frameAlign - 1) / frameAlign * frameAlign
}

// appendFrame appends a frame whose payload is the concatenation of parts.
func appendFrame(b []byte, kind byte, durable int64, parts ...[]byte) []byte {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	start := len(b)
	b = append(b, make([]byte, frameHeaderSize)...)
	for _, part := range parts {
		b = append(b, part...)
	}
	b = append(b, make([]byte, paddedSize(length)-frameHeaderSize-length)...)
	f := b[start:]
	binary.BigEndian.PutUint32(f[0:], frameMagic)
	binary.BigEndian.PutUint32(f[8:], uint32(length))
	f[12] = kind
	binary.BigEndian.PutUint64(f[16:], uint64(durable))
	binary.BigEndian.PutUint32(f[4:], crc32.Checksum(f[8:], castagnoli))
	return b
}

// parseFrame reads the frame at the start of b; its payload aliases b.
func parseFrame(b []byte) (frame, error) {
	if len(b) < frameHeaderSize || binary.BigEndian.Uint32(b) != frameMagic {
		return frame{}, errBadFrame
	}
	length := binary.BigEndian.Uint32(b[8:])
	if length > maxFramePayload {
		return frame{}, errBadFrame
	}
	size := paddedSize(int(length))
	if size > len(b) || crc32.Checksum(b[8:size], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return frame{}, errBadFrame
	}
	return frame{
		kind:    b[12],
		durable: int64(binary.BigEndian.Uint64(b[16:])),
		payload: b[frameHeaderSize : frameHeaderSize+int(length)],
		size:    size,
	}, nil
}

func appendSegmentHeader(b []byte, raftID, sequence uint64) []byte {
	p := binary.BigEndian.AppendUint32(nil, segmentVersion)
	p = binary.BigEndian.AppendUint64(p, raftID)
	p = binary.BigEndian.AppendUint64(p, sequence)
	return appendFrame(b, frameSegment, 0, p)
}

func parseSegmentHeader(p []byte) (raftID, sequence uint64, err error) {
	if len(p) < 4 {
		return 0, 0, fmt.Errorf("segment header of %d bytes", len(p))
	}
	if version := binary.BigEndian.Uint32(p); version != segmentVersion {
		return 0, 0, fmt.Errorf("segment version %d, this program knows %d", version, segmentVersion)
	}
	if len(p) != segmentPayloadSize {
		return 0, 0, fmt.Errorf("segment header of %d bytes", len(p))
	}
	return binary.BigEndian.Uint64(p[4:]), binary.BigEndian.Uint64(p[12:]), nil
}

func appendHardState(b []byte, durable int64, hs *raftpb.HardState) []byte {
	p := binary.BigEndian.AppendUint64(make([]byte, 0, hardStatePayloadSize), hs.GetTerm())
	p = binary.BigEndian.AppendUint64(p, hs.GetVote())
	p = binary.BigEndian.AppendUint64(p, hs.GetCommit())
	return appendFrame(b, frameHardState, durable, p)
}

func parseHardState(p []byte) (*raftpb.HardState, error) {
	if len(p) != hardStatePayloadSize {
		return nil, fmt.Errorf("hard state of %d bytes", len(p))
	}
	return newHardState(binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:]), binary.BigEndian.Uint64(p[16:])), nil
}

func newHardState(term, vote, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
}

func appendEntry(b []byte, durable int64, e *raftpb.Entry) []byte {
	h := binary.BigEndian.AppendUint64(make([]byte, 0, entryHeaderSize), e.GetIndex())
	h = binary.BigEndian.AppendUint64(h, e.GetTerm())
	h = append(h, byte(e.GetType()))
	return appendFrame(b, frameEntry, durable, h, e.GetData())
}

// parseEntry reads an entry; its data aliases p.
func parseEntry(p []byte) (*raftpb.Entry, error) {
	if len(p) < entryHeaderSize {
		return nil, fmt.Errorf("entry of %d bytes", len(p))
	}
	kind := raftpb.EntryType(p[16])
	switch kind {
	case raftpb.EntryNormal, raftpb.EntryConfChange, raftpb.EntryConfChangeV2:
	default:
		return nil, fmt.Errorf("entry of unknown kind %d", kind)
	}
	index, term := binary.BigEndian.Uint64(p), binary.BigEndian.Uint64(p[8:])
	e := &raftpb.Entry{Index: &index, Term: &term, Type: &kind}
	if len(p) > entryHeaderSize {
		e.Data = p[entryHeaderSize:]
	}
	return e, nil
}
