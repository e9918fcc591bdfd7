package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// promised is what the log's owner was told to be durable, and what its checkpoints could say at that moment.
type promised struct {
	start, end int64
	clean      bool
}

// crashed is a log under a script, with the history by which what is left of it after a power cut is judged.
type crashed struct {
	*world
	history  [][]byte // batches of the log as it should be
	rewound  [][]byte // those that a truncation took away
	promises []promised
	start    int64 // as it should be
	aborted  []AbortedTransaction
	epoch    int32
}

// newCrashed makes the directory and an empty log; syncs of the directory that holds it are its owner's business.
func newCrashed(t *testing.T, disk vfs.FS) (*crashed, error) {
	c := &crashed{world: &world{
		t: t, disk: disk, dir: "/data/topic-0", settings: testSettings(), clock: testClock(), lines: &lines{}, files: NewFiles(100),
	}}
	c.settings.SegmentBytes, c.settings.IndexIntervalBytes = 1300, 250
	if err := errors.Join(disk.MkdirAll(c.dir, 0o755), disk.SyncDir("/"), disk.SyncDir("/data")); err != nil {
		return c, err
	}
	l, err := Create(c.options(Checkpoint{}))
	c.log = l
	return c, err
}

// run is the script: appends, rolls, syncs, epochs, transactions, deletion, truncation, a stop in order.
func (c *crashed) run() error {
	for i := range 30 {
		c.clock = c.clock.Add(time.Second)
		c.epoch = int32(i / 4)
		if err := c.step(i); err != nil {
			return err
		}
		if i%3 == 2 {
			if err := c.log.Sync(); err != nil {
				return err
			}
			c.promise(false)
		}
	}
	return c.stop()
}

func (c *crashed) step(i int) error {
	steps := []func() error{
		func() error { return c.add(c.produced(1, 0, c.sequence(1), 2)) },
		func() error { return c.add(c.inTransaction(2, 0, c.sequence(2), 1)) },
		func() error { return c.add(c.plain(2, 200)) },
		func() error { return c.add(c.produced(1, 0, c.sequence(1), 2)) },
		func() error { return c.finishTransaction(i/6%2 == 0) },
		func() error { return c.add(c.plain(3, 100)) },
	}
	if err := steps[i%6](); err != nil {
		return err
	}
	switch i {
	case 14:
		return c.deleteSome()
	case 20:
		return c.truncateSome()
	case 23:
		if err := c.stop(); err != nil {
			return err
		}
		l, err := Open(c.options(Checkpoint{Clean: true, LogStartOffset: c.start}))
		c.promise(false) // the marker of the stop is taken away before anything is written
		c.log = l
		return err
	}
	return nil
}

// sequence is the next one of a producer.
func (c *crashed) sequence(id int64) int32 {
	states, _ := c.log.Producers()
	for _, p := range states {
		if p.ProducerID == id {
			return p.LastSequence + 1
		}
	}
	return 0
}

func (c *crashed) add(b []byte) error {
	// What fails may be in the log nevertheless, so it is part of the history before.
	at := c.log.EndOffset()
	h, _ := batch.ParseHeader(b)
	batch.SetBaseOffset(b, at)
	batch.SetLeaderEpoch(b, c.epoch)
	origin := Client
	if h.Control() {
		origin = Marker
	}
	c.history = append(c.history, bytes.Clone(b))
	_, err := c.log.Append(b, AppendOptions{LeaderEpoch: c.epoch, Origin: origin})
	return err
}

func (c *crashed) finishTransaction(commit bool) error {
	first := int64(-1)
	states, err := c.log.Producers()
	for _, p := range states {
		if p.ProducerID == 2 {
			first = p.TransactionStart
		}
	}
	if err != nil {
		return err
	}
	if !commit {
		end := c.log.EndOffset()
		c.aborted = append(c.aborted, AbortedTransaction{2, first, end, end + 1})
	}
	return c.add(batch.BuildEndTxnMarker(2, 0, batch.EndTxnMarker{Commit: commit}, c.clock.UnixMilli()))
}

func (c *crashed) promise(clean bool) {
	c.promises = append(c.promises, promised{c.log.StartOffset(), c.log.FlushedOffset(), clean})
}

func (c *crashed) deleteSome() error {
	c.log.SetHighWatermark(c.log.EndOffset())
	c.start = c.log.EndOffset() / 2
	if err := c.log.DeleteRecordsBefore(c.start); err != nil {
		return err
	}
	_, err := c.log.Housekeep(c.clock)
	return err
}

func (c *crashed) truncateSome() error {
	to := lastHeader(c.history[len(c.history)-4]).BaseOffset
	for i, p := range c.promises {
		c.promises[i].end = min(p.end, to) // the owner lowers its recovery points before
	}
	for len(c.history) > 0 && lastHeader(c.history[len(c.history)-1]).NextOffset() > to {
		c.rewound = append(c.rewound, c.history[len(c.history)-1])
		c.history = c.history[:len(c.history)-1]
	}
	return c.log.Truncate(to)
}

func (c *crashed) stop() error {
	if _, err := c.log.Close(true); err != nil {
		return err
	}
	c.promise(true)
	return nil
}

// judge opens what a power cut left, with checkpoints that may lag behind, and returns what is wrong with it.
func (c *crashed) judge(disk vfs.FS, rng *rand.Rand) error {
	newest, checkpoint := c.checkpoints(rng)
	return c.judgeBy(disk, newest, Checkpoint{RecoveryPoint: checkpoint.end, LogStartOffset: checkpoint.start, Clean: checkpoint.clean})
}

// checkpoints returns the newest promise, and one that the checkpoint files may hold.
func (c *crashed) checkpoints(rng *rand.Rand) (newest, checkpoint promised) {
	if n := len(c.promises); n > 0 {
		newest = c.promises[n-1]
		checkpoint = c.promises[max(0, n-1-rng.IntN(3))]
		if checkpoint.clean = newest.clean; newest.clean {
			checkpoint = newest
		}
	}
	return newest, checkpoint
}

func (c *crashed) judgeBy(disk vfs.FS, newest promised, by Checkpoint) error {
	c.disk, c.files = disk, NewFiles(100)
	l, err := Open(c.options(by))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	c.log = l
	defer l.Close(false)
	if at, cause := l.Damaged(); at >= 0 {
		return fmt.Errorf("damaged at %d: %w", at, cause)
	}
	if l.EndOffset() < newest.end || l.StartOffset() > c.start {
		return fmt.Errorf("the log is %d to %d, promised were %d to %d", l.StartOffset(), l.EndOffset(), newest.start, newest.end)
	}
	batches, err := c.compare(l, newest)
	if err != nil {
		return err
	}
	if err := c.compareIndexes(l, batches); err != nil {
		return err
	}
	return c.goOn(l, batches)
}

// compare holds the batches against the history: whole, in order, without gaps, and those that were promised all there.
func (c *crashed) compare(l *Log, newest promised) (batches []batch.Header, err error) {
	got, err := readAll(l, l.StartOffset(), l.EndOffset(), 500)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	next := int64(-1)
	for len(got) > 0 {
		h, whole, rest, _ := batch.Next(got)
		isIt := func(b []byte) bool { return bytes.Equal(b, whole) }
		kept := slices.ContainsFunc(c.history, isIt)
		if !kept && !(h.BaseOffset >= newest.end && slices.ContainsFunc(c.rewound, isIt)) {
			return nil, fmt.Errorf("batch at %d was never appended there", h.BaseOffset)
		}
		if next >= 0 && h.BaseOffset != next {
			return nil, fmt.Errorf("batch at %d follows one that ends before %d", h.BaseOffset, next)
		}
		batches, next, got = append(batches, h), h.NextOffset(), rest
	}
	for _, b := range c.history {
		h := lastHeader(b)
		there := slices.ContainsFunc(batches, func(x batch.Header) bool { return x.BaseOffset == h.BaseOffset })
		if h.NextOffset() <= newest.end && h.BaseOffset >= c.start && !there {
			return nil, fmt.Errorf("promised batch at %d is lost", h.BaseOffset)
		}
	}
	return batches, nil
}

// compareIndexes holds what finds things against the batches themselves.
func (c *crashed) compareIndexes(l *Log, batches []batch.Header) error {
	for _, h := range batches {
		if got := l.EpochAt(h.BaseOffset); got != h.LeaderEpoch && h.BaseOffset >= l.StartOffset() {
			return fmt.Errorf("offset %d is of epoch %d, but %d is noted", h.BaseOffset, h.LeaderEpoch, got)
		}
		for offset := max(h.BaseOffset, l.StartOffset()); offset < h.NextOffset(); offset++ {
			b, err := readAll(l, offset, h.NextOffset(), 1)
			if err != nil || len(b) == 0 || lastHeader(b).BaseOffset != h.BaseOffset {
				return fmt.Errorf("read at %d finds %d bytes: %w", offset, len(b), err)
			}
		}
		found, ok, err := l.OffsetForTimestamp(h.MaxTimestamp)
		if !h.Control() && h.BaseOffset >= l.StartOffset() && (err != nil || !ok || found.Timestamp < h.MaxTimestamp || found.Offset > h.LastOffset()) {
			return fmt.Errorf("timestamp of the batch at %d finds %+v, %v: %w", h.BaseOffset, found, ok, err)
		}
	}
	got, err := l.AbortedTransactions(l.StartOffset(), l.EndOffset())
	if err != nil {
		return err
	}
	for _, a := range c.aborted {
		if a.LastOffset >= l.StartOffset() && a.LastOffset < l.EndOffset() && len(c.rewound) == 0 && !slices.Contains(got, a) {
			return fmt.Errorf("aborted transaction %+v is not among %+v", a, got)
		}
	}
	return nil
}

// goOn uses the log: a retry of the newest batch of the idempotent producer, and appends.
func (c *crashed) goOn(l *Log, batches []batch.Header) error {
	for _, h := range slices.Backward(batches) {
		if h.ProducerID != 1 || len(c.rewound) > 0 {
			continue
		}
		a, err := l.Append(c.produced(1, h.ProducerEpoch, h.BaseSequence, int(h.NumRecords)), AppendOptions{LeaderEpoch: c.epoch})
		if err != nil || !a.Duplicate || a.BaseOffset != h.BaseOffset {
			return fmt.Errorf("retry of the batch at %d: %+v: %w", h.BaseOffset, a, err)
		}
		break
	}
	b := c.plain(2, 100)
	a, err := l.Append(b, AppendOptions{LeaderEpoch: c.epoch + 1})
	if err != nil {
		return fmt.Errorf("append afterwards: %w", err)
	}
	if got, err := readAll(l, a.BaseOffset, a.EndOffset, 1); err != nil || !bytes.Equal(got, b) {
		return fmt.Errorf("the append afterwards is not read back: %w", err)
	}
	return nil
}

// cutPowerEverywhere runs the script with the power going off before each of its changes, and judges some of the disks
// that may be left each time. It returns what was broken, as soon as that is enough.
func cutPowerEverywhere(t *testing.T, wrap func(vfs.FS) vfs.FS, disks, enough int) (broken []string) {
	t.Helper()
	whole := vfs.NewMem()
	c, err := newCrashed(t, wrap(whole))
	if err == nil {
		err = c.run()
	}
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(0); n <= whole.Changes() && len(broken) < enough; n++ {
		for seed := range disks {
			m := vfs.NewMem()
			m.PowerOffAt(n)
			c, err := newCrashed(t, wrap(m))
			if err == nil {
				err = c.run()
			}
			if err == nil && n < whole.Changes() {
				t.Fatalf("the power went off at %d and nobody noticed", n)
			}
			rng := rand.New(rand.NewPCG(uint64(seed), uint64(n)))
			var lost *vfs.Mem
			if seed == 0 {
				lost = m.Crash(nil)
			} else {
				lost = m.Crash(rng)
			}
			if _, err := lost.Stat("/data/topic-0"); errors.Is(err, os.ErrNotExist) {
				continue // it was never made durable that there is such a log
			}
			if err := c.judge(lost, rng); err != nil {
				broken = append(broken, fmt.Sprintf("power cut before change %d, disk %d: %v", n, seed, err))
			}
		}
	}
	return broken
}

func TestAPowerCutAtAnyMomentBreaksNoPromise(t *testing.T) {
	broken := cutPowerEverywhere(t, func(disk vfs.FS) vfs.FS { return disk }, 4, 10)
	if len(broken) > 0 {
		t.Fatalf("%d broken promises:\n%s", len(broken), strings.Join(broken[:min(len(broken), 10)], "\n"))
	}
}

func TestAProcessKilledAtAnyMomentLosesNothingThatWasAcknowledged(t *testing.T) {
	for n := int64(0); ; n++ {
		m := vfs.NewMem()
		m.PowerOffAt(n)
		c, err := newCrashed(t, m)
		acknowledged := int64(0)
		if err == nil {
			err = c.run()
			acknowledged = c.log.EndOffset()
		}
		died := err != nil
		left := m.Kill()
		if _, err := left.Stat("/data/topic-0"); err == nil {
			rng := rand.New(rand.NewPCG(1, uint64(n)))
			_, checkpoint := c.checkpoints(rng)
			newest := promised{end: acknowledged}
			by := Checkpoint{SameBoot: true, RecoveryPoint: checkpoint.end, LogStartOffset: checkpoint.start, Clean: checkpoint.clean}
			if err := c.judgeBy(left, newest, by); err != nil {
				t.Fatalf("killed before change %d: %v", n, err)
			}
		}
		if !died {
			return
		}
	}
}

// Each sync is needed: without it some power cut breaks a promise. The only one beyond these is of the leader epochs'
// contents, which could be read from all batches again; that would take long.
func TestEachSyncIsMissedBySomePowerCut(t *testing.T) {
	for _, without := range []vfs.Mutation{
		{Kind: vfs.OpSync, Pattern: "*.log"},
		{Kind: vfs.OpSync, Pattern: "*.index"},
		{Kind: vfs.OpSync, Pattern: "*.timeindex"},
		{Kind: vfs.OpSync, Pattern: "*.txnindex"},
		{Kind: vfs.OpSyncDir, Pattern: "topic-0"},
	} {
		t.Run(without.String(), func(t *testing.T) {
			if broken := cutPowerEverywhere(t, func(disk vfs.FS) vfs.FS { return vfs.WithoutSyncs(disk, without) }, 8, 1); len(broken) == 0 {
				t.Error("no power cut noticed it")
			}
		})
	}
}
