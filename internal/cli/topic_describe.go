package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type describedTopic struct {
	Topic      string               `json:"topic"`
	ID         string               `json:"id"`
	Internal   bool                 `json:"internal"`
	Configs    map[string]string    `json:"configs"` // set for the topic itself
	Partitions []describedPartition `json:"partitions"`
}

type describedPartition struct {
	Partition   int32   `json:"partition"`
	Leader      *int32  `json:"leader"` // null: there is none
	LeaderEpoch int32   `json:"leader_epoch"`
	Replicas    []int32 `json:"replicas"`
	InSync      []int32 `json:"in_sync"`
	Offline     []int32 `json:"offline"`
	Start       *int64  `json:"start_offset"`
	End         *int64  `json:"end_offset"`
	Error       string  `json:"error,omitempty"`
}

func (a *app) topicDescribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "describe [TOPIC...]",
		Short: "Show topics' partitions, replicas, offsets and settings",
		Example: `  barnabas topic describe words
  barnabas topic describe -o json      # all topics`,
		ValidArgsFunction: a.topicNames,
		RunE: func(c *cobra.Command, args []string) error {
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.describeTopics(ctx, admin, args) })
		},
	}
}

func (a *app) describeTopics(ctx context.Context, admin *admin, names []string) error {
	details, err := admin.ListTopicsWithInternal(ctx, names...)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		details.FilterInternal()
		names = details.Names()
	}
	starts, err := admin.ListStartOffsets(ctx, names...)
	ends, endErr := admin.ListEndOffsets(ctx, names...)
	if err = errors.Join(err, endErr); err != nil && len(starts) == 0 {
		return err
	}
	configs, err := admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return err
	}
	described := make([]describedTopic, 0, len(names))
	var problems []error
	for _, topic := range details.Sorted() {
		if topic.Err != nil {
			problems = append(problems, fmt.Errorf("topic %s: %w", topic.Topic, topic.Err))
			continue
		}
		described = append(described, describeTopic(topic, starts, ends, configs))
	}
	return errors.Join(a.printTopics(described), errors.Join(problems...))
}

func describeTopic(topic kadm.TopicDetail, starts, ends kadm.ListedOffsets, configs kadm.ResourceConfigs) describedTopic {
	d := describedTopic{Topic: topic.Topic, ID: idText(topic.ID), Internal: topic.IsInternal, Configs: map[string]string{}, Partitions: []describedPartition{}}
	if resource, err := configs.On(topic.Topic, nil); err == nil {
		for _, config := range resource.Configs {
			if config.Source == kmsg.ConfigSourceDynamicTopicConfig {
				d.Configs[config.Key] = config.MaybeValue()
			}
		}
	}
	for _, p := range topic.Partitions.Sorted() {
		partition := describedPartition{Partition: p.Partition, LeaderEpoch: p.LeaderEpoch, Replicas: p.Replicas, InSync: p.ISR, Offline: p.OfflineReplicas}
		if partition.Offline == nil {
			partition.Offline = []int32{}
		}
		if p.Leader >= 0 {
			partition.Leader = &p.Leader
		}
		if p.Err != nil {
			partition.Error = p.Err.Error()
		}
		partition.Start, partition.End = offsetOf(starts, p), offsetOf(ends, p)
		d.Partitions = append(d.Partitions, partition)
	}
	return d
}

func offsetOf(listed kadm.ListedOffsets, p kadm.PartitionDetail) *int64 {
	offset, found := listed.Lookup(p.Topic, p.Partition)
	if !found || offset.Err != nil {
		return nil
	}
	return &offset.Offset
}

func (a *app) printTopics(described []describedTopic) error {
	if a.format != "json" && len(described) == 0 {
		return nil
	}
	return a.print(described, func(t *table) {
		for i, topic := range described {
			if i > 0 {
				t.line("")
			}
			t.line("topic %s, id %s, %s", topic.Topic, topic.ID, plural(int64(len(topic.Partitions)), "partition"))
			for _, name := range sortedKeys(topic.Configs) {
				t.line("  %s=%s", name, topic.Configs[name])
			}
			t.row("PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN SYNC", "START", "END")
			for _, p := range topic.Partitions {
				leader := "none"
				if p.Leader != nil {
					leader = fmt.Sprint(*p.Leader)
				}
				t.row(p.Partition, leader, p.LeaderEpoch, p.Replicas, p.InSync, p.Start, p.End)
			}
		}
	})
}
