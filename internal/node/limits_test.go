package node_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// Each test sets broker or topic configs while a broker runs, sees them take effect, and sees them again in its next life.

// commitMany has many connections commit at the same time, so that their commits are written together.
func commitMany(t *testing.T, p *process) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 20 {
		c, err := dial(p.node.Addresses()[0])
		must(t, err)
		all.Go(func() {
			defer c.close()
			for offset := range int64(10) {
				if err := c.commit(fmt.Sprint("readers", i, strings.Repeat("s", 200)), "orders", 0, offset); err != nil {
					t.Errorf("commit %d of connection %d: %v", offset, i, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// commitWide commits as many partitions as make a record batch of more than 1 MB.
func commitWide(c *client) error {
	return c.whenCoordinated("wide", func() error {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = "wide", -1
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic = "wide"
		note := strings.Repeat("m", 4000)
		for i := range int32(300) {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.LeaderEpoch, p.Metadata = i, -1, &note
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
		resp, err := call[*kmsg.OffsetCommitResponse](c, req)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.Topics[0].Partitions[299].ErrorCode)
	})
}

func TestCommitsFollowTheMessageLimitThatTheirTopicHasNow(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	_, err := p.client.createTopic("orders", 1, nil)
	must(t, err)
	_, err = p.client.createTopic("wide", 300, nil)
	must(t, err)
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", "message.max.bytes", "20000"))
	commitMany(t, p)
	p.mustStop(t)
	p = mustLaunch(t, disk, nil)
	commitMany(t, p)
	if err := commitWide(p.client); !errors.Is(err, kerr.InvalidCommitOffsetSize) {
		t.Errorf("a commit of 1.2 MB, of which 20 kB are allowed, is answered %v", err)
	}
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeTopic, "__consumer_offsets", "max.message.bytes", "8000000"))
	if err := commitWide(p.client); err != nil {
		t.Errorf("a commit of 1.2 MB, of which 8 MB are allowed, is answered %v", err)
	}
	p.mustStop(t)
}

// served says whether a new connection is let in.
func served(t *testing.T, p *process) (*client, bool) {
	t.Helper()
	c, err := dial(p.node.Addresses()[0])
	must(t, err)
	t.Cleanup(c.close)
	_, err = c.topics()
	return c, err == nil
}

// max.connections.per.ip=0 locked everybody out for ever, and host names were taken for no address at all.
func TestConnectionLimitsFollowTheirSettings(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	for _, name := range []string{"max.connections.per.ip", "max.connections"} {
		if err := p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", name, "0"); !errors.Is(err, kerr.InvalidRequest) {
			t.Errorf("%s=0, which lets nobody in, is answered %v", name, err)
		}
	}
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", "max.connections.per.ip.overrides", "localhost:1"))
	if _, ok := served(t, p); ok {
		t.Error("a second connection is served, of which localhost may have one")
	}
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", "max.connections.per.ip.overrides", "localhost:2"))
	second, ok := served(t, p)
	if !ok {
		t.Error("a second connection is not served, of which localhost may have two")
	}
	second.close()
	p.mustStop(t)
	p = mustLaunch(t, disk, nil)
	if _, ok := served(t, p); !ok {
		t.Error("after a restart a second connection is not served, of which localhost may have two")
	}
	if _, ok := served(t, p); ok {
		t.Error("after a restart a third connection is served, of which localhost may have two")
	}
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", "max.connections.per.ip.overrides", "localhost:9"))
	if _, ok := served(t, p); !ok {
		t.Error("a connection is not served, of which localhost may have nine")
	}
	p.mustStop(t)
}

func TestIdleConnectionsAreClosedAfterTheTimeThatWasSetAtStart(t *testing.T) {
	p := mustLaunch(t, vfs.NewMem(), map[string]string{"connections.max.idle.ms": "500"})
	must(t, p.client.conn.SetReadDeadline(time.Now().Add(patience)))
	if _, err := p.client.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection ends with %v", err)
	}
	c, ok := served(t, p)
	if !ok {
		t.Fatal("a connection is not served")
	}
	if err := c.setConfig(kmsg.ConfigResourceTypeBroker, "", "connections.max.idle.ms", "5000"); !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("an alteration of what Kafka lets nobody alter is answered %v", err)
	}
	p.mustStop(t)
}

func TestTopicsFollowTheBrokersMessageLimitUnlessTheyHaveTheirOwn(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	_, err := p.client.createTopic("follows", 1, nil)
	must(t, err)
	_, err = p.client.createTopic("its-own", 1, map[string]string{"max.message.bytes": "50000"})
	must(t, err)
	expect := func(when, topic string, want error) {
		t.Helper()
		err := p.client.whenLed(func() error {
			_, err := p.client.produce(topic, 0, records(strings.Repeat("x", 30_000)))
			return err
		})
		if !errors.Is(err, want) {
			t.Errorf("%s: 30 kB to %s are answered %v, not %v", when, topic, err, want)
		}
	}
	expect("at first", "follows", nil)
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", "message.max.bytes", "20000"))
	expect("with message.max.bytes=20000", "follows", kerr.MessageTooLarge)
	expect("with message.max.bytes=20000", "its-own", nil)
	p.mustStop(t)
	p = mustLaunch(t, disk, nil)
	expect("after a restart", "follows", kerr.MessageTooLarge)
	expect("after a restart", "its-own", nil)
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "1", "message.max.bytes", "40000"))
	expect("with this broker's own message.max.bytes=40000", "follows", nil)
	p.mustStop(t)
}

func TestOldRecordsGoOnceRetentionIsShortened(t *testing.T) {
	disk := vfs.NewMem()
	settings := map[string]string{"log.retention.check.interval.ms": "20"}
	p := mustLaunch(t, disk, settings)
	_, err := p.client.createTopic("orders", 1, nil)
	must(t, err)
	produceOld := func() {
		t.Helper()
		b := batch.NewBuilder(batch.BuilderOptions{})
		b.Append(batch.Record{Timestamp: time.Now().Add(-time.Hour).UnixMilli(), Value: []byte("old")})
		old := b.Build()
		must(t, p.client.whenLed(func() error {
			_, err := p.client.produce("orders", 0, old)
			return err
		}))
	}
	awaitStart := func(want int64) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; {
			start, err := p.client.offset("orders", 0, -2)
			must(t, err)
			if start == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the log starts at %d, not at %d", start, want)
			}
		}
	}
	produceOld()
	awaitStart(0)
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", "log.retention.ms", "1000"))
	awaitStart(1)
	p.mustStop(t)
	p = mustLaunch(t, disk, settings)
	produceOld()
	awaitStart(2)
	p.mustStop(t)
}
