//go:build suite

package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/barnabas-mq/barnabas/test/history"
	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

var (
	faultsFor = flag.Duration("faults", 3*time.Minute, "how long nodes are killed, paused and stopped")
	seedFlag  = flag.Uint64("seed", 0, "of the order of faults; 0: a new one, which is printed")
)

const (
	topicName  = "orders"
	partitions = 6
	producers  = 3
	inFlight   = 200
)

// load is idempotent producers with acks=all that live through all faults.
type load struct {
	history *history.History
	stop    context.CancelFunc
	running sync.WaitGroup
	clients []*kgo.Client

	mu       sync.Mutex
	failures []error
	slowest  time.Duration // of the acknowledgements since it was last asked for
}

func startLoad(c *cluster, h *history.History) *load {
	c.t.Helper()
	return startLoadAt(c, h, c.addresses())
}

// startLoadAt is for clients that are not told of every node.
func startLoadAt(c *cluster, h *history.History, addresses []string) *load {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	l := &load{history: h, stop: stop}
	for producer := range producers {
		client, err := kgo.NewClient(kgo.SeedBrokers(addresses...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerLinger(time.Millisecond), kgo.RecordDeliveryTimeout(2*time.Minute), kgo.RequiredAcks(kgo.AllISRAcks()),
			kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }), kgo.MetadataMinAge(20*time.Millisecond))
		c.must(err)
		l.clients = append(l.clients, client)
		for partition := range int32(partitions) {
			l.running.Go(func() { l.produce(ctx, client, producer, partition) })
		}
	}
	return l
}

func (l *load) produce(ctx context.Context, client *kgo.Client, producer int, partition int32) {
	room := make(chan struct{}, inFlight)
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	var flying sync.WaitGroup
	defer flying.Wait()
	for number := 0; ctx.Err() == nil; number++ {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		<-pace.C
		v := history.Value(producer, partition, number)
		l.history.Send(v)
		flying.Add(1)
		sentAt := time.Now()
		client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: topicName, Partition: partition, Value: []byte(v)}, func(r *kgo.Record, err error) {
			defer flying.Done()
			<-room
			if err != nil {
				l.fail(fmt.Errorf("%s: %w", r.Value, err))
				return
			}
			l.took(time.Since(sentAt))
			l.history.Ack(string(r.Value), history.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset})
		})
	}
}

func (l *load) took(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, d)
}

// stall is the longest that an acknowledgement took since it was last asked for.
func (l *load) stall() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.slowest
	l.slowest = 0
	return d
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, err)
}

// end stops the load and waits for what is under way.
func (l *load) end() error {
	l.stop()
	l.running.Wait()
	for _, client := range l.clients {
		client.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) > 10 {
		l.failures = append(l.failures[:10:10], fmt.Errorf("and %d more", len(l.failures)-10))
	}
	return errors.Join(l.failures...)
}

// letRun is part of a schedule: the load goes on for so long.
func letRun(d time.Duration) { <-time.After(d) }

func (c *cluster) createTopic() {
	c.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.addresses()...))
	c.must(err)
	defer client.Close()
	resp, err := kadm.NewClient(client).CreateTopic(c.t.Context(), partitions, nodes, nil, topicName)
	c.must(err)
	c.must(resp.Err)
}

// change has the metadata change while a node may be gone: a topic comes, and after a while an older one goes.
func (c *cluster) change(name string, others *[]string) {
	c.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.addresses()...))
	c.must(err)
	defer client.Close()
	resp, err := kadm.NewClient(client).CreateTopic(c.t.Context(), 50, nodes-1, nil, name)
	c.must(err)
	c.must(resp.Err)
	*others = append(*others, name)
	if old := len(*others) - 3; old >= 0 {
		_, err := kadm.NewClient(client).DeleteTopic(c.t.Context(), (*others)[old])
		c.must(err)
	}
}

// verify reads everything and judges it.
func (c *cluster) verify(h *history.History) {
	c.t.Helper()
	read, wrong := c.judge(h)
	for i, w := range wrong {
		if i < 10 {
			c.t.Error(w)
		}
	}
	c.t.Logf("%d sent, %d acknowledged, %d read back", h.Sent(), h.Acknowledged(), read)
	if h.Acknowledged() == 0 {
		c.t.Error("nothing was acknowledged")
	}
}

// judge reads everything and says what is wrong with it.
func (c *cluster) judge(h *history.History) (read int, wrong []string) {
	c.t.Helper()
	for partition := range int32(partitions) {
		got, err := h.Read(c.t.Context(), c.nodes[0].client, topicName, partition)
		c.must(err)
		read += len(got.Records)
		for _, w := range h.Judge(got) {
			wrong = append(wrong, fmt.Sprintf("partition %d: %s", partition, w))
		}
	}
	return read, wrong
}

func TestNothingAcknowledgedIsLostWhileNodesComeAndGo(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	// Snapshots are frequent, so that who was away for a moment may need one.
	c, h := newCluster(t, "metadata.log.max.record.bytes.between.snapshots=20000"), history.New()
	c.startAll()
	c.createTopic()
	l := startLoad(c, h)
	count, others := map[string]int{}, []string{}
	for until := time.Now().Add(*faultsFor); time.Now().Before(until); {
		p := c.nodes[random.IntN(nodes)]
		fault := []string{"killed", "stopped", "paused", "wiped", "all killed"}[random.IntN(5)]
		if fault == "all killed" && random.IntN(3) > 0 {
			fault = "killed"
		}
		count[fault]++
		wait := time.Duration(random.IntN(1500)) * time.Millisecond
		change := func() { c.change(fmt.Sprintf("other-%d", len(others)), &others) }
		switch fault {
		case "killed":
			p.kill()
			change()
			letRun(wait)
			c.must(p.start())
		case "stopped":
			c.must(p.stop())
			change()
			letRun(wait)
			c.must(p.start())
		case "paused":
			p.signal(syscall.SIGSTOP)
			letRun(2 * wait)
			p.signal(syscall.SIGCONT)
		case "wiped":
			c.must(p.wipe())
			change()
			letRun(wait)
			c.must(p.start())
		case "all killed":
			for _, p := range c.nodes {
				p.kill()
			}
			for _, p := range c.nodes {
				c.must(p.start())
			}
		}
		for _, p := range c.nodes {
			c.must(p.awaitReady(30 * time.Second))
		}
		letRun(time.Duration(random.IntN(500)) * time.Millisecond) // part of the schedule, not a wait for something
	}
	t.Logf("faults: %v; %d times metadata went on from a leader's checkpoint, %d times the members of the quorum changed", count,
		c.logged("goes on from the leader's checkpoint"), c.logged("the members of the quorum change"))
	if err := l.end(); err != nil {
		t.Error(err)
	}
	c.verify(h)
}

func TestARollingRestartShowsNoClientAnError(t *testing.T) {
	c, h := newCluster(t), history.New()
	c.startAll()
	c.createTopic()
	l := startLoad(c, h)
	for _, p := range c.nodes {
		letRun(time.Second) // of load without a fault, to compare with
		t.Logf("longest wait for an acknowledgement: %v", l.stall())
		c.must(p.stop())
		letRun(300 * time.Millisecond)
		t.Logf("while node %d was stopped: %v", p.id, l.stall())
		c.must(p.start())
		c.must(p.awaitReady(30 * time.Second))
		t.Logf("while it started again: %v", l.stall())
	}
	if err := l.end(); err != nil {
		t.Error(err)
	}
	c.verify(h)
}

// TestFailOver prints how long clients wait after a kill.
func TestFailOver(t *testing.T) {
	c, h := newCluster(t), history.New()
	c.startAll()
	c.createTopic()
	l := startLoad(c, h)
	for round := range 6 {
		p := c.nodes[round%nodes]
		letRun(time.Second)
		l.stall()
		p.kill()
		letRun(1500 * time.Millisecond)
		t.Logf("longest wait for an acknowledgement after node %d was killed: %v", p.id, l.stall())
		c.must(p.start())
		c.must(p.awaitReady(30 * time.Second))
	}
	if err := l.end(); err != nil {
		t.Error(err)
	}
	c.verify(h)
}

func TestBrokersThatAcknowledgeEarlyAreFoundOut(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "careless")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./test/cluster/careless")
	build.Dir = kafkatest.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c, h := newClusterOf(t, binary), history.New()
	c.startAll()
	c.createTopic()
	l := startLoad(c, h)
	var wrong []string
	for round := 0; round < 20 && len(wrong) == 0; round++ {
		p := c.nodes[round%nodes]
		// Followers that get nothing for a moment have less than what is acknowledged, and one of them leads then.
		for _, other := range c.nodes {
			if other != p {
				other.signal(syscall.SIGSTOP)
			}
		}
		letRun(300 * time.Millisecond)
		p.kill()
		for _, other := range c.nodes {
			other.signal(syscall.SIGCONT)
		}
		c.must(p.start())
		for _, p := range c.nodes {
			c.must(p.awaitReady(30 * time.Second))
		}
		_, wrong = c.judge(h)
	}
	_ = l.end() // what such brokers answer is of no interest
	if len(wrong) == 0 {
		t.Fatal("records were acknowledged before others had them, leaders killed, and nobody noticed")
	}
	t.Logf("found out: %s", wrong[0])
}
