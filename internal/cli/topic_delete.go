package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) topicDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "delete TOPIC...",
		Aliases:           []string{"rm"},
		Short:             "Delete topics with all their records",
		Example:           `  barnabas topic delete words`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.topicNames,
		RunE: func(c *cobra.Command, args []string) error {
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.deleteTopics(ctx, admin, args) })
		},
	}
}

func (a *app) deleteTopics(ctx context.Context, admin *admin, names []string) error {
	responses, err := admin.DeleteTopics(ctx, names...)
	if err != nil {
		return err
	}
	deleted := []string{}
	var problems []error
	for _, response := range responses.Sorted() {
		if response.Err != nil {
			problems = append(problems, fmt.Errorf("topic %s: %w", response.Topic, withMessage(response.Err, response.ErrMessage)))
			continue
		}
		deleted = append(deleted, response.Topic)
	}
	err = a.print(map[string]any{"deleted": deleted}, func(t *table) {
		for _, topic := range deleted {
			t.line("topic %s deleted", topic)
		}
	})
	return errors.Join(err, errors.Join(problems...))
}
