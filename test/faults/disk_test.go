//go:build suite && linux

package faults

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

const (
	diskMB     = 64
	recordSize = 100_000
	// patience is how long the broker may take to notice that there is space again.
	patience = 10 * time.Second
)

func onSmallDisk(t *testing.T, reserve string) (*kafkatest.Node, string) {
	t.Helper()
	disk := smallDisk(t, diskMB)
	return start(t, kafkatest.Options{Settings: map[string]string{
		"log.dirs": filepath.Join(disk, "data"), "barnabas.disk.reserve.bytes": reserve,
		"log.segment.delete.delay.ms": "100", // what a topic that is deleted goes by, as in Kafka
	}}), disk
}

// fill makes a topic to keep and one to delete, and writes until the broker refuses.
func fill(t *testing.T, c *client) {
	t.Helper()
	c.create("kept", map[string]string{"internal.segment.bytes": "4000000"})
	c.create("filler", map[string]string{"internal.segment.bytes": "4000000"})
	for range 200 {
		must(t, c.produce("filler", recordSize))
	}
	wantStorageError(t, c.produceUntilRefused("kept", recordSize, diskMB<<20))
	t.Logf("the disk was full after %d records to keep and %d more", len(c.kept["kept"]), len(c.kept["filler"]))
}

func wantStorageError(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, kerr.KafkaStorageError) || !kerr.IsRetriable(err) {
		t.Fatalf("a full disk is told to the producer as %v, want the retriable %v", err, kerr.KafkaStorageError)
	}
}

// freeByDeleting deletes the filler on a full disk and waits until records are taken again.
func freeByDeleting(t *testing.T, c *client) {
	t.Helper()
	deleted, err := c.admin.DeleteTopics(t.Context(), "filler")
	must(t, err)
	must(t, deleted.Error())
	begin, refused := time.Now(), 0
	eventually(t, patience, "produce after a topic was deleted", func() error {
		return count(&refused, c.produce("kept", recordSize))
	})
	t.Logf("records were taken %s after the deletion", time.Since(begin).Round(time.Millisecond))
	for range 20 { // The topic's files go one after the other: the first may not make room for all.
		eventually(t, patience, "produce on", func() error {
			return count(&refused, c.produce("kept", recordSize))
		})
	}
	t.Logf("%d records were refused meanwhile", refused)
}

func count(refused *int, err error) error {
	if err != nil {
		*refused++
	}
	return err
}

func TestADiskFilledUpToItsReserveRefusesRecordsAndServesTheRest(t *testing.T) {
	const reserve = 8 << 20
	broker, disk := onSmallDisk(t, strconv.Itoa(reserve))
	c := newClient(t, broker.Address)
	fill(t, c)
	var stat syscall.Statfs_t
	must(t, syscall.Statfs(disk, &stat))
	free := int64(stat.Bavail) * stat.Bsize
	t.Logf("%d bytes were still free", free)
	if free < reserve/4 {
		t.Errorf("%d bytes are left of a reserve of %d", free, reserve)
	}
	c.checkAll("kept")
	c.checkAll("filler")
	freeByDeleting(t, c)
	c.checkAll("kept")
}

func TestADiskFilledToTheLastByteLosesNothingAndLetsABrokerStart(t *testing.T) {
	broker, disk := onSmallDisk(t, "-1")
	c := newClient(t, broker.Address)
	fill(t, c)
	c.checkAll("kept")
	c.checkAll("filler")
	freeByDeleting(t, c)

	foreign := filepath.Join(disk, "foreign")
	written := fillUp(t, foreign)
	wantStorageError(t, c.produceUntilRefused("kept", recordSize, diskMB<<20)) // some was allocated ahead
	c.checkAll("kept")
	broker.Kill()
	written += fillUp(t, foreign)
	begin := time.Now()
	must(t, broker.Start())
	t.Logf("a foreign file of %d bytes took the rest; started on the full disk in %s", written, time.Since(begin).Round(time.Millisecond))
	c.connect()
	c.checkAll("kept")
	wantStorageError(t, c.produce("kept", recordSize))

	must(t, os.Remove(foreign))
	eventually(t, patience, "produce after a foreign file was removed", func() error { return c.produce("kept", recordSize) })
	c.checkAll("kept")
	must(t, broker.Stop())
	must(t, broker.Start())
	c.connect()
	c.checkAll("kept")
}

// fillUp writes to a file until not one more byte fits.
func fillUp(t *testing.T, name string) (written int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	must(t, err)
	defer f.Close()
	for size := 1 << 20; size > 0; {
		n, err := f.Write(make([]byte, size))
		written += int64(n)
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			t.Fatal(err)
		}
	}
	return written
}
