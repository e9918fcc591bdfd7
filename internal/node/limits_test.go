package node_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

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
