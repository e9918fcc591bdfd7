package cli

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// segment writes a partition's folder with one segment of two batches and its indexes.
func segment(t *testing.T) (folder string, second int) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "words-0")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	first := build(10, "a", "b")
	log := append(first, build(12, "c")...)
	write(t, folder, ".log", log)
	offsets := binary.BigEndian.AppendUint32(nil, 2)
	offsets = binary.BigEndian.AppendUint32(offsets, uint32(len(first)))
	write(t, folder, ".index", append(offsets, make([]byte, 16)...))
	times := binary.BigEndian.AppendUint64(nil, 1764000000000)
	write(t, folder, ".timeindex", binary.BigEndian.AppendUint32(times, 2))
	return folder, len(first)
}

func build(offset int64, values ...string) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{BaseOffset: offset, Codec: batch.CodecZstd})
	for _, value := range values {
		b.Append(batch.Record{Timestamp: 1764000000000, Value: []byte(value)})
	}
	return b.Build()
}

func write(t *testing.T, folder, extension string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, "00000000000000000010"+extension), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDumpPrintsBatchesAndRecords(t *testing.T) {
	folder, _ := segment(t)
	r := run(t, Process{Args: []string{"log", "dump", folder, "--records"}})
	if r.code != exitOK {
		t.Fatal(r.stdout, r.stderr)
	}
	for _, want := range []string{"offsets 10-11 at 0", "2 records, epoch", "zstd", `"offset":12`, `"value":"c"`, "index: entries 1", "timeindex: entries 1"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("it does not print %q:\n%s", want, r.stdout)
		}
	}
	if r := run(t, Process{Args: []string{"log", "dump", folder, "-o", "json"}}); strings.Count(r.stdout, "\n") != 2 || !strings.Contains(r.stdout, `"base_offset":12`) {
		t.Errorf("as JSON it prints\n%s", r.stdout)
	}
}

func TestDumpFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(folder string, second int)
		want   string
	}{
		{"a flipped bit", func(folder string, second int) { patch(t, folder, ".log", second+70, 0xff) }, "WRONG: "},
		{"half a batch", func(folder string, second int) { shorten(t, folder, ".log", second+30) }, "half a batch, as a crash leaves it"},
		{"garbage", func(folder string, second int) { patch(t, folder, ".log", second+8, 0xff) }, "no batch: a length of -"},
		{"an index that points between batches", func(folder string, _ int) { patch(t, folder, ".index", 7, 1) }, "no batch begins where it says"},
		{"an index that points to another batch", func(folder string, _ int) { patch(t, folder, ".index", 3, 1) }, "does not hold its offset"},
		{"a time index that is too early", func(folder string, _ int) { patch(t, folder, ".timeindex", 2, 0) }, "is later than its timestamp"},
	} {
		folder, second := segment(t)
		c.damage(folder, second)
		r := run(t, Process{Args: []string{"log", "dump", folder}})
		if r.code != exitFailed || !strings.Contains(r.stdout, c.want) || !strings.Contains(r.stderr, "found") {
			t.Errorf("%s: it ends with %d\n%s%s", c.name, r.code, r.stdout, r.stderr)
		}
	}
}

func patch(t *testing.T, folder, extension string, at int, value byte) {
	t.Helper()
	file := filepath.Join(folder, "00000000000000000010"+extension)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[at] = value
	write(t, folder, extension, content)
}

func shorten(t *testing.T, folder, extension string, size int) {
	t.Helper()
	if err := os.Truncate(filepath.Join(folder, "00000000000000000010"+extension), int64(size)); err != nil {
		t.Fatal(err)
	}
}

func TestDumpSaysWhatItNeeds(t *testing.T) {
	if r := run(t, Process{Args: []string{"log", "dump", t.TempDir()}}); !strings.Contains(r.stderr, "holds no segments; name the folder of one partition") {
		t.Errorf("it says %s", r.stderr)
	}
}
