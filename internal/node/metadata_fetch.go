package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/metalog"
)

const (
	// metadataFetchVersion is at which version observers fetch: 17 has the replica's directory id.
	metadataFetchVersion = 17
	// metadataFetchMax bounds what one answer brings; one batch comes in any case.
	metadataFetchMax = 1 << 20
	// metadataFetchWait is how long a fetch waits for more. It bounds how late an observer notices a leader that is frozen.
	metadataFetchWait = 500 * time.Millisecond
)

// metadataTopicID is the id of the metadata log, the same in every cluster.
var metadataTopicID = meta.ID{15: 1}

// end is the end of what is applied, as an answer to Raft's messages.
func (m *metadata) end() []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(m.log.Position().Offset))
}

// fetch gives an observer the metadata that is committed, as an ordinary fetch of partition 0 of the metadata log. Every controller
// answers it, as all have the same log, whoever leads; an observer is told who does. It waits for more, as every fetch does. Of a log
// that begins later the answer names the checkpoint that stands for what came before.
func (m *metadata) fetch(ctx context.Context, req *kmsg.FetchRequest) (kmsg.Response, error) {
	if m.member() == nil {
		return nil, kerr.BrokerNotAvailable
	}
	if req.Version < metadataFetchVersion || len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 ||
		req.Topics[0].TopicID != metadataTopicID || req.Topics[0].Partitions[0].Partition != 0 {
		return nil, fmt.Errorf("fetch of something else than the metadata log: %w", kerr.InvalidRequest)
	}
	asked := &req.Topics[0].Partitions[0]
	leader := m.leading()
	m.node.ensemble.observers.fetched(req.ReplicaState.ID, asked.ReplicaDirectoryID, asked.FetchOffset, m.log.Position().Offset)
	m.awaitMore(ctx, asked.FetchOffset, leader, time.Duration(req.MaxWaitMillis)*time.Millisecond)

	resp := req.ResponseKind().(*kmsg.FetchResponse)
	topic := kmsg.NewFetchResponseTopic()
	topic.TopicID = metadataTopicID
	p := kmsg.NewFetchResponseTopicPartition()
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = m.log.Position().Offset, -1, m.log.Start()
	now := m.leading()
	p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = now.node, now.term
	records, err := m.log.Read(asked.FetchOffset, min(int(max(asked.PartitionMaxBytes, 0)), metadataFetchMax))
	switch checkpoint, has := m.log.NewestCheckpoint(); {
	case errors.Is(err, metalog.ErrBeforeStart) && has:
		p.SnapshotID.EndOffset, p.SnapshotID.Epoch = checkpoint.Offset, checkpoint.Epoch
	case err != nil:
		return nil, fmt.Errorf("%w: %w", err, kerr.KafkaStorageError)
	}
	p.RecordBatches = records
	topic.Partitions = append(topic.Partitions, p)
	resp.Topics = append(resp.Topics, topic)
	return resp, nil
}

// leading is who leads the quorum in which term, -1 if nobody is known to.
type leading struct{ node, term int32 }

func (m *metadata) leading() leading {
	_, id := m.node.ensemble.quorum()
	return leading{id, int32(m.member().Status().Term)}
}

// awaitMore waits until there is metadata behind an offset, or another leader, at most for the time given.
func (m *metadata) awaitMore(ctx context.Context, offset int64, leader leading, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, min(most, metadataFetchWait))
	defer cancel()
	for m.log.Position().Offset <= offset && m.leading() == leader {
		more := m.more.wait()
		if m.log.Position().Offset > offset {
			return
		}
		timer := time.NewTimer(looksAgain) // for another leader
		select {
		case <-more:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}
