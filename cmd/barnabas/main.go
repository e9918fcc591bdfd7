// Command barnabas is a message broker for Kafka's clients, and the tools that go with it.
package main

import (
	"context"
	"os"

	"github.com/barnabas-mq/barnabas/internal/cli"
	"github.com/barnabas-mq/barnabas/internal/node"
)

func main() { os.Exit(cli.Main(serve)) }

func serve(ctx context.Context, b cli.Broker) error {
	options := node.Options{Values: b.Values, Logger: b.Logger, LogLevel: b.Level, Version: b.Version}
	return node.Run(ctx, options, func(n *node.Node) {
		b.Ready(cli.Started{ClusterID: n.ClusterID(), NodeID: n.ID(), Addresses: n.Addresses(), Admin: n.Admin()})
	})
}
