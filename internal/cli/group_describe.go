package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

type describedGroup struct {
	Group       string            `json:"group"`
	State       string            `json:"state"`
	Protocol    string            `json:"protocol"`
	Coordinator int32             `json:"coordinator"`
	Members     []describedMember `json:"members"`
	Partitions  []partitionLag    `json:"partitions"`
	Lag         int64             `json:"lag"`
}

type describedMember struct {
	Member     string  `json:"member"`
	Instance   *string `json:"instance"`
	Client     string  `json:"client"`
	Host       string  `json:"host"`
	Partitions int     `json:"partitions"`
}

type partitionLag struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed"` // null: nothing was committed
	End       *int64 `json:"end"`
	Lag       *int64 `json:"lag"`
	Member    string `json:"member"`
	Client    string `json:"client"`
	Error     string `json:"error,omitempty"`
}

func (a *app) groupDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "describe GROUP...",
		Short: "Show groups' members, committed offsets and lag",
		Example: `  barnabas group describe billing
  barnabas group describe billing -o json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.groupNames,
		RunE: func(c *cobra.Command, args []string) error {
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.describeGroups(ctx, admin, args) })
		},
	}
}

func (a *app) describeGroups(ctx context.Context, admin *admin, names []string) error {
	lags, err := admin.Lag(ctx, names...)
	if err != nil && len(lags) == 0 {
		return err
	}
	described := []describedGroup{}
	var problems []error
	for _, lag := range lags.Sorted() {
		if err := lag.Error(); err != nil {
			problems = append(problems, fmt.Errorf("group %s: %w", lag.Group, err))
			continue
		}
		if lag.State == "Dead" && len(lag.Lag) == 0 {
			problems = append(problems, fmt.Errorf("group %s does not exist; 'barnabas group list' shows the groups there are", lag.Group))
			continue
		}
		described = append(described, describeGroup(lag))
	}
	return errors.Join(a.printGroups(described), errors.Join(problems...))
}

func describeGroup(lag kadm.DescribedGroupLag) describedGroup {
	d := describedGroup{
		Group: lag.Group, State: lag.State, Protocol: lag.Protocol, Coordinator: lag.Coordinator.NodeID,
		Members: []describedMember{}, Partitions: []partitionLag{}, Lag: lag.Lag.Total(),
	}
	for _, m := range lag.Members {
		member := describedMember{Member: m.MemberID, Instance: m.InstanceID, Client: m.ClientID, Host: m.ClientHost}
		if assignment, is := m.Assigned.AsConsumer(); is {
			for _, topic := range assignment.Topics {
				member.Partitions += len(topic.Partitions)
			}
		}
		d.Members = append(d.Members, member)
	}
	for _, l := range lag.Lag.Sorted() {
		d.Partitions = append(d.Partitions, describeLag(l))
	}
	slices.SortFunc(d.Partitions, func(x, y partitionLag) int {
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition))
	})
	return d
}

func describeLag(l kadm.GroupMemberLag) partitionLag {
	p := partitionLag{Topic: l.Topic, Partition: l.Partition}
	if l.Commit.At >= 0 {
		p.Committed = &l.Commit.At
	}
	if l.End.Err == nil && l.End.Offset >= 0 {
		p.End = &l.End.Offset
	}
	if l.Lag >= 0 {
		p.Lag = &l.Lag
	}
	if l.Err != nil {
		p.Error = l.Err.Error()
	}
	if l.Member != nil {
		p.Member, p.Client = l.Member.MemberID, l.Member.ClientID
	}
	return p
}

func (a *app) printGroups(described []describedGroup) error {
	if a.format != "json" && len(described) == 0 {
		return nil
	}
	return a.print(described, func(t *table) {
		for i, g := range described {
			if i > 0 {
				t.line("")
			}
			t.line("group %s: %s, %s, lag %d", g.Group, g.State, plural(int64(len(g.Members)), "member"), g.Lag)
			if len(g.Partitions) == 0 {
				continue
			}
			t.row("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "CLIENT")
			for _, p := range g.Partitions {
				t.row(p.Topic, p.Partition, p.Committed, p.End, p.Lag, p.Member, p.Client)
			}
		}
	})
}
