package node_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// expectGoroutines waits until as many goroutines are in a function.
func expectGoroutines(t *testing.T, function string, want int) {
	t.Helper()
	stacks := make([]byte, 8<<20)
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		got := strings.Count(string(stacks[:runtime.Stack(stacks, true)]), function+"(")
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are in %s, not %d", got, function, want)
		}
	}
}

// log.cleaner.threads was described as dynamic, and the cleaner had one thread for ever.
func TestDynamicCleanerThreadsWorkAtOnceAndAfterARestart(t *testing.T) {
	const cleaner = "logdir.(*cleaner).run"
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	expectGoroutines(t, cleaner, 1)
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "", "log.cleaner.threads", "2"))
	expectGoroutines(t, cleaner, 2)
	p.mustStop(t)

	p = mustLaunch(t, disk, nil)
	expectGoroutines(t, cleaner, 2)
	must(t, p.client.setConfig(kmsg.ConfigResourceTypeBroker, "1", "log.cleaner.threads", "1"))
	expectGoroutines(t, cleaner, 1)
	if err := p.client.setConfig(kmsg.ConfigResourceTypeBroker, "1", "log.cleaner.threads", "3"); err == nil {
		t.Error("one thread became three at once")
	}
	p.mustStop(t)
}
