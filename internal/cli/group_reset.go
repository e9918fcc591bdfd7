package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

type resetFlags struct {
	topics  []string
	to      string
	shift   int64
	execute bool
}

type resetOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Current   *int64 `json:"current"`
	New       int64  `json:"new"`
}

func (a *app) groupResetCommand() *cobra.Command {
	var f resetFlags
	c := &cobra.Command{
		Use:   "reset-offsets GROUP",
		Short: "Move a group's committed offsets",
		Long: `Move a group's committed offsets, while none of its members runs.

Without --execute, only what would be done is shown. New offsets are kept within what the
partitions hold.`,
		Example: `  barnabas group reset-offsets billing --topic orders --to beginning
  barnabas group reset-offsets billing --topic orders:0,2 --to 1500 --execute
  barnabas group reset-offsets billing --topic orders --to 2026-11-22T10:00:00Z --execute
  barnabas group reset-offsets billing --topic orders --shift=-100 --execute`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.groupNames,
		RunE: func(c *cobra.Command, args []string) error {
			if (f.to == "") == (f.shift == 0) {
				return usage("give either --to or --shift")
			}
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.resetOffsets(ctx, admin, args[0], f) })
		},
	}
	flags := c.Flags()
	flags.StringArrayVarP(&f.topics, "topic", "t", nil, "`topic`, or topic:partitions; all that the group committed to if not given; may be repeated")
	flags.StringVar(&f.to, "to", "", "new position: beginning, end, an offset or a `time`")
	flags.Int64Var(&f.shift, "shift", 0, "how many `records` to move on, or back with a minus")
	flags.BoolVar(&f.execute, "execute", false, "do it")
	return c
}

func (a *app) resetOffsets(ctx context.Context, admin *admin, group string, f resetFlags) error {
	plan, err := planReset(ctx, admin, group, f)
	if err != nil {
		return err
	}
	if len(plan) == 0 {
		return fmt.Errorf("group %s has committed nothing; name a topic with --topic", group)
	}
	if f.execute {
		if err := commitReset(ctx, admin, group, plan); err != nil {
			return err
		}
	} else {
		a.say("nothing was changed; add --execute to do this")
	}
	return a.print(plan, func(t *table) {
		t.row("TOPIC", "PARTITION", "CURRENT", "NEW")
		for _, r := range plan {
			t.row(r.Topic, r.Partition, r.Current, r.New)
		}
	})
}

// planReset finds the partitions meant and their new offsets.
func planReset(ctx context.Context, admin *admin, group string, f resetFlags) ([]resetOffset, error) {
	committed, err := admin.committed(ctx, group)
	if err != nil {
		return nil, err
	}
	wanted, err := wantedPartitions(ctx, admin, f.topics, committed)
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	topics := wanted.Topics()
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, err
	}
	target, err := f.target(ctx, admin, topics, starts, ends)
	if err != nil {
		return nil, err
	}
	var plan []resetOffset
	for _, p := range wanted.Sorted() {
		for _, partition := range p.Partitions {
			start, foundStart := starts.Lookup(p.Topic, partition)
			end, foundEnd := ends.Lookup(p.Topic, partition)
			if !foundStart || !foundEnd || start.Err != nil || end.Err != nil {
				return nil, fmt.Errorf("%s-%d: %w", p.Topic, partition, errors.Join(start.Err, end.Err, errNoPartition(foundStart && foundEnd)))
			}
			reset := resetOffset{Topic: p.Topic, Partition: partition}
			if c, found := committed.Lookup(p.Topic, partition); found && c.At >= 0 {
				reset.Current = &c.At
			}
			offset, err := target(p.Topic, partition, reset.Current)
			if err != nil {
				return nil, err
			}
			reset.New = min(max(offset, start.Offset), end.Offset)
			plan = append(plan, reset)
		}
	}
	return plan, nil
}

func errNoPartition(found bool) error {
	if found {
		return nil
	}
	return errors.New("there is no such partition")
}

// target returns what gives a partition's new offset.
func (f resetFlags) target(ctx context.Context, admin *admin, topics []string, starts, ends kadm.ListedOffsets) (func(topic string, partition int32, current *int64) (int64, error), error) {
	listed := func(offsets kadm.ListedOffsets) func(string, int32, *int64) (int64, error) {
		return func(topic string, partition int32, _ *int64) (int64, error) {
			offset, _ := offsets.Lookup(topic, partition)
			return offset.Offset, offset.Err
		}
	}
	if f.to == "" {
		return func(topic string, partition int32, current *int64) (int64, error) {
			if current == nil {
				return 0, fmt.Errorf("%s-%d: the group has committed nothing that could be shifted; use --to", topic, partition)
			}
			return *current + f.shift, nil
		}, nil
	}
	p, err := parsePosition(f.to)
	if err != nil {
		return nil, err
	}
	switch p.kind {
	case atBeginning:
		return listed(starts), nil
	case atEnd:
		return listed(ends), nil
	case atTime:
		offsets, err := admin.ListOffsetsAfterMilli(ctx, p.value, topics...)
		return listed(offsets), err
	}
	return func(topic string, partition int32, _ *int64) (int64, error) {
		if p.kind == beforeEnd {
			end, _ := ends.Lookup(topic, partition)
			return end.Offset - p.value, end.Err
		}
		return p.value, nil
	}, nil
}

// wantedPartitions are those named, or all that the group committed to.
func wantedPartitions(ctx context.Context, admin *admin, topics []string, committed kadm.OffsetResponses) (kadm.TopicsSet, error) {
	wanted := kadm.TopicsSet{}
	if len(topics) == 0 {
		committed.Each(func(o kadm.OffsetResponse) { wanted.Add(o.Topic, o.Partition) })
		return wanted, nil
	}
	for _, entry := range topics {
		topic, partitions, found := strings.Cut(entry, ":")
		if found {
			for text := range strings.SplitSeq(partitions, ",") {
				n, err := strconv.ParseInt(text, 10, 32)
				if err != nil {
					return nil, usage("--topic %s: %q is no partition", entry, text)
				}
				wanted.Add(topic, int32(n))
			}
			continue
		}
		details, err := admin.ListTopics(ctx, topic)
		if err == nil {
			err = details[topic].Err
		}
		if err != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, err)
		}
		wanted.Add(topic, details[topic].Partitions.Numbers()...)
	}
	return wanted, nil
}

func commitReset(ctx context.Context, admin *admin, group string, plan []resetOffset) error {
	offsets := kadm.Offsets{}
	for _, r := range plan {
		offsets.AddOffset(r.Topic, r.Partition, r.New, -1)
	}
	responses, err := admin.CommitOffsets(ctx, group, offsets)
	if err == nil {
		err = responses.Error()
	}
	if err != nil {
		return fmt.Errorf("group %s: offsets can only be moved while no member runs: %w", group, err)
	}
	return nil
}
