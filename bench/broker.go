package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// broker is a running Barnabas or Kafka, alone in its cluster, with its data in a directory of its own.
type broker struct {
	name  string
	node  *kafkatest.Node
	admin string // where Barnabas shows its profiles; "" for nowhere
}

// settings are the same for both. What a run wrote shall be gone soon after its topic is deleted, and nothing but the
// load shall happen.
func settings() map[string]string {
	return map[string]string{
		"auto.create.topics.enable":   "false",
		"log.segment.delete.delay.ms": "100",
	}
}

// kafkaJava is what Kafka's own start script gives to Java. The first two take back what makes tests start sooner. For
// a load the whole heap is touched before, so that no run pays for that.
func kafkaJava(heapMB int, touch bool) []string {
	java := []string{
		"-XX:-UseSerialGC", "-XX:TieredStopAtLevel=4", "-server",
		"-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
		fmt.Sprintf("-Xms%dm", heapMB),
	}
	if touch {
		java = append(java, "-XX:+AlwaysPreTouch")
	}
	return java
}

// startBroker starts a broker on a new directory: for a load, or as it comes.
func (w *world) startBroker(name string, forLoad bool) (*broker, error) {
	dir, err := os.MkdirTemp(w.dir, name+"-")
	if err != nil {
		return nil, err
	}
	b := &broker{name: name}
	o := kafkatest.Options{Dir: dir, Settings: settings()}
	if name == "kafka" {
		o.HeapMB, o.Java = w.options.HeapMB, kafkaJava(w.options.HeapMB, forLoad)
		b.node, err = kafkatest.StartKafka(o)
	} else {
		ports, failed := kafkatest.FreePorts(1)
		if failed != nil {
			return nil, failed
		}
		if w.options.CPUProfile != "" {
			b.admin = fmt.Sprintf("127.0.0.1:%d", ports[0])
		}
		o.Arguments = []string{"--set", "barnabas.admin.listener=" + b.admin}
		o.Binary = w.binary
		b.node, err = kafkatest.StartBarnabas(o)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// end stops a broker for good and takes its data away.
func (b *broker) end() error {
	return errors.Join(b.node.Stop(), os.RemoveAll(b.node.Dir))
}

// empty makes the directory of a stopped broker as new: without data, and formatted if it is Kafka's.
func (b *broker) empty(ctx context.Context) error {
	if err := errors.Join(os.RemoveAll(b.node.DataDir), os.MkdirAll(b.node.DataDir, 0o755)); err != nil {
		return err
	}
	if b.name != "kafka" {
		return nil
	}
	command := b.node.Command
	format := slices.Concat(command[1:len(command)-2], []string{"kafka.tools.StorageTool", "format",
		"-t", "TmmGYNq0Sj2YdNZPhDmK0g", "-c", filepath.Join(b.node.Dir, "server.properties")})
	if out, err := exec.CommandContext(ctx, command[0], format...).CombinedOutput(); err != nil {
		return fmt.Errorf("format: %w\n%s", err, out)
	}
	return nil
}

// createTopic creates a topic and waits until its first partition takes records.
func (b *broker) createTopic(ctx context.Context, name string, partitions int, configs map[string]string) error {
	c, err := dial(ctx, b.node.Address)
	if err != nil {
		return err
	}
	defer c.close()
	return createTopic(ctx, c, name, partitions, configs)
}

func createTopic(ctx context.Context, c *conn, name string, partitions int, configs map[string]string) error {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.TimeoutMillis = 7, 60_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, int32(partitions), 1
	for _, key := range slices.Sorted(maps.Keys(configs)) {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = key, kmsg.StringPtr(configs[key])
		t.Configs = append(t.Configs, config)
	}
	r.Topics = []kmsg.CreateTopicsRequestTopic{t}
	response, err := call[*kmsg.CreateTopicsResponse](c, r)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	if err := kerr.ErrorForCode(response.Topics[0].ErrorCode); err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	return eventually(ctx, func() error { return produceOne(c, name, 0) })
}

// produceOne produces one record to a partition.
func produceOne(c *conn, topic string, partition int32) error {
	f := produceFrame(topic, partition, 1, recordBatch(0, 1, tinySize))
	c.number(f)
	if err := errors.Join(c.socket.SetDeadline(time.Now().Add(patience)), c.send(f)); err != nil {
		return err
	}
	answer, err := c.receive()
	if err != nil {
		return err
	}
	return errors.Join(checkProduced(answer, topic), c.socket.SetDeadline(time.Time{}))
}

// deleteTopic deletes a topic and waits until its files are gone.
func (b *broker) deleteTopic(ctx context.Context, name string) error {
	c, err := dial(ctx, b.node.Address)
	if err != nil {
		return err
	}
	defer c.close()
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.Version, r.TimeoutMillis, r.TopicNames = 5, 60_000, []string{name}
	response, err := call[*kmsg.DeleteTopicsResponse](c, r)
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	if err := kerr.ErrorForCode(response.Topics[0].ErrorCode); err != nil {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	return eventually(ctx, func() error {
		if left, _ := filepath.Glob(filepath.Join(b.node.DataDir, name+"*")); len(left) > 0 {
			return fmt.Errorf("topic %s is deleted, but %s is still there", name, left[0])
		}
		return nil
	})
}

// eventually tries until it works.
func eventually(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
