package node

import (
	"context"
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/coordinator"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestAnOffsetsTopicDeletedAndMadeAnewInOneStepIsCoordinated(t *testing.T) {
	values, _, err := config.LoadBroker(config.FromMap("test", map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "log.dirs": "/data", "listeners": "PLAINTEXT://127.0.0.1:0",
		"offsets.topic.num.partitions": "1", "barnabas.disk.reserve.bytes": "-1",
	}))
	if err != nil {
		t.Fatal(err)
	}
	n, err := Start(t.Context(), Options{Values: values, Logger: slog.New(slog.DiscardHandler), FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if err := n.createOffsetsTopic(t.Context()); err != nil {
		t.Fatal(err)
	}
	image := n.publisher.current()
	topic, _ := image.Topic(coordinator.Topic)
	old := *topic
	old.ID = newID()
	n.coordinate(meta.Delta{New: image, Deleted: []*meta.Topic{&old}, Created: []*meta.Topic{topic}})

	request := kmsg.NewPtrOffsetFetchRequest()
	request.Version = 8
	request.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "readers"}}
	response := n.groups.Do(t.Context(), request, coordinator.Caller{}).(*kmsg.OffsetFetchResponse)
	if code := response.Groups[0].ErrorCode; code == kerr.NotCoordinator.Code {
		t.Error("nobody coordinates the group")
	}
}
