package logdir

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var kafkaDirectoryID = [16]byte{0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}

func TestACheckpointIsWrittenAsKafkaWritesIt(t *testing.T) {
	got := string(encodeCheckpoint(map[key]int64{{"b", 0}: 7, {"a", 10}: 1 << 40, {"a", 2}: 0}))
	if want := "0\n3\na 2 0\na 10 1099511627776\nb 0 7\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestACheckpointThatIsNotWholeIsNotBelieved(t *testing.T) {
	for name, text := range map[string]string{
		"cut in the middle":   "0\n2\na 0 1\n",
		"an entry too many":   "0\n1\na 0 1\nb 0 1\n",
		"another version":     "1\n0\n",
		"no count":            "0\n",
		"a count that is not": "0\nx\n",
		"negative count":      "0\n-1\n",
		"absurd count":        "0\n999999999999999999\na 0 1\n",
		"two fields":          "0\n1\na 0\n",
		"no offset":           "0\n1\na 0 x\n",
		"a partition below 0": "0\n1\na -1 5\n",
		"not a topic":         "0\n1\na/b 0 5\n",
		"zeroes":              "\x00\x00\x00\x00",
	} {
		if offsets, err := decodeCheckpoint([]byte(text)); !errors.Is(err, errCheckpoint) {
			t.Errorf("%s: %v, %v", name, offsets, err)
		}
	}
	for _, text := range []string{"", "0\n0\n", "0\r\n1\r\na 0 1\r\n", "0\n1\na  0\t1"} {
		if _, err := decodeCheckpoint([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMetaPropertiesOfAKafkaAreRead(t *testing.T) {
	file := "#\n#Wed Nov 25 10:00:00 UTC 2026\ncluster.id=MkU3OEVBNTcwNTJENDM2Qk\ndirectory.id=" + formatUUID(kafkaDirectoryID) +
		"\nnode.id=3\nversion=1\n"
	id, err := decodeMetaProperties([]byte(file))
	if want := (Identity{"MkU3OEVBNTcwNTJENDM2Qk", 3, kafkaDirectoryID}); err != nil || id != want {
		t.Errorf("%+v, %v", id, err)
	}
	id, err = decodeMetaProperties([]byte("broker.id=4\ncluster.id=x\n"))
	if want := (Identity{ClusterID: "x", NodeID: 4}); err != nil || id != want {
		t.Errorf("version 0: %+v, %v", id, err)
	}
	escaped := "  ! comment\n\nversion 1\nnode.id : 3\ncluster.id=a\\=\\\n   \\:b\\u0041\n"
	if id, err = decodeMetaProperties([]byte(escaped)); err != nil || id.ClusterID != "a=:bA" {
		t.Errorf("escaped: %+v, %v", id, err)
	}
}

func TestMetaPropertiesThatSayTooLittleOrNonsenseAreRefused(t *testing.T) {
	for _, file := range []string{
		"version=1\nnode.id=3\n", "version=1\ncluster.id=x\n", "version=2\nnode.id=1\ncluster.id=x\n", "version=1\ncluster.id=x\nnode.id=y\n",
		"version=1\ncluster.id=x\nnode.id=3\ndirectory.id=short\n", "version=1\ncluster.id=x\nnode.id=3\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n",
	} {
		if id, err := decodeMetaProperties([]byte(file)); !errors.Is(err, errMetaProperties) {
			t.Errorf("%q: %+v, %v", file, id, err)
		}
	}
}

func TestWhatWeWriteIntoMetaPropertiesReadsBack(t *testing.T) {
	id := Identity{"MkU3OEVBNTcwNTJENDM2Qk", 3, kafkaDirectoryID}
	got, err := decodeMetaProperties(encodeMetaProperties(id, time.Unix(0, 0)))
	if err != nil || got != id {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheShutdownMarkerOfAnyKafkaIsRead(t *testing.T) {
	if m := parseShutdownMarker([]byte(`{"version":0,"brokerEpoch":17}`)); m.BrokerEpoch == nil || *m.BrokerEpoch != 17 || m.Manifest != "" {
		t.Errorf("Kafka 4: %+v", m)
	}
	for _, old := range []string{"", "\x00\x00", "{"} {
		if m := parseShutdownMarker([]byte(old)); m.BrokerEpoch != nil || m.Manifest != "" {
			t.Errorf("%q: %+v", old, m)
		}
	}
}

func TestPartitionMetadataIsWrittenAsKafkaWritesIt(t *testing.T) {
	b := encodePartitionMetadata(kafkaDirectoryID)
	if want := "version: 0\ntopic_id: 3q2-7wECAwQFBgcICQoLDA"; string(b) != want {
		t.Errorf("%q", b)
	}
	if id, err := decodePartitionMetadata(append(b, '\n')); err != nil || id != kafkaDirectoryID {
		t.Errorf("%v, %v", id, err)
	}
	for _, text := range []string{"", "version: 0", "version: x\ntopic_id: 3q2-7wECAwQFBgcICQoLDA", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", "version: 0\ntopic_id: 3q2"} {
		if id, err := decodePartitionMetadata([]byte(text)); !errors.Is(err, errPartitionMetadata) {
			t.Errorf("%q: %v, %v", text, id, err)
		}
	}
}

func someManifest() *manifest {
	return &manifest{nonce: [nonceSize]byte{1, 2, 3}, entries: []manifestEntry{
		{key: key{"a", 0}, topicID: [16]byte{1}, highWatermark: 5, cleaned: 3, retentionDueMs: -1, recoveryPoint: 7, startOffset: 2, log: []byte("state")},
		{key: key{"a", 1}, topicID: [16]byte{1}, offline: true, log: []byte{}},
		{key: key{"b.c-d", 2147483647}, topicID: [16]byte{2}, highWatermark: 1 << 62, log: []byte{0}},
	}}
}

func TestAManifestReadsBackAndNoDamagePasses(t *testing.T) {
	b := someManifest().encode()
	m, err := decodeManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	if again := m.encode(); !bytes.Equal(again, b) {
		t.Errorf("read back and written again it is %x, was %x", again, b)
	}
	for i := range b {
		damaged := bytes.Clone(b)
		damaged[i] ^= 0x10
		if _, err := decodeManifest(damaged); !errors.Is(err, errManifest) {
			t.Errorf("a flipped bit in byte %d passes: %v", i, err)
		}
		if _, err := decodeManifest(b[:i]); !errors.Is(err, errManifest) {
			t.Errorf("cut after %d bytes it passes: %v", i, err)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	for _, seed := range []string{"", "0\n0\n", "0\n2\na 0 1\nb-c.d 10 -1\n", "0\n1\na 0 1 2\n", "1\n0\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		offsets, err := decodeCheckpoint(b)
		if err != nil {
			return
		}
		again, err := decodeCheckpoint(encodeCheckpoint(offsets))
		if err != nil || !maps.Equal(again, offsets) && len(offsets) > 0 {
			t.Errorf("%v became %v, %v", offsets, again, err)
		}
	})
}

func FuzzMetaProperties(f *testing.F) {
	f.Add(encodeMetaProperties(Identity{"cluster", 1, kafkaDirectoryID}, time.Unix(0, 0)))
	f.Add([]byte("broker.id=4"))
	f.Add([]byte("version=1\ncluster.id=\\u0041\nnode.id=1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := decodeMetaProperties(b)
		if err != nil || id.ClusterID == "" || id.NodeID < 0 || reservedUUID(id.DirectoryID) || !basic(id.ClusterID) {
			return
		}
		if again, err := decodeMetaProperties(encodeMetaProperties(id, time.Unix(0, 0))); err != nil || again != id {
			t.Errorf("%+v became %+v, %v", id, again, err)
		}
	})
}

// basic says that a text has no character outside of the plane that the format can write.
func basic(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r > 0xffff || r == utf8.RuneError }) < 0
}

func FuzzManifest(f *testing.F) {
	b := someManifest().encode()
	f.Add(b[:len(b)-4])
	f.Add((&manifest{}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeManifest(sealed(b))
		if err != nil {
			return
		}
		again, err := decodeManifest(m.encode())
		if err != nil || len(again.entries) != len(m.entries) {
			t.Errorf("%d entries became %v", len(m.entries), err)
		}
	})
}

// sealed gives a body its checksum, so that fuzzing gets behind it.
func sealed(body []byte) []byte {
	return appendChecksum(bytes.Clone(body))
}

func FuzzPartitionMetadata(f *testing.F) {
	f.Add(encodePartitionMetadata(kafkaDirectoryID))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := decodePartitionMetadata(b); err == nil {
			if again, err := decodePartitionMetadata(encodePartitionMetadata(id)); err != nil || again != id {
				t.Errorf("%v became %v, %v", id, again, err)
			}
		}
	})
}
