//go:build suite

package clients

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A broker is one running Barnabas process, stopped when its test ends.
type broker struct {
	addr string // host:port of its plaintext listener
	dir  string
	log  *syncBuffer
	cmd  *exec.Cmd
}

// startBroker starts Barnabas on a directory of the test's own, with settings beside those that every suite needs, and
// returns when it answers.
func startBroker(t *testing.T, settings ...string) *broker {
	t.Helper()
	b := &broker{addr: freeAddress(t), dir: dataDirectory(t), log: &syncBuffer{}}
	args := []string{"serve",
		"--set", "log.dirs=" + b.dir,
		"--set", "listeners=PLAINTEXT://" + b.addr,
		"--set", "group.initial.rebalance.delay.ms=0",
	}
	for _, s := range settings {
		args = append(args, "--set", s)
	}
	b.cmd = exec.Command(barnabas, args...)
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	if err := b.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", barnabas, err)
	}
	t.Cleanup(func() { b.stop(t) })
	b.await(t)
	return b
}

// await returns when the broker takes connections.
func (b *broker) await(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if strings.Contains(b.log.String(), "is ready") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the broker was not ready within 20 s; it said:\n%s", b.log.String())
}

// stop ends the broker as an operator does, and shows its log when the test failed.
func (b *broker) stop(t *testing.T) {
	b.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- b.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the broker ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		b.cmd.Process.Kill()
		t.Error("the broker did not stop within 30 s of SIGTERM")
	}
	if t.Failed() {
		t.Logf("the broker's log:\n%s", b.log.Tail(8000))
	}
}

// createTopic makes a topic of one partition, which is the order that the suites compare.
func (b *broker) createTopic(t *testing.T, names ...string) {
	t.Helper()
	args := append([]string{"topic", "create", "--bootstrap-server", b.addr, "--partitions", "1"}, names...)
	run(t, time.Minute, barnabas, args...)
}

// deleteTopic removes a topic that a test has done with: the suites move gigabytes.
func (b *broker) deleteTopic(t *testing.T, name string) {
	t.Helper()
	run(t, time.Minute, barnabas, "topic", "delete", "--bootstrap-server", b.addr, name)
}

// dataDirectory is like t.TempDir, but forgives files that the broker still had to remove when it was stopped.
func dataDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "barnabas-clients-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "data")
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs a command that must succeed and returns what it printed.
func run(t *testing.T, limit time.Duration, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out, problem bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(name), strings.Join(args, " "), err, tail(out.String(), 2000), tail(problem.String(), 4000))
	}
	return out.String()
}

// A syncBuffer takes a process's output while the test reads it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Tail returns the last n bytes.
func (b *syncBuffer) Tail(n int) string { return tail(b.String(), n) }

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return fmt.Sprintf("… %d bytes …\n%s", len(s)-n, s[len(s)-n:])
}
