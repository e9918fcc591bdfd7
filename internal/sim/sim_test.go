package sim

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var (
	seed   = flag.Uint64("sim.seed", 0, "replay the world of one seed, and say what happens in it; 0: many")
	worlds = flag.Int("sim.worlds", 100, "how many worlds to play")
)

// troubles is how many things go wrong in a world.
func troubles(seed uint64) int { return 5 + int(seed%20) }

// planned is the kind of world that a seed is.
func planned(seed uint64) plan { return plan{steps: troubles(seed), busy: seed%8 == 3} }

func TestWhateverGoesWrongTheClusterKeepsItsPromises(t *testing.T) {
	if *seed != 0 {
		var trace strings.Builder
		w := play(*seed, planned(*seed), &trace)
		t.Log("\n" + trace.String())
		if w.wrong != nil {
			t.Fatal(w.wrong)
		}
		return
	}
	var total counts
	began := time.Now()
	for range *worlds {
		s := rand.Uint64()
		w := play(s, planned(s), nil)
		if w.wrong != nil {
			t.Fatalf("seed %d (-sim.seed %d replays it): %v", s, s, w.wrong)
		}
		total.add(w.counts)
	}
	took := time.Since(began)
	t.Logf("%d worlds, %.0f a minute: %+v", *worlds, float64(*worlds)/took.Minutes(), total)
	if total.acked == 0 || total.elections == 0 || total.crashes == 0 {
		t.Error("nothing happened")
	}
}

func TestASeedGivesTheSameWorldAgain(t *testing.T) {
	for s := range uint64(5) {
		var first, second strings.Builder
		play(s+1, planned(s), &first)
		play(s+1, planned(s), &second)
		if first.String() != second.String() {
			t.Fatalf("seed %d:\n%s\nand then\n%s", s+1, first.String(), second.String())
		}
	}
}
