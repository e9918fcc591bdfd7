package api

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// fetcher is a client that keeps a fetch session.
type fetcher struct {
	*stock
	version   int16
	id, epoch int32 // of the next request
	maxBytes  int32
	maxWaitMs int32
	replica   int32
}

func (s *stock) fetcher(version int16) *fetcher {
	return &fetcher{stock: s, version: version, maxBytes: 50 << 20, replica: -1}
}

// wanted is a partition that a fetch names, of the topic whose name is "topic" and the id.
type wanted struct {
	id        byte
	partition int32
	offset    int64
}

func topicName(id byte) string { return fmt.Sprintf("topic%d", id) }

// topic makes a topic named after its id, of so many partitions.
func (f *fetcher) topic(id byte, partitions int) { f.stored(topicName(id), id, partitions) }

func (f *fetcher) request(asked, forgotten []wanted) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.ReplicaID, r.ReplicaState.ID, r.MaxWaitMillis, r.MinBytes, r.MaxBytes = f.replica, f.replica, f.maxWaitMs, 1, f.maxBytes
	r.SessionID, r.SessionEpoch = f.id, f.epoch
	for _, w := range asked {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = w.partition, w.offset, 1<<20
		r.Topics = append(r.Topics, kmsg.FetchRequestTopic{
			Topic: topicName(w.id), TopicID: topicID(w.id), Partitions: []kmsg.FetchRequestTopicPartition{p},
		})
	}
	for _, w := range forgotten {
		r.ForgottenTopics = append(r.ForgottenTopics, kmsg.FetchRequestForgottenTopic{
			Topic: topicName(w.id), TopicID: topicID(w.id), Partitions: []int32{w.partition},
		})
	}
	return r
}

// full opens a new session with the partitions.
func (f *fetcher) full(asked ...wanted) string {
	f.t.Helper()
	f.epoch = sessionInitial
	return f.send(asked, nil)
}

// next continues the session: it adds or changes the partitions.
func (f *fetcher) next(asked ...wanted) string {
	f.t.Helper()
	return f.send(asked, nil)
}

// forget continues the session: it takes the partitions away.
func (f *fetcher) forget(forgotten ...wanted) string {
	f.t.Helper()
	return f.send(nil, forgotten)
}

func (f *fetcher) send(asked, forgotten []wanted) string {
	f.t.Helper()
	result := f.start(f.request(asked, forgotten), f.version)
	if result.Pending != nil {
		f.t.Fatal("the fetch waits")
	}
	return f.receive(result)
}

// receive reads an answer, and takes over what it says of the session unless it is an error.
func (f *fetcher) receive(result Result) string {
	f.t.Helper()
	if result.Response != nil {
		response := result.Response.(*kmsg.FetchResponse)
		return f.tell(response)
	}
	return f.tell(f.encoded(result, f.version))
}

func (f *fetcher) tell(response *kmsg.FetchResponse) string {
	if response.ErrorCode != 0 {
		return fmt.Sprintf("%v of session %d", kerr.ErrorForCode(response.ErrorCode).(*kerr.Error).Message, response.SessionID)
	}
	f.id, f.epoch = response.SessionID, nextSessionEpoch(f.epoch)
	var told []string
	for i := range response.Topics {
		t := &response.Topics[i]
		name := t.Topic
		if f.version >= 13 {
			name = topicName(t.TopicID[15])
		}
		for j := range t.Partitions {
			told = append(told, fmt.Sprintf("%s-%d %s", name, t.Partitions[j].Partition, partitionNews(&t.Partitions[j])))
		}
	}
	return strings.Join(told, ", ")
}

func partitionNews(p *kmsg.FetchResponseTopicPartition) string {
	switch {
	case p.ErrorCode != 0:
		return kerr.ErrorForCode(p.ErrorCode).(*kerr.Error).Message
	case len(p.RecordBatches) > 0:
		return fmt.Sprintf("records, %d to %d", p.LogStartOffset, p.HighWatermark)
	default:
		return fmt.Sprintf("%d to %d", p.LogStartOffset, p.HighWatermark)
	}
}

// told checks an answer: partitions with what is told of each, in order.
func (f *fetcher) told(step, got, want string) {
	f.t.Helper()
	if got != want {
		f.t.Errorf("version %d, %s:\n told %q\nwants %q", f.version, step, got, want)
	}
}

// remove deletes a topic.
func (s *stock) remove(id byte) {
	before := s.now()
	s.replay(&meta.RemoveTopicRecord{TopicID: topicID(id)})
	s.broker.Replicas.Apply(s.now(), meta.Diff(before, s.now()))
}

// everyVersion runs a story with a client of each version that knows sessions.
func everyVersion(newStock func() *stock, story func(*fetcher)) {
	for version := int16(7); version <= 18; version++ {
		story(newStock().fetcher(version))
	}
}
