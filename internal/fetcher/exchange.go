package fetcher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/client"
	"github.com/barnabas-mq/barnabas/internal/replica"
)

// request asks for what is new in the session: partitions of which it does not know, or not what is asked for now.
func (f *fetcher) request(conn *client.Conn) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.ReplicaState.ID, req.ReplicaState.Epoch = f.o.NodeID, f.o.NodeID, f.o.BrokerEpoch()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(f.o.MaxWait.Milliseconds()), f.o.MinBytes, f.o.MaxBytes
	req.SessionID, req.SessionEpoch = f.session.id, f.session.epoch
	full, now := f.session.epoch == 0, time.Now()
	topics, forgotten := map[[16]byte]*kmsg.FetchRequestTopic{}, map[[16]byte]*kmsg.FetchRequestForgottenTopic{}
	for at, p := range f.parts {
		if full {
			p.sent = asked{}
		}
		if p.partition != nil && !p.until.After(now) && !p.partition.MayFetch() {
			p.until = now.Add(throttledPause)
		}
		if p.partition == nil || p.until.After(now) {
			if p.sent.in {
				forget(forgotten, at)
				p.sent = asked{}
			}
			if p.partition == nil {
				delete(f.parts, at)
			} else {
				req.MaxWaitMillis = min(req.MaxWaitMillis, int32(p.until.Sub(now).Milliseconds())+1)
			}
			continue
		}
		wanted := asked{in: true, next: p.next, epoch: p.epoch, partition: at}
		if p.sent != wanted {
			f.ask(topics, p)
			p.sent = wanted
		}
	}
	for _, t := range topics {
		req.Topics = append(req.Topics, *t)
	}
	for _, t := range forgotten {
		req.ForgottenTopics = append(req.ForgottenTopics, *t)
	}
	return req
}

// throttledPause is how long a partition is left out of the fetches before it is looked whether the throttle allows more.
const throttledPause = 50 * time.Millisecond

func (f *fetcher) ask(topics map[[16]byte]*kmsg.FetchRequestTopic, p *following) {
	topic := p.partition.Topic()
	t := topics[topic.ID]
	if t == nil {
		t = &kmsg.FetchRequestTopic{Topic: topic.Name, TopicID: topic.ID}
		topics[topic.ID] = t
	}
	ask := kmsg.NewFetchRequestTopicPartition()
	ask.Partition, ask.CurrentLeaderEpoch = p.partition.Index, p.epoch
	ask.FetchOffset, ask.LastFetchedEpoch, ask.LogStartOffset = p.next.Offset, p.next.LastEpoch, p.next.StartOffset
	ask.PartitionMaxBytes = f.o.PartitionMaxBytes
	t.Partitions = append(t.Partitions, ask)
}

func forget(topics map[[16]byte]*kmsg.FetchRequestForgottenTopic, at key) {
	t := topics[at.topic]
	if t == nil {
		t = &kmsg.FetchRequestForgottenTopic{TopicID: at.topic}
		topics[at.topic] = t
	}
	t.Partitions = append(t.Partitions, at.partition)
}

// act takes an answer. An error ends the session.
func (f *fetcher) act(ctx context.Context, conn *client.Conn, resp *kmsg.FetchResponse) error {
	if resp.Version < topicIDs {
		return fmt.Errorf("broker %d answers Fetch version %d, a follower needs %d", f.broker, resp.Version, topicIDs)
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case errors.Is(err, kerr.FetchSessionIDNotFound), errors.Is(err, kerr.InvalidFetchSessionEpoch), errors.Is(err, kerr.FetchSessionTopicIDError):
		f.session = session{}
		return nil
	case err != nil:
		return err
	}
	f.session = session{resp.SessionID, f.session.epoch + 1}
	if f.session.id == 0 || f.session.epoch <= 0 {
		f.session = session{} // the broker has no room for one
	}
	var flush []*replica.Partition
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			p := f.parts[key{t.TopicID, t.Partitions[j].Partition}]
			if p == nil || p.partition == nil {
				continue
			}
			if f.take(ctx, conn, p, &t.Partitions[j]) {
				flush = append(flush, p.partition)
			}
		}
	}
	return replica.FlushAll(flush)
}

// topicIDs is the version of Fetch from which on topics go by their ids: a follower must not take records of another topic of
// the name.
const topicIDs = 13

// take acts on one partition's part of an answer. It says whether what was appended has to be flushed.
func (f *fetcher) take(ctx context.Context, conn *client.Conn, p *following, got *kmsg.FetchResponseTopicPartition) (flush bool) {
	next, flush, err := f.apply(ctx, conn, p, got)
	switch {
	case err == nil:
		p.next, p.failures = next, 0
	case errors.Is(err, kerr.FencedLeaderEpoch):
		p.partition = nil // there is a newer leader, of whom it will be told
	default:
		p.failures++
		p.until = time.Now().Add(min(backoff<<min(p.failures, 10), backoffMost))
		if !passes(err) {
			f.o.Logger.Warn("a follower cannot follow, and tries again", "partition", p.partition.String(), "leader", f.broker, "error", err)
		}
	}
	return flush
}

// passes says that an error is of a leader that does not know yet that it leads, or has just been replaced.
func passes(err error) bool {
	for _, e := range []error{kerr.NotLeaderForPartition, kerr.UnknownLeaderEpoch, kerr.UnknownTopicID, kerr.UnknownTopicOrPartition, kerr.InconsistentTopicID} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (f *fetcher) apply(ctx context.Context, conn *client.Conn, p *following, got *kmsg.FetchResponseTopicPartition) (replica.Next, bool, error) {
	switch err := kerr.ErrorForCode(got.ErrorCode); {
	case errors.Is(err, kerr.OffsetOutOfRange):
		next, err := f.restart(ctx, conn, p)
		return next, false, err
	case err != nil:
		return replica.Next{}, false, err
	case got.DivergingEpoch.EndOffset >= 0:
		next, err := p.partition.Diverged(p.epoch, replica.EpochEnd{Epoch: got.DivergingEpoch.Epoch, End: got.DivergingEpoch.EndOffset})
		return next, false, err
	}
	return p.partition.AppendFetched(replica.Fetched{
		LeaderEpoch: p.epoch, Offset: p.next.Offset, Records: got.RecordBatches,
		HighWatermark: got.HighWatermark, LogStartOffset: got.LogStartOffset,
	})
}

// restart asks where the leader's log begins and ends, as what was asked for is outside.
func (f *fetcher) restart(ctx context.Context, conn *client.Conn, p *following) (replica.Next, error) {
	start, err := f.offset(ctx, conn, p, replica.EarliestTimestamp)
	if err != nil {
		return replica.Next{}, err
	}
	end, err := f.offset(ctx, conn, p, replica.LatestTimestamp)
	if err != nil {
		return replica.Next{}, err
	}
	return p.partition.Restart(p.epoch, start, end)
}

func (f *fetcher) offset(ctx context.Context, conn *client.Conn, p *following, timestamp int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = f.o.NodeID
	ask := kmsg.NewListOffsetsRequestTopicPartition()
	ask.Partition, ask.CurrentLeaderEpoch, ask.Timestamp = p.partition.Index, p.epoch, timestamp
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: p.partition.Topic().Name, Partitions: []kmsg.ListOffsetsRequestTopicPartition{ask}}}
	answer, err := conn.Do(ctx, req)
	if err != nil {
		return 0, err
	}
	resp, ok := answer.(*kmsg.ListOffsetsResponse)
	if !ok || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, errors.New("ListOffsets was not answered by one offset")
	}
	got := resp.Topics[0].Partitions[0]
	return got.Offset, kerr.ErrorForCode(got.ErrorCode)
}
