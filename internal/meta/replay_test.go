package meta

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func born(t testing.TB, records ...Record) *Image {
	im, err := Empty().Apply(append([]Record{
		&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: LatestMetadataVersion},
	}, records...)...)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func partition(topic ID, index int32, replicas ...int32) *PartitionRecord {
	return &PartitionRecord{TopicID: topic, PartitionID: index, Replicas: replicas, ISR: replicas,
		Leader: replicas[0], Directories: make([]ID, len(replicas))}
}

func TestRecordsThatDoNotFitAreRefused(t *testing.T) {
	topic, other := ID{1}, ID{2}
	im := born(t, &TopicRecord{Name: "t", TopicID: topic}, partition(topic, 0, 1, 2),
		&RegisterBrokerRecord{BrokerID: 1, BrokerEpoch: 10})
	broken := func(change func(*PartitionChangeRecord)) Record {
		r := NewPartitionChange(topic, 0)
		change(r)
		return r
	}
	for why, r := range map[string]Record{
		"exists with id":           &TopicRecord{Name: "t", TopicID: other},
		"with the id of topic":     &TopicRecord{Name: "u", TopicID: topic},
		"unknown topic id":         partition(other, 0, 1),
		"no replicas":              &PartitionRecord{TopicID: topic, PartitionID: 1},
		"number":                   partition(topic, 1<<30, 1),
		"does not exist":           NewPartitionChange(topic, 1),
		"recovery state":           broken(func(r *PartitionChangeRecord) { r.LeaderRecoveryState = 7 }),
		"2 directories for 1":      broken(func(r *PartitionChangeRecord) { r.Replicas, r.Directories = []int32{1}, []ID{{1}, {2}} }),
		"no replicas are left":     broken(func(r *PartitionChangeRecord) { r.Replicas = []int32{} }),
		"not registered":           &FenceBrokerRecord{ID: 2, Epoch: 10},
		"its epoch is 10":          &UnregisterBrokerRecord{BrokerID: 1, BrokerEpoch: 9},
		"fenced is 3":              &BrokerRegistrationChangeRecord{BrokerID: 1, BrokerEpoch: 10, Fenced: 3},
		"unknown id":               &RemoveAccessControlEntryRecord{ID: ID{9}},
		"only 7 to 33 are known":   &FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: 34},
		"unknown topic \"x\"":      &ClearElrRecord{TopicName: "x"},
		"outside of a transaction": &EndTransactionRecord{},
	} {
		if _, err := im.Apply(r); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%T: %v, should say %q", r, err, why)
		}
	}
}

func TestATopicMadeAgainUnderItsNameIsAnother(t *testing.T) {
	was, is, value := ID{1}, ID{2}, "1"
	before := born(t, &TopicRecord{Name: "t.x", TopicID: was}, partition(was, 0, 1),
		&ConfigRecord{ResourceType: ResourceTopic, ResourceName: "t.x", Name: "retention.ms", Value: &value})
	edit := before.Edit()
	for _, r := range []Record{&RemoveTopicRecord{TopicID: was}, &TopicRecord{Name: "t.x", TopicID: is}, partition(is, 0, 2)} {
		if err := edit.Replay(r); err != nil {
			t.Fatal(err)
		}
	}
	after := edit.Image()
	d := edit.Delta(after)
	if len(d.Deleted) != 1 || d.Deleted[0].ID != was || len(d.Created) != 1 || d.Created[0].ID != is || len(d.Changed) != 0 {
		t.Errorf("the delta is %+v", d)
	}
	if _, ok := after.TopicByID(was); ok {
		t.Error("the first topic can still be found")
	}
	if after.Config(ResourceTopic, "t.x") != nil || len(d.Configs) != 1 {
		t.Errorf("the configs of the first topic are left to the second: %v, %v", after.Config(ResourceTopic, "t.x"), d.Configs)
	}
	if got := after.TopicsAlike("t_x"); !slices.Equal(got, []string{"t.x"}) {
		t.Errorf("names alike are %v", got)
	}
}

func TestAChangeNamesOnlyWhatChanges(t *testing.T) {
	topic := ID{1}
	im := born(t, &TopicRecord{Name: "t", TopicID: topic}, partition(topic, 0, 1, 2, 3))
	r := NewPartitionChange(topic, 0)
	r.ISR, r.EligibleLeaderReplicas, r.LastKnownELR = []int32{2}, []int32{3}, []int32{1}
	p, _ := im.Replay(r).Partition("t", 0)
	want := &Partition{Replicas: []int32{1, 2, 3}, ISR: []int32{2}, ELR: []int32{3}, LastKnownELR: []int32{1},
		Directories: make([]ID, 3), Leader: 1, LeaderEpoch: 0, PartitionEpoch: 1,
		Adding: p.Adding, Removing: p.Removing}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("the partition is\n%+v\nnot\n%+v", p, want)
	}
	cleared, _ := im.Replay(r, &ClearElrRecord{}).Partition("t", 0)
	if len(cleared.ELR)+len(cleared.LastKnownELR) != 0 || cleared.PartitionEpoch != 2 || cleared.LeaderEpoch != 0 {
		t.Errorf("cleared of its eligible leaders the partition is %+v", cleared)
	}
}

func TestPartitionsMayComeInAnyOrder(t *testing.T) {
	topic := ID{1}
	im := born(t, &TopicRecord{Name: "t", TopicID: topic}, partition(topic, 2, 1))
	missing, _ := im.Partition("t", 0)
	if missing.Exists() || missing.Leader != NoLeader {
		t.Errorf("a partition that no record made is %+v", missing)
	}
	again := Empty().Replay(slices.Collect(im.Snapshot())...)
	if p, ok := again.Partition("t", 1); !ok || p.Exists() {
		t.Errorf("after a snapshot it is %+v", p)
	}
	whole := again.Replay(partition(topic, 0, 3), partition(topic, 1, 2))
	for i, leader := range []int32{3, 2, 1} {
		if p, _ := whole.Partition("t", int32(i)); p.Leader != leader {
			t.Errorf("partition %d is led by %d", i, p.Leader)
		}
	}
}

func TestATransactionShowsWhenItEnds(t *testing.T) {
	topic := ID{1}
	within := born(t, &BeginTransactionRecord{}, &TopicRecord{Name: "t", TopicID: topic})
	if within.NumTopics() != 0 || !within.InTransaction() {
		t.Error("a transaction shows before it ends")
	}
	// It survives a snapshot, and images fork within it.
	reborn := Empty().Replay(slices.Collect(within.Snapshot())...)
	ended := reborn.Replay(partition(topic, 0, 1), &EndTransactionRecord{})
	aborted := reborn.Replay(&AbortTransactionRecord{})
	if p, ok := ended.Partition("t", 0); !ok || p.Leader != 1 || ended.InTransaction() {
		t.Errorf("ended, it left %+v", p)
	}
	if aborted.NumTopics() != 0 || aborted.InTransaction() {
		t.Error("aborted, it left something")
	}
	if _, err := within.Apply(&BeginTransactionRecord{}); err == nil {
		t.Error("a transaction began inside of another")
	}
}

func TestWhatIsNotActedOnIsKept(t *testing.T) {
	kept := []Record{
		&AccessControlEntryRecord{ID: ID{1}, ResourceName: "t", UnknownTags: UnknownTags{{Tag: 5, Data: []byte("x")}}},
		&UserScramCredentialRecord{Name: "u", Salt: []byte("s"), StoredKey: []byte("k"), ServerKey: []byte("v"), Iterations: 4096},
		&DelegationTokenRecord{TokenID: "token"},
		&ZkMigrationStateRecord{ZkMigrationState: 3},
		&UnknownRecord{Type: 77, Version: 2, Body: []byte{1, 2, 3}},
		&UnknownRecord{Type: 77, Version: 2, Body: []byte{1, 2, 3}},
	}
	snapshot := slices.Collect(born(t, kept...).Snapshot())
	for _, r := range kept {
		i := slices.IndexFunc(snapshot, func(s Record) bool { return reflect.DeepEqual(s, r) })
		if i < 0 {
			t.Errorf("%s %+v is not in the snapshot", r.Kind(), r)
			continue
		}
		snapshot = slices.Delete(snapshot, i, i+1)
	}
}

func TestAnOlderMetadataVersionWritesOlderRecords(t *testing.T) {
	topic := ID{1}
	p := partition(topic, 0, 1)
	p.Directories = []ID{{7}}
	if _, err := Encode(nil, p, Level37IV2-1); err == nil {
		t.Error("a directory was written to a record that cannot hold it")
	}
	im, err := Empty().Apply(&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: Level36IV2},
		&TopicRecord{Name: "t", TopicID: topic}, p,
		&RegisterBrokerRecord{BrokerID: 1, LogDirs: []ID{{7}}, CordonedLogDirs: []ID{{7}}})
	if err != nil {
		t.Fatal(err)
	}
	for r := range im.Snapshot() {
		if _, err := Encode(nil, r, im.MetadataVersion()); err != nil {
			t.Error(err)
		}
	}
	for level, want := range map[int16][3]int16{7: {1, 0, 1}, 8: {2, 0, 1}, 17: {3, 1, 2}, 23: {3, 2, 2}, 30: {4, 2, 3}, 33: {4, 2, 3}} {
		got := [3]int16{RecordVersion(KindRegisterBroker, level), RecordVersion(KindPartition, level),
			RecordVersion(KindBrokerRegistrationChange, level)}
		if got != want {
			t.Errorf("at level %d the versions are %v, not %v", level, got, want)
		}
	}
}

func TestIDsReadAsKafkaPrintsThem(t *testing.T) {
	id := ID{0: 0xfb, 15: 1}
	if s := FormatID(id); s != "-wAAAAAAAAAAAAAAAAAAAQ" {
		t.Errorf("printed as %s", s)
	}
	if back, err := ParseID(FormatID(id)); err != nil || back != id {
		t.Errorf("read back as %x, %v", back, err)
	}
	for _, s := range []string{"", "x", "AAAAAAAAAAAAAAAAAAAAAAAA", "+wAAAAAAAAAAAAAAAAAAAQ"} {
		if _, err := ParseID(s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}

// BenchmarkPublish is one leader change among 200,000 partitions: what every
// broker pays for each change of anything.
func BenchmarkPublish(b *testing.B) {
	edit := born(b).Edit()
	for i := range 20_000 {
		topic := ID{byte(i >> 8), byte(i)}
		must(b, edit.Replay(&TopicRecord{Name: fmt.Sprintf("topic-%d", i), TopicID: topic}))
		for p := range int32(10) {
			must(b, edit.Replay(partition(topic, p, 1, 2, 3)))
		}
	}
	im := edit.Image()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r := NewPartitionChange(ID{byte(i % 20_000 >> 8), byte(i % 20_000)}, 3)
		r.Leader = 2
		im = im.Replay(r)
	}
}

// BenchmarkDecode is a partition's record, of which a snapshot has many.
func BenchmarkDecode(b *testing.B) {
	r, err := Encode(nil, partition(ID{1}, 5, 1, 2, 3), LatestMetadataVersion)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(r); err != nil {
			b.Fatal(err)
		}
	}
}

func must(t testing.TB, err error) {
	if err != nil {
		t.Fatal(err)
	}
}
