//go:build suite

// Package crash kills brokers with signal 9 while producers and committers work, starts them again, and checks that
// everything acknowledged is there: once, in order, at its offset.
package crash

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/history"
	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

var (
	rounds = flag.Int("rounds", 50, "how often a broker is killed")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the moments at which it is")
)

const producers = 2

func start(t *testing.T, dir string, binary string) *kafkatest.Node {
	t.Helper()
	broker, err := kafkatest.StartBarnabas(kafkatest.Options{Dir: dir, Binary: binary, Settings: map[string]string{
		"log.cleaner.backoff.ms": "100", "log.retention.check.interval.ms": "200", "group.initial.rebalance.delay.ms": "0",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Kill)
	return broker
}

// The clients live through all rounds, so what they retry after a crash must be known as a duplicate by the broker that
// comes back.
func TestWhatIsAcknowledgedSurvivesKills(t *testing.T) {
	random := rand.New(rand.NewPCG(*seed, 0))
	t.Logf("seed %d", *seed)
	broker := start(t, t.TempDir(), "")
	createTopics(t, broker.Address)
	h := history.New()
	l := startLoad(t, broker.Address, h, producers)
	verified := 0
	for round := range *rounds {
		before := h.Acknowledged()
		await(t, "the load goes on", func() bool { return h.Acknowledged() > before+20 })
		<-time.After(time.Duration(random.IntN(400)) * time.Millisecond)
		promised := l.committed.Load()
		broker.Kill()
		if err := broker.Start(); err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, broker.Tail(50))
		}
		committed, err := committedOffset(t.Context(), broker.Address)
		if err != nil || committed < promised {
			t.Fatalf("round %d: offset %d was committed, %d is (%v)", round, promised, committed, err)
		}
		if round%10 == 9 {
			verified = verify(t, broker.Address, h)
		}
	}
	l.end(t)
	verified = verify(t, broker.Address, h)
	t.Logf("%d rounds, %d records sent, %d acknowledged, %d read back, offsets committed up to %d",
		*rounds, h.Sent(), h.Acknowledged(), verified, l.committed.Load())
}

// verify reads everything and judges it.
func verify(t *testing.T, address string, h *history.History) int {
	t.Helper()
	total := 0
	for _, topic := range topics() {
		for partition := range topic.partitions {
			read, err := h.Read(t.Context(), address, topic.name, partition)
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range h.Judge(read) {
				t.Errorf("%s-%d: %s", topic.name, partition, wrong)
			}
			total += len(read.Records)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return total
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("in a minute it did not come to pass that %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// A kill leaves whole writes behind, as the page cache survives it; so the torn tail that a write cut short would leave is
// made by hand. The broker that looks at its logs cuts it and says so; one that does not is caught by the same judge.
func TestATornTailIsCutAndTheJudgeNoticesWhereNobodyLooks(t *testing.T) {
	broker := start(t, t.TempDir(), "")
	createTopics(t, broker.Address)
	h := history.New()
	l := startLoad(t, broker.Address, h, producers)
	await(t, "some records are there", func() bool { return h.Acknowledged() > 2000 })
	l.end(t)
	broker.Kill()
	tearTail(t, filepath.Join(broker.DataDir, "rolled-0"))
	copied := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", broker.Dir, copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	verify(t, broker.Address, h)
	if log := broker.Tail(200); !strings.Contains(log, "rolled-0") || !strings.Contains(log, "cut") && !strings.Contains(log, "truncat") {
		t.Errorf("no line of the log says that a tail was cut:\n%s", log)
	}
	broker.Kill()
	blind := start(t, copied, buildUnscanned(t))
	if anomalies := readBlindly(t, blind.Address, h); len(anomalies) == 0 {
		t.Error("a broker that does not look at its logs after a kill passed: the suite would not notice")
	} else {
		t.Logf("without the recovery scan: %s", anomalies[0])
	}
}

// readBlindly lists what the judge finds, a reader that gets stuck being an anomaly, too.
func readBlindly(t *testing.T, address string, h *history.History) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	read, err := h.Read(ctx, address, "rolled", 0)
	if err != nil {
		return []string{err.Error()}
	}
	return h.Judge(read)
}

// tearTail appends the first half of a batch, the way a write cut short leaves it, with the offset that comes next.
func tearTail(t *testing.T, dir string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segment in %s (%v)", dir, err)
	}
	active := segments[len(segments)-1]
	data, err := os.ReadFile(active)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) == 0 {
		t.Fatalf("%s is empty", active)
	}
	last := lastBatch(data)
	torn := append([]byte(nil), last...)
	next := be64(torn) + int64(be32(torn[23:])) + 1
	for i := range 8 {
		torn[i] = byte(next >> (56 - 8*i))
	}
	torn[len(torn)-1] ^= 0xff // its checksum does not match: the end never came to the disk
	if err := os.WriteFile(active, append(data, torn...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func lastBatch(data []byte) []byte {
	at := 0
	for {
		size := 12 + int(be32(data[at+8:]))
		if at+size >= len(data) {
			return data[at:]
		}
		at += size
	}
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
func be64(b []byte) int64 { return int64(be32(b))<<32 | int64(be32(b[4:])) }

func buildUnscanned(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "unscanned")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./test/crash/unscanned")
	build.Dir = kafkatest.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("go build: %w\n%s", err, out))
	}
	return binary
}
