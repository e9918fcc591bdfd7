package node_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

var (
	cutStride    = flag.Int64("cut.stride", 40, "cut the power before each so manieth operation; 1 is complete")
	cutMutations = flag.Bool("cut.mutations", false, "show for each kind of sync that its absence is noticed")
	cutSeed      = flag.Uint64("cut.seed", 1, "seed of what a power cut leaves")
	cutAt        = flag.Int64("cut.at", -1, "cut the power at this operation only")
)

func unchanged(fs vfs.FS) vfs.FS { return fs }

// script is everything that changes a disk: creations and deletions, appends, rolls, checkpoints, settings, committed
// offsets, snapshots of the metadata, deleted records, clean stops.
func script() []step {
	steps := []step{
		start,
		create("orders", 2, nil),
		newProducer,
		send("orders", 0, 2), send("orders", 1, 1),
		set("orders", "retention.ms", "100000000"),
		create("gone", 1, nil), send("gone", 0, 2), remove("gone"),
		create("gone", 1, nil), send("gone", 0, 1),
		commit("readers", "orders", 1), set("__consumer_offsets", "internal.segment.bytes", "300"),
		commit("readers", "orders", 2), commit("readers", "orders", 5), commit("readers", "orders", 2),
		send("orders", 0, 6),
		checkpoint("recovery-point-offset-checkpoint"),
		deleteRecords("orders", 3),
		create("state", 1, map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01"}),
		send("state", 0, 8),
	}
	for i := range 8 {
		steps = append(steps, set("orders", "retention.bytes", fmt.Sprint(100_000_000+i)))
	}
	return append(steps,
		checkpoint("recovery-point-offset-checkpoint"),
		commit("readers", "orders", 3),
		stop, start,
		send("orders", 0, 1), send("state", 0, 4), remove("gone"), commit("readers", "orders", 4),
		create("late", 1, nil), send("late", 0, 1),
		stop,
	)
}

// cut runs the script on a new disk, cuts the power before an operation, and returns the promises that are broken afterwards.
// changes is the number of operations of an undisturbed run, if this was one.
func cut(at int64, seed uint64, wrap func(vfs.FS) vfs.FS) (changes int64, err error) {
	disk := vfs.NewMem()
	disk.PowerOffAt(at)
	s := newStory(disk, wrap)
	told := s.tell(script())
	whole := !disk.Off()
	if told != nil && whole {
		return 0, errors.Join(fmt.Errorf("without a power cut: %w", told), s.end())
	}
	changes = disk.Changes()
	rng := rand.New(rand.NewPCG(seed, uint64(at)))
	var fate *rand.Rand
	if seed > 0 {
		fate = rng
	}
	left := disk.Crash(fate)
	_ = s.end()
	if err := s.resume(left, wrap); err != nil {
		return changes, errors.Join(err, s.logged(), s.end())
	}
	// And once more, a little later: a recovery must leave something to recover from.
	left = s.disk.Crash(fate)
	_ = s.end()
	if err := s.resume(left, wrap); err != nil {
		return changes, errors.Join(fmt.Errorf("second power cut: %w", err), s.logged(), s.end())
	}
	return changes, s.end()
}

func (s *story) logged() error {
	if s.p == nil || !testing.Verbose() {
		return nil
	}
	return errors.New(s.p.journal.String())
}

func TestWhatWasAcknowledgedOutlivesAPowerCutAtAnyOperation(t *testing.T) {
	if *cutAt >= 0 {
		_, err := cut(*cutAt, *cutSeed, unchanged)
		must(t, err)
		return
	}
	whole, err := cut(1<<40, *cutSeed, unchanged)
	must(t, err)
	t.Logf("%d operations, the power is cut before one in %d, twice each, seed %d", whole, *cutStride, *cutSeed)
	each(whole, *cutStride, func(at int64) {
		for _, seed := range []uint64{0, *cutSeed} {
			_, err := cut(at, seed, unchanged)
			if err != nil {
				t.Errorf("power cut before operation %d, seed %d: %v", at, seed, err)
			}
		}
	})
}

// each calls do for every stride-th number below n, on all processors.
func each(n, stride int64, do func(int64)) {
	next := make(chan int64)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for at := range next {
				do(at)
			}
		})
	}
	for at := int64(0); at < n; at += stride {
		next <- at
	}
	close(next)
	workers.Wait()
}
