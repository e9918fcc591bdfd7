//go:build suite

package oracle

import (
	"bytes"
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

const (
	dumper    = "org.apache.kafka.tools.DumpLogSegments"
	mostFiles = 600 // of one run: an argument has a limit
	dumpTime  = 5 * time.Minute
)

// complaint is what Kafka's dump tool says where something is wrong.
var complaint = regexp.MustCompile(`(?i)isvalid: false|mismatch|non-consecutive|out of order|corrupt|exception|could not|failed|misread|not found|error`)

// dump has Kafka's dump tool read what Barnabas wrote: segments, indexes, the metadata log and the offsets topic.
func dump(t *testing.T, dataDir, prefix string) {
	var segments, indexes, metadata, offsets []string
	err := filepath.WalkDir(dataDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		folder := filepath.Base(filepath.Dir(path))
		switch ext := filepath.Ext(path); {
		case folder == "__cluster_metadata-0" && (ext == ".log" || ext == ".checkpoint"):
			metadata = append(metadata, path)
		case strings.HasPrefix(folder, "__consumer_offsets-") && ext == ".log":
			offsets = append(offsets, path)
			segments = append(segments, path)
		case !strings.HasPrefix(folder, prefix):
		case ext == ".log":
			segments = append(segments, path)
		case ext == ".index" || ext == ".timeindex":
			indexes = append(indexes, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(segments) == 0 || len(metadata) == 0 || len(offsets) == 0 || len(indexes) == 0 {
		t.Fatalf("nothing to dump: %d segments, %d indexes, %d metadata logs, %d logs of offsets", len(segments), len(indexes), len(metadata), len(offsets))
	}
	dumped(t, slices.Concat(segments, indexes), "--deep-iteration", "--index-sanity-check")
	dumped(t, indexes, "--verify-index-only")
	if out := dumped(t, metadata, "--cluster-metadata-decoder"); !bytes.Contains(out, []byte("TOPIC_RECORD")) {
		t.Errorf("no topic in the metadata log:\n%.2000s", out)
	}
	if out := dumped(t, offsets, "--offsets-decoder"); !bytes.Contains(out, []byte(`"group"`)) {
		t.Errorf("no group in the offsets topic:\n%.2000s", out)
	}
	fmt.Printf("Kafka's dump tool read %d segments and %d indexes that Barnabas wrote\n", len(segments), len(indexes))
}

// dumped runs the tool over files and answers its output; what it complains about is an error.
func dumped(t *testing.T, files []string, options ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), dumpTime)
	defer cancel()
	var all []byte
	for some := range slices.Chunk(files, mostFiles) {
		out, err := kafkatest.Tool(ctx, dumper, append(slices.Clone(options), "--files", strings.Join(some, ","))...)
		if err != nil {
			t.Fatal(err)
		}
		file := ""
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "Dumping ") {
				file = strings.TrimSpace(line)
			} else if complaint.MatchString(line) && !strings.Contains(line, "payload:") {
				t.Errorf("%s %v: %s: %.300s", dumper, options, file, line)
			}
		}
		all = append(all, out...)
	}
	return all
}
