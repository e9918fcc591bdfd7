//go:build suite

package tools

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dumpFindsNothingWrong stops the broker and has Kafka's dump tool look at every file that it left: batches, indexes
// against them, producer snapshots, group records and the metadata log.
func dumpFindsNothingWrong(t *testing.T) {
	if err := node.Stop(); err != nil {
		t.Fatal(err)
	}
	logs := dataFiles(t, ".log")
	if len(logs) < 10 {
		t.Fatalf("there are only %d segments: %q", len(logs), logs)
	}
	printed := dumped(t, logs, "--deep-iteration")
	if n := strings.Count(printed, "| offset: "); n < 20_000 {
		t.Errorf("the tool found %d records, want at least the 20000 of one topic", n)
	}
	hasNot(t, printed, "isvalid: false", "crc: 0 ", "Found", "not valid", "corrupt")

	indexes := append(dataFiles(t, ".index"), dataFiles(t, ".timeindex")...)
	if !strings.Contains(strings.Join(indexes, "\n"), "fast-0") {
		t.Fatalf("there is no index of several entries: %q", indexes)
	}
	checked := dumped(t, indexes, "--deep-iteration", "--index-sanity-check")
	if n := strings.Count(checked, "passed sanity check."); n != len(indexes) {
		t.Errorf("%d of %d indexes passed the sanity check:\n%s", n, len(indexes), checked)
	}
	hasNot(t, dumped(t, indexes, "--verify-index-only"), "mismatch", "Found", "out of order")

	snapshots := dumped(t, dataFiles(t, ".snapshot"))
	wants(t, snapshots, `producerId: \d+ producerEpoch: 0 `)

	var groupLogs []string
	for _, file := range logs {
		if strings.Contains(file, "__consumer_offsets-") {
			groupLogs = append(groupLogs, file)
		}
	}
	wants(t, dumped(t, groupLogs, "--offsets-decoder"), `"group":"verifiers","topic":"verified"`, `"protocolType":"consumer"`)

	metadata, err := filepath.Glob(filepath.Join(node.DataDir, "__cluster_metadata-0", "*.log"))
	if err != nil || len(metadata) == 0 {
		t.Fatalf("no metadata log: %v", err)
	}
	decoded := dumped(t, metadata, "--cluster-metadata-decoder", "--skip-record-metadata")
	wants(t, decoded, `"type":"TOPIC_RECORD"`, `"type":"PARTITION_RECORD"`, `"type":"REGISTER_BROKER_RECORD"`, `"name":"letters"`)
	hasNot(t, decoded, "isvalid: false", "Could not deserialize", "Error")
}

// dumped runs the dump tool over files, which it takes all at once.
func dumped(t *testing.T, files []string, arguments ...string) string {
	t.Helper()
	if len(files) == 0 {
		t.Fatal("no files to dump")
	}
	return toolWithInput(t, "", dump, append(arguments, "--files", strings.Join(files, ","))...)
}

var partitionFolder = regexp.MustCompile(`-\d+$`)

// dataFiles are the files of partitions that end so and are not empty, the metadata log's apart.
func dataFiles(t *testing.T, suffix string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(node.DataDir, func(path string, d fs.DirEntry, err error) error {
		folder := filepath.Base(filepath.Dir(path))
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) || !partitionFolder.MatchString(folder) || folder == "__cluster_metadata-0" {
			return err
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			return err
		}
		files = append(files, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
