//go:build suite

package cluster

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/barnabas-mq/barnabas/test/history"
	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

var besideFlag = flag.Bool("beside", false, "measure fail-over and acks=all beside three nodes of Apache Kafka 4.4")

// three is a cluster of either kind.
type three struct {
	*cluster
	name   string
	nodes  []*kafkatest.Node
	settle time.Duration // how long its fail-over is given
}

// startThree starts three nodes at the same time: a quorum needs them.
func startThree(t *testing.T, name string, settle time.Duration, start func(kafkatest.Options) (*kafkatest.Node, error)) *three {
	t.Helper()
	ports, err := kafkatest.FreePorts(2 * nodes)
	if err != nil {
		t.Fatal(err)
	}
	var voters []string
	for i := range nodes {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", i+1, ports[2*i+1]))
	}
	k := &three{cluster: &cluster{t: t}, name: name, settle: settle, nodes: make([]*kafkatest.Node, nodes)}
	dir, errs := t.TempDir(), make([]error, nodes)
	var all sync.WaitGroup
	for i := range nodes {
		all.Go(func() {
			k.nodes[i], errs[i] = start(kafkatest.Options{
				Dir: filepath.Join(dir, fmt.Sprint(i+1)), NodeID: i + 1, KafkaSettings: true, Ports: ports[2*i : 2*i+2],
				Settings: map[string]string{
					"controller.quorum.voters": strings.Join(voters, ","), "min.insync.replicas": "2", "default.replication.factor": "3",
				},
			})
		})
	}
	all.Wait()
	t.Cleanup(func() {
		for _, n := range k.nodes {
			if n != nil {
				n.Kill()
			}
		}
	})
	for _, err := range errs {
		k.must(err)
	}
	return k
}

func (k *three) addresses() []string {
	var out []string
	for _, n := range k.nodes {
		out = append(out, n.Address)
	}
	return out
}

func (k *three) create() {
	k.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.addresses()...))
	k.must(err)
	defer client.Close()
	resp, err := kadm.NewClient(client).CreateTopic(k.t.Context(), partitions, nodes, nil, topicName)
	k.must(err)
	k.must(resp.Err)
	k.awaitInSync()
}

// awaitInSync waits until every replica is in sync, as every node tells.
func (k *three) awaitInSync() {
	k.t.Helper()
	for _, n := range k.nodes {
		k.must(k.eventually(2*time.Minute, func(ctx context.Context) error {
			client, err := kgo.NewClient(kgo.SeedBrokers(n.Address))
			if err != nil {
				return err
			}
			defer client.Close()
			topics, err := kadm.NewClient(client).ListTopics(ctx, topicName)
			if err != nil {
				return err
			}
			if got := len(topics[topicName].Partitions); got != partitions {
				return fmt.Errorf("%d partitions", got)
			}
			for _, p := range topics[topicName].Partitions {
				if len(p.ISR) != nodes || p.Leader < 0 {
					return fmt.Errorf("partition %d: in sync %v, leader %d", p.Partition, p.ISR, p.Leader)
				}
			}
			return nil
		}))
	}
}

// failOver prints how long survivors take to name other leaders, and clients to get through, after each node is killed.
func (k *three) failOver() {
	k.t.Helper()
	h := history.New()
	l := startLoadAt(k.cluster, h, k.addresses())
	letRun(3 * time.Second)
	for i, n := range k.nodes {
		survivor := &process{client: k.nodes[(i+1)%nodes].Address}
		l.stall()
		n.Kill()
		killed := time.Now()
		k.must(k.eventually(time.Minute, func(ctx context.Context) error {
			return k.ledBy(ctx, survivor, func(leader int32) bool { return leader != int32(i+1) })
		}))
		led := time.Since(killed)
		letRun(k.settle)
		k.t.Logf("%s: node %d killed: other leaders after %v, longest wait for an acknowledgement %v", k.name, i+1, led.Round(time.Millisecond), l.stall().Round(time.Millisecond))
		k.must(n.Start())
		k.awaitInSync()
	}
	if err := l.end(); err != nil {
		k.t.Logf("%s: errors that reached the client: %v", k.name, err)
	}
}

// throughput prints what producers get through with acks=all, one connection to each broker or several.
func (k *three) throughput(connections int) {
	k.t.Helper()
	const record, lasts = 1024, 8 * time.Second
	var acked atomic.Int64
	ctx, stop := context.WithTimeout(k.t.Context(), lasts)
	defer stop()
	before, began := k.cpu(), time.Now()
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			client, err := kgo.NewClient(kgo.SeedBrokers(k.addresses()...), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DefaultProduceTopic(topicName),
				kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchMaxBytes(64<<10), kgo.MaxBufferedRecords(20_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
			if err != nil {
				k.t.Error(err)
				return
			}
			defer client.Close()
			value := make([]byte, record)
			for ctx.Err() == nil {
				client.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
					if err == nil {
						acked.Add(record)
					}
				})
			}
		})
	}
	all.Wait()
	mb := float64(acked.Load()) / 1e6
	k.t.Logf("%s: acks=all with %d connections: %.0f MB/s, %.2f CPU s/GB of all three nodes", k.name, connections, mb/time.Since(began).Seconds(), (k.cpu()-before)/mb*1000)
}

// cpu is the seconds that all nodes have used.
func (k *three) cpu() float64 {
	total := 0.0
	for _, n := range k.nodes {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID))
		k.must(err)
		fields := strings.Fields(string(stat)[strings.LastIndexByte(string(stat), ')'):])
		var user, system float64
		_, err = fmt.Sscan(fields[12]+" "+fields[13], &user, &system) // hundredths of a second
		k.must(err)
		total += (user + system) / 100
	}
	return total
}

// TestBesideKafka measures both the same way, one after the other. It asserts nothing.
func TestBesideKafka(t *testing.T) {
	if !*besideFlag {
		t.Skip("run with -beside: it takes minutes, and a quiet machine")
	}
	for _, k := range []func() *three{
		func() *three { return startThree(t, "Barnabas", 2*time.Second, kafkatest.StartBarnabas) },
		func() *three { return startThree(t, "Kafka", 15*time.Second, kafkatest.StartKafka) },
	} {
		three := k()
		three.create()
		three.throughput(1) // to warm
		for _, connections := range []int{1, 8} {
			three.throughput(connections)
		}
		three.failOver()
		for _, n := range three.nodes {
			n.Kill()
		}
	}
}
