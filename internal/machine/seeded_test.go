package machine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barnabas-mq/barnabas/internal/machine"
)

var errInjected = errors.New("injected")

// flaky is a log that fails at random and commits at random. What it holds is the truth that the test compares with.
type flaky struct {
	random    *rand.Rand
	records   []int
	committed int
}

func (f *flaky) Append(records []int) (int64, error) {
	if f.random.IntN(4) == 0 {
		return 0, errInjected
	}
	f.records = append(f.records, records...)
	return int64(len(f.records)), nil
}

// promise is what one event saw and was told.
type promise struct {
	id   int
	saw  int // how many records were in the state it decided on
	told bool
	err  error
}

// chain is a state that knows its whole history, so that a version built on an undone one is noticed.
type chain struct{ records []int }

func TestNobodyIsToldWhatWasUndone(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playFlaky(t, seed) })
		})
	}
}

func playFlaky(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	log := &flaky{random: rand.New(rand.NewPCG(seed, 2))}
	r := machine.New(machine.Options[chain, int]{
		Name: "chain", Log: log,
		Replay: func(s chain, record int) chain {
			return chain{records: append(s.records[:len(s.records):len(s.records)], record)}
		},
	})
	var promises []*promise
	for step := range 300 {
		switch random.IntN(5) {
		default:
			p := &promise{id: step}
			promises = append(promises, p)
			if err := r.Submit(event(p, random.IntN(3), func() { check(t, r, log, p) })); err != nil {
				t.Fatal(err)
			}
		case 3:
			synctest.Wait()
			checkPrefix(t, r.Committed().records, log.records[:log.committed])
		case 4:
			synctest.Wait()
			log.committed += random.IntN(len(log.records) - log.committed + 1)
			r.Advance(int64(log.committed))
		}
	}
	synctest.Wait()
	log.committed = len(log.records)
	r.Advance(int64(log.committed))
	synctest.Wait()
	r.Close(nil)
	checkEqual(t, r.Committed().records, log.records)
	for _, p := range promises {
		if !p.told {
			t.Errorf("event %d was never told", p.id)
		}
	}
}

// event records its id as often as it is told to.
func event(p *promise, records int, check func()) machine.Event[chain, int] {
	return func(s chain, _ time.Time) machine.Decision[chain, int] {
		p.saw = len(s.records)
		d := machine.Decision[chain, int]{State: s}
		for range records {
			d.Records = append(d.Records, p.id)
		}
		d.Replies = append(d.Replies, func(err error) {
			if p.told {
				panic("told twice")
			}
			p.told, p.err = true, err
			p.saw += records
			check()
		})
		return d
	}
}

// check runs inside a reply: success means that everything the decision saw and recorded is committed.
func check(t *testing.T, r *machine.Runtime[chain, int], log *flaky, p *promise) {
	if p.err != nil {
		if !errors.Is(p.err, errInjected) && !errors.Is(p.err, machine.ErrClosed) {
			t.Errorf("event %d: %v", p.id, p.err)
		}
		return
	}
	if p.saw > log.committed {
		t.Errorf("event %d was told success, saw %d records, but %d are committed", p.id, p.saw, log.committed)
	}
	if got := len(r.Committed().records); got < p.saw {
		t.Errorf("event %d was told success, but the committed state has %d records of its %d", p.id, got, p.saw)
	}
}

func checkPrefix(t *testing.T, got, committed []int) {
	t.Helper()
	if len(got) > len(committed) {
		t.Fatalf("the committed state has %d records, the log has committed %d", len(got), len(committed))
	}
	checkEqual(t, got, committed[:len(got)])
}

func checkEqual(t *testing.T, got, want []int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("state has %d records, log %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("record %d is %d in the state and %d in the log", i, got[i], want[i])
		}
	}
}
