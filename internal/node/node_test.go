package node_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// records builds a batch without a producer.
func records(values ...string) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{})
	for _, v := range values {
		b.Append(batch.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(v)})
	}
	return b.Build()
}

func valuesOf(t *testing.T, c *client, topic string, partition int32) string {
	t.Helper()
	var values []string
	must(t, c.whenLed(func() error {
		values = nil
		start, err := c.offset(topic, partition, -2)
		if err != nil {
			return err
		}
		for at := start; ; {
			answer, err := c.fetch(topic, partition, at)
			if err != nil || len(answer.records) == 0 {
				return err
			}
			for rest := answer.records; len(rest) > 0; {
				h, whole, after, err := batch.Next(rest)
				if err != nil {
					return err
				}
				for r, err := range batch.Records(whole, 0) {
					if err != nil {
						return err
					}
					values = append(values, fmt.Sprintf("%d=%s", r.Offset, r.Value))
				}
				at, rest = h.NextOffset(), after
			}
		}
	}))
	return strings.Join(values, " ")
}

// furnish makes a bit of everything that a restart must keep.
func furnish(t *testing.T, c *client) (id [16]byte) {
	t.Helper()
	id, err := c.createTopic("orders", 2, map[string]string{"retention.ms": "123456789"})
	must(t, err)
	for _, v := range []string{"a", "b", "c"} {
		_, err := c.produce("orders", 1, records(v))
		must(t, err)
	}
	must(t, c.setConfig(kmsg.ConfigResourceTypeTopic, "orders", "max.message.bytes", "1234567"))
	must(t, c.setConfig(kmsg.ConfigResourceTypeBroker, "", "log.retention.ms", "987654321"))
	must(t, c.commit("readers", "orders", 1, 2))
	must(t, c.deleteRecords("orders", 1, 1))
	return id
}

func expectFurniture(t *testing.T, c *client, id [16]byte) {
	t.Helper()
	ids, err := c.topics()
	must(t, err)
	if ids["orders"] != id {
		t.Errorf("topic id is %x, was %x", ids["orders"], id)
	}
	if got := valuesOf(t, c, "orders", 1); got != "1=b 2=c" && got != "0=a 1=b 2=c" {
		t.Errorf("records: %s", got)
	}
	for name, want := range map[string]string{"retention.ms": "123456789", "max.message.bytes": "1234567"} {
		got, err := c.config(kmsg.ConfigResourceTypeTopic, "orders", name)
		must(t, err)
		if got != want {
			t.Errorf("%s is %s, was %s", name, got, want)
		}
	}
	got, err := c.config(kmsg.ConfigResourceTypeBroker, "1", "log.retention.ms")
	must(t, err)
	if got != "987654321" {
		t.Errorf("dynamic config of the broker is %q", got)
	}
	offset, err := c.committed("readers", "orders", 1)
	must(t, err)
	if offset != 2 {
		t.Errorf("committed offset is %d, was 2", offset)
	}
}

func TestACleanRestartKeepsIdsConfigsOffsetsAndCommits(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	id, cluster := furnish(t, p.client), p.node.ClusterID()
	p.mustStop(t)
	if n := disk.OpenFiles(); n > 0 {
		t.Errorf("%d files are open after the stop", n)
	}
	p = mustLaunch(t, disk, nil)
	expectFurniture(t, p.client, id)
	if p.node.ClusterID() != cluster {
		t.Errorf("cluster id is %s, was %s", p.node.ClusterID(), cluster)
	}
	if strings.Contains(p.journal.String(), "recovering logs") {
		t.Error("logs are recovered after a clean stop")
	}
	if start, err := p.client.offset("orders", 1, -2); err != nil || start != 1 {
		t.Errorf("the log starts at %d (%v), records before 1 were deleted", start, err)
	}
	p.mustStop(t)
}

func TestAKilledProcessLosesNothing(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	id := furnish(t, p.client)
	for life := range 3 {
		left := disk.Kill()
		_ = p.stop()
		disk = left
		p = mustLaunch(t, disk, nil)
		expectFurniture(t, p.client, id)
		topic := fmt.Sprint("life", life)
		_, err := p.client.createTopic(topic, 1, nil)
		must(t, err)
		_, err = p.client.produce(topic, 0, records("x"))
		must(t, err)
	}
	p.mustStop(t)
}

func TestASecondProcessOnTheDirectoryIsToldWhoseItIs(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	_, err := launch(disk, nil)
	if err == nil || !strings.Contains(err.Error(), "another process holds /data/.lock") {
		t.Errorf("the second process says: %v", err)
	}
	_, err = p.client.createTopic("orders", 1, nil)
	must(t, err)
	p.mustStop(t)
}

func TestADynamicConfigThatIsUnknownOrWrongChangesNothing(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	_, err := p.client.createTopic("orders", 1, nil)
	must(t, err)
	for _, set := range []struct {
		kind           kmsg.ConfigResourceType
		resource, name string
		value          string
	}{
		{kmsg.ConfigResourceTypeTopic, "orders", "retention.msec", "5"},
		{kmsg.ConfigResourceTypeTopic, "orders", "retention.ms", "soon"},
		{kmsg.ConfigResourceTypeBroker, "", "log.retention.ms", "soon"},
		{kmsg.ConfigResourceTypeBroker, "1", "log.dirs", "/elsewhere"},
	} {
		if err := p.client.setConfig(set.kind, set.resource, set.name, set.value); err == nil {
			t.Errorf("%s=%s was taken", set.name, set.value)
		}
	}
	p.mustStop(t)
	p = mustLaunch(t, disk, nil)
	_, err = p.client.produce("orders", 0, records("x"))
	must(t, err)
	p.mustStop(t)
}

func TestTheOffsetsTopicAppearsWithTheFirstGroup(t *testing.T) {
	p := mustLaunch(t, vfs.NewMem(), map[string]string{"offsets.topic.num.partitions": "3"})
	_, err := p.client.createTopic("orders", 1, nil)
	must(t, err)
	must(t, p.client.commit("readers", "orders", 0, 7))
	for name, want := range map[string]string{"cleanup.policy": "compact", "compression.type": "producer"} {
		got, err := p.client.config(kmsg.ConfigResourceTypeTopic, "__consumer_offsets", name)
		must(t, err)
		if got != want {
			t.Errorf("%s of the offsets topic is %s", name, got)
		}
	}
	_, err = p.client.offset("__consumer_offsets", 2, -1)
	must(t, err)
	p.mustStop(t)
}

func TestMetadataIsCutBehindSnapshotsAndAllOfItIsThereAfterRestarts(t *testing.T) {
	settings := map[string]string{"metadata.log.max.record.bytes.between.snapshots": "2000"}
	disk := vfs.NewMem()
	var want [16]byte
	for life := range 3 {
		p := mustLaunch(t, disk, settings)
		if life == 0 {
			id, err := p.client.createTopic("orders", 5, nil)
			must(t, err)
			want = id
		}
		for i := range 40 {
			must(t, p.client.setConfig(kmsg.ConfigResourceTypeTopic, "orders", "retention.ms", fmt.Sprint(1000*life+i)))
		}
		p.mustStop(t)
	}
	names, err := disk.ReadDir("/data/__cluster_metadata-0")
	must(t, err)
	snapshots := 0
	for _, n := range names {
		if strings.HasSuffix(n.Name(), ".checkpoint") {
			snapshots++
		}
	}
	if snapshots == 0 {
		t.Error("no snapshot was written")
	}
	p := mustLaunch(t, disk, settings)
	ids, err := p.client.topics()
	must(t, err)
	got, err := p.client.config(kmsg.ConfigResourceTypeTopic, "orders", "retention.ms")
	must(t, err)
	if ids["orders"] != want || got != "2039" {
		t.Errorf("topic id %x, was %x; retention.ms %s", ids["orders"], want, got)
	}
	p.mustStop(t)
}

func TestATopicMadeAgainAmidRestartsNeverShowsTheOldOne(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, map[string]string{"log.segment.delete.delay.ms": "3600000"})
	_, err := p.client.createTopic("orders", 1, nil)
	must(t, err)
	_, err = p.client.produce("orders", 0, records("old", "older"))
	must(t, err)
	must(t, p.client.deleteTopic("orders"))
	left := disk.Kill() // the old folder is renamed, not gone
	_ = p.stop()
	p = mustLaunch(t, left, nil)
	_, err = p.client.createTopic("orders", 1, nil)
	must(t, err)
	if got := valuesOf(t, p.client, "orders", 0); got != "" {
		t.Errorf("the new topic begins with %s", got)
	}
	_, err = p.client.produce("orders", 0, records("new"))
	must(t, err)
	if got := valuesOf(t, p.client, "orders", 0); got != "0=new" {
		t.Errorf("the new topic holds %s", got)
	}
	p.mustStop(t)
}

func TestTwoThousandTopicsAreThereAfterARestart(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 60_000
	for i := range 2000 {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("topic-%04d", i), 1, 1
		req.Topics = append(req.Topics, topic)
	}
	resp, err := call[*kmsg.CreateTopicsResponse](p.client, req)
	must(t, err)
	ids := make(map[string][16]byte)
	for _, topic := range resp.Topics {
		must(t, kerr.ErrorForCode(topic.ErrorCode))
		ids[topic.Topic] = topic.TopicID
	}
	_, err = p.client.produce("topic-1999", 0, records("last"))
	must(t, err)
	left := disk.Kill()
	_ = p.stop()
	for _, how := range []string{"after a kill", "after a clean stop"} {
		p = mustLaunch(t, left, nil)
		got, err := p.client.topics()
		must(t, err)
		for name, id := range ids {
			if got[name] != id {
				t.Fatalf("%s: topic %s has id %x, was %x", how, name, got[name], id)
			}
		}
		if got := valuesOf(t, p.client, "topic-1999", 0); got != "0=last" {
			t.Errorf("%s: topic-1999 holds %q", how, got)
		}
		p.mustStop(t)
	}
}

func TestAFailingDiskEndsTheProcessWithoutWaitingForRequests(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && strings.Contains(op.Name, "raft") {
			return errors.New("input/output error")
		}
		return nil
	})
	if _, err := p.client.createTopic("orders", 1, nil); err == nil {
		t.Error("a topic was created that no disk holds")
	}
	if err := <-p.ended; err == nil || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("the process ended with: %v", err)
	}
	p.client.close()
}
