package logdir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

var (
	orders    = [16]byte{1}
	ordersToo = [16]byte{2} // the topic of the same name that came after it
)

// options are those of a directory that does nothing by itself and whose machine never restarts.
func options(disk vfs.FS, path string) Options {
	settings := &storage.Settings{
		SegmentBytes: 1 << 20, SegmentMs: math.MaxInt64, SegmentIndexBytes: 1 << 16, IndexIntervalBytes: 4096,
		RetentionMs: -1, RetentionBytes: -1, Delete: true, FlushMessages: math.MaxInt64, FlushMs: math.MaxInt64,
		FileDeleteDelayMs: 60_000, DeleteRetentionMs: 86_400_000, MaxCompactionLagMs: math.MaxInt64,
		MinCleanableRatio: 0.5, ProducerExpirationMs: 86_400_000, MaxMessageBytes: 1 << 20,
	}
	return Options{
		FS: disk, Path: path, NodeID: 1, Files: storage.NewFiles(100), Settings: func(string) *storage.Settings { return settings },
		BootID: "boot-1", ReserveBytes: -1, withoutHousekeeping: true, Logger: slog.New(slog.DiscardHandler),
	}
}

func mustOpen(t *testing.T, o Options) *Dir {
	t.Helper()
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	<-d.Recovered()
	return d
}

func mustClose(t *testing.T, d *Dir) {
	t.Helper()
	if err := d.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func mustCreate(t *testing.T, d *Dir, topic string, partition int32, id [16]byte) *storage.Log {
	t.Helper()
	l, err := d.Create(topic, partition, id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func record(value string) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{})
	b.Append(batch.Record{Timestamp: 1_700_000_000_000, Key: []byte("k"), Value: []byte(value)})
	return b.Build()
}

func write(l *storage.Log, values ...string) error {
	for _, v := range values {
		if _, err := l.Append(record(v), storage.AppendOptions{LeaderEpoch: 0}); err != nil {
			return err
		}
	}
	return nil
}

func mustWrite(t *testing.T, l *storage.Log, values ...string) {
	t.Helper()
	if err := write(l, values...); err != nil {
		t.Fatal(err)
	}
}

// contents reads all values of a log.
func contents(l *storage.Log) ([]string, error) {
	var values []string
	for at := l.StartOffset(); at < l.EndOffset(); {
		region, err := l.Read(at, l.EndOffset(), 1<<20, true)
		if err != nil {
			return values, err
		}
		b := make([]byte, region.Len())
		n, err := region.ReadInto(b)
		next := region.NextOffset
		region.Close()
		if err != nil || n == 0 {
			return values, fmt.Errorf("read at %d: %d bytes, %w", at, n, err)
		}
		for b = b[:n]; len(b) > 0; {
			_, whole, rest, err := batch.Next(b)
			if err != nil {
				return values, err
			}
			for r, err := range batch.Records(whole, 0) {
				if err != nil {
					return values, err
				}
				values = append(values, string(r.Value))
			}
			b = rest
		}
		at = next
	}
	return values, nil
}

func wantContents(t *testing.T, d *Dir, topic string, partition int32, want ...string) {
	t.Helper()
	l, err := d.Get(topic, partition)
	if err != nil {
		t.Fatal(err)
	}
	got, err := contents(l)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s-%d holds %q (%v), want %q", topic, partition, got, err, want)
	}
}

func flush(d *Dir, l *storage.Log) error {
	done := make(chan error, 1)
	d.Flush(l, l.EndOffset(), func(err error) { done <- err })
	return <-done
}

func TestADirectoryComesBackAsItWasLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "data")
	o := options(vfs.OS(), path)
	o.BrokerEpoch = func() int64 { return 42 }
	d := mustOpen(t, o)
	if d.Start().Clean || d.Identity().ClusterID != "" {
		t.Errorf("a new directory: %+v, %+v", d.Start(), d.Identity())
	}
	if err := d.SetIdentity(Identity{ClusterID: "cluster", NodeID: 1}); err != nil {
		t.Fatal(err)
	}
	identity := d.Identity()
	mustWrite(t, mustCreate(t, d, "or.de-rs", 3, orders), "one", "two")
	mustCreate(t, d, "or.de-rs", 10, orders)
	mustClose(t, d)

	d = mustOpen(t, o)
	defer mustClose(t, d)
	if s := d.Start(); !s.Clean || s.BrokerEpoch != 42 || !s.SameBoot {
		t.Errorf("start: %+v", s)
	}
	if d.Identity() != identity {
		t.Errorf("%+v became %+v", identity, d.Identity())
	}
	if got := slices.Collect(d.Partitions()); !slices.Equal(got, []PartitionRef{{"or.de-rs", 3, orders}, {"or.de-rs", 10, orders}}) || d.Len() != 2 {
		t.Errorf("partitions: %v", got)
	}
	wantContents(t, d, "or.de-rs", 3, "one", "two")
	wantContents(t, d, "or.de-rs", 10)
	if _, err := d.Get("other", 0); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("a log that is not there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(path, cleanShutdownName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the marker of a clean stop while the directory is in use: %v", err)
	}
}

func TestASecondOwnerIsToldWhichDirectoryIsInUse(t *testing.T) {
	path := t.TempDir()
	d := mustOpen(t, options(vfs.OS(), path))
	defer mustClose(t, d)
	_, err := Open(options(vfs.OS(), path))
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}

func TestADirectoryOfAnotherNodeOrClusterIsRefused(t *testing.T) {
	disk := vfs.NewMem()
	o := options(disk, "/data")
	d := mustOpen(t, o)
	if err := d.SetIdentity(Identity{ClusterID: "mine", NodeID: 1}); err != nil {
		t.Fatal(err)
	}
	if err := d.SetIdentity(Identity{ClusterID: "theirs", NodeID: 1}); !errors.Is(err, ErrOtherOwner) {
		t.Errorf("another cluster takes it over: %v", err)
	}
	mustClose(t, d)
	other := o
	other.NodeID = 2
	if _, err := Open(other); !errors.Is(err, ErrOtherOwner) || !strings.Contains(err.Error(), "node.id=1") {
		t.Errorf("another node: %v", err)
	}
	other = o
	other.ClusterID = "theirs"
	if _, err := Open(other); !errors.Is(err, ErrOtherOwner) || !strings.Contains(err.Error(), "cluster.id=mine") {
		t.Errorf("another cluster: %v", err)
	}
	o.ClusterID = "mine"
	mustClose(t, mustOpen(t, o)) // those refused let go of the lock and of the clean stop
}

func TestATopicMadeAgainHasNothingOfTheOldOne(t *testing.T) {
	disk := vfs.NewMem()
	o := options(disk, "/data")
	o.HighWatermark = func(string, int32) int64 { return 2 }
	d := mustOpen(t, o)
	l := mustCreate(t, d, "orders", 0, orders)
	mustWrite(t, l, "old", "old")
	if again := mustCreate(t, d, "orders", 0, orders); again != l {
		t.Error("creating a log twice makes two")
	}
	if _, err := d.Create("orders", 0, ordersToo); !errors.Is(err, kerr.InconsistentTopicID) {
		t.Errorf("the new topic while the old one's log is there: %v", err)
	}
	if err := d.Delete("orders", 0, ordersToo); !errors.Is(err, kerr.InconsistentTopicID) {
		t.Errorf("deleting by the wrong id: %v", err)
	}
	mustClose(t, d) // the checkpoints now name the old one's offsets

	d = mustOpen(t, o)
	if err := d.Delete("orders", 0, orders); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete("orders", 0, orders); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("deleting twice: %v", err)
	}
	mustWrite(t, mustCreate(t, d, "orders", 0, ordersToo), "new")
	if hw := d.CheckpointedHighWatermark("orders", 0); hw != 0 {
		t.Errorf("the new one has high watermark %d", hw)
	}
	d.abandon()

	d = mustOpen(t, options(disk.Kill(), "/data"))
	defer mustClose(t, d)
	wantContents(t, d, "orders", 0, "new")
	if got := slices.Collect(d.Partitions()); !slices.Equal(got, []PartitionRef{{"orders", 0, ordersToo}}) {
		t.Errorf("partitions: %v", got)
	}
	if hw := d.CheckpointedHighWatermark("orders", 0); hw != 0 {
		t.Errorf("after a crash the new one has high watermark %d", hw)
	}
}

// abandon stops what a dead process would no longer do, so that the test leaves no goroutine behind.
func (d *Dir) abandon() {
	d.cancel()
	d.flusher.close()
	d.tasks.Wait()
}

func TestALogWithoutRoomIsNotThereAtAll(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	for fail := 0; ; fail++ {
		n := 0
		disk.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpCreate || op.Kind == vfs.OpWrite || op.Kind == vfs.OpMkdir || op.Kind == vfs.OpRename {
				if n++; n == fail+1 {
					return noSpace
				}
			}
			return nil
		})
		_, err := d.Create("orders", 0, orders)
		disk.SetHook(nil)
		if err == nil {
			if fail < 3 {
				t.Fatalf("only %d steps could fail", fail)
			}
			break
		}
		if !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("step %d: %v", fail, err)
		}
		if _, err := disk.Stat("/data/orders-0"); err == nil || d.Len() != 0 {
			t.Fatalf("step %d leaves something behind: %v, %d logs", fail, err, d.Len())
		}
	}
	mustClose(t, d)
}

func TestAStrayIsKeptAndADeletedFolderIsNot(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	mustCreate(t, d, "stray", 0, orders)
	mustCreate(t, d, "gone", 0, orders)
	if err := errors.Join(d.Stray("stray", 0, orders), d.Delete("gone", 0, orders)); err != nil {
		t.Fatal(err)
	}
	if got := folders(t, disk); len(got) != 2 || !strings.HasSuffix(got[0], deleteSuffix) || !strings.HasSuffix(got[1], straySuffix) {
		t.Errorf("folders: %q", got)
	}
	d.abandon()
	disk = disk.Kill()
	o := options(disk, "/data")
	d = mustOpen(t, o)
	d.keeper.round(time.Now())
	if got := folders(t, disk); len(got) != 1 || !strings.HasSuffix(got[0], straySuffix) || d.Len() != 0 {
		t.Errorf("folders after the next start: %q", got)
	}
	mustClose(t, d)
}

func folders(t *testing.T, disk vfs.FS) (names []string) {
	t.Helper()
	entries, err := disk.ReadDir("/data")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
