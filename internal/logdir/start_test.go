package logdir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// overwrite puts bytes into a file while nobody has the directory.
func overwrite(t *testing.T, disk vfs.FS, name string, b []byte) {
	t.Helper()
	if err := vfs.WriteFileAtomic(disk, name, b, true); err != nil {
		t.Fatal(err)
	}
}

func TestAfterACrashTheBootTellsAProcessThatDiedFromAPowerCut(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	l := mustCreate(t, d, "orders", 0, orders)
	mustWrite(t, l, "flushed")
	if err := flush(d, l); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, "written")
	d.abandon()

	killed := disk.Kill()
	d = mustOpen(t, options(killed, "/data"))
	if s := d.Start(); s.Clean || !s.SameBoot || s.BrokerEpoch != -1 {
		t.Errorf("the process died: %+v", s)
	}
	wantContents(t, d, "orders", 0, "flushed", "written")
	d.abandon()

	o := options(killed.Crash(nil), "/data")
	o.BootID = "boot-2"
	d = mustOpen(t, o)
	if s := d.Start(); s.Clean || s.SameBoot {
		t.Errorf("the power was cut: %+v", s)
	}
	wantContents(t, d, "orders", 0, "flushed")
	mustClose(t, d)
}

func TestABrokerWhoseProcessWasKilledIsKnownByItsEpoch(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	mustCreate(t, d, "orders", 0, orders)
	d.Registered(7)
	d.abandon()

	killed := disk.Kill()
	d = mustOpen(t, options(killed, "/data"))
	if s := d.Start(); s.Clean || !s.SameBoot || s.BrokerEpoch != 7 {
		t.Errorf("the process died: %+v", s)
	}
	<-d.Recovered()
	d.Registered(8)
	d.abandon()

	o := options(killed.Kill(), "/data")
	o.BootID = "boot-2"
	d = mustOpen(t, o)
	if s := d.Start(); s.SameBoot || s.BrokerEpoch != -1 {
		t.Errorf("the machine restarted: %+v", s)
	}
	d.abandon()
}

func TestACrashDuringRecoveryDoesNotMakeThePowerCutForgotten(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	mustCreate(t, d, "orders", 0, orders)
	d.abandon()

	o := options(disk.Kill(), "/data")
	o.BootID = "boot-2"
	disk = o.FS.(*vfs.Mem)
	disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpReadDir && strings.HasSuffix(op.Name, "orders-0") {
			return errors.New("not today")
		}
		return nil
	})
	d = mustOpen(t, o)
	if _, err := d.Get("orders", 0); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("%v", err)
	}
	d.abandon()
	disk.SetHook(nil)

	o.FS = disk.Kill()
	d = mustOpen(t, o)
	if d.Start().SameBoot {
		t.Error("the second start on boot-2 believes that the logs were recovered on boot-2")
	}
	wantContents(t, d, "orders", 0)
	mustClose(t, d)
}

func TestAKafkaThatRanSinceMakesTheManifestWorthless(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	mustWrite(t, mustCreate(t, d, "orders", 0, orders), "ours")
	mustClose(t, d)
	marker, err := vfs.ReadFile(disk, "/data/"+cleanShutdownName)
	if err != nil || !bytes.Contains(marker, []byte(`"version":0`)) {
		t.Fatalf("marker %s, %v", marker, err)
	}
	// The Kafka appended nothing, made a topic, and stopped in order.
	overwrite(t, disk, "/data/"+cleanShutdownName, []byte(`{"version":0,"brokerEpoch":9}`))
	if err := disk.MkdirAll("/data/theirs-0", 0o755); err != nil {
		t.Fatal(err)
	}
	overwrite(t, disk, "/data/theirs-0/"+partitionMetadataName, encodePartitionMetadata(ordersToo))
	d = mustOpen(t, options(disk, "/data"))
	defer mustClose(t, d)
	if s := d.Start(); !s.Clean || s.BrokerEpoch != 9 {
		t.Errorf("%+v", s)
	}
	if got := slices.Collect(d.Partitions()); !slices.Equal(got, []PartitionRef{{"orders", 0, orders}, {"theirs", 0, ordersToo}}) {
		t.Errorf("partitions: %v", got)
	}
	wantContents(t, d, "orders", 0, "ours")
	wantContents(t, d, "theirs", 0)
}

func TestUnreadableFilesOfOursAreRebuiltAndNeverFatal(t *testing.T) {
	for _, name := range []string{recoveryPointsName, logStartOffsetsName, highWatermarksName, cleanerOffsetsName, manifestName, bootName, cleanShutdownName} {
		for _, clean := range []bool{true, false} {
			disk := vfs.NewMem()
			d := mustOpen(t, options(disk, "/data"))
			mustWrite(t, mustCreate(t, d, "orders", 0, orders), "one")
			mustClose(t, d)
			overwrite(t, disk, "/data/"+name, []byte("\x00garbage"))
			if !clean {
				if err := disk.Remove("/data/" + cleanShutdownName); err != nil {
					t.Fatal(err)
				}
			}
			d = mustOpen(t, options(disk, "/data"))
			wantContents(t, d, "orders", 0, "one")
			mustClose(t, d)
			if clean && (name == bootName || name == cleanShutdownName) {
				continue
			}
			if b, err := vfs.ReadFile(disk, "/data/"+name); err != nil || bytes.Contains(b, []byte("garbage")) {
				t.Errorf("%s after a stop: %q, %v", name, b, err)
			}
		}
	}
}

func TestADamagedLogIsOfflineAlone(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	mustWrite(t, mustCreate(t, d, "bad", 0, orders), "x")
	mustWrite(t, mustCreate(t, d, "good", 0, ordersToo), "y")
	d.abandon()
	disk = disk.Kill()
	disk.SetHook(func(op vfs.Op) error {
		if op.Kind != vfs.OpStat && strings.Contains(op.Name, "/bad-0/") || op.Kind == vfs.OpReadDir && strings.HasSuffix(op.Name, "bad-0") {
			return errors.New("input/output error")
		}
		return nil
	})
	d = mustOpen(t, options(disk, "/data"))
	wantContents(t, d, "good", 0, "y")
	_, err := d.Get("bad", 0)
	if !errors.Is(err, kerr.KafkaStorageError) || !strings.Contains(err.Error(), "bad-0") {
		t.Errorf("%v", err)
	}
	if d.Len() != 2 {
		t.Errorf("%d logs", d.Len())
	}
	mustClose(t, d)
	disk.SetHook(nil)

	d = mustOpen(t, options(disk, "/data"))
	if !d.Start().Clean {
		t.Error("a log that is offline makes the stop of the directory unclean")
	}
	wantContents(t, d, "bad", 0, "x")
	mustClose(t, d)
}

func TestADirectoryStopsWithinItsTimeAndRecoversThen(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	mustWrite(t, mustCreate(t, d, "orders", 0, orders), "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	d = mustOpen(t, options(disk, "/data"))
	if d.Start().Clean {
		t.Error("a stop that was cut short passes for a clean one")
	}
	wantContents(t, d, "orders", 0, "one")
	mustClose(t, d)
}

// TestTwentyThousandPartitionsReopenAtOnce is also the measure of what an idle log costs: files are not opened, folders not
// looked into.
func TestTwentyThousandPartitionsReopenAtOnce(t *testing.T) {
	partitions := 20_000
	if underRace {
		partitions = 500
	}
	disk := vfs.NewMem()
	o := options(vfs.WithoutSyncs(disk, vfs.Mutation{Kind: vfs.OpSyncDir}), "/data")
	d := mustOpen(t, o)
	parallel(4, indexes(partitions), func(p int) {
		if _, err := d.Create(fmt.Sprintf("topic-%d", p/10), int32(p%10), [16]byte{byte(p / 10), byte(p / 2560), 1}); err != nil {
			t.Error(err)
		}
	})
	mustClose(t, d)

	opens := 0
	disk.SetHook(func(op vfs.Op) error {
		if strings.Contains(op.Name, "/topic-") {
			opens++
		}
		return nil
	})
	before := heapBytes()
	begun := time.Now()
	d = mustOpen(t, o)
	took := time.Since(begun)
	for p := range partitions {
		if _, err := d.Get(fmt.Sprintf("topic-%d", p/10), int32(p%10)); err != nil {
			t.Fatal(err)
		}
	}
	each := int64(heapBytes()-before) / int64(partitions)
	t.Logf("opened in %v, %v with every log opened, %d bytes each", took, time.Since(begun), each)
	if opens > 0 {
		t.Errorf("%d operations on partitions' folders", opens)
	}
	if !underRace && (took > time.Second || each > 1024) {
		t.Errorf("took %v, and %d bytes a partition", took, each)
	}
	disk.SetHook(nil)
	mustClose(t, d)
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestACopyOfALiveDirectoryIsNotTakenForItself(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "copy")
	d := mustOpen(t, options(vfs.OS(), from))
	mustWrite(t, mustCreate(t, d, "orders", 0, orders), "one")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, d)
	d = mustOpen(t, options(vfs.OS(), to))
	defer mustClose(t, d)
	if runtime.GOOS == "linux" && d.Start().SameBoot {
		t.Error("the copy believes that nothing is missing")
	}
	wantContents(t, d, "orders", 0, "one")
}
