package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) groupDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "delete GROUP...",
		Aliases:           []string{"rm"},
		Short:             "Delete groups without members, and their committed offsets",
		Example:           `  barnabas group delete billing`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.groupNames,
		RunE: func(c *cobra.Command, args []string) error {
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.deleteGroups(ctx, admin, args) })
		},
	}
}

func (a *app) deleteGroups(ctx context.Context, admin *admin, names []string) error {
	responses, err := admin.DeleteGroups(ctx, names...)
	if err != nil && len(responses) == 0 {
		return err
	}
	deleted := []string{}
	var problems []error
	for _, response := range responses.Sorted() {
		if response.Err != nil {
			problems = append(problems, fmt.Errorf("group %s: %w", response.Group, response.Err))
			continue
		}
		deleted = append(deleted, response.Group)
	}
	err = a.print(map[string]any{"deleted": deleted}, func(t *table) {
		for _, group := range deleted {
			t.line("group %s deleted", group)
		}
	})
	return errors.Join(err, errors.Join(problems...))
}
