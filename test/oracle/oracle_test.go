//go:build suite

package oracle

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

const (
	workers  = 4                // conversations at once
	slow     = 10 * time.Second // one that takes longer is named: something waits where nothing should
	talkTime = 2 * time.Minute  // one that takes longer is stuck
)

var (
	only = flag.String("only", "", "have only the conversations whose \"API vN name\" matches this regular expression")
	show = flag.String("show", "", "write the differences that are not listed to this file, as lines of the list without reasons")
)

// pair is a Kafka and the Barnabas that is held against it.
type pair struct {
	kafka, ours        *broker
	kafkaNode, ourNode *kafkatest.Node
	ranges             map[int16][2]int16 // what this Kafka serves
}

// all are the processes that were started.
func (p *pair) all() []*kafkatest.Node {
	return slices.DeleteFunc([]*kafkatest.Node{p.kafkaNode, p.ourNode}, func(n *kafkatest.Node) bool { return n == nil })
}

func TestBarnabasAnswersAsKafkaDoes(t *testing.T) {
	binary, err := kafkatest.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pairs := startPairs(t, binary)
	t.Run("conversations", func(t *testing.T) { converse(t, pairs[kafkatest.Server44], pairs[kafkatest.Server39]) })
	for _, n := range pairs[kafkatest.Server39].all() {
		n.Kill()
	}
	newest := pairs[kafkatest.Server44]
	t.Run("Kafka's tool reads what Barnabas wrote", func(t *testing.T) {
		if err := newest.ourNode.Stop(); err != nil {
			t.Fatal(err)
		}
		dump(t, newest.ourNode.DataDir, "")
	})
	newest.kafkaNode.Kill()
	t.Run("a directory that Kafka left", func(t *testing.T) { takeOver(t, binary) })
}

// startPairs starts all four processes side by side.
func startPairs(t *testing.T, binary string) map[kafkatest.Jars]*pair {
	pairs := map[kafkatest.Jars]*pair{kafkatest.Server44: {}, kafkatest.Server39: {}}
	var starting sync.WaitGroup
	errs := make(chan error, 4)
	var mu sync.Mutex
	for version, p := range pairs {
		dir := t.TempDir()
		for _, kafka := range []bool{true, false} {
			starting.Go(func() {
				o := kafkatest.Options{Dir: dir + "/barnabas", Binary: binary, Settings: settings(), KafkaSettings: true, Arguments: quiet()}
				start := kafkatest.StartBarnabas
				if kafka {
					o.Dir, o.Version, start = dir+"/kafka", version, kafkatest.StartKafka
				}
				since := time.Now()
				n, err := start(o)
				errs <- err
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				b := &broker{controller: n.Controller, name: fmt.Sprintf("Barnabas beside %s", version), address: n.Address, dataDir: n.DataDir, since: since}
				if kafka {
					b.name = "Kafka " + string(version)
					p.kafka, p.kafkaNode = b, n
				} else {
					p.ours, p.ourNode = b, n
				}
			})
		}
	}
	starting.Wait()
	t.Cleanup(func() {
		for _, p := range pairs {
			for _, n := range p.all() {
				n.Kill()
			}
		}
	})
	for range 4 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range pairs {
		if err := errors.Join(warm(p.kafka), warm(p.ours)); err != nil {
			t.Fatal(err)
		}
		p.ranges = ranges(t, p.kafka)
	}
	return pairs
}

// settings are those of all brokers, where defaults make a test slow or two brokers differ.
func settings() map[string]string {
	return map[string]string{
		"num.partitions": "2", "queued.max.request.bytes": "200000000", "log.dir": "/tmp/unused",
		"log.retention.ms": "-1", // the records are old
	}
}

// ranges is what a Kafka serves. Kafka 4.x advertises Produce from 0 on, but closes the connection below 3.
func ranges(t *testing.T, b *broker) map[int16][2]int16 {
	talk := newTalk(b, "ranges", 0)
	defer talk.closeAll()
	r := kmsg.NewPtrApiVersionsRequest()
	response, err := talk.Send("", r).take(answerTime)
	if err != nil {
		t.Fatal(err)
	}
	served := map[int16][2]int16{}
	for _, k := range response.(*kmsg.ApiVersionsResponse).ApiKeys {
		served[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	const fetch = 1
	if served[fetch][0] > 0 {
		served[0] = [2]int16{3, served[0][1]}
	}
	return served
}

// job is one conversation in one version with one pair.
type job struct {
	conversation
	version int16
	pair    *pair
}

// outcome is what a job found.
type outcome struct {
	differences []difference
	exchanges   int
	leaves      int
	err         error
}

func converse(t *testing.T, newest, old *pair) {
	listed, err := readDifferences()
	if err != nil {
		t.Fatal(err)
	}
	documented(t, listed)
	together, alone := jobs(t, newest, old)
	if *only == "" {
		covered(t, newest.ours, slices.Concat(together, alone))
	}
	var all []outcome
	for _, j := range alone {
		all = append(all, j.do())
	}
	// After those that see all topics: Barnabas has none for transactions.
	if err := errors.Join(warmTransactions(newest.kafka), warmTransactions(old.kafka)); err != nil {
		t.Fatal(err)
	}
	all = append(all, spread(together)...)
	var found []difference
	exchanges, leaves := 0, 0
	for _, o := range all {
		if o.err != nil {
			t.Error(o.err)
		}
		found = append(found, o.differences...)
		exchanges += o.exchanges
		leaves += o.leaves
	}
	unlisted, stale := judge(found, listed, func(w where) bool {
		name, _, _ := strings.Cut(w.step, "/")
		return *only == "" || slices.ContainsFunc(slices.Concat(alone, together), func(j job) bool {
			return int16(j.key) == w.key && j.version == w.version && j.name == name
		})
	})
	fmt.Printf("%d conversations, %d answers, %d fields compared: %d differences, of which %d are listed; the list has %d in %d lines\n",
		len(all), exchanges, leaves, len(found), len(found)-len(unlisted), len(listed), len(lines(slices.Collect(maps.Values(listed)))))
	if *show != "" {
		if err := os.WriteFile(*show, []byte(strings.Join(lines(unlisted), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if t.Failed() {
		for _, p := range []*pair{newest, old} {
			for _, n := range p.all() {
				t.Logf("%s says at last:\n%s", n.Command[0], n.Tail(10))
			}
		}
	}
	for _, l := range lines(unlisted) {
		t.Errorf("not listed: %s", l)
	}
	for _, w := range stale {
		t.Errorf("listed, but it is no difference any more: %s", w)
	}
}

// spread has many conversations at once.
func spread(jobs []job) []outcome {
	results := make([]outcome, len(jobs))
	next := make(chan int)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for i := range next {
				results[i] = jobs[i].do()
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	working.Wait()
	return results
}

// jobs gives every version of every conversation to the Kafka that serves it.
func jobs(t *testing.T, newest, old *pair) (together, alone []job) {
	wanted := regexp.MustCompile(*only)
	for _, c := range conversations() {
		key := int16(c.key)
		served, known := newest.ranges[key]
		if !known {
			t.Fatalf("%q is about %s, which Kafka does not serve", c.name, kmsg.NameForKey(key))
		}
		to := c.to
		if to < 0 {
			to = newestVersion(key, served[1])
		}
		for v := c.from; v <= to; v++ {
			p := newest
			if v < served[0] {
				p = old
				if r, known := old.ranges[key]; !known || v < r[0] || v > r[1] {
					t.Fatalf("neither Kafka serves %s v%d", kmsg.NameForKey(key), v)
				}
			}
			if !wanted.MatchString(fmt.Sprintf("%s v%d %s", kmsg.NameForKey(key), v, c.name)) {
				continue
			}
			if j := (job{c, v, p}); c.alone {
				alone = append(alone, j)
			} else {
				together = append(together, j)
			}
		}
	}
	return together, alone
}

// covered fails for each version of an API that Barnabas advertises and no conversation is about.
func covered(t *testing.T, ours *broker, jobs []job) {
	about := map[[2]int16]bool{}
	for _, j := range jobs {
		about[[2]int16{int16(j.key), j.version}] = true
	}
	for key, versions := range ranges(t, ours) {
		for v := versions[0]; v <= versions[1]; v++ {
			if !about[[2]int16{key, v}] {
				t.Errorf("no conversation about %s v%d, which Barnabas advertises", kmsg.NameForKey(key), v)
			}
		}
	}
}

// documented fails for each API that Kafka serves and Barnabas does not, and that the page of the protocol does not name.
func documented(t *testing.T, listed map[where]difference) {
	page, err := os.ReadFile(filepath.Join(kafkatest.Root(), "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	for w, d := range listed {
		name, begins := strings.CutPrefix(w.field, "ApiKeys[")
		name, ends := strings.CutSuffix(name, "]")
		if begins && ends && d.ours == absent && !strings.Contains(string(page), name) {
			t.Errorf("%s is not served, and docs/protocol.md does not say so", name)
		}
	}
}

// newestVersion is Kafka's newest stable version of an API.
func newestVersion(key, advertised int16) int16 {
	return min(advertised, kmsg.RequestForKey(key).MaxVersion())
}

// do has the conversation with both at once.
func (j job) do() outcome {
	start := time.Now()
	type side struct {
		t   *Talk
		err error
	}
	results := make([]chan side, 2)
	for i, b := range []*broker{j.pair.kafka, j.pair.ours} {
		results[i] = make(chan side, 1)
		go func() {
			talk, err := run(j.conversation, j.version, b)
			results[i] <- side{talk, err}
		}()
	}
	var sides []side
	for i := range results {
		select {
		case s := <-results[i]:
			sides = append(sides, s)
		case <-time.After(talkTime):
			return outcome{err: fmt.Errorf("%s v%d %s: no end in %s", kmsg.NameForKey(int16(j.key)), j.version, j.name, talkTime)}
		}
	}
	var o outcome
	for i, who := range []string{j.pair.kafka.name, j.pair.ours.name} {
		if sides[i].err != nil {
			o.err = errors.Join(o.err, fmt.Errorf("%s v%d %s: %s: %w", kmsg.NameForKey(int16(j.key)), j.version, j.name, who, sides[i].err))
		}
	}
	if o.err != nil {
		return o
	}
	o.differences = compare(j.conversation, j.version, sides[0].t.said, sides[1].t.said)
	if took := time.Since(start); took > slow {
		fmt.Printf("%s v%d %s took %s\n", kmsg.NameForKey(int16(j.key)), j.version, j.name, took.Round(time.Millisecond))
	}
	o.exchanges = len(sides[0].t.said)
	for _, e := range sides[0].t.said {
		o.leaves += len(e.leaves)
	}
	return o
}
