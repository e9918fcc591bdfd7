// Command unscanned is a broker that does not look at its logs after an unclean stop. The crash suite shows with it that
// its checker would notice.
package main

import (
	"context"
	"os"

	"github.com/barnabas-mq/barnabas/internal/cli"
	"github.com/barnabas-mq/barnabas/internal/node"
)

func main() {
	os.Exit(cli.Main(func(ctx context.Context, b cli.Broker) error {
		options := node.Options{Values: b.Values, Logger: b.Logger, Version: b.Version, SkipRecoveryScan: true}
		return node.Run(ctx, options, func(n *node.Node) {
			b.Ready(cli.Started{NodeID: n.ID(), ClusterID: n.ClusterID(), Addresses: n.Addresses()})
		})
	}))
}
