package logdir

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// life is one run of a directory up to a power cut, and what was promised in it.
type life struct {
	disk     vfs.FS
	d        *Dir
	promised map[[16]byte][]string // durable by Flush or a clean stop, by topic id
	given    map[[16]byte]bool     // Delete was asked for
	clean    bool                  // Close succeeded last
}

// live does everything once that changes a directory, until the power goes.
func (l *life) live(boot string) error {
	l.promised, l.given = map[[16]byte][]string{}, map[[16]byte]bool{}
	steps := []func() error{
		func() error { return l.begin(boot) },
		func() error { return l.d.SetIdentity(Identity{ClusterID: "cluster", NodeID: 1}) },
		func() error { return l.write(orders, true, "a1", "a2", "a3") },
		l.rest,
		l.checkpoint,
		func() error { return l.write(orders, true, "a4") },
		l.stop,
		func() error { return l.begin(boot) },
		func() error { return l.give(orders) },
		func() error { return l.write(ordersToo, true, "b1") },
		func() error { return l.write(ordersToo, false, "b2") },
		l.checkpoint,
		func() error { return l.write(ordersToo, true, "b3") },
		l.stopAtRest,
		func() error { return l.begin(boot) },
		func() error { return l.write(ordersToo, true, "b4") },
		l.stop,
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func (l *life) begin(boot string) (err error) {
	l.clean = false
	l.d = nil
	o := options(l.disk, "/data")
	o.BootID = boot
	o.HighWatermark = func(topic string, partition int32) int64 { return 3 }
	l.d, err = Open(o)
	if err == nil {
		<-l.d.Recovered()
	}
	return err
}

func (l *life) write(id [16]byte, durable bool, values ...string) error {
	log, err := l.d.Create("orders", 0, id)
	if err != nil {
		return err
	}
	if err := write(log, values...); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	if err := flush(l.d, log); err != nil {
		return err
	}
	l.promised[id], err = contents(log)
	return err
}

func (l *life) give(id [16]byte) error {
	l.given[id] = true
	if err := l.d.Delete("orders", 0, id); err != nil {
		return err
	}
	l.d.keeper.round(time.Now())
	return nil
}

func (l *life) checkpoint() error {
	for _, e := range l.d.entries(func(*entry) bool { return true }) {
		l.d.takeHighWatermark(e)
	}
	return errors.Join(l.d.writeRecoveryPoints(), l.d.writeHighWatermarks())
}

// rest lets all logs rest, as the keeper does with those that nobody uses.
func (l *life) rest() error {
	for _, e := range l.d.entries(func(e *entry) bool { return e.opened.Load() != nil }) {
		log := e.opened.Load()
		if settled, err := log.Settle(); !settled || err != nil {
			return fmt.Errorf("settled %v: %w", settled, err)
		}
		if err := l.d.syncLog(e, log); err != nil {
			return err
		}
		e.dirty.Store(false)
		if !l.d.Rest(e.topic, e.partition) {
			return errors.New("a log that is synced does not rest")
		}
	}
	return nil
}

func (l *life) stop() error { return l.stopAfter(func() error { return nil }) }

func (l *life) stopAtRest() error { return l.stopAfter(l.rest) }

func (l *life) stopAfter(last func() error) error {
	logs := map[[16]byte][]string{}
	for ref := range l.d.Partitions() {
		log, err := l.d.Get(ref.Topic, ref.Partition)
		if err != nil {
			return err
		}
		if logs[ref.TopicID], err = contents(log); err != nil {
			return err
		}
	}
	if err := last(); err != nil {
		return err
	}
	if err := l.d.Close(context.Background()); err != nil {
		return err
	}
	l.promised, l.clean = logs, true
	return nil
}

// check opens what the power cut left and returns each broken promise.
func (l *life) check(left *vfs.Mem) (broken []error) {
	after := life{disk: left}
	if err := after.begin("boot-after"); err != nil {
		return []error{fmt.Errorf("the directory does not open: %w", err)}
	}
	defer after.d.abandon()
	if l.clean && !after.d.Start().Clean {
		broken = append(broken, errors.New("a clean stop is forgotten"))
	}
	if id := after.d.Identity(); len(l.promised) > 0 && id.ClusterID != "cluster" {
		broken = append(broken, fmt.Errorf("the identity is %+v", id))
	}
	found := map[[16]byte]bool{}
	for ref := range after.d.Partitions() {
		found[ref.TopicID] = true
		broken = append(broken, l.checkLog(after.d, ref)...)
	}
	for id, values := range l.promised {
		if !found[id] && !l.given[id] {
			broken = append(broken, fmt.Errorf("topic %d with %q is gone", id[0], values))
		}
	}
	return broken
}

func (l *life) checkLog(d *Dir, ref PartitionRef) (broken []error) {
	log, err := d.Get(ref.Topic, ref.Partition)
	if err != nil {
		return []error{fmt.Errorf("%v: %w", ref, err)}
	}
	values, err := contents(log)
	if err != nil {
		return []error{fmt.Errorf("%v: %w", ref, err)}
	}
	if ref.TopicID == ([16]byte{}) && len(values) > 0 {
		// Never promised, so it may have lost its id; but then it is nobody's.
		if _, err := d.Create(ref.Topic, ref.Partition, ordersToo); !errors.Is(err, kerr.InconsistentTopicID) {
			broken = append(broken, fmt.Errorf("records %q without a topic become those of a new one: %w", values, err))
		}
		return broken
	}
	prefix := map[[16]byte]string{orders: "a", ordersToo: "b"}[ref.TopicID]
	for _, v := range values {
		if !strings.HasPrefix(v, prefix) {
			broken = append(broken, fmt.Errorf("topic %d has the record %q", ref.TopicID[0], v))
		}
	}
	if want := l.promised[ref.TopicID]; len(values) < len(want) || !slices.Equal(values[:len(want)], want) {
		broken = append(broken, fmt.Errorf("topic %d holds %q, promised were %q", ref.TopicID[0], values, want))
	}
	if log.StartOffset() != 0 {
		broken = append(broken, fmt.Errorf("topic %d starts at %d", ref.TopicID[0], log.StartOffset()))
	}
	return broken
}

// powerCuts takes the power away before each change and looks at several disks that may be left. With a mutation it ends
// with the first cut that breaks a promise.
func powerCuts(mutation *vfs.Mutation, outcomes int) (cuts int, broken []error) {
	disk := func(m *vfs.Mem) vfs.FS {
		if mutation == nil {
			return m
		}
		return vfs.WithoutSyncs(m, *mutation)
	}
	whole := vfs.NewMem()
	if err := (&life{disk: disk(whole)}).live("boot-1"); err != nil {
		return 0, []error{err}
	}
	for n := range whole.Changes() + 1 {
		m := vfs.NewMem()
		m.PowerOffAt(n)
		l := &life{disk: disk(m)}
		err := l.live("boot-1")
		if err != nil && !errors.Is(err, vfs.ErrPowerOff) && !errors.Is(err, kerr.KafkaStorageError) {
			broken = append(broken, fmt.Errorf("cut %d: %w", n, err))
		}
		if l.d != nil {
			l.d.abandon()
		}
		for outcome := range outcomes {
			var rng *rand.Rand
			if outcome > 0 {
				rng = rand.New(rand.NewPCG(uint64(n), uint64(outcome)))
			}
			if mutation != nil && len(broken) > 0 {
				return 0, broken
			}
			for _, b := range l.check(m.Crash(rng)) {
				broken = append(broken, fmt.Errorf("cut %d (%v), outcome %d: %w", n, err, outcome, b))
			}
		}
	}
	return int(whole.Changes()), broken
}

func TestAPowerCutAtAnyMomentBreaksNoPromise(t *testing.T) {
	cuts, broken := powerCuts(nil, 6)
	for _, err := range broken[:min(len(broken), 10)] {
		t.Error(err)
	}
	t.Logf("%d cuts", cuts)
}

// TestEachSyncIsNeeded leaves out one sync after the other: the suite above must notice, or it proves nothing.
func TestEachSyncIsNeeded(t *testing.T) {
	for _, mutation := range []vfs.Mutation{
		{Kind: vfs.OpSync, Pattern: partitionMetadataName},
		{Kind: vfs.OpSync, Pattern: metaPropertiesName + ".tmp"},
		{Kind: vfs.OpSync, Pattern: "*.log"},
		{Kind: vfs.OpSyncDir, Pattern: "data"},
		{Kind: vfs.OpSyncDir, Pattern: "orders-0"},
	} {
		if _, broken := powerCuts(&mutation, 6); len(broken) == 0 {
			t.Errorf("%v: nobody notices", mutation)
		}
	}
}

func TestAProcessKilledAtAnyMomentLosesNothing(t *testing.T) {
	whole := vfs.NewMem()
	if err := (&life{disk: whole}).live("boot-after"); err != nil {
		t.Fatal(err)
	}
	for n := range whole.Changes() + 1 {
		m := vfs.NewMem()
		m.PowerOffAt(n)
		l := &life{disk: m}
		_ = l.live("boot-after")
		if l.d != nil {
			l.d.abandon()
		}
		for _, b := range l.check(m.Kill()) {
			t.Errorf("kill %d: %v", n, b)
		}
	}
}
