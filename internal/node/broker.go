package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/admin"
	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/coordinator"
	"github.com/barnabas-mq/barnabas/internal/fetcher"
	"github.com/barnabas-mq/barnabas/internal/group"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/replica"
)

// groupConfig is what the broker's settings mean to groups.
func groupConfig(v *config.Values) *group.Config {
	return &group.Config{
		InitialRebalanceDelayMs: int64(config.GroupInitialRebalanceDelayMs.Of(v)),
		MinSessionTimeoutMs:     config.GroupMinSessionTimeoutMs.Of(v),
		MaxSessionTimeoutMs:     config.GroupMaxSessionTimeoutMs.Of(v),
		MaxSize:                 int(config.GroupMaxSize.Of(v)),
		OffsetsRetentionMs:      int64(config.OffsetsRetentionMinutes.Of(v)) * time.Minute.Milliseconds(),
		RetentionCheckMs:        config.OffsetsRetentionCheckIntervalMs.Of(v),
		OffsetMetadataMaxBytes:  int(config.OffsetMetadataMaxBytes.Of(v)),
	}
}

func (n *Node) newGroups() *coordinator.Coordinator {
	return coordinator.New(coordinator.Options{
		Config:      groupConfig(n.live.values()),
		Partitions:  n.offsetsPartitions,
		CreateTopic: n.createOffsetsTopic,
		NewID: func() string {
			id := newID()
			return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
		},
		Now: time.Now, Complaints: n.complaints,
		Logger: n.logger,
	})
}

func (n *Node) offsetsPartitions() int32 {
	t, ok := n.publisher.current().Topic(coordinator.Topic)
	if !ok {
		return 0
	}
	return int32(len(t.Partitions))
}

// createOffsetsTopic makes __consumer_offsets, and says why it cannot, as consumers would else hang without anybody knowing.
func (n *Node) createOffsetsTopic(ctx context.Context) error {
	topic := api.InternalTopic(coordinator.Topic, n.live.values(), n.publisher.current())
	err := n.createTopic(ctx, topic)
	if err != nil { // clients ask ten times a second
		n.complaints.Say(slog.LevelError, coordinator.Topic, "the offsets topic could not be created: consumer groups will not work",
			"topic", coordinator.Topic, "replication_factor", topic.ReplicationFactor, "error", err)
	}
	return err
}

// createTopic has a topic created and waits until this broker knows it. That it exists already is success.
func (n *Node) createTopic(ctx context.Context, topic kmsg.CreateTopicsRequestTopic) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = req.MaxVersion()
	req.TimeoutMillis = 30_000
	req.Topics = append(req.Topics, topic)
	answer, err := n.controller.Do(ctx, req, "")
	if err != nil {
		return err
	}
	resp, ok := answer.(*kmsg.CreateTopicsResponse)
	if !ok || len(resp.Topics) != 1 {
		return fmt.Errorf("controller answered %T", answer)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil && err != kerr.TopicAlreadyExists {
		if resp.Topics[0].ErrorMessage != nil {
			return fmt.Errorf("%s: %w", *resp.Topics[0].ErrorMessage, err)
		}
		return err
	}
	n.publisher.await()
	return nil
}

// coordinate takes and lets go of the shards of __consumer_offsets. Those of a topic that is gone go first: another one of
// the name may be there already.
func (n *Node) coordinate(d meta.Delta) {
	var deleted []group.Topic
	for _, t := range d.Deleted {
		if t.Name == coordinator.Topic {
			for i := range t.Partitions {
				n.groups.Resign(int32(i))
			}
			continue
		}
		deleted = append(deleted, group.Topic{Name: t.Name, ID: t.ID})
	}
	if len(deleted) > 0 {
		n.groups.TopicsDeleted(deleted)
	}
	for _, t := range d.Created {
		if t.Name == coordinator.Topic {
			n.coordinateAll(t, nil)
		}
	}
	for _, c := range d.Changed {
		if c.New.Name == coordinator.Topic {
			n.coordinateAll(c.New, c.Old)
		}
	}
}

func (n *Node) coordinateAll(now, before *meta.Topic) {
	for i, p := range now.Partitions {
		index := int32(i)
		if p.Leader != n.nodeID {
			if before != nil && i < len(before.Partitions) && before.Partitions[i].Leader == n.nodeID {
				n.groups.Resign(index)
			}
			continue
		}
		part, err := n.replicas.Get(now.Name, index)
		if err != nil {
			n.logger.Error("a group shard cannot be led", "partition", index, "error", err)
			continue
		}
		part.WhenLeading(func() { n.leadShard(part) })
	}
}

// leadShard hands a partition's log to the coordinator.
func (n *Node) leadShard(part *replica.Partition) {
	log, err := part.Coordinated()
	if err != nil {
		n.logger.Error("a group shard cannot be led", "partition", part.Index, "error", err)
		return
	}
	n.groups.Lead(part.Index, log.Epoch(), log)
}

func (n *Node) newFetchers() *fetcher.Fetchers {
	v := n.live.values()
	return fetcher.New(fetcher.Options{
		NodeID: n.nodeID, BrokerEpoch: n.registration.epoch.Load, Address: n.interBrokerAddress, Logger: n.logger,
		MaxWait:  config.Millis(config.ReplicaFetchWaitMaxMs, v),
		MinBytes: config.ReplicaFetchMinBytes.Of(v), MaxBytes: config.ReplicaFetchResponseMaxBytes.Of(v),
		PartitionMaxBytes: config.ReplicaFetchMaxBytes.Of(v),
	})
}

// interBrokerAddress is where another broker listens for brokers.
func (n *Node) interBrokerAddress(id int32) (string, bool) {
	b, ok := n.publisher.next.Load().Broker(id)
	if !ok {
		return "", false
	}
	name := n.live.values().InterBrokerListener()
	for _, l := range b.Listeners {
		// A node without a broker's role need not know what brokers call their listener.
		if l.Name == name || !n.isBroker() {
			return net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port))), true
		}
	}
	return "", false
}

// openBroker builds what serves requests, and binds the listeners: what they are bound to is registered.
func (n *Node) openBroker(ctx context.Context) error {
	if !n.isBroker() {
		return nil
	}
	v := n.live.values()
	n.registration = newRegistration(n)
	n.assignments = newAssignments(n)
	n.proposals = newProposals(n)
	n.fetchers = n.newFetchers()
	n.replicas = replica.New(replica.Options{
		NodeID: n.nodeID, Dirs: n.dirs, Logger: n.logger, Now: time.Now, Settings: n.live.topicSettings,
		AcknowledgeEarly: n.options.AcknowledgeEarly, Propose: n.proposals.add, Follow: n.fetchers.Follow,
		ThrottleSamples: int(config.ReplicationQuotaWindowNum.Of(v)),
		ThrottleSample:  time.Duration(config.ReplicationQuotaWindowSizeSeconds.Of(v)) * time.Second,
	})
	n.groups = n.newGroups()
	n.broker = &api.Broker{
		NodeID: n.nodeID, ClusterID: n.clusterID, Logger: n.logger, Now: time.Now,
		Image:           n.publisher.current,
		AwaitImage:      n.publisher.awaitImage,
		MetadataOffset:  func() int64 { return n.publisher.image.Load().end - 1 },
		Config:          n.live.values,
		Controller:      n.controller,
		Forwarded:       n.controller.forwarded,
		Peer:            n.ensemble.serve,
		LogLevel:        n.options.LogLevel,
		Replicas:        n.replicas,
		ProducerIDs:     &api.ProducerIDs{Controller: n.controller, NodeID: n.nodeID, Epoch: n.registration.epoch.Load},
		FetchMaxBytes:   config.FetchMaxBytes.Of(v),
		ServesFollowers: func() bool { return !n.isSoleBroker(n.publisher.current()) },
		FetchSessions:   api.NewFetchSessions(int(config.MaxIncrementalFetchSessionCacheSlots.Of(v))),
		Groups:          n.groups,
		CanListen:       n.canListen,
		Complaints:      n.complaints,
	}
	return n.openServer(ctx)
}

// openAdmin serves metrics and health. Where nobody asked for it by name it is a convenience, and a second broker on the
// same machine does without.
func (n *Node) openAdmin(context.Context) error {
	v := n.live.values()
	address := config.AdminListener.Of(v)
	if address == "" {
		return nil
	}
	served, err := admin.Start(admin.Options{
		Address: address, Requests: n.requests, Logger: n.logger, Ready: n.ready,
		Broker: admin.Broker{Replicas: n.replicas, Groups: n.groups},
	})
	if err != nil && !config.AdminListener.IsSet(v) {
		n.logger.Warn("metrics and health are not served; set barnabas.admin.listener to another address", "error", err)
		return nil
	}
	n.admin = served
	return err
}

// isSoleBroker says that there is no other broker in the cluster: there is nobody to lead instead of this one, or to follow it.
func (n *Node) isSoleBroker(image *meta.Image) bool {
	for b := range image.Brokers() {
		if b.ID != n.nodeID {
			return false
		}
	}
	return n.isBroker()
}

// ready says why this node does not serve clients, or, where it is a controller alone, takes no part in the quorum.
func (n *Node) ready() error {
	if !n.serving.Load() {
		return errNotServing
	}
	if !n.isBroker() {
		if n.metadata.member().Status().Leader == 0 {
			return errNoLeader
		}
		return nil
	}
	image := n.publisher.current()
	b, ok := image.Broker(n.nodeID)
	if !ok || b.Fenced || !n.isSoleBroker(image) && n.registration.isOver() {
		return errFenced
	}
	return n.inSync(image)
}

// inSync says which replica of this broker's is not in sync: were another broker to stop now, records could be out of reach.
func (n *Node) inSync(image *meta.Image) error {
	for t := range image.Topics() {
		for i, p := range t.Partitions {
			if slices.Contains(p.Replicas, n.nodeID) && !slices.Contains(p.ISR, n.nodeID) {
				return fmt.Errorf("partition %s-%d: this broker's replica is not in sync yet", t.Name, i)
			}
		}
	}
	return nil
}

var (
	errNotServing = errors.New("starting or stopping")
	errFenced     = errors.New("fenced by the controller, or not heard of by it for a session")
	errNoLeader   = errors.New("no controller leads the quorum")
)
