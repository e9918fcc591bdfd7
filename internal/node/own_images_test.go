package node

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestANodeHasEachPartitionsStateOnce(t *testing.T) {
	disk := vfs.NewMem()
	for range 2 {
		values, _, err := config.LoadBroker(config.FromMap("test", map[string]string{
			"node.id": "1", "log.dirs": "/data", "listeners": "PLAINTEXT://127.0.0.1:0", "barnabas.admin.listener": "",
			"barnabas.disk.reserve.bytes": "-1",
		}))
		if err != nil {
			t.Fatal(err)
		}
		n, err := Start(context.Background(), Options{Values: values, Logger: slog.New(slog.DiscardHandler), FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "orders", 10, 1
		if err := n.createTopic(context.Background(), topic); err != nil {
			t.Fatal(err)
		}
		shown := n.publisher.await()
		for i := range int32(10) {
			p, ok := shown.Partition("orders", i)
			decidedOn, _ := n.controller.runtime.Load().Committed().Image.Partition("orders", i)
			if !ok || p != decidedOn {
				t.Errorf("partition %d: the broker acts on %p, the controller decides on %p", i, p, decidedOn)
			}
			if p.LeaderEpoch != 0 || p.PartitionEpoch != 0 {
				t.Errorf("partition %d: a clean start has changed it: %+v", i, p)
			}
		}
		if err := n.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOwnImagesAreTakenByTheirEnd(t *testing.T) {
	var o ownImages
	first, second, third := &meta.Image{}, &meta.Image{}, &meta.Image{}
	_, _ = o.append(first, func() (int64, error) { return 3, nil })
	_, _ = o.append(second, func() (int64, error) { return 5, nil })
	if _, err := o.append(third, func() (int64, error) { return 0, errors.New("not the leader") }); err == nil {
		t.Error("an error is lost")
	}
	if o.take(2) != nil || o.take(3) != first || o.take(4) != nil || o.take(5) != second || o.take(9) != nil {
		t.Error("taken by the wrong end")
	}
	_, _ = o.append(third, func() (int64, error) { return 10, nil })
	o.forget()
	if o.take(10) != nil {
		t.Error("taken from a controller that has resigned")
	}
}
