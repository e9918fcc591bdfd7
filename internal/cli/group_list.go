package cli

import (
	"context"

	"github.com/spf13/cobra"
)

type listedGroup struct {
	Group       string `json:"group"`
	State       string `json:"state"`
	Type        string `json:"type"`
	Protocol    string `json:"protocol_type"`
	Coordinator int32  `json:"coordinator"`
}

func (a *app) groupListCommand() *cobra.Command {
	var states []string
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List groups and their states",
		Example: `  barnabas group list
  barnabas group list --state Empty,Dead`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.listGroups(ctx, admin, states) })
		},
	}
	c.Flags().StringSliceVar(&states, "state", nil, "list groups in these `states` only: Stable, Empty, Dead, PreparingRebalance, CompletingRebalance")
	return c
}

func (a *app) listGroups(ctx context.Context, admin *admin, states []string) error {
	groups, err := admin.ListGroups(ctx, states...)
	if err != nil && len(groups) == 0 {
		return err
	}
	listed := make([]listedGroup, 0, len(groups))
	for _, g := range groups.Sorted() {
		listed = append(listed, listedGroup{g.Group, g.State, g.GroupType, g.ProtocolType, g.Coordinator})
	}
	if len(listed) == 0 {
		a.say("there are no groups")
	}
	return a.print(listed, func(t *table) {
		if len(listed) == 0 {
			return
		}
		t.row("GROUP", "STATE", "TYPE", "COORDINATOR")
		for _, g := range listed {
			t.row(g.Group, g.State, g.Type, g.Coordinator)
		}
	})
}
