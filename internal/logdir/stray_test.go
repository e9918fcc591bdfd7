package logdir

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// withStray is a disk on which a log of three records was set aside, and what was logged then.
func withStray(t *testing.T) (disk *vfs.Mem, said string) {
	t.Helper()
	disk = vfs.NewMem()
	var journal bytes.Buffer
	o := options(disk, "/data")
	o.Logger = slog.New(slog.NewTextHandler(&journal, nil))
	d := mustOpen(t, o)
	l := mustCreate(t, d, "orders", 0, orders)
	mustWrite(t, l, "a", "b", "c")
	mustClose(t, d)
	d = mustOpen(t, o)
	if err := d.Stray("orders", 0, orders); err != nil {
		t.Fatal(err)
	}
	mustClose(t, d)
	return disk, journal.String()
}

// Whole clusters were set aside without a line.
func TestALogThatIsSetAsideIsNamed(t *testing.T) {
	disk, said := withStray(t)
	for _, text := range []string{"level=WARN", "topic=orders", "partition=0", "topic_id=" + formatUUID(orders), "folder=" + folders(t, disk)[0]} {
		if !strings.Contains(said, text) {
			t.Errorf("%s is not in %s", text, said)
		}
	}
}

func TestALogThatIsTakenBackSurvivesWhateverInterruptsIt(t *testing.T) {
	for changes := int64(1); ; changes++ {
		disk, _ := withStray(t)
		d := mustOpen(t, options(disk, "/data"))
		if !d.HasStray(orders, 0) || d.HasStray(orders, 1) || d.HasStray([16]byte{}, 0) {
			t.Fatal("it is not known which log was set aside")
		}
		disk.PowerOffAt(disk.Changes() + changes)
		_, err := d.Hold("orders", 0, orders)
		off := disk.Off()
		if err != nil && !off {
			t.Fatal(err)
		}
		d.abandon()
		d = mustOpen(t, options(disk.Crash(rand.New(rand.NewPCG(uint64(changes), 0))), "/data"))
		if l := mustCreate(t, d, "orders", 0, orders); l.EndOffset() != 3 {
			t.Fatalf("power cut at change %d: %d of 3 records are left", changes, l.EndOffset())
		}
		mustClose(t, d)
		if !off {
			return
		}
	}
}

func TestAStrayOfATopicThatHasANewLogIsLeftAlone(t *testing.T) {
	disk, _ := withStray(t)
	d := mustOpen(t, options(disk, "/data"))
	other := [16]byte{1: 7, 15: 200}
	if l := mustCreate(t, d, "orders", 0, other); l.EndOffset() != 0 {
		t.Error("a new topic has an old one's records")
	}
	mustClose(t, d)
	if got := folders(t, disk); len(got) != 2 {
		t.Errorf("folders: %q", got)
	}
}
