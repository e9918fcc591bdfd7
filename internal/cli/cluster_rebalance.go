package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/barnabas-mq/barnabas/internal/rebalance"
)

type rebalanceFlags struct {
	remove   []int32
	execute  bool
	throttle int64
	atOnce   int
}

// plannedMove is one line of a plan.
type plannedMove struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	From      []int32 `json:"from"`
	To        []int32 `json:"to"`
	Bytes     int64   `json:"bytes"` // that are copied
}

type rebalancePlan struct {
	Moves    []plannedMove `json:"moves"`
	Bytes    int64         `json:"bytes"`
	Executed bool          `json:"executed"`
}

func (a *app) clusterRebalanceCommand() *cobra.Command {
	var f rebalanceFlags
	c := &cobra.Command{
		Use:   "rebalance",
		Short: "Spread replicas and leaders evenly over the brokers",
		Long: `Plan moves after which every broker holds and leads about as many partitions, copying as little as can be, and never
on fewer racks. It shows the plan; with --execute it carries it out, some partitions at a time, and waits until each
is done. A run that is interrupted leaves nothing half: what has begun goes on, and another run goes on from there.

A broker that joined gets its share; one that shall go is emptied with --remove-broker.`,
		Example: `  barnabas cluster rebalance
  barnabas cluster rebalance --execute --throttle 50000000
  barnabas cluster rebalance --remove-broker 3 --execute`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.atOnce < 1 {
				return usage("--at-once %d: it must be 1 or more", f.atOnce)
			}
			if f.throttle < 0 {
				return usage("--throttle %d: it must be a number of bytes a second", f.throttle)
			}
			return a.rebalance(c.Context(), f)
		},
	}
	c.Flags().Int32SliceVar(&f.remove, "remove-broker", nil, "`id` of a broker that shall hold nothing any more")
	c.Flags().BoolVar(&f.execute, "execute", false, "carry the plan out")
	c.Flags().Int64Var(&f.throttle, "throttle", 0, "most `bytes` a second that each broker copies; 0: as fast as can be")
	c.Flags().IntVar(&f.atOnce, "at-once", 20, "how many `partitions` move at a time")
	return c
}

func (a *app) rebalance(ctx context.Context, f rebalanceFlags) error {
	client, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := &admin{kadm.NewClient(client), client}
	moves, err := planMoves(ctx, admin, f.remove)
	if err != nil {
		return err
	}
	plan := rebalancePlan{Moves: []plannedMove{}, Executed: f.execute}
	for _, m := range moves {
		plan.Moves = append(plan.Moves, plannedMove{m.Topic, m.Index, m.Replicas, m.To, m.Copies()})
		plan.Bytes += m.Copies()
	}
	if f.execute && len(moves) > 0 {
		if err := a.carryOut(ctx, admin, moves, f); err != nil {
			return fmt.Errorf("%w; what has begun goes on, another 'barnabas cluster rebalance --execute' does the rest and lifts the throttle", err)
		}
	}
	return a.print(plan, func(t *table) {
		if len(moves) == 0 {
			t.line("nothing to move: the brokers hold and lead as many partitions as each other")
			return
		}
		t.row("PARTITION", "FROM", "TO", "BYTES")
		for _, m := range plan.Moves {
			t.row(fmt.Sprintf("%s-%d", m.Topic, m.Partition), m.From, m.To, m.Bytes)
		}
		t.line("")
		t.line("%s, %d bytes copied", plural(int64(len(moves)), "move"), plan.Bytes)
		if !f.execute {
			t.line("nothing was moved: add --execute to carry this out")
		}
	})
}

// planMoves asks how the partitions lie, and plans.
func planMoves(ctx context.Context, admin *admin, remove []int32) ([]rebalance.Move, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var s clusterStatus
	if err := s.addBrokers(ctx, admin); err != nil {
		return nil, err
	}
	var brokers []rebalance.Broker
	for _, b := range s.Brokers {
		broker := rebalance.Broker{ID: b.ID, Takes: b.State == "serving" && !slices.Contains(remove, b.ID)}
		if b.Rack != nil {
			broker.Rack = *b.Rack
		}
		if b.State != "serving" && !slices.Contains(remove, b.ID) {
			return nil, fmt.Errorf("broker %d is %s: wait for it, or have its replicas made elsewhere with --remove-broker %d", b.ID, b.State, b.ID)
		}
		brokers = append(brokers, broker)
	}
	for _, id := range remove {
		if !slices.ContainsFunc(brokers, func(b rebalance.Broker) bool { return b.ID == id }) {
			return nil, usage("--remove-broker %d: there is no such broker; 'barnabas cluster status' shows those there are", id)
		}
	}
	topics, err := listTopics(ctx, admin, true)
	if err != nil {
		return nil, err
	}
	dirs, _ := admin.DescribeAllLogDirs(ctx, nil) // a size that is not known counts as none
	var partitions []rebalance.Partition
	for _, t := range topics {
		for _, p := range t.Partitions.Sorted() {
			part := rebalance.Partition{Topic: p.Topic, Index: p.Partition, Replicas: p.Replicas}
			if held, ok := dirs[p.Leader].LookupPartition(p.Topic, p.Partition); ok {
				part.Bytes = held.Size
			}
			partitions = append(partitions, part)
		}
	}
	return rebalance.Plan(brokers, partitions), nil
}

// rebalancePoll is how often it is looked whether moves are done.
const rebalancePoll = 200 * time.Millisecond

// carryOut makes the moves, some at a time, under a throttle, and has each partition led by its first replica at the end.
func (a *app) carryOut(ctx context.Context, admin *admin, moves []rebalance.Move, f rebalanceFlags) error {
	limits := throttleOf(moves)
	if f.throttle > 0 {
		if err := limits.set(ctx, admin, f.throttle); err != nil {
			return err
		}
	}
	for at := 0; at < len(moves); at += f.atOnce {
		batch := moves[at:min(at+f.atOnce, len(moves))]
		var req kadm.AlterPartitionAssignmentsReq
		for _, m := range batch {
			req.Assign(m.Topic, m.Index, m.To)
		}
		answers, err := admin.AlterPartitionAssignments(ctx, req)
		if err == nil {
			err = answers.Error()
		}
		if err == nil {
			err = a.awaitMoves(ctx, admin, at, len(moves))
		}
		if err != nil {
			return err
		}
	}
	if err := limits.lift(ctx, admin); err != nil {
		return err
	}
	// Those included that did not move, and are led by another than their first replica.
	_, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
	return err
}

// awaitMoves waits until no partition is being reassigned.
func (a *app) awaitMoves(ctx context.Context, admin *admin, done, all int) error {
	for {
		under, err := admin.ListPartitionReassignments(ctx, nil)
		if err != nil {
			return err
		}
		left := len(under.Sorted())
		if a.Interactive {
			fmt.Fprintf(a.Stderr, "\r\x1b[K%d of %d moves done, %d under way", done, all, left)
		}
		if left == 0 {
			if a.Interactive {
				fmt.Fprint(a.Stderr, "\r\x1b[K")
			}
			return nil
		}
		select {
		case <-time.After(rebalancePoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
