package meta

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// dump is an image as the bytes of its snapshot: equal images have equal dumps.
func dump(t rapid.TB, im *Image) string {
	var out []byte
	for r := range im.Snapshot() {
		b, err := Encode(nil, r, im.MetadataVersion())
		if err != nil {
			t.Fatalf("a record of the snapshot cannot be written: %v", err)
		}
		out = append(out, byte(len(b)>>8), byte(len(b)))
		out = append(out, b...)
	}
	return string(out)
}

// anyRecord draws a record that fits the image.
func anyRecord(t *rapid.T, im *Image) Record {
	small := func(name string, n int) int { return rapid.IntRange(0, n-1).Draw(t, name) }
	text := func() string { return rapid.SampledFrom([]string{"", "a", "b.c", "b_c", "\xff"}).Draw(t, "text") }
	pointer := func(s string) *string { return &s }
	id := func() ID { return ID{1, byte(small("id", 5))} }
	switch kind := small("kind", 18); kind {
	case 0, 1:
		name := fmt.Sprintf("t%d.x", small("name", 4))
		if _, ok := im.Topic(name); !ok {
			if topic := id(); !hasTopic(im, topic) {
				return &TopicRecord{Name: name, TopicID: topic}
			}
		}
	case 2, 3, 4:
		if topic, ok := im.TopicByID(id()); ok && len(topic.Partitions) < 6 {
			return anyPartition(t, topic.ID, int32(len(topic.Partitions)))
		}
	case 5, 6, 7:
		if topic, ok := im.TopicByID(id()); ok && len(topic.Partitions) > 0 {
			return anyChange(t, topic.ID, int32(small("partition", len(topic.Partitions))))
		}
	case 8:
		if topic := id(); hasTopic(im, topic) {
			return &RemoveTopicRecord{TopicID: topic}
		}
	case 9:
		return &ConfigRecord{ResourceType: 2, ResourceName: "t1.x", Name: text(),
			Value: rapid.SampledFrom([]*string{nil, pointer("v"), pointer("w")}).Draw(t, "value")}
	case 10:
		return &RegisterBrokerRecord{BrokerID: int32(small("broker", 3)), BrokerEpoch: int64(small("epoch", 9)),
			EndPoints: []Endpoint{{Name: text(), Host: "h", Port: 1}}, Fenced: true, LogDirs: []ID{id()}}
	case 11:
		if b, ok := im.Broker(int32(small("broker", 3))); ok {
			return rapid.SampledFrom([]Record{
				&BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: -1},
				&BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, InControlledShutdown: 1, CordonedLogDirs: []ID{}},
				&FenceBrokerRecord{ID: b.ID, Epoch: b.Epoch}, &UnfenceBrokerRecord{ID: b.ID, Epoch: b.Epoch},
				&UnregisterBrokerRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch},
			}).Draw(t, "broker change")
		}
	case 12:
		return &FeatureLevelRecord{Name: "f" + text(), FeatureLevel: int16(small("level", 3))}
	case 13:
		return &ProducerIDsRecord{NextProducerID: int64(small("producer", 1000))}
	case 14:
		return anySecurity(t, im, text(), id())
	case 15:
		return &ClientQuotaRecord{Entity: []QuotaEntity{{EntityType: "user", EntityName: pointer(text())}, {EntityType: "client-id"}},
			Key: "rate", Value: float64(small("rate", 3)), Remove: rapid.Bool().Draw(t, "remove")}
	case 16:
		return &UnknownRecord{Type: 99, Version: 3, Body: []byte(text())}
	case 17:
		switch {
		case !im.InTransaction():
			return &BeginTransactionRecord{}
		case rapid.Bool().Draw(t, "commit"):
			return &EndTransactionRecord{}
		}
		return &AbortTransactionRecord{}
	}
	return &NoOpRecord{}
}

func hasTopic(im *Image, id ID) bool {
	_, ok := im.TopicByID(id)
	return ok
}

func anyIDs(t *rapid.T, name string) []int32 {
	ids := rapid.SliceOfNDistinct(rapid.Int32Range(0, 3), 0, 4, rapid.ID[int32]).Draw(t, name)
	return append([]int32{}, ids...)
}

func anyPartition(t *rapid.T, topic ID, index int32) Record {
	r := &PartitionRecord{TopicID: topic, PartitionID: index, Replicas: append([]int32{7}, anyIDs(t, "replicas")...), ISR: anyIDs(t, "isr"), Leader: 7}
	r.EligibleLeaderReplicas = nilWhenEmpty(anyIDs(t, "elr"))
	for range r.Replicas {
		r.Directories = append(r.Directories, ID{2, byte(index)})
	}
	return r
}

func anyChange(t *rapid.T, topic ID, index int32) Record {
	r := NewPartitionChange(topic, index)
	r.Leader = rapid.SampledFrom([]int32{NoLeaderChange, NoLeader, 7, 8}).Draw(t, "leader")
	if rapid.Bool().Draw(t, "new isr") {
		r.ISR = anyIDs(t, "isr")
	}
	if rapid.Bool().Draw(t, "new elr") {
		r.EligibleLeaderReplicas, r.LastKnownELR = anyIDs(t, "elr"), anyIDs(t, "last elr")
	}
	if rapid.Bool().Draw(t, "reassigned") {
		r.Replicas, r.Directories = []int32{5, 6}, []ID{{3}, {4}}
		r.AddingReplicas, r.RemovingReplicas = anyIDs(t, "adding"), anyIDs(t, "removing")
	}
	r.LeaderRecoveryState = rapid.SampledFrom([]int8{RecoveryUnchanged, Recovered, Recovering}).Draw(t, "recovery")
	return r
}

func anySecurity(t *rapid.T, im *Image, text string, id ID) Record {
	records := []Record{
		&AccessControlEntryRecord{ID: id, ResourceName: text, UnknownTags: UnknownTags{{Tag: 9, Data: []byte("kept")}}},
		&UserScramCredentialRecord{Name: text, Mechanism: 1, Salt: []byte("salt"), StoredKey: []byte{}, ServerKey: []byte{0}},
		&RemoveUserScramCredentialRecord{Name: text, Mechanism: 1},
		&DelegationTokenRecord{TokenID: text, Renewers: []string{"r"}},
		&RemoveDelegationTokenRecord{TokenID: text},
		&ZkMigrationStateRecord{ZkMigrationState: 3},
		&RegisterControllerRecord{ControllerID: 3, Features: []SupportedFeature{{Name: text}}},
		&UnregisterControllerRecord{ControllerID: 3},
	}
	for acl := range im.ACLs() {
		records = append(records, &RemoveAccessControlEntryRecord{ID: acl.ID})
	}
	return rapid.SampledFrom(records).Draw(t, "security")
}

func TestAnImageIsItsSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		im := Empty().Replay(&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: LatestMetadataVersion})
		first := im
		var records []Record
		type kept struct {
			im   *Image
			dump string
		}
		var earlier []kept
		for range rapid.IntRange(0, 40).Draw(t, "records") {
			// What a transaction holds back is checked when it is there, as by the log.
			r := anyRecord(t, im)
			if _, control := transactionRecord(r); im.InTransaction() && !control {
				r = &ProducerIDsRecord{NextProducerID: 5}
			}
			earlier = append(earlier, kept{im, dump(t, im)})
			records = append(records, r)
			im = im.Replay(r)
		}
		whole := dump(t, im)
		for i, e := range earlier {
			if dump(t, e.im) != e.dump {
				t.Fatalf("image %d changed when records were replayed into later ones", i)
			}
		}
		var snapshot []Record
		for r := range im.Snapshot() {
			snapshot = append(snapshot, r)
		}
		if again := Empty().Replay(snapshot...); dump(t, again) != whole {
			t.Fatalf("replaying the snapshot makes another image")
		}
		edit := first.Edit()
		for _, r := range records {
			if err := edit.Replay(r); err != nil {
				t.Fatal(err)
			}
		}
		atOnce := edit.Image()
		if dump(t, atOnce) != whole {
			t.Fatalf("records replayed at once make another image than one by one")
		}
		checkDelta(t, edit.Delta(atOnce), Diff(first, atOnce))
	})
}

func transactionRecord(r Record) (Record, bool) {
	switch r.(type) {
	case *BeginTransactionRecord, *EndTransactionRecord, *AbortTransactionRecord:
		return r, true
	}
	return r, false
}

// checkDelta holds what an edit noticed against what comparing the images finds.
func checkDelta(t *rapid.T, noticed, found Delta) {
	describe := func(d Delta) string {
		var b bytes.Buffer
		for _, topic := range d.Created {
			fmt.Fprintf(&b, "created %s %x\n", topic.Name, topic.ID)
		}
		for _, topic := range d.Deleted {
			fmt.Fprintf(&b, "deleted %s %x\n", topic.Name, topic.ID)
		}
		for _, c := range d.Changed {
			fmt.Fprintf(&b, "changed %s %v\n", c.New.Name, c.Partitions)
		}
		fmt.Fprintln(&b, d.Brokers, d.Controllers, d.Configs, d.Features)
		return b.String()
	}
	if describe(noticed) != describe(found) {
		t.Fatalf("the edit noticed\n%s\ncomparing finds\n%s", describe(noticed), describe(found))
	}
	if !found.Empty() && noticed.Empty() {
		t.Fatalf("the edit noticed nothing, comparing finds %+v", found)
	}
}

func TestEpochsOfAPartitionOnlyRise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic := ID{1}
		im := Empty().Replay(
			&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: LatestMetadataVersion},
			&TopicRecord{Name: "t", TopicID: topic}, anyPartition(t, topic, 0))
		for range rapid.IntRange(1, 20).Draw(t, "changes") {
			before, _ := im.Partition("t", 0)
			change := anyChange(t, topic, 0).(*PartitionChangeRecord)
			im = im.Replay(change)
			after, _ := im.Partition("t", 0)
			if after.PartitionEpoch != before.PartitionEpoch+1 {
				t.Fatalf("partition epoch %d follows %d", after.PartitionEpoch, before.PartitionEpoch)
			}
			elected := int32(0)
			if change.Leader != NoLeaderChange {
				elected = 1
			}
			if after.LeaderEpoch != before.LeaderEpoch+elected {
				t.Fatalf("leader epoch %d follows %d, elected %d", after.LeaderEpoch, before.LeaderEpoch, elected)
			}
		}
	})
}

func TestARecordWithoutATagCannotBeLost(t *testing.T) {
	for kind, s := range schemas {
		v := reflect.TypeOf(s.make()).Elem()
		if f, ok := v.FieldByName("UnknownTags"); !ok || !f.Anonymous {
			t.Errorf("%s keeps no unknown tags", kind)
		}
	}
}
