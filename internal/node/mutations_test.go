package node_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// mutations are the syncs that promises rest on, each taken out in turn.
//
// Not among them are those whose loss this suite does not notice, because what they keep is checked when it is read and
// made again from what is synced, at the price of a longer start: offset indexes, the epoch checkpoint, the four offset
// checkpoints, manifest and shutdown marker, quorum-state, and the indexes of compacted segments. They are kept for Apache
// Kafka, which may be started on the directory.
var mutations = []vfs.Mutation{
	{Kind: vfs.OpSync, Pattern: "*.log"},
	{Kind: vfs.OpSync, Pattern: "*.timeindex"},
	{Kind: vfs.OpSync, Pattern: "*.log.cleaned"},
	{Kind: vfs.OpSync, Pattern: "partition.metadata"},
	{Kind: vfs.OpSync, Pattern: "meta.properties.tmp"},
	{Kind: vfs.OpSync, Pattern: "*.raft"},
	{Kind: vfs.OpSync, Pattern: "*.raftsnapshot.tmp"},
	{Kind: vfs.OpSync, Pattern: "*.checkpoint.part"},
	{Kind: vfs.OpSyncDir, Pattern: "data"},
	{Kind: vfs.OpSyncDir, Pattern: "[a-z]*-[0-9]"},
	{Kind: vfs.OpSyncDir, Pattern: "__cluster_metadata-0"},
	{Kind: vfs.OpSyncDir, Pattern: "raft"},
}

func TestThePowerCutsNoticeEachSyncThatIsLeftOut(t *testing.T) {
	if !*cutMutations {
		t.Skip("takes minutes: -cut.mutations")
	}
	for _, m := range mutations {
		t.Run(m.String(), func(t *testing.T) {
			at, tries, caught := missed(m, 3)
			if caught == nil {
				t.Fatalf("nothing breaks in %d power cuts", tries)
			}
			t.Logf("noticed after %d power cuts, before operation %d: %v", tries, at, caught)
		})
	}
}

// missed looks for a power cut that breaks a promise when a kind of sync is only pretended.
func missed(m vfs.Mutation, rounds int) (at int64, tries int64, caught error) {
	wrap := func(fs vfs.FS) vfs.FS { return vfs.WithoutSyncs(fs, m) }
	const (
		operations   = 1100 // about what the script has
		cutsPerRound = 100
	)
	rng := rand.New(rand.NewPCG(*cutSeed, 0))
	var (
		count   atomic.Int64
		mu      sync.Mutex
		workers sync.WaitGroup
	)
	next := make(chan [2]int64)
	stop := make(chan struct{})
	var once sync.Once
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for job := range next {
				_, err := cut(job[0], uint64(job[1]), wrap)
				count.Add(1)
				if err == nil {
					continue
				}
				once.Do(func() {
					mu.Lock()
					at, caught = job[0], err
					mu.Unlock()
					close(stop)
				})
			}
		})
	}
feed:
	for round := range rounds {
		for _, i := range rng.Perm(operations / 4)[:cutsPerRound] {
			select {
			case next <- [2]int64{int64(4*i + round%4), int64(round) * int64(*cutSeed)}:
			case <-stop:
				break feed
			}
		}
	}
	close(next)
	workers.Wait()
	return at, count.Load(), caught
}
