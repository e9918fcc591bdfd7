package wire

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// everyRequest calls f with each API and version that the tables know.
func everyRequest(f func(key, version int16)) {
	for key := range schemas {
		for _, s := range schemas[key] {
			for version := s.min; version <= s.max; version++ {
				f(int16(key), version)
			}
		}
	}
}

func newRequest(t testing.TB, key, version int16) kmsg.Request {
	t.Helper()
	request := kmsg.RequestForKey(key)
	if request == nil {
		t.Fatalf("the codec has no API %d", key)
	}
	request.SetVersion(version)
	return request
}

func TestTheTablesKnowEveryVersionOfTheCodec(t *testing.T) {
	gone := map[int16]bool{4: true, 5: true, 6: true, 7: true} // LeaderAndIsr, StopReplica, UpdateMetadata, ControlledShutdown.
	for key := int16(0); key <= kmsg.MaxKey; key++ {
		request := kmsg.RequestForKey(key)
		if request == nil || gone[key] {
			continue
		}
		for version := int16(0); version <= request.MaxVersion(); version++ {
			if _, known := schemaOf(key, version); !known {
				// What Kafka dropped before 3.9 or never released.
				t.Logf("no shape for %s version %d", kmsg.NameForKey(key), version)
			}
		}
		if _, known := schemaOf(key, request.MaxVersion()); !known {
			t.Errorf("no shape for the newest version %d of %s", request.MaxVersion(), kmsg.NameForKey(key))
		}
	}
}

func TestTheTablesAgreeWithTheCodecAboutFlexibleVersions(t *testing.T) {
	everyRequest(func(key, version int16) {
		if request := newRequest(t, key, version); request.IsFlexible() != Flexible(key, version) {
			t.Errorf("%s version %d: Flexible is %t", kmsg.NameForKey(key), version, Flexible(key, version))
		}
	})
}

// fill sets every field below v at random, so that arrays, nulls and tagged fields are all written.
func fill(random *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if name != "Version" && v.Field(i).CanSet() {
				fill(random, v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		n := random.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(random, v.Index(i), depth+1)
		}
	case reflect.Pointer:
		if random.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(random, v.Elem(), depth+1)
		}
	case reflect.String:
		v.SetString(strings.Repeat("x", random.IntN(200)))
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(random.Int64())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(random.Uint64())
	case reflect.Array:
		for i := range v.Len() {
			fill(random, v.Index(i), depth+1)
		}
	}
}

func TestWhatTheCodecWritesIsAccepted(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	everyRequest(func(key, version int16) {
		for range 10 {
			request := newRequest(t, key, version)
			fill(random, reflect.ValueOf(request).Elem(), 0)
			body := request.AppendTo(nil)
			shape, err := Verify(key, version, append(body, 1, 2, 3))
			if err != nil {
				t.Fatalf("%s version %d: %v\n%+v", kmsg.NameForKey(key), version, err, request)
			}
			if shape.Size != len(body) {
				t.Fatalf("%s version %d: size %d, of %d", kmsg.NameForKey(key), version, shape.Size, len(body))
			}
			for range min(20, len(body)) {
				cut := random.IntN(len(body))
				if _, err := Verify(key, version, body[:cut]); !errors.Is(err, ErrMalformed) {
					t.Fatalf("%s version %d cut at %d of %d: %v", kmsg.NameForKey(key), version, cut, len(body), err)
				}
			}
		}
	})
}

func TestNullIsRefusedWhereThereMustBeAValue(t *testing.T) {
	// Heartbeat version 0: group, generation, member.
	body := []byte{0xff, 0xff, 0, 0, 0, 1, 0, 0}
	if _, err := Verify(12, 0, body); !errors.Is(err, ErrMalformed) {
		t.Errorf("null group: %v", err)
	}
	// Metadata version 0 has no null topics, version 1 has.
	null := []byte{0xff, 0xff, 0xff, 0xff}
	if _, err := Verify(3, 0, null); !errors.Is(err, ErrMalformed) {
		t.Errorf("null topics in version 0: %v", err)
	}
	if _, err := Verify(3, 1, null); err != nil {
		t.Errorf("null topics in version 1: %v", err)
	}
}

func TestAbsurdCountsAreRefusedAtOnce(t *testing.T) {
	bodies := map[string]struct {
		key, version int16
		body         []byte
	}{
		"ApiVersions with 2^32 tags":       {18, 3, []byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		"ApiVersions with 2^31-1 tags":     {18, 3, []byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x07}},
		"Metadata with 2^31-1 topics":      {3, 0, []byte{0x7f, 0xff, 0xff, 0xff, 0, 0}},
		"Metadata with -2 topics":          {3, 0, []byte{0xff, 0xff, 0xff, 0xfe}},
		"Metadata of empty names":          {3, 0, append(binary.BigEndian.AppendUint32(nil, 1<<19), make([]byte, 1<<20)...)},
		"Metadata with a tag in each":      {3, 9, taggedTopics(100_000)},
		"SyncGroup with a huge assignment": {14, 0, append([]byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0}, 0x7f, 0xff, 0xff, 0xff)},
	}
	for name, c := range bodies {
		start := time.Now()
		if _, err := Verify(c.key, c.version, c.body); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}

// taggedTopics is a Metadata body whose topics each carry an unknown tag.
func taggedTopics(n int) []byte {
	body := binary.AppendUvarint(nil, uint64(n)+1)
	for range n {
		body = append(body, 1, 1, 99, 0) // An empty name, one tag, number 99, no content.
	}
	return append(body, 0, 0, 0, 0)
}

func TestOrdinaryLargeRequestsAreAccepted(t *testing.T) {
	metadata := kmsg.NewMetadataRequest()
	metadata.Version = 1
	commit := kmsg.NewOffsetCommitRequest()
	commit.Version = 2
	for i := range 20_000 {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr("logs-" + time.Duration(i).String())
		metadata.Topics = append(metadata.Topics, topic)
		committed := kmsg.NewOffsetCommitRequestTopic()
		committed.Topic = *topic.Topic
		committed.Partitions = append(committed.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
		commit.Topics = append(commit.Topics, committed)
	}
	if _, err := Verify(3, 1, metadata.AppendTo(nil)); err != nil {
		t.Errorf("metadata of 20,000 topics: %v", err)
	}
	if _, err := Verify(8, 2, commit.AppendTo(nil)); err != nil {
		t.Errorf("commits of 20,000 partitions: %v", err)
	}
}

func TestVerifyDoesNotAllocate(t *testing.T) {
	request := kmsg.NewFetchRequest()
	request.Version = 12
	fill(rand.New(rand.NewPCG(3, 4)), reflect.ValueOf(&request).Elem(), 0)
	body := request.AppendTo(nil)
	if n := testing.AllocsPerRun(100, func() { _, _ = Verify(1, 12, body) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzVerify holds that no bytes make Verify panic or linger, and that whatever it lets through the codec decodes, in
// about as much memory as was estimated.
func FuzzVerify(f *testing.F) {
	random := rand.New(rand.NewPCG(5, 6))
	everyRequest(func(key, version int16) {
		request := newRequest(f, key, version)
		fill(random, reflect.ValueOf(request).Elem(), 0)
		f.Add(key, version, request.AppendTo(nil))
	})
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		start := time.Now()
		shape, err := Verify(key, version, body)
		if took := time.Since(start); took > time.Second {
			t.Fatalf("took %s for %d bytes", took, len(body))
		}
		if err != nil {
			return
		}
		request := newRequest(t, key, version)
		before := allocated()
		if err := request.ReadFrom(body[:shape.Size]); err != nil {
			t.Fatalf("%s version %d: passed, but: %v", kmsg.NameForKey(key), version, err)
		}
		if took := allocated() - before; took > uint64(4*shape.Decoded+decodedFloor) {
			t.Fatalf("%s version %d: decoding %d bytes took %d, estimated %d", kmsg.NameForKey(key), version, len(body), took, shape.Decoded)
		}
	})
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}
