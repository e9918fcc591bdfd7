package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// OffsetCommit (key 8) keeps how far a group has come in partitions.
//
// Versions 0–10. 0: what Kafka kept in ZooKeeper; here it goes where all others go. 1: a generation and member, and
// the time of the commit (that version alone). 2–4: a retention of the client's. 6: leader epochs (KIP-320). 7: static
// members (KIP-345). 9: new errors (KIP-848). 10: topic ids instead of names (KIP-848).
func (b *Broker) offsetCommit(r *Request) Result {
	req := r.Body.(*kmsg.OffsetCommitRequest)
	im := b.Image()
	refused := commitAnswer{byID: req.Version >= commitTopicIDVersion, at: make(map[commitTopic]int)}
	known := *req
	known.Topics = nil
	for i := range req.Topics {
		if topic := refused.check(im, &req.Topics[i]); len(topic.Partitions) > 0 {
			known.Topics = append(known.Topics, topic)
		}
	}
	if len(known.Topics) == 0 {
		return respond(refused.complete(req, nil))
	}
	return b.toGroups(r, &known, func(response kmsg.Response) kmsg.Response {
		return refused.complete(req, response.(*kmsg.OffsetCommitResponse).Topics)
	})
}

const commitTopicIDVersion = 10

// commitTopic is what an answer is found by: the id where the version has ids, else the name.
type commitTopic struct {
	name string
	id   meta.ID
}

// commitAnswer gathers the answer, topic by topic, whether a partition got an error here or from its group.
type commitAnswer struct {
	byID   bool
	topics []kmsg.OffsetCommitResponseTopic
	at     map[commitTopic]int
}

func (a *commitAnswer) topic(name string, id meta.ID) *kmsg.OffsetCommitResponseTopic {
	key := commitTopic{name: name}
	if a.byID {
		key = commitTopic{id: id}
	}
	i, ok := a.at[key]
	if !ok {
		i = len(a.topics)
		a.at[key] = i
		a.topics = append(a.topics, kmsg.OffsetCommitResponseTopic{Topic: name, TopicID: id})
	}
	return &a.topics[i]
}

// check gives the topic with its name, its id and those of its partitions that exist, and refuses the others.
func (a *commitAnswer) check(im *meta.Image, in *kmsg.OffsetCommitRequestTopic) kmsg.OffsetCommitRequestTopic {
	out := kmsg.OffsetCommitRequestTopic{Topic: in.Topic, TopicID: in.TopicID}
	topic, ok := im.Topic(in.Topic)
	err := kerr.UnknownTopicOrPartition
	if a.byID {
		topic, ok = im.TopicByID(in.TopicID)
		err = kerr.UnknownTopicID
	}
	if ok {
		out.Topic, out.TopicID = topic.Name, topic.ID
		err = kerr.UnknownTopicOrPartition
	}
	for _, p := range in.Partitions {
		if ok && p.Partition >= 0 && int(p.Partition) < len(topic.Partitions) {
			out.Partitions = append(out.Partitions, p)
			continue
		}
		answer := a.topic(out.Topic, out.TopicID)
		answer.Partitions = append(answer.Partitions,
			kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: err.Code})
	}
	return out
}

func (a *commitAnswer) complete(
	req *kmsg.OffsetCommitRequest, committed []kmsg.OffsetCommitResponseTopic,
) *kmsg.OffsetCommitResponse {
	for i := range committed {
		t := &committed[i]
		answer := a.topic(t.Topic, t.TopicID)
		answer.Partitions = append(answer.Partitions, t.Partitions...)
	}
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	resp.Topics = a.topics
	return resp
}
