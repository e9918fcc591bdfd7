//go:build suite

package scale

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// The promises.
const (
	topics, partitionsEach = 20, 1000
	partitions             = topics * partitionsEach
	maxDescriptors         = 12_000
	maxBytesEach           = 1024
	maxIdleKB              = 30 << 10
	maxStartCPU            = 2 * time.Second
	maxEmptyStartCPU       = 100 * time.Millisecond
)

func admin(t *testing.T, n *kafkatest.Node) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(n.Address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// startWithPages starts a broker, and says where its admin pages are.
func startWithPages(t *testing.T) (n *kafkatest.Node, pages string) {
	t.Helper()
	ports, err := kafkatest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	pages = fmt.Sprintf("127.0.0.1:%d", ports[0])
	n, err = kafkatest.StartBarnabas(kafkatest.Options{Dir: t.TempDir(), Settings: map[string]string{"barnabas.admin.listener": pages}})
	if err != nil {
		t.Fatal(err)
	}
	return n, pages
}

func topic(i int) string { return fmt.Sprintf("idle-%02d", i) }

// check holds a process to what its partitions may cost, beside what an empty one does.
func check(t *testing.T, n *kafkatest.Node, emptyKB int, when string) {
	t.Helper()
	kb := settled(t, n.PID)
	each := (kb - emptyKB) << 10 / partitions
	open := descriptors(t, n.PID)
	t.Logf("%-40s %5d bytes a partition, %d MB in all, %d descriptors", when, each, kb>>10, open)
	if each >= maxBytesEach {
		t.Errorf("%s: %d bytes a partition", when, each)
	}
	if open > maxDescriptors {
		t.Errorf("%s: %d descriptors", when, open)
	}
}

func TestTwentyThousandIdlePartitions(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	n, pages := startWithPages(t)
	spent := cpu(t, n.PID)
	t.Logf("%-40s %5d ms", "start of an empty broker, CPU", spent.Milliseconds())
	if spent > maxEmptyStartCPU {
		t.Errorf("an empty broker computes for %v before it serves", spent)
	}
	emptyHeap, emptyKB := liveHeap(t, pages), settled(t, n.PID)
	t.Logf("%-40s %5d MB", "an empty broker", emptyKB>>10)
	if emptyKB > maxIdleKB {
		t.Errorf("an empty broker takes %d KB", emptyKB)
	}

	timed(t, "creating", func() error {
		client := admin(t, n)
		for i := range topics {
			created, err := client.CreateTopic(ctx, partitionsEach, 1, nil, topic(i))
			if err != nil || created.Err != nil {
				return fmt.Errorf("%s: %w, %w", topic(i), err, created.Err)
			}
		}
		return nil
	})
	liveHeap(t, pages) // collects what creating left: on a busy machine that is still resident when nothing shrinks any more
	check(t, n, emptyKB, "after creating")
	timed(t, "listing all offsets", func() error { return listAll(ctx, admin(t, n)) })
	heapEach := (liveHeap(t, pages) - emptyHeap) / partitions // what is resident holds the listing's garbage for a while
	t.Logf("%-40s %5d bytes of heap a partition", "after listing all offsets", heapEach)
	if heapEach >= maxBytesEach {
		t.Errorf("after listing all offsets: %d bytes of heap a partition", heapEach)
	}

	timed(t, "clean stop", n.Stop)
	start(t, n, "start after a clean stop")
	if spent := cpu(t, n.PID); spent > maxStartCPU {
		t.Errorf("a start computes for %v before it serves", spent)
	}
	check(t, n, emptyKB, "after a clean restart")

	n.Kill()
	start(t, n, "start after a kill")
	timed(t, "until all partitions are served", func() error { return allServed(ctx, admin(t, n)) })
	t.Logf("%-40s %5d ms", "until then, CPU", cpu(t, n.PID).Milliseconds())
	if open := descriptors(t, n.PID); open > maxDescriptors {
		t.Errorf("after a recovery: %d descriptors", open)
	}
	timed(t, "clean stop after a recovery", n.Stop)
	start(t, n, "start after that")
	check(t, n, emptyKB, "after a recovery and a clean restart")
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
}

// listAll asks for what describing all topics does.
func listAll(ctx context.Context, client *kadm.Client) error {
	_, startErr := client.ListStartOffsets(ctx)
	_, committedErr := client.ListCommittedOffsets(ctx)
	return errors.Join(startErr, committedErr, allServed(ctx, client))
}

// allServed asks for the end of each partition until all are told.
func allServed(ctx context.Context, client *kadm.Client) error {
	for {
		var why error
		ends, err := client.ListEndOffsets(ctx)
		if err != nil {
			return err
		}
		served := 0
		for _, of := range ends {
			for _, end := range of {
				if end.Err != nil {
					why = end.Err
					continue
				}
				served++
			}
		}
		if served == partitions && why == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d served: %w", served, partitions, why)
		}
	}
}
