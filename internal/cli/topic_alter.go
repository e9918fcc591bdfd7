package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) topicAlterCommand() *cobra.Command {
	var partitions int
	var changes configChanges
	c := &cobra.Command{
		Use:   "alter TOPIC",
		Short: "Add partitions to a topic, or change its settings",
		Example: `  barnabas topic alter words --partitions 12
  barnabas topic alter words --set retention.ms=3600000 --unset cleanup.policy`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.topicNames,
		RunE: func(c *cobra.Command, args []string) error {
			if partitions == 0 && changes.empty() {
				return usage("nothing to alter: give --partitions, --set or --unset")
			}
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error {
				if err := a.alterConfigs(ctx, admin, resource{kind: "topic", name: args[0]}, changes); err != nil || partitions == 0 {
					return err
				}
				return a.addPartitions(ctx, admin, args[0], partitions)
			})
		},
	}
	c.Flags().IntVarP(&partitions, "partitions", "p", 0, "`number` of partitions that the topic shall have; it can only grow")
	changes.flags(c.Flags())
	return c
}

func (a *app) addPartitions(ctx context.Context, admin *admin, topic string, partitions int) error {
	responses, err := admin.UpdatePartitions(ctx, partitions, topic)
	if err != nil {
		return err
	}
	for _, response := range responses.Sorted() {
		if response.Err != nil {
			return fmt.Errorf("topic %s: %w", topic, withMessage(response.Err, response.ErrMessage))
		}
	}
	if len(responses) == 0 {
		return errors.New("the broker answered nothing about the topic")
	}
	return a.print(map[string]any{"topic": topic, "partitions": partitions}, func(t *table) {
		t.line("topic %s has %s", topic, plural(int64(partitions), "partition"))
	})
}
