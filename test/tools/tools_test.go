//go:build suite

package tools

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTools runs the tools side by side, each story on topics of its own, and then dumps what they left behind.
func TestTools(t *testing.T) {
	t.Run("on a broker", func(t *testing.T) {
		for _, story := range []struct {
			name string
			tell func(*testing.T)
		}{
			{"groups", tellOfGroups},
			{"topics", tellOfTopics},
			{"configs", tellOfConfigs},
			{"console", tellOfConsole},
			{"offsets and deleted records", tellOfOffsets},
			{"performance", tellOfPerformance},
			{"cluster", tellOfCluster},
			{"verifiable", tellOfVerifiable},
		} {
			t.Run(story.name, func(t *testing.T) {
				t.Parallel()
				story.tell(t)
			})
		}
	})
	t.Run("on the files of a stopped one", dumpFindsNothingWrong)
}

func tellOfTopics(t *testing.T) {
	wants(t, tool(t, topics, "--create", "--topic", "towns", "--partitions", "3", "--config", "segment.bytes=1048576"), `^Created topic towns\.$`)
	wants(t, refused(t, topics, "--create", "--topic", "towns"), `Topic 'towns' already exists`)
	wants(t, refused(t, topics, "--create", "--topic", "a/b"), `Topic name is invalid`)
	tool(t, topics, "--create", "--topic", "placed", "--replica-assignment", "1,1")
	wants(t, tool(t, topics, "--list"), `^towns$`, `^placed$`)
	wants(t, tool(t, topics, "--describe", "--topic", "towns"),
		`^Topic: towns TopicId: [\w-]{22} PartitionCount: 3 ReplicationFactor: 1 Configs: .*segment\.bytes=1048576`,
		`Topic: towns Partition: 0 Leader: 1 Replicas: 1 Isr: 1 Elr: `, `Partition: 2 Leader: 1`)
	hasNot(t, tool(t, topics, "--describe", "--under-replicated-partitions"), "Topic:")
	tool(t, topics, "--alter", "--topic", "towns", "--partitions", "5")
	wants(t, tool(t, topics, "--describe", "--topic", "towns"), `PartitionCount: 5`, `Partition: 4 Leader: 1`)
	wants(t, refused(t, topics, "--alter", "--topic", "towns", "--partitions", "2"), `(?i)would not be an increase|fewer|lower`)
	tool(t, topics, "--delete", "--topic", "towns,placed")
	hasNot(t, tool(t, topics, "--list"), "towns", "placed")
}

func tellOfConfigs(t *testing.T) {
	tool(t, topics, "--create", "--topic", "tuned")
	topic := []string{"--entity-type", "topics", "--entity-name", "tuned"}
	broker := []string{"--entity-type", "brokers", "--entity-name", "1"}
	wants(t, tool(t, configs, slices.Concat(topic, []string{"--alter", "--add-config", "retention.ms=86400000,cleanup.policy=[compact,delete]"})...),
		`^Completed updating config for topic tuned\.$`)
	wants(t, tool(t, configs, slices.Concat(topic, []string{"--describe"})...),
		`cleanup\.policy=compact,delete sensitive=false synonyms=\{DYNAMIC_TOPIC_CONFIG:cleanup\.policy=compact,delete, DEFAULT_CONFIG:log\.cleanup\.policy=delete\}`,
		`retention\.ms=86400000 sensitive=false`)
	tool(t, configs, slices.Concat(topic, []string{"--alter", "--delete-config", "retention.ms"})...)
	described := tool(t, configs, slices.Concat(topic, []string{"--describe", "--all"})...)
	wants(t, described, `retention\.ms=604800000 sensitive=false synonyms=\{\}`, `max\.message\.bytes=1048588 `)
	wants(t, refused(t, configs, slices.Concat(topic, []string{"--alter", "--add-config", "retention.ms=soon"})...), `Invalid value`)
	wants(t, refused(t, configs, slices.Concat(topic, []string{"--alter", "--add-config", "no.such=1"})...), `Unknown topic config name: no\.such`)

	wants(t, tool(t, configs, slices.Concat(broker, []string{"--alter", "--add-config", "log.cleaner.threads=2"})...), `^Completed updating config for broker 1\.$`)
	wants(t, tool(t, configs, slices.Concat(broker, []string{"--describe"})...), `log\.cleaner\.threads=2 sensitive=false synonyms=\{DYNAMIC_BROKER_CONFIG:log\.cleaner\.threads=2, DEFAULT_CONFIG:log\.cleaner\.threads=1\}`)
	tool(t, configs, "--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "log.retention.ms=172800000")
	wants(t, tool(t, configs, slices.Concat(topic, []string{"--describe", "--all"})...), `retention\.ms=172800000 .*DYNAMIC_DEFAULT_BROKER_CONFIG:log\.retention\.ms=172800000`)
	tool(t, configs, "--entity-type", "brokers", "--entity-default", "--alter", "--delete-config", "log.retention.ms")
	tool(t, configs, slices.Concat(broker, []string{"--alter", "--delete-config", "log.cleaner.threads"})...)
	wants(t, refused(t, configs, slices.Concat(broker, []string{"--alter", "--add-config", "node.id=7"})...), `(?i)cannot update|can't be updated|read-only|not.*dynamic`)
}

func tellOfConsole(t *testing.T) {
	tool(t, topics, "--create", "--topic", "spoken", "--partitions", "2")
	const lines = 1000
	var input strings.Builder
	for i := range lines {
		fmt.Fprintf(&input, "h:%d\tk%d\tline %d — größer\n", i, i, i)
	}
	toolWithInput(t, input.String(), producer, "--bootstrap-server", node.Address, "--topic", "spoken", "--compression-codec", "zstd",
		"--reader-property", "parse.key=true", "--reader-property", "parse.headers=true")
	heard := tool(t, consumer, "--topic", "spoken", "--from-beginning", "--max-messages", fmt.Sprint(lines), "--timeout-ms", "60000",
		"--formatter-property", "print.key=true", "--formatter-property", "print.headers=true")
	wants(t, heard, `Processed a total of 1000 messages`)
	got := map[string]bool{}
	for line := range strings.Lines(heard) {
		got[line] = true
	}
	for i := range lines {
		if line := fmt.Sprintf("h:%d\tk%d\tline %d — größer\n", i, i, i); !got[line] {
			t.Fatalf("%q did not come out", line)
		}
	}
	from := tool(t, consumer, "--topic", "spoken", "--partition", "0", "--offset", "100", "--max-messages", "1", "--timeout-ms", "60000",
		"--formatter-property", "print.offset=true", "--formatter-property", "print.partition=true")
	wants(t, from, `Partition:0 Offset:100 `)
}

func tellOfGroups(t *testing.T) {
	tool(t, topics, "--create", "--topic", "letters", "--partitions", "3")
	toolWithInput(t, numbered(300), producer, "--bootstrap-server", node.Address, "--topic", "letters",
		"--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
	wants(t, tool(t, consumer, "--topic", "letters", "--from-beginning", "--max-messages", "300", "--group", "readers", "--timeout-ms", "60000"), `Processed a total of 300 messages`)

	wants(t, tool(t, groups, "--list", "--state"), `^readers Empty`)
	wants(t, tool(t, allGroups, "--list"), `^readers Classic consumer`)
	described := tool(t, groups, "--describe", "--group", "readers")
	wants(t, described, `Consumer group 'readers' has no active members`, `^GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG`)
	if read := lags(t, described); read[0] != 300 || read[1] != 0 {
		t.Errorf("read %d with a lag of %d, want 300 and 0:\n%s", read[0], read[1], described)
	}
	wants(t, tool(t, groups, "--describe", "--group", "readers", "--state"), `readers 127\.0\.0\.1:\d+ \(1\) - Empty 0`)

	wants(t, tool(t, groups, "--group", "readers", "--reset-offsets", "--topic", "letters", "--to-offset", "10", "--dry-run"), `readers letters 0 10`)
	wants(t, tool(t, groups, "--group", "readers", "--reset-offsets", "--topic", "letters", "--to-offset", "10", "--execute"), `readers letters 2 10`)
	if read := lags(t, tool(t, groups, "--describe", "--group", "readers")); read[0] != 30 || read[1] != 270 {
		t.Errorf("after the reset: read %d with a lag of %d, want 30 and 270", read[0], read[1])
	}
	wants(t, tool(t, groups, "--group", "readers", "--reset-offsets", "--topic", "letters:1", "--to-earliest", "--execute"), `readers letters 1 0`)
	wants(t, tool(t, groups, "--group", "readers", "--reset-offsets", "--topic", "letters:1", "--to-datetime", "2020-01-01T00:00:00.000", "--execute"), `readers letters 1 0`)
	wants(t, tool(t, groups, "--group", "readers", "--reset-offsets", "--topic", "letters:1", "--shift-by", "5", "--execute"), `readers letters 1 5`)
	wants(t, tool(t, groups, "--group", "readers", "--delete-offsets", "--topic", "letters:0"), `letters 0 Successful`)
	hasNot(t, spaced(tool(t, groups, "--describe", "--group", "readers", "--offsets")), "readers letters 0 ")
	wants(t, tool(t, groups, "--delete", "--group", "readers"), `Deletion of requested consumer groups \('readers'\) was successful`)
	hasNot(t, tool(t, groups, "--list"), "readers")
	wants(t, refused(t, groups, "--describe", "--group", "readers"), `Group readers not found`)
}

// lags adds up the current offsets and the lags that a description lists.
func lags(t *testing.T, described string) [2]int {
	t.Helper()
	var sum [2]int
	for line := range strings.Lines(described) {
		var group, topic string
		var partition, current, end, lag int
		if n, _ := fmt.Sscan(line, &group, &topic, &partition, &current, &end, &lag); n == 6 {
			sum[0], sum[1] = sum[0]+current, sum[1]+lag
		}
	}
	return sum
}

func tellOfOffsets(t *testing.T) {
	tool(t, topics, "--create", "--topic", "counted", "--partitions", "2")
	toolWithInput(t, numbered(200), producer, "--bootstrap-server", node.Address, "--topic", "counted",
		"--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
	ends := map[int]int{}
	for line := range strings.Lines(tool(t, offsets, "--topic", "counted")) {
		var partition, end int
		if n, _ := fmt.Sscanf(line, "counted:%d:%d", &partition, &end); n == 2 {
			ends[partition] = end
		}
	}
	if len(ends) != 2 || ends[0]+ends[1] != 200 {
		t.Fatalf("the ends are %v, want two that make 200", ends)
	}
	wants(t, tool(t, offsets, "--topic", "counted", "--time", "earliest"), `^counted:0:0$`, `^counted:1:0$`)
	wants(t, tool(t, offsets, "--topic-partitions", "counted:1", "--time", "max-timestamp"), `^counted:1:\d+$`)
	wants(t, tool(t, offsets, "--topic", "counted", "--time", "0"), `^counted:0:0$`)

	file := filepath.Join(t.TempDir(), "offsets.json")
	text := `{"version": 1, "partitions": [{"topic": "counted", "partition": 0, "offset": 25}, {"topic": "counted", "partition": 1, "offset": -1}]}`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	wants(t, tool(t, deleting, "--offset-json-file", file), `partition: counted-0 low_watermark: 25`, fmt.Sprintf(`partition: counted-1 low_watermark: %d`, ends[1]))
	wants(t, tool(t, offsets, "--topic", "counted", "--time", "-2"), `^counted:0:25$`, fmt.Sprintf(`^counted:1:%d$`, ends[1]))

	printed := tool(t, logDirs, "--describe", "--topic-list", "counted")
	wants(t, printed, `Received log directory information from brokers 1`)
	var answer struct {
		Brokers []struct {
			LogDirs []struct {
				LogDir     string
				Error      *string
				Partitions []struct {
					Partition string
					Size      int64
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(printed[strings.Index(printed, "{"):]), &answer); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	dir := answer.Brokers[0].LogDirs[0]
	if dir.LogDir != node.DataDir || dir.Error != nil || len(dir.Partitions) != 2 || dir.Partitions[0].Size <= 0 {
		t.Errorf("the log directory is not as it is:\n%s", printed)
	}
}

func tellOfPerformance(t *testing.T) {
	tool(t, topics, "--create", "--topic", "fast", "--config", "segment.bytes=1048576", "--config", "index.interval.bytes=100")
	wants(t, tool(t, producing, "--topic", "fast", "--num-records", "20000", "--record-size", "500", "--throughput", "-1", "--command-property", "acks=all"),
		`20000 records sent, [\d.,]+ records/sec`)
	wants(t, tool(t, consuming, "--topic", "fast", "--num-records", "20000", "--timeout", "60000"), `, 20000, [\d.]+, \d+, \d+,`)
	wants(t, tool(t, producers, "describe-producers", "--topic", "fast", "--partition", "0"), `^ProducerId ProducerEpoch `, `^\d+ 0 `)
	wants(t, tool(t, latency, "--topic", "quick", "--num-records", "100", "--producer-acks", "all", "--record-size", "100"), `Avg latency: [\d.,]+ ms`, `Percentiles: 50th = \d+`)
}

func tellOfCluster(t *testing.T) {
	wants(t, toolWithInput(t, "", cluster, "cluster-id", "--bootstrap-server", node.Address), `^Cluster ID: [\w-]{22}$`)
	wants(t, toolWithInput(t, "", cluster, "list-endpoints", "--bootstrap-server", node.Address), `^1 127\.0\.0\.1 \d+ null unfenced broker`)
	wants(t, tool(t, features, "describe"), `Feature: metadata\.version .*FinalizedVersionLevel: UNKNOWN 33 `, // 4.4's, which the tool of 4.3 does not know
		`Feature: eligible\.leader\.replicas\.version .*FinalizedVersionLevel: 1 `)
	versions := tool(t, apiVersions)
	wants(t, versions, `\(id: 1 rack: null isFenced: false\)`, `Produce\(0\): 0 to 13 \[usable: 13\]`, `Fetch\(1\): 0 to 18 \[usable: 18\]`,
		`DescribeTopicPartitions\(75\): 0 \[usable: 0\]`, `PushTelemetry\(72\): UNSUPPORTED`)
}

func tellOfVerifiable(t *testing.T) {
	tool(t, topics, "--create", "--topic", "verified", "--partitions", "2")
	wants(t, tool(t, verifiableP, "--topic", "verified", "--max-messages", "500", "--repeating-keys", "7"), `"sent":500,"acked":500`)
	consumed := tool(t, verifiableC, "--topic", "verified", "--group-id", "verifiers", "--max-messages", "500", "--reset-policy", "earliest")
	count := 0
	for line := range strings.Lines(consumed) {
		var event struct {
			Name    string
			Count   int
			Success bool
		}
		if json.Unmarshal([]byte(line), &event) != nil {
			continue
		}
		switch event.Name {
		case "records_consumed":
			count += event.Count
		case "offsets_committed":
			if !event.Success {
				t.Errorf("a commit failed: %s", line)
			}
		}
	}
	if count != 500 {
		t.Errorf("%d records consumed, want 500:\n%s", count, consumed)
	}
}

// numbered is lines with keys for the console producer.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "key %d:line %d\n", i, i)
	}
	return b.String()
}

// spaced has one space wherever there was white space in a line.
func spaced(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Join(strings.Fields(line), " ") + " \n")
	}
	return b.String()
}
