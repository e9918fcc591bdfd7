package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// OffsetFetch (key 9) tells how far groups have come. A group that does not exist has offset -1 everywhere, which is no
// error.
//
// Versions 0–10. 0: what Kafka kept in ZooKeeper; a partition without an offset is UNKNOWN_TOPIC_OR_PARTITION there. 2: null
// topics mean all, and one error for the whole (before, each partition has it). 5: leader epochs (KIP-320). 7: only
// offsets that no open transaction may change (KIP-447). 8: several groups (KIP-709). 9: a member and its epoch
// (KIP-848). 10: topic ids instead of names (KIP-848).
func (b *Broker) offsetFetch(r *Request) Result {
	req := r.Body.(*kmsg.OffsetFetchRequest)
	f := offsetFetching{im: b.Image(), request: req, byID: req.Version >= fetchTopicIDVersion}
	asked := &kmsg.OffsetFetchRequest{Version: req.Version, RequireStable: req.RequireStable}
	if req.Version >= fetchGroupsVersion {
		for i := range req.Groups {
			asked.Groups = append(asked.Groups, f.group(&req.Groups[i]))
		}
	} else {
		asked.Groups = []kmsg.OffsetFetchRequestGroup{f.group(onlyGroup(req))}
	}
	return b.toGroups(r, asked, func(response kmsg.Response) kmsg.Response {
		resp := response.(*kmsg.OffsetFetchResponse)
		for i := range resp.Groups {
			f.complete(&resp.Groups[i], i)
		}
		if req.Version < fetchGroupsVersion {
			return f.single(&resp.Groups[0])
		}
		return resp
	})
}

const (
	fetchWholeErrorVersion = 2
	fetchGroupsVersion     = 8
	fetchTopicIDVersion    = 10
)

// offsetFetching is an OffsetFetch on its way.
type offsetFetching struct {
	im      *meta.Image
	request *kmsg.OffsetFetchRequest
	byID    bool
	unknown [][]kmsg.OffsetFetchResponseGroupTopic // by group: topics whose id nobody knows
}

// onlyGroup is the group of a request that names one.
func onlyGroup(req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchRequestGroup {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = req.Group
	if req.Topics != nil {
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range req.Topics {
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	return &g
}

// group gives what the group's coordinator is asked: topics by name, and by id where the client uses ids.
func (f *offsetFetching) group(in *kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchRequestGroup {
	out := *in
	var unknown []kmsg.OffsetFetchResponseGroupTopic
	if f.byID && in.Topics != nil {
		out.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
		for _, t := range in.Topics {
			if topic, ok := f.im.TopicByID(t.TopicID); ok {
				t.Topic = topic.Name
				out.Topics = append(out.Topics, t)
				continue
			}
			unknown = append(unknown, unknownTopic(t))
		}
	}
	f.unknown = append(f.unknown, unknown)
	return out
}

func unknownTopic(t kmsg.OffsetFetchRequestGroupTopic) kmsg.OffsetFetchResponseGroupTopic {
	none := ""
	topic := kmsg.OffsetFetchResponseGroupTopic{TopicID: t.TopicID}
	for _, p := range t.Partitions {
		topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{
			Partition: p, Offset: -1, LeaderEpoch: -1, Metadata: &none, ErrorCode: kerr.UnknownTopicID.Code,
		})
	}
	return topic
}

// complete gives the topics the ids that the version wants, and adds those that could not be asked for. A topic that is
// gone has no id, and is left out.
func (f *offsetFetching) complete(g *kmsg.OffsetFetchResponseGroup, i int) {
	if !f.byID || g.ErrorCode != 0 {
		return
	}
	topics := g.Topics[:0]
	for _, t := range g.Topics {
		if t.TopicID == (meta.ID{}) {
			topic, ok := f.im.Topic(t.Topic)
			if !ok {
				continue
			}
			t.TopicID = topic.ID
		}
		topics = append(topics, t)
	}
	g.Topics = append(topics, f.unknown[i]...)
}

// single is the answer to a request that names one group.
func (f *offsetFetching) single(g *kmsg.OffsetFetchResponseGroup) kmsg.Response {
	resp := f.request.ResponseKind().(*kmsg.OffsetFetchResponse)
	if g.ErrorCode != 0 && f.request.Version < fetchWholeErrorVersion {
		g = everywhere(f.request, g.ErrorCode)
	}
	resp.ErrorCode = g.ErrorCode
	for _, t := range g.Topics {
		topic := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			if f.request.Version == 0 && p.ErrorCode == 0 && p.Offset == -1 {
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			}
			topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata,
				ErrorCode: p.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// everywhere gives each partition the error of the group.
func everywhere(req *kmsg.OffsetFetchRequest, code int16) *kmsg.OffsetFetchResponseGroup {
	none := ""
	g := new(kmsg.OffsetFetchResponseGroup)
	for _, t := range req.Topics {
		topic := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{
				Partition: p, Offset: -1, LeaderEpoch: -1, Metadata: &none, ErrorCode: code,
			})
		}
		g.Topics = append(g.Topics, topic)
	}
	return g
}
