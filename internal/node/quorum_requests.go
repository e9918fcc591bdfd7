package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/members"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

// metadataTopic is the name of the metadata log.
const metadataTopic = "__cluster_metadata"

// isQuorums says that a request is about the quorum itself, which its leader answers from what Raft knows.
func isQuorums(req kmsg.Request) bool {
	switch req.(type) {
	case *kmsg.DescribeQuorumRequest, *kmsg.AddRaftVoterRequest, *kmsg.RemoveRaftVoterRequest, *kmsg.FetchRequest:
		return true
	}
	return false
}

// decide answers a request about the quorum, if this node leads it.
func (e *ensemble) decide(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	if fetch, ok := req.(*kmsg.FetchRequest); ok {
		return e.node.metadata.fetch(ctx, fetch)
	}
	if e.node.controller.runtime.Load() == nil {
		return nil, errNoController
	}
	switch req := req.(type) {
	case *kmsg.DescribeQuorumRequest:
		return e.describe(req), nil
	case *kmsg.AddRaftVoterRequest:
		return e.addVoter(ctx, req)
	case *kmsg.RemoveRaftVoterRequest:
		return e.removeVoter(ctx, req)
	}
	return nil, fmt.Errorf("api key %d: %w", req.Key(), kerr.InvalidRequest)
}

// addVoter has a controller vote that follows the quorum already, or comes soon (KIP-853).
func (e *ensemble) addVoter(ctx context.Context, req *kmsg.AddRaftVoterRequest) (kmsg.Response, error) {
	m := members.Member{NodeID: req.VoterID, DirectoryID: meta.FormatID(req.VoterDirectoryID)}
	for _, l := range req.Listeners {
		m.Endpoints = append(m.Endpoints, members.Endpoint{Name: l.Name, Host: l.Host, Port: l.Port})
	}
	id := quorum.RaftID(req.VoterDirectoryID)
	err := e.sameCluster(req.ClusterID)
	switch {
	case err != nil:
	case req.VoterID < 0 || req.VoterDirectoryID == meta.ID{}:
		err = &voterRefused{kerr.InvalidRequest, "Add voter request didn't include a valid voter"}
	case len(m.Endpoints) == 0:
		err = &voterRefused{kerr.InvalidRequest, fmt.Sprintf("Add voter request didn't include a listener at which controller %d is reached", req.VoterID)}
	default:
		err = e.until(ctx, req.TimeoutMillis, func(v members.View) (members.Change, error) { return members.Add(v, id, m) }, members.ErrDuplicate)
	}
	resp := req.ResponseKind().(*kmsg.AddRaftVoterResponse)
	resp.ErrorCode, resp.ErrorMessage, err = refusal(err)
	return resp, err
}

// removeVoter has a voter vote no more (KIP-853).
func (e *ensemble) removeVoter(ctx context.Context, req *kmsg.RemoveRaftVoterRequest) (kmsg.Response, error) {
	id := quorum.RaftID(req.VoterDirectoryID)
	err := e.sameCluster(req.ClusterID)
	switch {
	case err != nil:
	case req.VoterID < 0 || req.VoterDirectoryID == meta.ID{}:
		err = &voterRefused{kerr.InvalidRequest, "Remove voter request didn't include a valid voter"}
	case id == e.self:
		err = e.removeSelf(ctx, id, req.VoterID)
	default:
		err = e.until(ctx, 0, func(v members.View) (members.Change, error) { return members.Remove(v, id, req.VoterID) }, members.ErrUnknown)
	}
	resp := req.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
	resp.ErrorCode, resp.ErrorMessage, err = refusal(err)
	return resp, err
}

// removeSelf has another voter lead, which is asked then. A leader that removes itself says nothing more once that is committed: one
// of two that has not heard so waits for its vote for ever, which it may not get, as the log there goes further.
func (e *ensemble) removeSelf(ctx context.Context, id uint64, node int32) error {
	may := func(v members.View) (members.Change, error) {
		if _, err := members.Remove(v, id, node); err != nil {
			return members.Change{}, err
		}
		return members.Change{}, errNoController
	}
	err := e.until(ctx, 0, may, members.ErrUnknown)
	if errors.Is(err, errNoController) {
		e.node.metadata.member().HandOver(changeTimeout)
	}
	return err
}

func (e *ensemble) sameCluster(asked *string) error {
	if asked == nil || *asked == e.node.clusterID {
		return nil
	}
	return &voterRefused{kerr.InconsistentClusterID, fmt.Sprintf("The given id %q doesn't match the cluster id %q", *asked, e.node.clusterID)}
}

// voterRefused is why voters are not changed, in words for whoever asked.
type voterRefused struct {
	code *kerr.Error
	text string
}

func (r *voterRefused) Error() string { return r.text }

// votersWithin bounds a change of voters that names no time of its own.
const votersWithin = 30 * time.Second

// until makes changes until there is no more to be done. done is the error that then tells so: before the first change it is one.
func (e *ensemble) until(ctx context.Context, millis int32, next func(members.View) (members.Change, error), done error) error {
	within := votersWithin
	if millis > 0 {
		within = min(within, time.Duration(millis)*time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for changed := false; ; {
		made, err := e.step(ctx, next)
		changed = changed || made
		switch {
		case changed && errors.Is(err, done):
			return nil
		case !errors.Is(err, members.ErrWait):
			return err
		}
		if pause(ctx, joinAgain) != nil {
			return &voterRefused{kerr.RequestTimedOut, fmt.Sprintf("The change of voters is not through within %v: is the controller running, and has it caught up?", within)}
		}
	}
}

// refusal is an error's code and words in an answer; what is no refusal stays an error.
func refusal(err error) (int16, *string, error) {
	if err == nil {
		return 0, nil, nil
	}
	code := kerr.RequestTimedOut
	var refused *voterRefused
	switch {
	case errors.Is(err, kerr.NotController):
		return 0, nil, err
	case errors.Is(err, members.ErrDuplicate):
		code = kerr.DuplicateVoter
	case errors.Is(err, members.ErrUnknown), errors.Is(err, members.ErrLast):
		code = kerr.VoterNotFound
	case errors.Is(err, members.ErrTooMany):
		code = kerr.InvalidRequest
	case errors.As(err, &refused):
		code = refused.code
	}
	text := err.Error()
	return code.Code, &text, nil
}

// describe is what the leader knows of the quorum. Where each member is: in the metadata that it has applied, of which a learner
// counts as an observer, as does a broker that follows the metadata.
func (e *ensemble) describe(req *kmsg.DescribeQuorumRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	resp.ErrorMessage = new(string) // Kafka's is empty, not null, where there is none
	for i := range req.Topics {
		topic := kmsg.NewDescribeQuorumResponseTopic()
		topic.Topic = req.Topics[i].Topic
		for _, p := range req.Topics[i].Partitions {
			partition := kmsg.NewDescribeQuorumResponseTopicPartition()
			partition.Partition = p.Partition
			if len(req.Topics) != 1 || len(req.Topics[i].Partitions) != 1 || topic.Topic != metadataTopic || p.Partition != 0 {
				partition.ErrorCode, partition.ErrorMessage = kerr.UnknownTopicOrPartition.Code, kmsg.StringPtr(kerr.UnknownTopicOrPartition.Description)
			} else {
				partition.ErrorMessage = new(string)
				e.describeLog(&partition)
				resp.Nodes = e.describeNodes(req.Version)
			}
			topic.Partitions = append(topic.Partitions, partition)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (e *ensemble) describeLog(p *kmsg.DescribeQuorumResponseTopicPartition) {
	raft, now := e.node.metadata.member(), time.Now()
	status, end := raft.Status(), e.node.metadata.log.Position()
	p.LeaderID, p.LeaderEpoch, p.HighWatermark = e.node.nodeID, int32(status.Term), end.Offset
	brokers := make(map[int32]bool)
	state := func(id uint64) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
		s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		m, err := members.Decode(status.Members.Contexts[id])
		s.ReplicaID, s.LogEndOffset = m.NodeID, -1
		if err != nil {
			s.ReplicaID = unknownNode
		}
		if directory, err := meta.ParseID(m.DirectoryID); err == nil {
			s.ReplicaDirectoryID = directory
		}
		brokers[s.ReplicaID] = true
		if id == e.self {
			s.LogEndOffset, s.LastFetchTimestamp, s.LastCaughtUpTimestamp = end.Offset, now.UnixMilli(), now.UnixMilli()
		} else if o := e.member(id); o != nil {
			at, heard, caughtUp := o.report.get()
			s.LogEndOffset, s.LastFetchTimestamp, s.LastCaughtUpTimestamp = at, millisOf(heard), millisOf(caughtUp)
		}
		return s
	}
	for _, id := range status.Members.GetVoters() {
		p.CurrentVoters = append(p.CurrentVoters, state(id))
	}
	for _, id := range status.Members.GetLearners() {
		p.Observers = append(p.Observers, state(id))
	}
	for _, s := range e.observers.seen(now) {
		if !brokers[s.ReplicaID] {
			p.Observers = append(p.Observers, s)
		}
	}
	byID := func(a, b kmsg.DescribeQuorumResponseTopicPartitionReplicaState) int {
		return cmp.Compare(a.ReplicaID, b.ReplicaID)
	}
	slices.SortFunc(p.CurrentVoters, byID)
	slices.SortFunc(p.Observers, byID)
}

func millisOf(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixMilli()
}

// describeNodes are where the voters are reached.
func (e *ensemble) describeNodes(version int16) []kmsg.DescribeQuorumResponseNode {
	if version < 2 {
		return nil
	}
	var nodes []kmsg.DescribeQuorumResponseNode
	m := e.node.metadata.member().Status().Members
	for _, id := range m.GetVoters() {
		said, err := members.Decode(m.Contexts[id])
		if err != nil {
			continue
		}
		node := kmsg.NewDescribeQuorumResponseNode()
		node.NodeID = said.NodeID
		for _, endpoint := range said.Endpoints {
			l := kmsg.NewDescribeQuorumResponseNodeListener()
			l.Name, l.Host, l.Port = endpoint.Name, endpoint.Host, endpoint.Port
			node.Listeners = append(node.Listeners, l)
		}
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, func(a, b kmsg.DescribeQuorumResponseNode) int { return cmp.Compare(a.NodeID, b.NodeID) })
	return nodes
}

// observerForgotten is how long a node that does not fetch any more counts as an observer, as in Kafka.
const observerForgotten = 5 * time.Minute

// maxObservers bounds the nodes that are remembered.
const maxObservers = 10_000

// observers are the nodes that fetch metadata from this one.
type observers struct {
	mu sync.Mutex // guards by
	by map[observerKey]kmsg.DescribeQuorumResponseTopicPartitionReplicaState
}

type observerKey struct {
	node      int32
	directory [16]byte
}

// fetched is called with each fetch from an offset, of a log that ends at another.
func (o *observers) fetched(node int32, directory [16]byte, offset, end int64) {
	now := time.Now().UnixMilli()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by == nil {
		o.by = make(map[observerKey]kmsg.DescribeQuorumResponseTopicPartitionReplicaState)
	}
	key := observerKey{node, directory}
	s, known := o.by[key]
	if !known && len(o.by) >= maxObservers {
		return
	}
	if !known {
		s = kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		s.ReplicaID, s.ReplicaDirectoryID = node, directory
	}
	s.LogEndOffset, s.LastFetchTimestamp = offset, now
	if offset >= end {
		s.LastCaughtUpTimestamp = now
	}
	o.by[key] = s
}

// seen are those that were heard of lately.
func (o *observers) seen(now time.Time) []kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []kmsg.DescribeQuorumResponseTopicPartitionReplicaState
	for key, s := range o.by {
		if s.LastFetchTimestamp < now.Add(-observerForgotten).UnixMilli() {
			delete(o.by, key)
			continue
		}
		all = append(all, s)
	}
	return all
}
