package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type listedTopic struct {
	Topic             string `json:"topic"`
	ID                string `json:"id"`
	Partitions        int    `json:"partitions"`
	ReplicationFactor int    `json:"replication_factor"`
	Internal          bool   `json:"internal"`
}

func (a *app) topicListCommand() *cobra.Command {
	var internal bool
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List topics",
		Example: `  barnabas topic list
  barnabas topic list --internal -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.listTopics(ctx, admin, internal) })
		},
	}
	c.Flags().BoolVar(&internal, "internal", false, "list the broker's own topics too")
	return c
}

func (a *app) listTopics(ctx context.Context, admin *admin, internal bool) error {
	topics, err := listTopics(ctx, admin, internal)
	if err != nil {
		return err
	}
	listed := make([]listedTopic, 0, len(topics))
	for _, topic := range topics {
		listed = append(listed, listedTopic{topic.Topic, idText(topic.ID), len(topic.Partitions), topic.Partitions.NumReplicas(), topic.IsInternal})
	}
	if len(listed) == 0 {
		a.say("there are no topics; 'barnabas topic create NAME' makes one")
	}
	return a.print(listed, func(t *table) {
		if len(listed) == 0 {
			return
		}
		t.row("TOPIC", "PARTITIONS", "REPLICAS")
		for _, topic := range listed {
			t.row(topic.Topic, topic.Partitions, topic.ReplicationFactor)
		}
	})
}
