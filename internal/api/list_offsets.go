package api

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// ListOffsets (key 2) finds offsets by time: the first record at or after a timestamp, or one of the special ones.
//
// Versions 0–11. 0 answers several offsets, those where segments begin. 1: one offset. 2: isolation level. 4: leader
// epochs (KIP-320). 7: the newest timestamp's offset (KIP-734). 8: the earliest local offset (KIP-405). 9: the latest
// tiered one (KIP-1005). 11: the earliest that waits for upload (KIP-1023).
func (b *Broker) listOffsets(r *Request) Result {
	req := r.Body.(*kmsg.ListOffsetsRequest)
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	twice := namedTwice(req)
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = in.Topic
		told := make(map[int32]bool)
		for j := range in.Partitions {
			if again := (topicPartition{in.Topic, in.Partitions[j].Partition}); twice[again] && req.Version >= 1 && told[again.partition] {
				continue // it is refused once
			}
			told[in.Partitions[j].Partition] = true
			at := kmsg.NewListOffsetsResponseTopicPartition()
			at.Partition = in.Partitions[j].Partition
			at.Timestamp, at.Offset, at.LeaderEpoch = -1, -1, -1
			err := b.listOffset(req, in.Topic, &in.Partitions[j], &at, twice)
			at.ErrorCode = b.code(listOffsetsError(err, req.Version), kerr.NotLeaderForPartition, "list offsets")
			out.Partitions = append(out.Partitions, at)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return respond(resp)
}

// specialSince is the version from which each special timestamp is understood.
func specialSince(timestamp int64) (int16, bool) {
	switch timestamp {
	case replica.LatestTimestamp, replica.EarliestTimestamp:
		return 0, true
	case replica.MaxTimestamp:
		return 7, true
	case replica.EarliestLocalTimestamp:
		return 8, true
	case replica.LatestTieredTimestamp:
		return 9, true
	case replica.EarliestPendingUpload:
		return 11, true
	}
	return 0, timestamp >= 0
}

func (b *Broker) listOffset(req *kmsg.ListOffsetsRequest, topic string, in *kmsg.ListOffsetsRequestTopicPartition, out *kmsg.ListOffsetsResponseTopicPartition, twice map[topicPartition]bool) error {
	if req.Version >= 1 && twice[topicPartition{topic, in.Partition}] {
		return fmt.Errorf("%s-%d is named twice: %w", topic, in.Partition, kerr.InvalidRequest)
	}
	if since, known := specialSince(in.Timestamp); !known || req.Version < since {
		return fmt.Errorf("timestamp %d in version %d: %w", in.Timestamp, req.Version, kerr.UnsupportedVersion)
	}
	part, err := b.Replicas.Get(topic, in.Partition)
	if err != nil {
		return err
	}
	if req.IsolationLevel != 0 && req.IsolationLevel != 1 {
		return fmt.Errorf("isolation level %d: %w", req.IsolationLevel, kerr.UnknownServerError)
	}
	epoch := int32(-1)
	if req.Version >= 4 {
		epoch = in.CurrentLeaderEpoch
	}
	if req.Version == 0 && in.MaxNumOffsets < 0 {
		return fmt.Errorf("%d offsets asked for: %w", in.MaxNumOffsets, kerr.UnknownServerError)
	}
	if req.Version == 0 {
		out.OldStyleOffsets, err = segmentStarts(part, in.Timestamp, int(in.MaxNumOffsets))
		return err
	}
	found, err := part.OffsetFor(in.Timestamp, listLevel(req), epoch)
	if err != nil {
		return err
	}
	out.Offset, out.Timestamp = found.Offset, found.TimestampMs
	if req.Version >= 4 {
		out.LeaderEpoch = found.Epoch
	}
	return nil
}

func listLevel(req *kmsg.ListOffsetsRequest) replica.Level {
	switch {
	case req.ReplicaID != -1:
		return replica.LogEnd
	case req.IsolationLevel == 1:
		return replica.Stable
	default:
		return replica.Committed
	}
}

// listOffsetsError is the error as clients of a version understand it.
func listOffsetsError(err error, version int16) error {
	if version < 5 && errors.Is(err, kerr.OffsetNotAvailable) {
		return kerr.LeaderNotAvailable
	}
	return err
}

type topicPartition struct {
	topic     string
	partition int32
}

func namedTwice(req *kmsg.ListOffsetsRequest) map[topicPartition]bool {
	seen, twice := make(map[topicPartition]bool), make(map[topicPartition]bool)
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			at := topicPartition{req.Topics[i].Topic, req.Topics[i].Partitions[j].Partition}
			if seen[at] {
				twice[at] = true
			}
			seen[at] = true
		}
	}
	return twice
}

// segmentStarts answers version 0: the newest offsets at which segments begin that are not younger than the timestamp,
// the end of the log among them, newest first.
func segmentStarts(part *replica.Partition, timestamp int64, limit int) ([]int64, error) {
	start, segments, err := part.Segments()
	if err != nil {
		return nil, err
	}
	end := part.HighWatermark()
	if len(segments) > 0 && segments[len(segments)-1].Size > 0 {
		segments = append(segments, storage.SegmentInfo{BaseOffset: end, ModifiedMs: time.Now().UnixMilli()})
	}
	last := len(segments) - 1
	switch timestamp {
	case replica.LatestTimestamp:
	case replica.EarliestTimestamp:
		return []int64{start}[:min(limit, 1)], nil
	default:
		for last >= 0 && segments[last].ModifiedMs > timestamp {
			last--
		}
	}
	offsets := []int64{}
	for ; last >= 0 && len(offsets) < limit; last-- {
		if start := max(segments[last].BaseOffset, start); start <= end {
			offsets = append(offsets, start)
		}
	}
	return slices.Compact(offsets), nil
}
