package group

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func sampleGroup() GroupRecord {
	protocol, leader, instance := "range", "m1", "i2"
	return GroupRecord{Group: "g", Value: &kmsg.GroupMetadataValue{
		Version: groupValueVersion, ProtocolType: "consumer", Generation: 3, Protocol: &protocol, Leader: &leader,
		CurrentStateTimestamp: 5,
		Members: []kmsg.GroupMetadataValueMember{
			{
				MemberID: "m1", ClientID: "c", ClientHost: "/127.0.0.1", RebalanceTimeoutMillis: 60_000,
				SessionTimeoutMillis: 10_000, Subscription: []byte{1}, Assignment: []byte{2},
			},
			{
				MemberID: "m2", InstanceID: &instance, ClientID: "c", ClientHost: "/::1", RebalanceTimeoutMillis: 1,
				SessionTimeoutMillis: 2, Subscription: []byte{}, Assignment: []byte{},
			},
		},
	}}
}

func sampleOffset() OffsetRecord {
	return OffsetRecord{Group: "g", Topic: "t", Partition: 2, ProducerID: NoProducer, Offset: &Offset{
		Group: "g", Topic: "t", Partition: 2, Offset: 7, LeaderEpoch: 4, Metadata: "é", CommittedAt: 9, ExpiresAt: -1,
		TopicID: [16]byte{15: 1},
	}}
}

// The bytes are those of Kafka's schemas, written out by hand.
func TestRecordsHaveKafkasBytes(t *testing.T) {
	expiring := sampleOffset()
	expiring.Offset.ExpiresAt, expiring.Offset.TopicID, expiring.Offset.LeaderEpoch = 10, [16]byte{}, -1
	for name, c := range map[string]struct {
		record     Record
		key, value string
	}{
		"an offset is version 4, its topic id tagged": {
			sampleOffset(),
			"0001 0001 67 0001 74 00000002",
			"0004 0000000000000007 00000004 03 c3a9 0000000000000009 01 00 10 00000000000000000000000000000001",
		},
		"an offset that expires is version 1": {
			expiring,
			"0001 0001 67 0001 74 00000002",
			"0001 0000000000000007 0002 c3a9 0000000000000009 000000000000000a",
		},
		"a tombstone has no value": {offsetTombstone("g", "t", 2), "0001 0001 67 0001 74 00000002", ""},
		"a group is version 3": {
			sampleGroup(),
			"0002 0001 67",
			"0003 0008 636f6e73756d6572 00000003 0005 72616e6765 0002 6d31 0000000000000005 00000002" +
				"0002 6d31 ffff 0001 63 000a 2f3132372e302e302e31 0000ea60 00002710 00000001 01 00000001 02" +
				"0002 6d32 0002 6932 0001 63 0004 2f3a3a31 00000001 00000002 00000000 00000000",
		},
		"an empty group has neither protocol nor leader": {
			GroupRecord{Group: "g", Value: &kmsg.GroupMetadataValue{Generation: 1, CurrentStateTimestamp: 5}},
			"0002 0001 67",
			"0003 0000 00000001 ffff ffff 0000000000000005 00000000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			key, value := Encode(c.record)
			if want := unhex(t, c.key); !bytes.Equal(key, want) {
				t.Errorf("key   %x\nwant  %x", key, want)
			}
			if want := unhex(t, c.value); !bytes.Equal(value, want) || (c.value == "") != (value == nil) {
				t.Errorf("value %x\nwant  %x", value, want)
			}
			if have, limit := len(key)+len(value), (Change{c.record}).Size(); have+recordOverhead/2 > limit {
				t.Errorf("%d bytes, said to be at most %d", have, limit)
			}
		})
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOldVersionsOfRecordsAreRead(t *testing.T) {
	read := func(key, value string) Record {
		t.Helper()
		r, err := Decode(unhex(t, key), unhex(t, value), NoProducer)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, value := range []string{
		"0000 0000000000000007 0000 0000000000000009",
		"0002 0000000000000007 0000 0000000000000009",
		"0003 0000000000000007 ffffffff 0000 0000000000000009",
		"0004 0000000000000007 ffffffff 01 0000000000000009 00",
	} {
		o := read("0000 0001 67 0001 74 00000002", value).(OffsetRecord).Offset
		want := Offset{Group: "g", Topic: "t", Partition: 2, Offset: 7, LeaderEpoch: -1, CommittedAt: 9, ExpiresAt: -1}
		if *o != want {
			t.Errorf("%s: %+v", value, *o)
		}
	}
	member := "0001 6d 0001 63 0001 68 00000064 00000000 00000000" // session timeout 100, no rebalance timeout
	v0 := read("0002 0001 67", "0000 0001 78 00000001 ffff ffff 00000001"+member).(GroupRecord).Value
	if v0.CurrentStateTimestamp != -1 || v0.Members[0].RebalanceTimeoutMillis != 100 || v0.Members[0].InstanceID != nil {
		t.Errorf("%+v", v0)
	}
	if r := read("0003 0001 67", "0000 00000001").(KindRecord); r != (KindRecord{Group: "g", Kind: Consumer, Live: true}) {
		t.Errorf("%+v", r)
	}
	if r, err := Decode(unhex(t, "0011 0001 67"), nil, NoProducer); err != nil || r.(KindRecord).Live {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whatever is read without an error is written and read as the same.
func FuzzDecode(f *testing.F) {
	for _, r := range []Record{sampleGroup(), sampleOffset(), offsetTombstone("g", "t", 0), GroupRecord{Group: "g"}} {
		key, value := Encode(r)
		f.Add(key, value, value != nil)
	}
	f.Add([]byte{0, 11, 0, 1, 'g'}, []byte{0, 0}, true)
	f.Fuzz(func(t *testing.T, key, value []byte, live bool) {
		if !live {
			value = nil
		} else if value == nil {
			value = []byte{}
		}
		r, err := Decode(key, value, NoProducer)
		if err != nil || r == nil {
			return
		}
		if _, read := r.(KindRecord); read {
			return
		}
		again, err := Decode(append3(Encode(r)))
		if err != nil {
			t.Fatalf("%#v: %v", r, err)
		}
		if g, ok := r.(GroupRecord); ok && g.Value != nil {
			g.Value.Version, g.Value.UnknownTags = groupValueVersion, kmsg.Tags{}
			for i := range g.Value.Members {
				g.Value.Members[i].UnknownTags = kmsg.Tags{}
			}
		}
		if fmt.Sprintf("%#v", deref(r)) != fmt.Sprintf("%#v", deref(again)) {
			t.Fatalf("wrote %#v\nread  %#v", deref(r), deref(again))
		}
		Replay(newShard(DefaultConfig()), Change{r})
	})
}

func append3(key, value []byte) ([]byte, []byte, int64) { return key, value, NoProducer }

// deref makes records comparable by their text.
func deref(r Record) any {
	switch r := r.(type) {
	case OffsetRecord:
		if r.Offset != nil {
			o := *r.Offset
			o.LeaderEpoch = max(o.LeaderEpoch, -1<<31)
			if o.ExpiresAt != -1 { // that version has neither
				o.LeaderEpoch, o.TopicID = -1, [16]byte{}
			}
			return o
		}
	case GroupRecord:
		if r.Value != nil {
			return []any{r.Group, text(r.Value.Protocol), text(r.Value.Leader), r.Value.Generation, reflect.ValueOf(r.Value.Members).Len()}
		}
	}
	return r
}

func FuzzSubscription(f *testing.F) {
	f.Add((&kmsg.ConsumerMemberMetadata{Topics: []string{"a", "b"}}).AppendTo(nil))
	f.Add([]byte{0, 0, 255, 255, 255, 255})
	f.Add([]byte{0, 3, 127, 255, 255, 255, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		topics, err := subscription(b)
		if err != nil && topics != nil {
			t.Fatalf("%q beside %v", topics, err)
		}
	})
}
