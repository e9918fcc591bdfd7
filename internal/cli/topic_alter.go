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
			topic := resource{kind: "topic", name: args[0]}
			request, err := changes.request(topic)
			if err != nil {
				return err
			}
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error {
				if !changes.empty() {
					if err := a.alterConfigs(ctx, admin, topic, request); err != nil {
						return err
					}
				}
				if partitions > 0 {
					return a.addPartitions(ctx, admin, topic.name, partitions, changes.validateOnly)
				}
				return nil
			})
		},
	}
	c.Flags().IntVarP(&partitions, "partitions", "p", 0, "`number` of partitions that the topic shall have; it can only grow")
	changes.flags(c.Flags())
	return c
}

func (a *app) addPartitions(ctx context.Context, admin *admin, topic string, partitions int, validateOnly bool) error {
	update, verb := admin.UpdatePartitions, "has"
	if validateOnly {
		update, verb = admin.ValidateUpdatePartitions, "could have"
	}
	responses, err := update(ctx, partitions, topic)
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
	return a.print(map[string]any{"topic": topic, "partitions": partitions, "validate_only": validateOnly}, func(t *table) {
		t.line("topic %s %s %s", topic, verb, plural(int64(partitions), "partition"))
	})
}
