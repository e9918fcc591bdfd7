package controller

import (
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ElectLeaders (key 43, versions 0 to 2) gives partitions back to their
// preferred leaders, or a leaderless one to whoever is left (v1, KIP-460). Null
// topics mean all; of those, only what was elected or failed is answered.

// The election types of KIP-460.
const (
	electionPreferred = 0
	electionUnclean   = 1
)

func (d *decision) electLeaders(request *kmsg.ElectLeadersRequest) *kmsg.ElectLeadersResponse {
	response := request.ResponseKind().(*kmsg.ElectLeadersResponse)
	if request.Topics != nil && len(request.Topics) == 0 {
		return response // Kafka answers this before it looks at anything.
	}
	err := electionRefused(request)
	response.ErrorCode, _ = told(err)
	if request.Topics == nil {
		if err == nil {
			response.Topics = d.electAll(request.ElectionType)
		}
		return response
	}
	for i := range request.Topics {
		t := &request.Topics[i]
		result := kmsg.NewElectLeadersResponseTopic()
		result.Topic = t.Topic
		for _, index := range t.Partitions {
			why := err
			if why == nil {
				why = d.electOne(t.Topic, index, request.ElectionType)
			}
			result.Partitions = append(result.Partitions, electionResult(index, why))
		}
		response.Topics = append(response.Topics, result)
	}
	return response
}

func electionRefused(request *kmsg.ElectLeadersRequest) error {
	switch {
	case request.ElectionType != electionPreferred && request.ElectionType != electionUnclean:
		return refuse(kerr.InvalidRequest, "Unknown election type %d", request.ElectionType)
	case request.TimeoutMillis <= 0:
		return refuseBare(kerr.RequestTimedOut)
	}
	return nil
}

func electionResult(index int32, err error) kmsg.ElectLeadersResponseTopicPartition {
	result := kmsg.NewElectLeadersResponseTopicPartition()
	result.Partition = index
	result.ErrorCode, result.ErrorMessage = told(err)
	return result
}

func (d *decision) electAll(electionType int8) []kmsg.ElectLeadersResponseTopic {
	var topics []kmsg.ElectLeadersResponseTopic
	for t := range d.im.Topics() {
		result := kmsg.NewElectLeadersResponseTopic()
		result.Topic = t.Name
		for i := range t.Partitions {
			if p := t.Partitions[i]; electionNeeded(p, electionType) {
				result.Partitions = append(result.Partitions, electionResult(int32(i), d.electOne(t.Name, int32(i), electionType)))
			}
		}
		topics = append(topics, result)
	}
	return topics
}

// electionNeeded says that a partition is not led as is asked for.
func electionNeeded(p *meta.Partition, electionType int8) bool {
	if !p.Exists() {
		return false
	}
	if electionType == electionUnclean {
		return p.Leader == meta.NoLeader
	}
	return p.Leader != p.Replicas[0]
}

func (d *decision) electOne(name string, index int32, electionType int8) error {
	t, ok := d.im.Topic(name)
	if !ok {
		return refuse(kerr.UnknownTopicOrPartition, "No such topic as %s", name)
	}
	if index < 0 || int(index) >= len(t.Partitions) || !t.Partitions[index].Exists() {
		return refuse(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", name, index)
	}
	if !electionNeeded(t.Partitions[index], electionType) {
		return refuse(kerr.ElectionNotNeeded, "Leader election not needed for topic partition.")
	}
	c := d.change(d.im, t, index)
	c.election = electPreferred
	if electionType == electionUnclean {
		c.election = electUnclean
	}
	record := c.build()
	switch {
	case record != nil && len(d.records) == maxRecords:
		return refuse(kerr.PolicyViolation, "Unable to perform excessively large batch operation.")
	case record != nil:
		d.add(record)
		return nil
	case electionType == electionUnclean:
		return refuse(kerr.EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
	}
	return refuse(kerr.PreferredLeaderNotAvailable, "The preferred leader was not available.")
}

// maxElections is how many elections one round of Balance makes at most, so that
// no decision keeps others waiting.
const maxElections = 1000

// Balance gives partitions back to their preferred leaders, and elects uncleanly
// where a topic's configs allow it and nobody else leads. It is asked at
// leader.imbalance.check.interval.seconds; more says that it should be asked
// again at once.
func Balance(s State, env Env) (decision Decision, more bool) {
	d := newDecision(s, env)
	for t := range d.im.Topics() {
		for i, p := range t.Partitions {
			if len(d.records) == maxElections {
				return Decision{Records: d.records, Soft: d.soft}, true
			}
			if !p.Exists() || p.Leader == p.Replicas[0] {
				continue
			}
			c := d.change(d.im, t, int32(i))
			c.election = electPreferred
			if p.Leader == meta.NoLeader && d.uncleanElection(d.im, t.Name) {
				c.election = electUnclean
			}
			if r := c.build(); r != nil {
				d.add(r)
			}
		}
	}
	return Decision{Records: d.records, Soft: d.soft}, false
}
