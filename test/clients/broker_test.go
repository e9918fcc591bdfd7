//go:build suite

package clients

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// A broker is one running Barnabas, stopped when its test ends.
type broker struct {
	*kafkatest.Node
}

// startBroker starts Barnabas on a directory of the test's own, with settings beside those that every suite needs.
func startBroker(t *testing.T, settings map[string]string) broker {
	t.Helper()
	dir, err := os.MkdirTemp("", "barnabas-clients-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	node, err := kafkatest.StartBarnabas(kafkatest.Options{Dir: dir, Binary: barnabas, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the broker's log ends with:\n%s", node.Tail(15))
		}
	})
	return broker{node}
}

// createTopics makes topics of one partition: its order is what the suite compares.
func (b broker) createTopics(t *testing.T, names ...string) {
	t.Helper()
	args := append([]string{"topic", "create", "--bootstrap-server", b.Address, "--partitions", "1"}, names...)
	run(t, time.Minute, barnabas, args...)
}

// deleteTopic removes a topic that a test has done with: the suite moves gigabytes.
func (b broker) deleteTopic(t *testing.T, name string) {
	t.Helper()
	run(t, time.Minute, barnabas, "topic", "delete", "--bootstrap-server", b.Address, name)
}

// run runs a command that must succeed and returns what it printed.
func run(t *testing.T, limit time.Duration, name string, args ...string) string {
	t.Helper()
	out, err := command(limit, nil, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// command runs a command with input and returns what it printed; its error holds what it complained of.
func command(limit time.Duration, input []byte, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out, problem bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &problem
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, tail(problem.String(), 4000))
	}
	return out.Bytes(), nil
}

// tail is the end of a text.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return fmt.Sprintf("… %d bytes …\n%s", len(s)-n, s[len(s)-n:])
}

// endOffset is the offset that the next record of a topic will have.
func (b broker) endOffset(t *testing.T, topic string) int64 {
	t.Helper()
	// kcat -Q answers with the offset behind the last record when it is asked for the latest.
	out := run(t, time.Minute, "kcat", "-b", b.Address, "-Q", "-t", topic+":0:-1")
	var end int64
	if _, err := fmt.Sscanf(out, topic+" [0] offset %d", &end); err != nil {
		t.Fatalf("kcat -Q: %q: %v", out, err)
	}
	return end
}
