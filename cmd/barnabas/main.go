// Command barnabas is a message broker for Kafka's clients, and the tools that go with it.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/barnabas-mq/barnabas/internal/cli"
)

func main() {
	os.Exit(cli.Main(func(context.Context, cli.Broker) error {
		return errors.New("this build cannot run a broker")
	}))
}
