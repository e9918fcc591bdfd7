package cli

import "github.com/spf13/cobra"

func (a *app) clusterCommand() *cobra.Command {
	return parent("cluster", "Show the cluster's health, and spread partitions over its brokers",
		a.clusterStatusCommand(), a.clusterRebalanceCommand())
}
