package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// DescribeTopicPartitions (key 75) describes partitions in the order of their topics' names, as many as the client and
// max.request.partition.size.limit allow, with a cursor to go on from.
//
// Version 0 (KIP-966): eligible leader replicas are shown.
func (b *Broker) describeTopicPartitions(r *Request) Result {
	request := r.Body.(*kmsg.DescribeTopicPartitionsRequest)
	response := request.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	if cursor := request.Cursor; cursor != nil && (cursor.Partition < 0 || !cursorIsAmong(request)) {
		for _, wanted := range request.Topics {
			topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
			topic.ErrorCode, topic.Topic = kerr.InvalidRequest.Code, kmsg.StringPtr(wanted.Topic)
			response.Topics = append(response.Topics, topic)
		}
		return respond(response)
	}
	limit := min(request.ResponsePartitionLimit, config.MaxRequestPartitionSizeLimit.Of(b.Config()))
	d := &describing{im: b.Image(), listener: r.Conn.Listener, response: response, left: max(int(limit), 1)}
	from := ""
	if request.Cursor != nil {
		from = request.Cursor.Topic
	}
	if len(request.Topics) == 0 {
		for topic := range d.im.TopicsFrom(from) {
			if !d.add(topic.Name, firstPartition(request.Cursor, topic.Name)) {
				break
			}
		}
		return respond(response)
	}
	for _, name := range namesFrom(request, from) {
		if !d.add(name, firstPartition(request.Cursor, name)) {
			break
		}
	}
	return respond(response)
}

func cursorIsAmong(request *kmsg.DescribeTopicPartitionsRequest) bool {
	return len(request.Topics) == 0 || slices.ContainsFunc(request.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool {
		return t.Topic == request.Cursor.Topic
	})
}

// namesFrom are the topics of the request from a name on, sorted, each once.
func namesFrom(request *kmsg.DescribeTopicPartitionsRequest, from string) []string {
	var names []string
	for i := range request.Topics {
		if name := request.Topics[i].Topic; name >= from {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func firstPartition(cursor *kmsg.DescribeTopicPartitionsRequestCursor, topic string) int {
	if cursor != nil && cursor.Topic == topic {
		return int(cursor.Partition)
	}
	return 0
}

// describing is an answer in the making.
type describing struct {
	im       *meta.Image
	listener string
	response *kmsg.DescribeTopicPartitionsResponse
	left     int // Partitions that still fit.
}

// add describes a topic from a partition on; false says that the answer is full.
func (d *describing) add(name string, from int) bool {
	if d.left == 0 {
		d.goOnFrom(name, 0)
		return false
	}
	topic := kmsg.NewDescribeTopicPartitionsResponseTopic()
	topic.Topic, topic.IsInternal, topic.AuthorizedOperations = &name, isInternalTopic(name), topicOperations
	known, exists := d.im.Topic(name)
	if !exists {
		topic.ErrorCode = kerr.UnknownTopicOrPartition.Code
		if checkTopicName(name) != nil {
			topic.ErrorCode = kerr.InvalidTopicException.Code
		}
		d.response.Topics = append(d.response.Topics, topic)
		return true
	}
	topic.TopicID = known.ID
	to := min(len(known.Partitions), from+d.left)
	for i := from; i < to; i++ {
		if p := known.Partitions[i]; p.Exists() {
			topic.Partitions = append(topic.Partitions, d.partition(int32(i), p))
		}
	}
	d.response.Topics = append(d.response.Topics, topic)
	if to < len(known.Partitions) {
		d.goOnFrom(name, int32(to))
		return false
	}
	d.left -= len(topic.Partitions)
	return true
}

func (d *describing) goOnFrom(topic string, partition int32) {
	cursor := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	cursor.Topic, cursor.Partition = topic, partition
	d.response.NextCursor = &cursor
}

func (d *describing) partition(index int32, p *meta.Partition) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	out := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	out.Partition, out.LeaderID, out.LeaderEpoch = index, meta.NoLeader, p.LeaderEpoch
	if leader, registered := d.im.Broker(p.Leader); registered && hasListener(leader, d.listener) {
		out.LeaderID = p.Leader
	}
	out.Replicas, out.ISR = p.Replicas, p.ISR
	out.EligibleLeaderReplicas, out.LastKnownELR = notNull(p.ELR), notNull(p.LastKnownELR)
	out.OfflineReplicas = offlineReplicas(d.im, p, d.listener)
	return out
}

// notNull keeps an empty list from being encoded as null.
func notNull(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}
