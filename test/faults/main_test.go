//go:build suite && linux

package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// namespaced marks the process that may mount.
const namespaced = "FAULTS_NAMESPACED"

// TestMain goes on in a namespace of its own, in which anybody may mount a small disk; it goes with the process.
func TestMain(m *testing.M) {
	if os.Getenv(namespaced) != "" {
		os.Exit(m.Run())
	}
	unshare, err := exec.LookPath("unshare")
	if err == nil {
		arguments := append([]string{unshare, "--map-root-user", "--mount", "--"}, os.Args...)
		err = syscall.Exec(unshare, arguments, append(os.Environ(), namespaced+"=1"))
	}
	fmt.Fprintln(os.Stderr, "faults: a small disk needs unshare, of util-linux:", err)
	os.Exit(1)
}

// smallDisk mounts a disk of some megabytes in memory.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("faults", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		t.Fatalf("mount a disk of %d MB: %v", megabytes, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }) // else it goes with the namespace
	return dir
}

// build builds the broker once: others who build in this tree hold a lock meanwhile.
var build = sync.OnceValues(func() (string, error) { return kafkatest.Build(context.Background()) })

// start starts a broker without an admin listener, whose port others may have.
func start(t *testing.T, o kafkatest.Options) *kafkatest.Node {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Binary == "" {
		binary, err := build()
		must(t, err)
		o.Binary = binary
	}
	o.Arguments = append(o.Arguments, "--set", "barnabas.admin.listener=")
	broker, err := kafkatest.StartBarnabas(o)
	must(t, err)
	t.Cleanup(func() {
		broker.Kill()
		if t.Failed() {
			t.Logf("the broker's output ends with:\n%s", broker.Tail(40))
		}
	})
	return broker
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// output is all that the broker has logged.
func output(t *testing.T, broker *kafkatest.Node) string {
	t.Helper()
	b, err := os.ReadFile(broker.Output)
	must(t, err)
	return string(b)
}

// linesWith counts the lines of the broker's log that hold a text.
func linesWith(t *testing.T, broker *kafkatest.Node, text string) int {
	t.Helper()
	n := 0
	for line := range strings.Lines(output(t, broker)) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// eventually asks until there is no error, for a while.
func eventually(t *testing.T, patience time.Duration, what string, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		case <-ticker.C:
		}
	}
}
