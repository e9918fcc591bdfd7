package storage

import (
	"path/filepath"
	"syscall"
	"testing"
)

func TestSpaceReservedAheadIsGivenBackAtTheEndAndNeverTakenByASmallLog(t *testing.T) {
	w := onDisk(t)
	allocated := func() int64 {
		var info syscall.Stat_t
		if err := syscall.Stat(filepath.Join(w.dir, firstLog), &info); err != nil {
			t.Fatal(err)
		}
		return info.Blocks * 512
	}
	const slack = 64 << 10 // what the file system rounds up to
	w.append(w.plain(1, 500_000))
	if n := allocated(); n > w.log.Size()+slack {
		t.Fatalf("%d bytes on the disk for a log of %d", n, w.log.Size())
	}
	for range 4 {
		w.append(w.plain(1, 500_000))
	}
	reserved := w.log.active().reserved
	if reserved < w.log.Size()+500_000 {
		t.Fatalf("reserved up to %d, size %d", reserved, w.log.Size())
	}
	w.closeCleanly()
	if n := allocated(); n > w.log.active().size+slack {
		t.Fatalf("%d bytes on the disk after the end, for a log of %d", n, w.log.active().size)
	}
}
