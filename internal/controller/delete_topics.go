package controller

import (
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics (key 20, versions 0 to 6) removes topics with their partitions
// and configs.
//
// v3 knows TOPIC_DELETION_DISABLED, v5 messages, v6 ids: a topic is given by its
// name or by its id, never both (KIP-516).

// The messages of Kafka's errors, for answers that carry them.
const (
	textUnknownTopic   = "This server does not host this topic-partition."
	textUnknownTopicID = "This server does not host this topic ID."
)

func (d *decision) deleteTopics(request *kmsg.DeleteTopicsRequest) *kmsg.DeleteTopicsResponse {
	response := request.ResponseKind().(*kmsg.DeleteTopicsResponse)
	topics := request.Topics
	if request.Version < 6 {
		topics = nil
		for _, name := range request.TopicNames {
			t := kmsg.NewDeleteTopicsRequestTopic()
			t.Topic = &name
			topics = append(topics, t)
		}
	}
	if err := d.deleteTopicsRefused(request); err != nil {
		for i := range topics {
			result := topicDeletion(topics[i].Topic, topics[i].TopicID, err)
			result.ErrorMessage = nil // Kafka has none here
			response.Topics = append(response.Topics, result)
		}
		return response
	}
	response.Topics = d.deletions(topics)
	return response
}

func (d *decision) deleteTopicsRefused(request *kmsg.DeleteTopicsRequest) error {
	switch {
	case d.env.DeleteTopicDisabled && request.Version < 3:
		return refuseBare(kerr.InvalidRequest)
	case d.env.DeleteTopicDisabled:
		return refuseBare(kerr.TopicDeletionDisabled)
	case request.TimeoutMillis <= 0:
		return refuseBare(kerr.RequestTimedOut)
	}
	return nil
}

func topicDeletion(name *string, id meta.ID, err error) kmsg.DeleteTopicsResponseTopic {
	result := kmsg.NewDeleteTopicsResponseTopic()
	result.Topic, result.TopicID = name, id
	result.ErrorCode, result.ErrorMessage = told(err)
	return result
}

// deletions adds the records and gives the answers. A topic that is named twice,
// in whatever way, is not deleted.
func (d *decision) deletions(topics []kmsg.DeleteTopicsRequestTopic) []kmsg.DeleteTopicsResponseTopic {
	times := d.timesNamed(topics)
	var results []kmsg.DeleteTopicsResponseTopic
	answered := make(map[string]bool)
	for i := range topics {
		t := &topics[i]
		key := givenAs(t)
		if answered[key] {
			continue
		}
		answered[key] = times[key] > 1
		if topic, ok := d.im.TopicByID(t.TopicID); ok && t.Topic == nil && times["name "+topic.Name] > 0 {
			continue // refused where it is named; Kafka does not say it twice
		}
		results = append(results, d.deleteTopic(t, times))
	}
	return results
}

// givenAs tells apart the ways in which topics are given.
func givenAs(t *kmsg.DeleteTopicsRequestTopic) string {
	if t.Topic != nil {
		return "name " + *t.Topic
	}
	return "id " + string(t.TopicID[:])
}

// timesNamed counts each name, each id, and each topic that is given both ways.
func (d *decision) timesNamed(topics []kmsg.DeleteTopicsRequestTopic) map[string]int {
	times := make(map[string]int)
	for i := range topics {
		t := &topics[i]
		if (t.Topic != nil) == (t.TopicID != meta.ID{}) {
			continue // both or neither: refused by itself
		}
		times[givenAs(t)]++
	}
	return times
}

func (d *decision) deleteTopic(t *kmsg.DeleteTopicsRequestTopic, times map[string]int) kmsg.DeleteTopicsResponseTopic {
	byName, byID := t.Topic != nil, t.TopicID != meta.ID{}
	switch {
	case byName && byID:
		return topicDeletion(t.Topic, t.TopicID, refuse(kerr.InvalidRequest, "You may not specify both topic name and topic id."))
	case !byName && !byID:
		return topicDeletion(nil, meta.ID{}, refuse(kerr.InvalidRequest, "Neither topic name nor id were specified."))
	case byName && times[givenAs(t)] > 1:
		return topicDeletion(t.Topic, meta.ID{}, refuse(kerr.InvalidRequest, "Duplicate topic name."))
	case times[givenAs(t)] > 1:
		return topicDeletion(nil, t.TopicID, refuse(kerr.InvalidRequest, "Duplicate topic id."))
	}
	var topic *meta.Topic
	var found bool
	if byName {
		if topic, found = d.im.Topic(*t.Topic); !found {
			return topicDeletion(t.Topic, meta.ID{}, refuse(kerr.UnknownTopicOrPartition, textUnknownTopic))
		}
		if times["id "+string(topic.ID[:])] > 0 {
			return topicDeletion(t.Topic, topic.ID,
				refuse(kerr.InvalidRequest, "The provided topic name maps to an ID that was already supplied."))
		}
	} else if topic, found = d.im.TopicByID(t.TopicID); !found {
		return topicDeletion(nil, t.TopicID, refuse(kerr.UnknownTopicID, textUnknownTopicID))
	}
	if len(d.records) == maxRecords {
		return topicDeletion(&topic.Name, topic.ID, refuse(kerr.PolicyViolation, "Unable to perform excessively large batch operation."))
	}
	d.add(&meta.RemoveTopicRecord{TopicID: topic.ID})
	return topicDeletion(&topic.Name, topic.ID, nil)
}
