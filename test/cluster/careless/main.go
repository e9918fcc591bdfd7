// Command careless is a broker that acknowledges what its followers do not have yet. The cluster suite shows with it that
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
		options := node.Options{Values: b.Values, Logger: b.Logger, Version: b.Version, AcknowledgeEarly: true}
		return node.Run(ctx, options, func(n *node.Node) {
			b.Ready(cli.Started{NodeID: n.ID(), ClusterID: n.ClusterID(), Addresses: n.Addresses()})
		})
	}))
}
