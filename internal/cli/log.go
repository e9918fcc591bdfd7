package cli

import "github.com/spf13/cobra"

func (a *app) logCommand() *cobra.Command {
	return parent("log", "Look into the files of a data directory, without a broker", a.logDumpCommand())
}
