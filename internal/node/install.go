package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/barnabas-mq/barnabas/internal/peer"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

const (
	// checkpointPiece is how much of a checkpoint is asked for at once.
	checkpointPiece = 1 << 20
	// installTimeout bounds the fetching of a whole one; the leader sends the snapshot again.
	installTimeout = 2 * time.Minute
)

// piece answers a request for a part of a checkpoint.
func (m *metadata) piece(body []byte) ([]byte, error) {
	p, err := peer.DecodePiece(body)
	if err != nil {
		return nil, err
	}
	piece, size, err := m.log.ReadCheckpointAt(p.Reference, p.At, checkpointPiece)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(size)), piece...), nil
}

// install fetches the checkpoint that a leader's snapshot names, and then hands the snapshot to Raft: what Raft has taken, it
// counts as kept. One at a time; the leader sends again what is passed over.
func (e *ensemble) install(raft *quorum.Node, message *raftpb.Message) {
	from := e.member(message.GetFrom())
	reference, err := quorum.SnapshotData(message.GetSnapshot())
	if err != nil {
		return // Raft sends it again, and says which member sends what cannot be read
	}
	index := message.GetSnapshot().GetMetadata().GetIndex()
	e.mu.Lock()
	busy := e.installing != 0 || from == nil || e.life == nil
	if !busy {
		e.installing = index
	}
	e.mu.Unlock()
	if busy {
		return
	}
	e.running.Go(func() {
		ctx, cancel := context.WithTimeout(e.life, installTimeout)
		defer cancel()
		err := e.node.metadata.log.Install(reference, e.pieces(ctx, from, reference))
		e.mu.Lock()
		e.installing = 0
		e.mu.Unlock()
		if err != nil {
			e.node.logger.Warn("the leader's metadata checkpoint could not be fetched", "leader", from.address, "index", index, "error", err)
			return
		}
		e.node.logger.Info("metadata goes on from the leader's checkpoint", "leader", from.address, "index", index)
		raft.Step(message)
	})
}

// pieces are those of a checkpoint of another node's, in order.
func (e *ensemble) pieces(ctx context.Context, from *other, reference []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for at := int64(0); ; {
			conn, err := from.control.Connect(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			body, err := say(ctx, conn, peer.CheckpointKey, peer.Piece{Reference: reference, At: at}.Encode())
			if err == nil && len(body) < 8 {
				err = fmt.Errorf("piece of %d bytes", len(body))
			}
			if err != nil {
				yield(nil, err)
				return
			}
			size, piece := int64(binary.BigEndian.Uint64(body)), body[8:]
			if at += int64(len(piece)); len(piece) == 0 && at < size {
				yield(nil, fmt.Errorf("checkpoint ends at %d of %d bytes", at, size))
				return
			}
			if !yield(piece, nil) || at >= size {
				return
			}
		}
	}
}
