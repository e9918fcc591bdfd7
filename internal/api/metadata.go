package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// Metadata (key 3) tells a client which brokers there are and who leads what, as the image has it. Topics that do not
// exist are created if the client and auto.create.topics.enable agree; the answer does not wait for that and says
// UNKNOWN_TOPIC_OR_PARTITION, as Kafka's does, so that the client asks again.
//
// Versions 0-13. 0: no topics means all; unavailable brokers are errors. 1: null means all, none means none. 4: auto-creation
// may be refused. 5: offline replicas. 7: leader epochs. 8: authorized operations (KIP-430). 10: topic ids in answers;
// 12: in requests (KIP-516). 13: an error for the whole answer (KIP-1102).
func (b *Broker) metadata(r *Request) Result {
	request := r.Body.(*kmsg.MetadataRequest)
	response := request.ResponseKind().(*kmsg.MetadataResponse)
	all := request.Topics == nil || len(request.Topics) == 0 && request.Version == 0
	if code := metadataRefused(request); code != 0 && !all {
		return respond(refuseMetadata(request, response, code))
	}
	m := &metadataAnswer{broker: b, request: request, conn: r.Conn, im: b.Image(), response: response}
	m.addBrokers()
	if all {
		for topic := range m.im.Topics() {
			m.addTopic(topic)
		}
	} else {
		m.addNamed(r.Conn.Principal)
	}
	if request.Version >= 8 && request.Version <= 10 && request.IncludeClusterAuthorizedOperations {
		response.AuthorizedOperations = clusterOperations
	}
	return respond(response)
}

// metadataRefused finds what a request may not say: ids before version 12, and topics with neither id nor name.
func metadataRefused(request *kmsg.MetadataRequest) int16 {
	for i := range request.Topics {
		topic := &request.Topics[i]
		switch {
		case request.Version < 12 && (topic.Topic == nil || topic.TopicID != meta.ID{}):
			return kerr.InvalidRequest.Code
		case topic.Topic == nil && topic.TopicID == meta.ID{}:
			return kerr.UnknownServerError.Code // Kafka's answer; there is nothing to retry.
		}
	}
	return 0
}

func refuseMetadata(request *kmsg.MetadataRequest, response *kmsg.MetadataResponse, code int16) *kmsg.MetadataResponse {
	response.ErrorCode = code
	for i := range request.Topics {
		topic := kmsg.NewMetadataResponseTopic()
		topic.ErrorCode, topic.Topic, topic.TopicID = code, kmsg.StringPtr(textOf(request.Topics[i].Topic)), request.Topics[i].TopicID
		response.Topics = append(response.Topics, topic)
	}
	return response
}

// metadataAnswer is an answer in the making.
type metadataAnswer struct {
	broker   *Broker
	request  *kmsg.MetadataRequest
	conn     *Conn
	im       *meta.Image
	response *kmsg.MetadataResponse
}

func (m *metadataAnswer) addBrokers() {
	m.response.ClusterID = kmsg.StringPtr(m.broker.ClusterID)
	m.response.ControllerID = m.broker.aliveBroker(m.im)
	for registered := range m.im.Brokers() {
		if registered.Fenced {
			continue
		}
		host, port, rack, ok := m.broker.endpointOf(m.conn, registered)
		if !ok {
			continue
		}
		broker := kmsg.NewMetadataResponseBroker()
		broker.NodeID, broker.Host, broker.Port, broker.Rack = registered.ID, host, port, rack
		m.response.Brokers = append(m.response.Brokers, broker)
	}
}

// addNamed answers for the topics of the request, each once. As soon as one is given by its id, names do not count.
func (m *metadataAnswer) addNamed(principal string) {
	byID := slices.ContainsFunc(m.request.Topics, func(t kmsg.MetadataRequestTopic) bool { return t.TopicID != meta.ID{} })
	seen := make(map[string]bool, len(m.request.Topics))
	var missing []string
	for i := range m.request.Topics {
		wanted := &m.request.Topics[i]
		if byID {
			m.addByID(wanted.TopicID, seen)
			continue
		}
		name := *wanted.Topic
		if seen[name] {
			continue
		}
		seen[name] = true
		if topic, known := m.im.Topic(name); known {
			m.addTopic(topic)
			continue
		}
		if err := checkTopicName(name); err != nil {
			m.addMissing(&name, meta.ID{}, kerr.InvalidTopicException)
			continue
		}
		missing = append(missing, name)
		m.addMissing(&name, meta.ID{}, kerr.UnknownTopicOrPartition)
	}
	mayCreate := m.request.Version < 4 || m.request.AllowAutoTopicCreation
	if len(missing) > 0 && mayCreate && config.AutoCreateTopicsEnable.Of(m.broker.Config()) {
		m.broker.autoCreate(missing, principal)
	}
}

func (m *metadataAnswer) addByID(id meta.ID, seen map[string]bool) {
	if id == (meta.ID{}) || seen[string(id[:])] {
		return
	}
	seen[string(id[:])] = true
	if topic, known := m.im.TopicByID(id); known {
		m.addTopic(topic)
		return
	}
	m.addMissing(nil, id, kerr.UnknownTopicID)
}

func (m *metadataAnswer) addMissing(name *string, id meta.ID, why *kerr.Error) {
	topic := kmsg.NewMetadataResponseTopic()
	topic.ErrorCode, topic.Topic, topic.TopicID = why.Code, name, id
	topic.IsInternal = name != nil && isInternalTopic(*name)
	if name != nil {
		m.addOperations(&topic)
	}
	m.response.Topics = append(m.response.Topics, topic)
}

func (m *metadataAnswer) addOperations(topic *kmsg.MetadataResponseTopic) {
	if m.request.Version >= 8 && m.request.IncludeTopicAuthorizedOperations {
		topic.AuthorizedOperations = topicOperations
	}
}

func (m *metadataAnswer) addTopic(known *meta.Topic) {
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic, topic.TopicID, topic.IsInternal = &known.Name, known.ID, isInternalTopic(known.Name)
	m.addOperations(&topic)
	topic.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(known.Partitions))
	for i, p := range known.Partitions {
		if p.Exists() {
			topic.Partitions = append(topic.Partitions, m.partition(int32(i), p))
		}
	}
	m.response.Topics = append(m.response.Topics, topic)
}

// partition describes one partition to this client: who of its brokers it can reach by its listener.
func (m *metadataAnswer) partition(index int32, p *meta.Partition) kmsg.MetadataResponseTopicPartition {
	out := kmsg.NewMetadataResponseTopicPartition()
	out.Partition, out.Leader, out.LeaderEpoch = index, p.Leader, p.LeaderEpoch
	out.Replicas, out.ISR = p.Replicas, p.ISR
	out.OfflineReplicas = offlineReplicas(m.im, p, m.conn.Listener)
	if m.request.Version == 0 {
		// Version 0 leaves brokers out that cannot be reached, and calls that an error.
		out.Replicas, out.ISR = m.reachable(p.Replicas), m.reachable(p.ISR)
		if len(out.Replicas) < len(p.Replicas) || len(out.ISR) < len(p.ISR) {
			out.ErrorCode = kerr.ReplicaNotAvailable.Code
		}
	}
	leader, registered := m.im.Broker(p.Leader)
	switch {
	case registered && hasListener(leader, m.conn.Listener):
		return out
	case registered && m.request.Version >= 6:
		out.ErrorCode = kerr.ListenerNotFound.Code
	default:
		out.ErrorCode = kerr.LeaderNotAvailable.Code
	}
	out.Leader = meta.NoLeader
	return out
}

func (m *metadataAnswer) reachable(ids []int32) []int32 {
	reachable := make([]int32, 0, len(ids))
	for _, id := range ids {
		if broker, known := m.im.Broker(id); known && !broker.Fenced && hasListener(broker, m.conn.Listener) {
			reachable = append(reachable, id)
		}
	}
	return reachable
}

// offlineReplicas are the replicas that a client of this listener cannot count on: their broker is away, has no such
// listener, or lost the directory that they lie in.
func offlineReplicas(im *meta.Image, p *meta.Partition, listener string) []int32 {
	offline := []int32{}
	for i, id := range p.Replicas {
		broker, known := im.Broker(id)
		if !known || broker.Fenced || !hasListener(broker, listener) || directoryLost(broker, p, i) {
			offline = append(offline, id)
		}
	}
	return offline
}

// directoryLost reports whether a replica lies in a directory that its broker says is not online.
func directoryLost(broker *meta.Broker, p *meta.Partition, replica int) bool {
	if replica >= len(p.Directories) || len(broker.LogDirs) == 0 {
		return false
	}
	switch directory := p.Directories[replica]; directory {
	case meta.DirectoryUnassigned, meta.DirectoryMigrating:
		return false
	default:
		return !slices.Contains(broker.LogDirs, directory)
	}
}
