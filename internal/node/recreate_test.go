package node_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// lifeUnderLoad is one topic of a name, and what producers that know it by its id were told.
type lifeUnderLoad struct {
	id     [16]byte
	asked  atomic.Int64
	acked  atomic.Int64
	enough chan struct{} // closed once enough are acknowledged
	once   sync.Once
}

const enoughUnderLoad = 30

// TestATopicDeletedAndMadeAgainUnderLoadNeverTakesTheOldOnesRecords has producers write to the topic that they know by id
// all the while that its name is deleted and given to a new one, and the process killed in between.
func TestATopicDeletedAndMadeAgainUnderLoadNeverTakesTheOldOnesRecords(t *testing.T) {
	const lives, livesToAKill = 24, 4
	disk := vfs.NewMem()
	settings := map[string]string{"log.segment.delete.delay.ms": "0", "auto.create.topics.enable": "false"}
	p := mustLaunch(t, disk, settings)
	for n := range lives {
		id, err := p.client.createTopic("orders", 1, nil)
		must(t, err)
		life := &lifeUnderLoad{id: id, enough: make(chan struct{})}
		stop := life.load(t, p.node.Addresses()[0], 3)
		<-life.enough
		life.check(t, p.client, n)
		if n%livesToAKill == livesToAKill-1 {
			left := disk.Kill()
			stop()
			_ = p.stop()
			disk = left
			p = mustLaunch(t, disk, settings)
			life.check(t, p.client, n)
			must(t, p.client.deleteTopic("orders"))
			continue
		}
		must(t, p.client.deleteTopic("orders")) // under load
		next, err := p.client.createTopic("orders", 1, nil)
		must(t, err)
		if got := valuesOf(t, p.client, "orders", 0); got != "" {
			t.Errorf("life %d: topic %x begins with what was sent to %x: %s", n, next, id, got)
		}
		stop()
		if got := valuesOf(t, p.client, "orders", 0); got != "" {
			t.Errorf("life %d: topic %x got what was sent to %x: %s", n, next, id, got)
		}
		must(t, p.client.deleteTopic("orders"))
	}
	p.mustStop(t)
}

// load has producers write until the function that it returns is called, or the topic or the broker is gone.
func (l *lifeUnderLoad) load(t *testing.T, address string, producers int) (stop func()) {
	t.Helper()
	var stopped atomic.Bool
	var running sync.WaitGroup
	for range producers {
		c, err := dial(address)
		must(t, err)
		running.Go(func() {
			defer c.close()
			for !stopped.Load() {
				err := c.produceToID(l.id, records(fmt.Sprintf("%x-%d", l.id, l.asked.Add(1))))
				if err == nil && l.acked.Add(1) >= enoughUnderLoad {
					l.once.Do(func() { close(l.enough) })
				}
				if errors.Is(err, errConnection) {
					return
				}
			}
		})
	}
	return func() {
		stopped.Store(true)
		running.Wait()
	}
}

// check holds the topic's records against what was acknowledged before this call.
func (l *lifeUnderLoad) check(t *testing.T, c *client, life int) {
	t.Helper()
	acked := l.acked.Load()
	got := strings.Fields(valuesOf(t, c, "orders", 0))
	if int64(len(got)) < acked {
		t.Errorf("life %d: %d records of %d acknowledged ones", life, len(got), acked)
	}
	for _, record := range got {
		if !strings.Contains(record, fmt.Sprintf("=%x-", l.id)) {
			t.Fatalf("life %d: topic %x holds %s", life, l.id, record)
		}
	}
}

var errConnection = errors.New("the connection ended")

func (c *client) produceToID(id [16]byte, batch []byte) error {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, int32(patience.Milliseconds())
	topic := kmsg.NewProduceRequestTopic()
	topic.TopicID = id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	const firstWithIDs = 13
	resp, err := c.askIn(firstWithIDs, req)
	if err != nil {
		return fmt.Errorf("%w: %w", errConnection, err)
	}
	at := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return refusal(at.ErrorCode, at.ErrorMessage)
}
