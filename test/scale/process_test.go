//go:build suite

package scale

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// residentKB is the resident memory of a process.
func residentKB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

// liveHeap is what a broker's heap holds that is not garbage.
func liveHeap(t *testing.T, pages string) (size int) {
	t.Helper()
	for range 2 { // what pools hold goes with the second collection
		response, err := http.Get("http://" + pages + "/debug/pprof/heap?gc=1&debug=1")
		if err != nil {
			t.Fatal(err)
		}
		profile, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(profile), "# HeapAlloc = ")
		line, _, _ := strings.Cut(rest, "\n")
		if size, err = strconv.Atoi(line); err != nil {
			t.Fatal(err)
		}
	}
	return size
}

// cpu is the time that a process has computed.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	ticks := 0
	for _, field := range strings.Fields(rest)[11:13] { // user and system
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Linux runs
	return time.Duration(ticks) * tick
}

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// settled waits until a process's memory has not shrunk for a while, and returns what it is.
func settled(t *testing.T, pid int) int {
	t.Helper()
	const quiet, atMost = 4 * time.Second, 30 * time.Second
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	begun := time.Now()
	least, since := residentKB(t, pid), begun
	for time.Since(since) < quiet && time.Since(begun) < atMost {
		<-look.C
		if kb := residentKB(t, pid); kb < least*99/100 {
			least, since = kb, time.Now()
		}
	}
	return residentKB(t, pid)
}

// timed runs a step and says how long it took.
func timed(t *testing.T, what string, step func() error) time.Duration {
	t.Helper()
	begun := time.Now()
	if err := step(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	took := time.Since(begun)
	t.Logf("%-40s %5d ms", what, took.Milliseconds())
	return took
}

func start(t *testing.T, n *kafkatest.Node, what string) {
	t.Helper()
	timed(t, what, n.Start)
	t.Logf("%-40s %5d ms", what+", CPU", cpu(t, n.PID).Milliseconds())
}
