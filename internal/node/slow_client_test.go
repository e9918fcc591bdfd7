package node_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/node"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestAClientThatDoesNotReadItsAnswersDoesNotMakeTheStopUnclean(t *testing.T) {
	disk := vfs.NewMem()
	values, _, err := config.LoadBroker(config.FromMap("test", defaults))
	must(t, err)
	n, err := node.Start(t.Context(), node.Options{Values: values, Logger: slog.New(slog.DiscardHandler), FS: disk})
	must(t, err)
	c, err := dial(n.Addresses()[0])
	must(t, err)
	defer c.close()
	_, err = c.createTopic("large", 1, nil)
	must(t, err)
	b := batch.NewBuilder(batch.BuilderOptions{})
	b.Append(batch.Record{Timestamp: time.Now().UnixMilli(), Value: make([]byte, 1_000_000)})
	large := b.Build()
	for range 8 {
		_, err := c.produce("large", 0, large)
		must(t, err)
	}

	deaf, err := net.Dial("tcp", n.Addresses()[0])
	must(t, err)
	defer deaf.Close()
	request := kmsg.NewPtrFetchRequest()
	request.Version, request.ReplicaID, request.MaxBytes = 4, -1, 50<<20
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 50 << 20
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.Partitions = "large", []kmsg.FetchRequestTopicPartition{p}
	request.Topics = append(request.Topics, topic)
	for range 20 {
		_, err := deaf.Write(kmsg.NewRequestFormatter().AppendRequest(nil, request, 1))
		must(t, err)
	}

	var size [4]byte
	_, err = io.ReadFull(deaf, size[:]) // It takes the beginning of the first answer, and nothing more.
	must(t, err)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = n.Stop(ctx) // It tells of the connection that was cut.
	if _, err := disk.Stat("/data/.kafka_cleanshutdown"); err != nil {
		t.Errorf("the logs were not closed in order: %v", err)
	}
}
