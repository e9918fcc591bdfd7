package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterStatus is what the ensemble is there for, in one look: who is a member, who leads what, and how healthy it all is.
type clusterStatus struct {
	Cluster       string             `json:"cluster"`
	Healthy       bool               `json:"healthy"`
	Problems      []string           `json:"problems"`
	Leader        int32              `json:"leader"` // of the controllers; -1: not known
	Epoch         int32              `json:"epoch"`
	MetadataEnd   int64              `json:"metadataEnd"`
	Controllers   []controllerStatus `json:"controllers"`
	Brokers       []brokerStatus     `json:"brokers"`
	Topics        int                `json:"topics"`
	Partitions    int                `json:"partitions"`
	Leaderless    []string           `json:"leaderless"`
	OutOfSync     []string           `json:"outOfSync"` // with fewer replicas in sync than they have
	Reassignments []reassigning      `json:"reassignments"`
}

type controllerStatus struct {
	ID        int32  `json:"id"`
	Directory string `json:"directory"`
	Role      string `json:"role"` // leader, voter or observer
	Lag       *int64 `json:"lag"`  // of its metadata; null: it does not say
	// SilentMs is how long ago it was heard of; null: never, or it is the leader.
	SilentMs *int64 `json:"silentMs"`
}

type brokerStatus struct {
	ID        int32   `json:"id"`
	Address   string  `json:"address"`
	Rack      *string `json:"rack"`
	State     string  `json:"state"` // serving or fenced
	Leads     int     `json:"leads"`
	Replicas  int     `json:"replicas"`
	OutOfSync int     `json:"outOfSync"`
	Bytes     *int64  `json:"bytes"` // null: it does not say
}

type reassigning struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Replicas  []int32 `json:"replicas"`
	Adding    []int32 `json:"adding"`
	Removing  []int32 `json:"removing"`
}

func (a *app) clusterStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show who is in the cluster, who leads, and what is not as it should be",
		Long: `Show the controllers, who leads them and how far each is; the brokers, what each holds and leads; partitions
without a leader or with replicas that are not in sync; and reassignments under way.

It ends with 1 when something is wrong: a broker is fenced, a controller is silent, or a partition has no leader
or lacks a replica in sync.`,
		Example: `  barnabas cluster status
  barnabas cluster status -o json | jq .problems`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error {
				status, err := clusterStatusOf(ctx, admin)
				if err != nil {
					return err
				}
				if err := a.printClusterStatus(status); err != nil || status.Healthy {
					return err
				}
				return errUnhealthy
			})
		},
	}
}

var errUnhealthy = errors.New("the cluster is not healthy: see above")

func clusterStatusOf(ctx context.Context, admin *admin) (*clusterStatus, error) {
	s := &clusterStatus{Problems: []string{}, Leaderless: []string{}, OutOfSync: []string{}, Reassignments: []reassigning{}, Leader: -1}
	if err := s.addBrokers(ctx, admin); err != nil {
		return nil, err
	}
	if err := s.addPartitions(ctx, admin); err != nil {
		return nil, err
	}
	s.addBytes(ctx, admin)
	if err := s.addQuorum(ctx, admin); err != nil {
		return nil, err
	}
	if err := s.addReassignments(ctx, admin); err != nil {
		return nil, err
	}
	s.judge()
	return s, nil
}

// addBrokers lists the brokers, those included that are fenced.
func (s *clusterStatus) addBrokers(ctx context.Context, admin *admin) error {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.IncludeFencedBrokers, req.EndpointType = true, 1
	resp, err := req.RequestWith(ctx, admin.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("describe the cluster: %w", err)
	}
	s.Cluster = resp.ClusterID
	for _, b := range resp.Brokers {
		state := "serving"
		if b.IsFenced {
			state = "fenced"
		}
		s.Brokers = append(s.Brokers, brokerStatus{ID: b.NodeID, Address: fmt.Sprintf("%s:%d", b.Host, b.Port), Rack: b.Rack, State: state})
	}
	slices.SortFunc(s.Brokers, func(a, b brokerStatus) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

func (s *clusterStatus) broker(id int32) *brokerStatus {
	i := slices.IndexFunc(s.Brokers, func(b brokerStatus) bool { return b.ID == id })
	if i < 0 {
		s.Brokers = append(s.Brokers, brokerStatus{ID: id, Address: "-", State: "gone"})
		i = len(s.Brokers) - 1
	}
	return &s.Brokers[i]
}

func (s *clusterStatus) addPartitions(ctx context.Context, admin *admin) error {
	topics, err := listTopics(ctx, admin, true)
	if err != nil {
		return err
	}
	s.Topics = len(topics)
	for _, t := range topics {
		for _, p := range t.Partitions.Sorted() {
			s.Partitions++
			name := fmt.Sprintf("%s-%d", p.Topic, p.Partition)
			if p.Leader < 0 {
				s.Leaderless = append(s.Leaderless, name)
			} else {
				s.broker(p.Leader).Leads++
			}
			if len(p.ISR) < len(p.Replicas) {
				s.OutOfSync = append(s.OutOfSync, name)
			}
			for _, id := range p.Replicas {
				b := s.broker(id)
				b.Replicas++
				if !slices.Contains(p.ISR, id) {
					b.OutOfSync++
				}
			}
		}
	}
	return nil
}

// addBytes asks each broker how much it holds. One that does not answer says nothing.
func (s *clusterStatus) addBytes(ctx context.Context, admin *admin) {
	dirs, _ := admin.DescribeAllLogDirs(ctx, nil)
	for id, of := range dirs {
		bytes := of.Size()
		s.broker(id).Bytes = &bytes
	}
}

func (s *clusterStatus) addQuorum(ctx context.Context, admin *admin) error {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic, topic.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{{}}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, admin.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && (len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1) {
		err = errors.New("the answer has no quorum in it")
	}
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("describe the controllers: %w", err)
	}
	q := resp.Topics[0].Partitions[0]
	s.Leader, s.Epoch, s.MetadataEnd = q.LeaderID, q.LeaderEpoch, q.HighWatermark
	now := time.Now()
	add := func(states []kmsg.DescribeQuorumResponseTopicPartitionReplicaState, role string) {
		for _, r := range states {
			c := controllerStatus{ID: r.ReplicaID, Directory: idText(r.ReplicaDirectoryID), Role: role}
			if r.LogEndOffset >= 0 {
				lag := max(0, q.HighWatermark-r.LogEndOffset)
				c.Lag = &lag
			}
			switch {
			case r.ReplicaID == q.LeaderID && role == "voter":
				c.Role = "leader"
			case r.LastFetchTimestamp > 0:
				silent := max(0, now.UnixMilli()-r.LastFetchTimestamp)
				c.SilentMs = &silent
			}
			s.Controllers = append(s.Controllers, c)
		}
	}
	add(q.CurrentVoters, "voter")
	add(q.Observers, "observer")
	return nil
}

func (s *clusterStatus) addReassignments(ctx context.Context, admin *admin) error {
	under, err := admin.ListPartitionReassignments(ctx, nil)
	if err != nil {
		return fmt.Errorf("list reassignments: %w", err)
	}
	for _, r := range under.Sorted() {
		s.Reassignments = append(s.Reassignments, reassigning{r.Topic, r.Partition, r.Replicas, r.AddingReplicas, r.RemovingReplicas})
	}
	return nil
}

// silentAfter is how long a controller may be silent: it answers the leader several times a second.
const silentAfter = 5 * time.Second

// judge says what is not as it should be.
func (s *clusterStatus) judge() {
	problem := func(format string, args ...any) { s.Problems = append(s.Problems, fmt.Sprintf(format, args...)) }
	for _, c := range s.Controllers {
		if c.Role == "voter" && (c.SilentMs == nil || *c.SilentMs > silentAfter.Milliseconds()) {
			problem("controller %d is not heard of", c.ID)
		}
	}
	for _, b := range s.Brokers {
		if b.State != "serving" {
			problem("broker %d is %s", b.ID, b.State)
		}
	}
	if n := len(s.Leaderless); n > 0 {
		problem("%s without a leader, such as %s", plural(int64(n), "partition"), s.Leaderless[0])
	}
	if n := len(s.OutOfSync); n > 0 {
		problem("%s with replicas that are not in sync, such as %s", plural(int64(n), "partition"), s.OutOfSync[0])
	}
	s.Healthy = len(s.Problems) == 0
}

func (a *app) printClusterStatus(s *clusterStatus) error {
	return a.print(s, func(t *table) {
		t.line("cluster %s: %s, %s, controller %d leads in epoch %d", s.Cluster, plural(int64(s.Topics), "topic"), plural(int64(s.Partitions), "partition"), s.Leader, s.Epoch)
		t.line("")
		t.row("CONTROLLER", "ROLE", "LAG", "HEARD OF", "DIRECTORY")
		for _, c := range s.Controllers {
			heard := "-"
			if c.SilentMs != nil {
				heard = fmt.Sprintf("%d ms ago", *c.SilentMs)
			}
			t.row(c.ID, c.Role, c.Lag, heard, c.Directory)
		}
		t.line("")
		t.row("BROKER", "STATE", "ADDRESS", "RACK", "LEADS", "REPLICAS", "OUT OF SYNC", "BYTES")
		for _, b := range s.Brokers {
			t.row(b.ID, b.State, b.Address, b.Rack, b.Leads, b.Replicas, b.OutOfSync, b.Bytes)
		}
		for i, r := range s.Reassignments {
			if i == 0 {
				t.line("")
				t.row("REASSIGNING", "REPLICAS", "ADDING", "REMOVING")
			}
			t.row(fmt.Sprintf("%s-%d", r.Topic, r.Partition), r.Replicas, r.Adding, r.Removing)
		}
		t.line("")
		if s.Healthy {
			t.line("healthy")
		}
		for _, p := range s.Problems {
			t.line("not healthy: %s", p)
		}
	})
}
