package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) groupCommand() *cobra.Command {
	return parent("group", "List, describe, reset and delete consumer groups",
		a.groupListCommand(), a.groupDescribeCommand(), a.groupResetCommand(), a.groupDeleteCommand())
}

// groupNames completes the names of groups.
func (a *app) groupNames(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	_ = a.admin(c.Context(), func(ctx context.Context, admin *admin) error {
		groups, err := admin.ListGroups(ctx)
		for _, group := range groups.Sorted() {
			if strings.HasPrefix(group.Group, prefix) && !slices.Contains(args, group.Group) {
				names = append(names, group.Group)
			}
		}
		return err
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}
