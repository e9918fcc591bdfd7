package metalog_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/metalog"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// kafka gives a copy of what Apache Kafka 4.4.0 left in a log directory: topic "orders" is in its newest checkpoint, topic
// "behind" in the log behind that, which ends at offset 59 in epoch 1.
func kafka(t *testing.T) settings {
	t.Helper()
	s := real(t)
	if err := os.CopyFS(s.dir, os.DirFS("testdata/kafka44")); err != nil {
		t.Fatal(err)
	}
	return s
}

// topics decodes the records of a state and gives the names of the topics they make.
func topics(t *testing.T, c *controller) []string {
	t.Helper()
	var names []string
	for _, r := range c.records() {
		record, err := meta.Decode([]byte(r))
		if err != nil {
			t.Fatal(err)
		}
		if topic, ok := record.(*meta.TopicRecord); ok {
			names = append(names, topic.Name)
		}
	}
	return names
}

// noop is a metadata record.
func noop(t *testing.T) string {
	t.Helper()
	b, err := meta.EncodeVersion(nil, &meta.NoOpRecord{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAKafkaFolderIsTakenOverAtItsOffsets(t *testing.T) {
	s := kafka(t)
	c := mustOpen(t, s)
	if got := strings.Join(topics(t, c), " "); got != "orders behind" {
		t.Errorf("topics %q", got)
	}
	mustRecord(t, c, noop(t))
	// Kafka's log ended at offset 59; that offset says who leads now, and 60 is our record.
	if got, want := c.log.Position(), (metalog.Position{Offset: kafkaEnd + 2, Epoch: 2}); got != want {
		t.Errorf("at %+v, want %+v", got, want)
	}
	mustClose(t, c)

	c = mustOpen(t, s)
	if got := strings.Join(topics(t, c), " "); got != "orders behind" {
		t.Errorf("topics after a restart %q", got)
	}
	mustClose(t, c)
}

const kafkaEnd = 59

func TestAFolderThatKafkaRanOnInBetweenIsTakenOverAgain(t *testing.T) {
	s := kafka(t)
	c := mustOpen(t, s)
	mustRecord(t, c, noop(t))
	mustClose(t, c)
	// Kafka leads in an epoch of its own, and appends: here what another node of ours did.
	other := settings{fs: vfs.OS(), dir: t.TempDir()}
	if err := os.CopyFS(other.dir, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(other.raftDir()); err != nil {
		t.Fatal(err)
	}
	c = mustOpen(t, other)
	mustRecord(t, c, noop(t))
	mustClose(t, c)
	for _, name := range []string{"00000000000000000000.log", "quorum-state"} {
		b, err := os.ReadFile(filepath.Join(other.metadataDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		edit(t, s, name, func([]byte) []byte { return b })
	}
	c = mustOpen(t, s)
	mustRecord(t, c, noop(t))
	if got, want := c.log.Position(), (metalog.Position{Offset: kafkaEnd + 6, Epoch: 4}); got != want {
		t.Errorf("at %+v, want %+v", got, want)
	}
	mustClose(t, c)
}

func TestAKafkaFolderWithoutItsTornTailIsTakenOver(t *testing.T) {
	s := kafka(t)
	edit(t, s, "00000000000000000000.log", func(b []byte) []byte { return b[:len(b)-3] })
	c := mustOpen(t, s)
	if got, want := c.log.Position().Offset, int64(kafkaEnd-1); got < want {
		t.Errorf("at offset %d, want at least %d", got, want)
	}
	mustClose(t, c)
}

func TestAFolderThatWasFormattedButNeverUsedGivesItsFirstRecords(t *testing.T) {
	s := kafka(t)
	for _, suffix := range []string{".log", "0001.checkpoint", "quorum-state", ".snapshot"} {
		for _, name := range files(t, s, suffix) {
			if err := os.Remove(filepath.Join(s.metadataDir(), name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := mustOpen(t, s)
	level := int16(0)
	for _, r := range c.records() {
		record, err := meta.Decode([]byte(r))
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := record.(*meta.FeatureLevelRecord); ok && f.Name == "metadata.version" {
			level = f.FeatureLevel
		}
	}
	if level != 33 {
		t.Errorf("metadata.version %d, want 33", level)
	}
	mustClose(t, c)
}

func TestOneOfSeveralVotersIsNotTakenOver(t *testing.T) {
	s := kafka(t)
	edit(t, s, "quorum-state", func(b []byte) []byte {
		return []byte(strings.Replace(string(b), `[{"voterId":1}]`, `[{"voterId":1},{"voterId":2},{"voterId":3}]`, 1))
	})
	if c, err := open(s); err == nil {
		mustClose(t, c)
		t.Error("opened")
	}
}

func TestADamagedKafkaLogIsNotTakenOverInPart(t *testing.T) {
	s := kafka(t)
	name := filepath.Join(s.metadataDir(), "00000000000000000048-0000000001.checkpoint")
	if err := os.Truncate(name, 500); err != nil {
		t.Fatal(err)
	}
	if _, err := open(s); !errors.Is(err, metalog.ErrCorrupt) {
		t.Errorf("opened: %v", err)
	}
}

func TestABootstrapCheckpointIsReadWhole(t *testing.T) {
	name := "testdata/kafka44/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"
	n := 0
	for b, err := range metalog.ReadCheckpoint(vfs.OS(), name) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(b.Records)
	}
	if n != 6 {
		t.Errorf("%d records, want the 6 features", n)
	}
}
