//go:build suite

package cluster

import (
	"bufio"
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

// Kafka's tools by their classes. Those of Kafka's shell scripts are named beside them.
const (
	topicTool     = "org.apache.kafka.tools.TopicCommand"                       // kafka-topics
	reassignTool  = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand" // kafka-reassign-partitions
	electionTool  = "org.apache.kafka.tools.LeaderElectionCommand"              // kafka-leader-election
	quorumTool    = "org.apache.kafka.tools.MetadataQuorumCommand"              // kafka-metadata-quorum
	clusterTool   = "org.apache.kafka.tools.ClusterTool"                        // kafka-cluster
	featureTool   = "org.apache.kafka.tools.FeatureCommand"                     // kafka-features
	configTool    = "kafka.admin.ConfigCommand"                                 // kafka-configs
	verifyTool    = "org.apache.kafka.tools.ReplicaVerificationTool"            // kafka-replica-verification
	producingTool = "org.apache.kafka.tools.VerifiableProducer"                 // kafka-verifiable-producer
	consumingTool = "org.apache.kafka.tools.VerifiableConsumer"                 // kafka-verifiable-consumer
	logDirTool    = "org.apache.kafka.tools.LogDirsCommand"                     // kafka-log-dirs
)

// tools runs Kafka's tools on a cluster.
type tools struct {
	*cluster
	archive string // of classes, which Java writes as the first tool ends
}

var complaint = regexp.MustCompile(`(?m)Exception|^Error`)

// run runs a tool with arguments of its own.
func (k *tools) run(class string, arguments ...string) (string, error) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), 90*time.Second)
	defer cancel()
	c, err := kafkatest.ToolCommand(ctx, class, arguments...)
	k.must(err)
	option := "-XX:SharedArchiveFile="
	if _, err := os.Stat(k.archive); err != nil {
		option = "-XX:ArchiveClassesAtExit="
	}
	c.Args = slices.Insert(c.Args, 1, option+k.archive)
	out, err := c.CombinedOutput()
	return string(out), err
}

// tool runs a tool on the brokers.
func (k *tools) tool(class string, arguments ...string) string {
	k.t.Helper()
	return k.plain(class, append([]string{"--bootstrap-server", strings.Join(k.addresses(), ",")}, arguments...)...)
}

// atControllers runs a tool on the controllers.
func (k *tools) atControllers(class string, arguments ...string) string {
	k.t.Helper()
	var at []string
	for _, p := range k.nodes {
		at = append(at, p.control)
	}
	return k.plain(class, append([]string{"--bootstrap-controller", strings.Join(at, ",")}, arguments...)...)
}

// plain runs a tool with no argument of ours. Several end well with an error printed, so that is looked for as well.
func (k *tools) plain(class string, arguments ...string) string {
	k.t.Helper()
	out, err := k.run(class, arguments...)
	if err != nil || complaint.MatchString(out) {
		k.t.Fatalf("%s %s: %v\n%s", class, strings.Join(arguments, " "), err, out)
	}
	return out
}

// file writes what a tool reads from a file.
func (k *tools) file(text string) string {
	k.t.Helper()
	name := filepath.Join(k.t.TempDir(), "file.json")
	k.must(os.WriteFile(name, []byte(text), 0o644))
	return name
}

func TestKafkasToolsWorkOnThreeNodes(t *testing.T) {
	c := newCluster(t)
	c.startAll()
	k := &tools{cluster: c, archive: filepath.Join(t.TempDir(), "classes.jsa")}
	k.tellOfPlaces()
	k.tellOfReassignments()
	k.tellOfElections()
	k.tellOfTheQuorum()
	k.tellOfTheCluster()
}

var wants, hasNot = kafkatest.Wants, kafkatest.HasNot

func (k *tools) tellOfPlaces() {
	k.tool(topicTool, "--create", "--topic", "placed", "--replica-assignment", "1:2,2:3,3:1")
	wants(k.t, k.tool(topicTool, "--describe", "--topic", "placed"), `PartitionCount: 3 ReplicationFactor: 2`,
		`Partition: 0 Leader: 1 Replicas: 1,2 Isr: 1,2`, `Partition: 1 Leader: 2 Replicas: 2,3 Isr: 2,3`, `Partition: 2 Leader: 3 Replicas: 3,1 Isr: 3,1`)
	k.tool(topicTool, "--create", "--topic", "spread", "--partitions", "6", "--replication-factor", "3")
	wants(k.t, k.tool(producingTool, "--topic", "placed", "--max-messages", "3000", "--acks", "-1"), `"sent":3000,"acked":3000`)
	hasNot(k.t, k.tool(topicTool, "--describe", "--under-replicated-partitions"), "Topic:")
	wants(k.t, k.tool(topicTool, "--describe", "--at-min-isr-partitions"), `Topic: placed Partition: 0`)
	k.must(k.untilPrinted(`max lag is 0 for partition `, verifyTool, "--broker-list", strings.Join(k.addresses(), ","), "--topics-include", "placed|spread", "--report-interval-ms", "500"))
}

func (k *tools) tellOfReassignments() {
	moving := k.file(`{"version":1,"topics":[{"topic":"placed"}]}`)
	wants(k.t, k.tool(reassignTool, "--generate", "--topics-to-move-json-file", moving, "--broker-list", "1,2,3"),
		`Current partition replica assignment`, `Proposed partition reassignment configuration`, `"topic":"placed","partition":0,"replicas":\[\d,\d\]`)
	plan := k.file(`{"version":1,"partitions":[{"topic":"placed","partition":0,"replicas":[3,2]},{"topic":"placed","partition":1,"replicas":[1,2,3]}]}`)
	wants(k.t, k.tool(reassignTool, "--execute", "--reassignment-json-file", plan, "--throttle", "50000000"),
		`The inter-broker throttle limit was set to 50000000 B/s`, `Successfully started partition reassignments for placed-0,placed-1`)
	k.must(k.eventuallyPrints(`Reassignment of partition placed-1 is completed`, reassignTool, "--verify", "--reassignment-json-file", plan, "--preserve-throttles"))
	verified := k.tool(reassignTool, "--verify", "--reassignment-json-file", plan)
	wants(k.t, verified, `Reassignment of partition placed-0 is completed`, `Clearing broker-level throttles on brokers 1,2,3`, `Clearing topic-level throttles on topic placed`)
	wants(k.t, k.tool(topicTool, "--describe", "--topic", "placed"), `Partition: 0 Leader: \d Replicas: 3,2 Isr: (2,3|3,2)`, `Partition: 1 Leader: \d Replicas: 1,2,3 Isr: \d,\d,\d`)
	wants(k.t, k.tool(reassignTool, "--list"), `No partition reassignments found`)
	wants(k.t, k.tool(reassignTool, "--cancel", "--reassignment-json-file", plan), `None of the specified partition reassignments are active`)
	wants(k.t, k.tool(logDirTool, "--describe", "--topic-list", "placed"), `"partition":"placed-0"`, `"error":null`)
	// All is there that was, and in order.
	consumed := k.tool(consumingTool, "--topic", "placed", "--group-id", "verifiers", "--max-messages", "3000", "--reset-policy", "earliest")
	total := 0
	for _, m := range regexp.MustCompile(`"name":"records_consumed","count":(\d+)|"count":(\d+),"partitions":\[[^\]]*\],"name":"records_consumed"`).FindAllStringSubmatch(consumed, -1) {
		n := 0
		_, err := fmt.Sscan(m[1]+m[2], &n)
		k.must(err)
		total += n
	}
	if total != 3000 {
		k.t.Errorf("%d records were consumed of 3000:\n%s", total, consumed)
	}
}

// untilPrinted lets a tool that does not end run until it has printed what is wanted.
func (k *tools) untilPrinted(pattern, class string, arguments ...string) error {
	ctx, cancel := context.WithTimeout(k.t.Context(), 30*time.Second)
	defer cancel()
	c, err := kafkatest.ToolCommand(ctx, class, arguments...)
	k.must(err)
	out, err := c.StdoutPipe()
	k.must(err)
	c.Stderr = c.Stdout
	k.must(c.Start())
	defer func() {
		cancel()
		_ = c.Wait() // it was killed
	}()
	var printed []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		printed = append(printed, lines.Text())
		if regexp.MustCompile(pattern).MatchString(lines.Text()) {
			return nil
		}
	}
	return fmt.Errorf("%q was not printed, but %s", pattern, strings.Join(printed, "\n"))
}

// eventuallyPrints runs a tool until it prints what is wanted.
func (k *tools) eventuallyPrints(pattern, class string, arguments ...string) error {
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	for {
		out := k.tool(class, arguments...)
		if regexp.MustCompile(strings.ReplaceAll(pattern, " ", `\s+`)).MatchString(out) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%q was not printed, but %s", pattern, out)
		}
	}
}

func (k *tools) tellOfElections() {
	p := k.nodes[2]
	k.must(p.stop())
	k.must(p.start())
	k.must(p.awaitReady(30 * time.Second))
	wants(k.t, k.tool(topicTool, "--describe", "--topic", "placed"), `Partition: 2 Leader: 1 Replicas: 3,1`)
	wants(k.t, k.tool(electionTool, "--election-type", "preferred", "--topic", "placed", "--partition", "2"),
		`Successfully completed leader election \(PREFERRED\) for partitions placed-2`)
	wants(k.t, k.tool(topicTool, "--describe", "--topic", "placed"), `Partition: 2 Leader: 3 Replicas: 3,1`)
	wants(k.t, k.tool(electionTool, "--election-type", "preferred", "--all-topic-partitions"), `(Successfully completed|Valid replica already elected)`)
	unclean, err := k.run(electionTool, "--bootstrap-server", k.nodes[0].client, "--election-type", "unclean", "--topic", "placed", "--partition", "0")
	if err != nil {
		k.t.Errorf("%v: %s", err, unclean)
	}
	wants(k.t, unclean, `Valid replica already elected for partitions placed-0`)
	wants(k.t, k.atControllers(reassignTool, "--list"), `No partition reassignments found`)
}

func (k *tools) tellOfTheQuorum() {
	const status = `ClusterId: [\w-]{22} LeaderId: [123] LeaderEpoch: \d+ HighWatermark: \d+ MaxFollowerLag: \d+ MaxFollowerLagTimeMs: \d+ CurrentVoters: \[.*"id": 1, .*"id": 2, .*"id": 3, .*"endpoints": \["CONTROLLER://127\.0\.0\.1:\d+"\].*\] CurrentObservers: \[\]`
	wants(k.t, k.tool(quorumTool, "describe", "--status"), status)
	wants(k.t, k.atControllers(quorumTool, "describe", "--status"), status)
	wants(k.t, k.tool(quorumTool, "describe", "--replication"), `NodeId DirectoryId LogEndOffset Lag LastFetchTimestamp LastCaughtUpTimestamp Status`,
		`\d [\w-]{22} \d+ 0 \d+ \d+ Leader`, `\d [\w-]{22} \d+ \d+ \d+ \d+ Follower`)
	replication := k.tool(quorumTool, "describe", "--replication")
	voter := regexp.MustCompile(`(?m)^(\d)\s+([\w-]{22})\s.*Follower`).FindStringSubmatch(replication)
	if voter == nil {
		k.t.Fatalf("there is no follower:\n%s", replication)
	}
	wants(k.t, k.atControllers(quorumTool, "remove-controller", "--controller-id", voter[1], "--controller-directory-id", voter[2]), `Removed KRaft controller `+voter[1])
	k.must(k.eventuallyPrints(voter[1]+` [\w-]{22} \d+ 0 \d+ \d+ Observer`, quorumTool, "describe", "--replication"))
	wants(k.t, k.plain(quorumTool, "--command-config", k.nodes[voter[1][0]-'1'].properties, "--bootstrap-server", k.nodes[0].client, "add-controller"), `Added controller `+voter[1])
	wants(k.t, k.tool(quorumTool, "describe", "--status"), status)
}

func (k *tools) tellOfTheCluster() {
	at := strings.Join(k.addresses(), ",")
	wants(k.t, k.plain(clusterTool, "cluster-id", "--bootstrap-server", at), `^Cluster ID: [\w-]{22}$`)
	wants(k.t, k.plain(clusterTool, "list-endpoints", "--bootstrap-server", at), `^1 127\.0\.0\.1 \d+ null unfenced broker`, `^3 127\.0\.0\.1 \d+ null unfenced broker`)
	wants(k.t, k.plain(clusterTool, "list-endpoints", "--bootstrap-controller", k.nodes[1].control), `^2 127\.0\.0\.1 \d+ null .*controller`)
	wants(k.t, k.tool(featureTool, "describe"), `Feature: metadata\.version .*FinalizedVersionLevel: `)
	wants(k.t, k.atControllers(featureTool, "describe"), `Feature: kraft\.version .*SupportedMaxVersion: 1 `)
	wants(k.t, k.atControllers(configTool, "--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "log.retention.ms=172800000"), `Completed updating default config for brokers`)
	wants(k.t, k.tool(configTool, "--entity-type", "brokers", "--entity-name", "3", "--describe", "--all"), `log\.retention\.ms=172800000 .*DYNAMIC_DEFAULT_BROKER_CONFIG`)
	k.must(k.nodes[2].stop())
	wants(k.t, k.plain(clusterTool, "unregister", "--bootstrap-server", k.nodes[0].client, "--id", "3"), `Broker 3 is no longer registered`)
	hasNot(k.t, k.plain(clusterTool, "list-endpoints", "--bootstrap-server", k.nodes[0].client, "--include-fenced-brokers"), k.nodes[2].client)
	k.must(k.nodes[2].start())
	k.must(k.nodes[2].awaitReady(30 * time.Second))
}
