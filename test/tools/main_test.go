//go:build suite

package tools

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// The tools by their classes. Those of Kafka's shell scripts are named beside them.
const (
	topics      = "org.apache.kafka.tools.TopicCommand"                        // kafka-topics
	configs     = "kafka.admin.ConfigCommand"                                  // kafka-configs
	producer    = "org.apache.kafka.tools.ConsoleProducer"                     // kafka-console-producer
	consumer    = "org.apache.kafka.tools.consumer.ConsoleConsumer"            // kafka-console-consumer
	groups      = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand" // kafka-consumer-groups
	allGroups   = "org.apache.kafka.tools.GroupsCommand"                       // kafka-groups
	offsets     = "org.apache.kafka.tools.GetOffsetShell"                      // kafka-get-offsets
	deleting    = "org.apache.kafka.tools.DeleteRecordsCommand"                // kafka-delete-records
	logDirs     = "org.apache.kafka.tools.LogDirsCommand"                      // kafka-log-dirs
	cluster     = "org.apache.kafka.tools.ClusterTool"                         // kafka-cluster
	features    = "org.apache.kafka.tools.FeatureCommand"                      // kafka-features
	apiVersions = "org.apache.kafka.tools.BrokerApiVersionsCommand"            // kafka-broker-api-versions
	producing   = "org.apache.kafka.tools.ProducerPerformance"                 // kafka-producer-perf-test
	consuming   = "org.apache.kafka.tools.ConsumerPerformance"                 // kafka-consumer-perf-test
	latency     = "org.apache.kafka.tools.EndToEndLatency"                     // kafka-e2e-latency
	verifiableP = "org.apache.kafka.tools.VerifiableProducer"                  // kafka-verifiable-producer
	verifiableC = "org.apache.kafka.tools.VerifiableConsumer"                  // kafka-verifiable-consumer
	dump        = "org.apache.kafka.tools.DumpLogSegments"                     // kafka-dump-log
	producers   = "org.apache.kafka.tools.TransactionsCommand"                 // kafka-transactions
)

// toolLimit is for one call on a busy machine; alone it takes one or two seconds.
const toolLimit = 90 * time.Second

// node is the one Barnabas of the suite.
var node *kafkatest.Node

// archive holds the classes of the tools as Java likes them (CDS): it halves what a call costs, and there are seventy.
var archive string

func TestMain(m *testing.M) {
	code, err := suite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func suite(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "barnabas-tools-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if node, err = kafkatest.StartBarnabas(kafkatest.Options{Dir: dir, Binary: os.Getenv("BARNABAS")}); err != nil {
		return 0, err
	}
	defer node.Kill()
	archive = filepath.Join(dir, "classes.jsa")
	if err := warm(); err != nil {
		return 0, err
	}
	code := m.Run()
	if code != 0 {
		fmt.Printf("the broker's log ends with:\n%s", node.Tail(20))
	}
	return code, nil
}

// warm has Java write the archive down when it has run a tool that is an admin client, a producer and a consumer.
func warm() error {
	ctx, cancel := context.WithTimeout(context.Background(), toolLimit)
	defer cancel()
	c, err := kafkatest.ToolCommand(ctx, latency, "--bootstrap-server", node.Address, "--topic", "warm", "--num-records", "1", "--producer-acks", "1", "--record-size", "1")
	if err != nil {
		return err
	}
	c.Args = slices.Insert(c.Args, 1, "-XX:ArchiveClassesAtExit="+archive)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", latency, err, out)
	}
	return nil
}

// tool runs a tool on the broker. Several of them end well with an error printed, so that is looked for as well.
func tool(t *testing.T, class string, arguments ...string) string {
	t.Helper()
	return toolWithInput(t, "", class, append([]string{"--bootstrap-server", node.Address}, arguments...)...)
}

// toolWithInput runs a tool with no argument of ours.
func toolWithInput(t *testing.T, input, class string, arguments ...string) string {
	t.Helper()
	out, err := call(t, input, class, arguments...)
	if err != nil || complaint.MatchString(out) {
		t.Fatalf("%s %s: %v\n%s", class, strings.Join(arguments, " "), err, out)
	}
	return out
}

// call runs a tool and returns all that it printed.
func call(t *testing.T, input, class string, arguments ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), toolLimit)
	defer cancel()
	c, err := kafkatest.ToolCommand(ctx, class, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	c.Args = slices.Insert(c.Args, 1, "-XX:SharedArchiveFile="+archive)
	c.Stdin = strings.NewReader(input)
	out, err := c.CombinedOutput()
	return string(out), err
}

var complaint = regexp.MustCompile(`(?m)Exception|^Error`)

// refused runs a tool that must fail, and returns what it printed.
func refused(t *testing.T, class string, arguments ...string) string {
	t.Helper()
	out, err := call(t, "", class, append([]string{"--bootstrap-server", node.Address}, arguments...)...)
	if err == nil && !complaint.MatchString(out) {
		t.Errorf("%s %s was not refused:\n%s", class, strings.Join(arguments, " "), out)
	}
	return out
}

var wants, hasNot = kafkatest.Wants, kafkatest.HasNot
