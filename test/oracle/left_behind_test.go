//go:build suite

package oracle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// leadersTime is how long a broker may take until it leads what it holds.
const leadersTime = 2 * time.Minute

// authorizer lets Kafka keep ACLs. Barnabas refuses to start with it, as it would not obey them.
func authorizer() map[string]string {
	s := settings()
	s["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
	s["super.users"] = "User:ANONYMOUS"
	s["allow.everyone.if.no.acl.found"] = "true"
	return s
}

// takeOver has Kafka's own client leave topics, records, transactions, offsets and security behind, stops Kafka, starts
// Barnabas on a copy of its directory and compares what clients see. Then Barnabas writes, and Kafka runs again on that.
func takeOver(t *testing.T, binary string) {
	kafka, err := kafkatest.StartKafka(kafkatest.Options{Dir: t.TempDir(), Settings: authorizer()})
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Kill()
	them := &broker{name: "Kafka", address: kafka.Address, controller: kafka.Controller, dataDir: kafka.DataDir}
	leave(t, them)
	before := observe(t, them)
	kept := found(t, kafka.Address)
	if err := kafka.Stop(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "data"), os.DirFS(kafka.DataDir)); err != nil {
		t.Fatal(err)
	}
	ours, err := kafkatest.StartBarnabas(kafkatest.Options{Dir: dir, Binary: binary, Settings: settings(), Arguments: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Kill()
	us := &broker{name: "Barnabas", address: ours.Address, controller: ours.Controller, dataDir: ours.DataDir}
	after := observe(t, us)
	fields := 0
	for _, d := range compare(conversation{name: "left behind", key: kmsg.Metadata}, 0, before, after) {
		t.Errorf("Barnabas on Kafka's directory: %s: %s -> %s", d.where, d.kafka, d.ours)
	}
	for _, e := range before {
		fields += len(e.leaves)
	}
	fmt.Printf("taken over from Kafka: %d answers, %d fields compared\n", len(before), fields)
	goOn(t, us)
	written := observe(t, us)
	if err := ours.Stop(); err != nil {
		t.Fatal(err)
	}
	dump(t, ours.DataDir, "left-")
	backToKafka(t, dir, written, kept)
}

// quiet keeps what only one process of the machine can have to itself.
func quiet() []string { return []string{"--set", "barnabas.admin.listener="} }

// leave has Kafka hold what its own client writes, and what the newest conversations about produced records and
// committed offsets leave in it.
func leave(t *testing.T, b *broker) {
	t.Helper()
	if err := errors.Join(warm(b), warmTransactions(b)); err != nil {
		t.Fatal(err)
	}
	// Not those about producers: their timestamps are old, and such producers are forgotten at a restart.
	for _, c := range slices.Concat(aboutProduce(), aboutBadBatches(), aboutCommittedOffsets()) {
		newest := kmsg.RequestForKey(int16(c.key)).MaxVersion()
		if c.from > newest || c.to >= 0 && c.to < newest {
			continue
		}
		if _, err := run(c, newest, b); err != nil {
			t.Fatal(err)
		}
	}
	if out := runSource(t, "Leave.java", b.address); !strings.HasSuffix(strings.TrimSpace(out), "left") {
		t.Fatalf("Leave.java: %s", out)
	}
}

// found asks Kafka for the records that Barnabas only keeps.
func found(t *testing.T, address string) string {
	t.Helper()
	return runSource(t, "Found.java", address)
}

func runSource(t *testing.T, file string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	classPath, err := kafkatest.ClassPath(ctx, kafkatest.Tools)
	if err != nil {
		t.Fatal(err)
	}
	java := exec.CommandContext(ctx, "java", append([]string{"-Xmx256m", "-XX:+UseSerialGC", "-Dlog4j2.level=OFF", "-cp", classPath, file}, arguments...)...)
	var complaints strings.Builder
	java.Stderr = &complaints
	out, err := java.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", file, err, out, complaints.String())
	}
	return string(out)
}

// observe is what clients see of a broker with these ids: all topics and their configs, all records, offsets, producers,
// all groups and their offsets.
func observe(t *testing.T, b *broker) []exchange {
	t.Helper()
	talk := newTalk(b, "observe", 0)
	talk.symbols.exact = true
	defer talk.closeAll()
	defer func() {
		if f, is := recover().(failed); is {
			t.Fatalf("%s: %v", b.name, f.err)
		}
	}()
	all := metadata(12)
	all.Topics = nil
	// A broker that just started tells of leaders before it leads.
	led := map[string]bool{}
	talk.awaitWithin(leadersTime, "leaders", func() bool {
		for _, topic := range talk.Must(all).(*kmsg.MetadataResponse).Topics {
			if led[*topic.Topic] {
				continue
			}
			for _, p := range talk.Must(listOffsets(3, *topic.Topic, -1, int32(len(topic.Partitions)))).(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
				if p.ErrorCode != 0 {
					return false
				}
			}
			led[*topic.Topic] = true
		}
		return true
	})
	topics := talk.Ask("topics", all).(*kmsg.MetadataResponse).Topics
	slices.SortFunc(topics, func(x, y kmsg.MetadataResponseTopic) int { return strings.Compare(*x.Topic, *y.Topic) })
	talk.Ask("brokers' configs", describing(4, ofBroker, ""))
	for _, topic := range topics {
		talk.observeTopic(*topic.Topic, int32(len(topic.Partitions)))
	}
	talk.observeGroups()
	return talk.said
}

func (t *Talk) observeTopic(name string, partitions int32) {
	t.Ask("configs of "+name, describing(4, ofTopic, name))
	t.Ask("starts of "+name, listOffsets(3, name, -2, partitions)) // a version without epochs: that of an empty log is the leader's
	t.Ask("ends of "+name, listOffsets(3, name, -1, partitions))
	for _, at := range []int64{-3, baseTime + 50} {
		t.Ask(fmt.Sprintf("offsets of %s at %d", name, at), listOffsets(7, name, at, partitions))
	}
	producers := kmsg.NewPtrDescribeProducersRequest()
	asked := kmsg.NewDescribeProducersRequestTopic()
	asked.Topic = name
	for p := range partitions {
		asked.Partitions = append(asked.Partitions, p)
		for level, what := range []string{"uncommitted", "committed"} {
			t.observeRecords(fmt.Sprintf("%s %d %s", name, p, what), name, p, int8(level))
		}
	}
	producers.Topics = append(producers.Topics, asked)
	t.Ask("producers of "+name, producers)
}

// observeRecords reads a partition from its start to its end. The bytes have to be the same, so they are hashed, too.
func (t *Talk) observeRecords(step, name string, partition int32, level int8) {
	start := t.Must(listOffsets(7, name, -2, partition+1)).(*kmsg.ListOffsetsResponse).Topics[0].Partitions
	next := start[slices.IndexFunc(start, func(p kmsg.ListOffsetsResponseTopicPartition) bool { return p.Partition == partition })].Offset
	hash := sha256.New()
	for round := 0; ; round++ {
		r := fetch(12, topic{name: name}, partition, next)
		r.IsolationLevel = level
		got := t.Ask(fmt.Sprintf("%s fetch %d", step, round), r).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		whole, last := wholeBatches(got.RecordBatches)
		if last < next {
			break
		}
		hash.Write(whole)
		next = last + 1
	}
	t.Note(step+" bytes", fmt.Sprintf("%x", hash.Sum(nil)))
}

func (t *Talk) observeGroups() {
	list := kmsg.NewPtrListGroupsRequest()
	list.Version = 5
	groups := t.Ask("groups", list).(*kmsg.ListGroupsResponse).Groups
	slices.SortFunc(groups, func(x, y kmsg.ListGroupsResponseGroup) int { return strings.Compare(x.Group, y.Group) })
	for _, g := range groups {
		t.Ask("offsets of group "+g.Group, fetchingOffsets(9, g.Group, topic{}))
		if g.GroupType == "classic" {
			t.Ask("description of group "+g.Group, describingGroups(5, g.Group))
		}
	}
}

// goOn has Barnabas do in Kafka's directory what a broker does.
func goOn(t *testing.T, b *broker) {
	t.Helper()
	talk := newTalk(b, "gone-on", 0)
	defer talk.closeAll()
	defer func() {
		if f, is := recover().(failed); is {
			t.Fatalf("Barnabas on Kafka's directory: %v", f.err)
		}
	}()
	made := talk.Topic("", 2, "flush.messages", "987654")
	for i, name := range []string{"left-none", "left-zstd", "left-transactions", "left-compacted", made.name} {
		talk.Write(topic{name: name}, 0, batchOf(recs(5+i)...).bytes(), batchOf(recs(3)...).packed(i%5).bytes())
	}
	id, epoch := talk.Producer()
	now := time.Now().UnixMilli() // a producer of old timestamps is forgotten at a restart
	talk.Write(made, 1, batchOf(recs(4)...).from(id, epoch, 0).with(func(b *madeBatch) { b.baseTimestamp, b.maxTimestamp = now, now+3 }).bytes())
	for _, g := range []string{"left-classic", "gone-on"} {
		got := talk.Must(committing(8, g, "", -1, topic{name: "left-none"}, 0, 33, kmsg.StringPtr("by Barnabas"))).(*kmsg.OffsetCommitResponse)
		if code := got.Topics[0].Partitions[0].ErrorCode; code != 0 {
			t.Errorf("commit of %s: error %d", g, code)
		}
	}
	talk.Must(deleteTopic("left-empty"))
	talk.await("the topic to be gone", func() bool {
		return talk.Must(metadata(8, "left-empty")).(*kmsg.MetadataResponse).Topics[0].ErrorCode == 3
	})
}

// backToKafka runs Kafka on the directory that Barnabas had: it sees what Barnabas wrote, and its own security still.
func backToKafka(t *testing.T, dir string, written []exchange, kept string) {
	kafka, err := kafkatest.StartKafka(kafkatest.Options{Dir: dir, Settings: authorizer(), Unformatted: true})
	if err != nil {
		t.Fatalf("Kafka on the directory that Barnabas had: %v", err)
	}
	defer kafka.Kill()
	again := observe(t, &broker{name: "Kafka again", address: kafka.Address, controller: kafka.Controller, dataDir: kafka.DataDir})
	for _, d := range compare(conversation{name: "back again", key: kmsg.Metadata}, 0, again, written) {
		t.Errorf("Kafka on the directory that Barnabas had: %s: Barnabas saw %s, Kafka sees %s", d.where, d.ours, d.kafka)
	}
	if now := found(t, kafka.Address); now != kept {
		t.Errorf("what Barnabas had to keep is not as it was:\n%s\nnow:\n%s", kept, now)
	}
	if err := kafka.Stop(); err != nil {
		t.Error(err)
	}
}
