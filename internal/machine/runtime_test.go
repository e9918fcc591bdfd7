package machine_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/barnabas-mq/barnabas/internal/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sum is the machine of these tests: its state is what was added, and how often somebody looked.
type sum struct {
	total int
	looks int
}

func replay(s sum, record int) sum {
	s.total += record
	return s
}

// journal is a log that commits when told to. The lock is there because fake time passing orders nothing.
type journal struct {
	mu      sync.Mutex
	batches [][]int
	end     int64
	fail    error
}

func (j *journal) Append(records []int) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return 0, j.fail
	}
	j.batches = append(j.batches, slices.Clone(records))
	j.end += int64(len(records))
	return j.end, nil
}

func (j *journal) failWith(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fail = err
}

func (j *journal) appended() [][]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.batches)
}

type (
	runtime  = machine.Runtime[sum, int]
	decision = machine.Decision[sum, int]
)

func start(o machine.Options[sum, int]) *runtime {
	o.Name, o.Replay, o.Logger = "sum", replay, slog.New(slog.DiscardHandler)
	return machine.New(o)
}

// outcome is filled in by a reply.
type outcome struct {
	told  bool
	err   error
	total int // what the decision saw
}

func (o *outcome) reply(err error) {
	if o.told {
		panic("told twice")
	}
	o.told, o.err = true, err
}

// add submits an event that records n, and says what became of it.
func add(t *testing.T, r *runtime, n int) *outcome {
	t.Helper()
	var out outcome
	err := r.Submit(func(s sum, _ time.Time) decision {
		out.total = s.total
		return decision{State: s, Records: []int{n}, Replies: []func(error){out.reply}}
	})
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	return &out
}

// look submits an event that records nothing.
func look(t *testing.T, r *runtime) *outcome {
	t.Helper()
	var out outcome
	err := r.Submit(func(s sum, _ time.Time) decision {
		out.total = s.total
		s.looks++
		return decision{State: s, Replies: []func(error){out.reply}}
	})
	if err != nil {
		t.Fatalf("submit: %v", err)
	}
	return &out
}

func wantTold(t *testing.T, what string, out *outcome, err error) {
	t.Helper()
	if !out.told || !errors.Is(out.err, err) {
		t.Errorf("%s: told %v with %v, want %v", what, out.told, out.err, err)
	}
}

func wantWaiting(t *testing.T, what string, out *outcome) {
	t.Helper()
	if out.told {
		t.Errorf("%s was told %v while its records are not committed", what, out.err)
	}
}

func TestAReplyWaitsForTheCommitOfWhatItsDecisionRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := start(machine.Options[sum, int]{Log: &log})
		defer r.Close(nil)

		first := add(t, r, 1)
		synctest.Wait()
		second := add(t, r, 10)
		synctest.Wait()
		if second.total != 1 {
			t.Errorf("the second decision saw %d, want what the first recorded", second.total)
		}
		if got := r.Committed().total; got != 0 {
			t.Errorf("committed total is %d before any commit", got)
		}
		wantWaiting(t, "first", first)

		r.Advance(1)
		synctest.Wait()
		wantTold(t, "first", first, nil)
		wantWaiting(t, "second", second)
		if got := r.Committed().total; got != 1 {
			t.Errorf("committed total is %d, want 1", got)
		}

		r.Advance(2)
		r.Advance(1) // an old end changes nothing
		synctest.Wait()
		wantTold(t, "second", second, nil)
		if got := r.Committed().total; got != 11 {
			t.Errorf("committed total is %d, want 11", got)
		}
	})
}

func TestADecisionWithoutRecordsWaitsForTheRecordsItSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := start(machine.Options[sum, int]{Log: &log})
		defer r.Close(nil)

		early := look(t, r)
		synctest.Wait()
		wantTold(t, "a look at committed state", early, nil)
		if got := r.Committed().looks; got != 1 {
			t.Errorf("%d looks are in the committed state, want 1", got)
		}

		added := add(t, r, 5)
		synctest.Wait()
		late := look(t, r)
		synctest.Wait()
		wantWaiting(t, "added", added)
		wantWaiting(t, "a look at uncommitted state", late)
		r.Advance(1)
		synctest.Wait()
		wantTold(t, "late", late, nil)
		if got := r.Committed(); got != (sum{total: 5, looks: 2}) {
			t.Errorf("committed state is %+v", got)
		}
	})
}

func TestStateThatIsLoadedAheadOfItsCommitIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := start(machine.Options[sum, int]{Log: &log, State: sum{total: 7}, End: 20})
		defer r.Close(nil)
		out := look(t, r)
		r.Advance(19)
		synctest.Wait()
		wantWaiting(t, "a look at loaded state", out)
		r.Advance(20)
		synctest.Wait()
		wantTold(t, "a look at loaded state", out, nil)
	})
}

func TestAFailedAppendUndoesItsDecisionsAndNoneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		var log journal
		r := start(machine.Options[sum, int]{Log: &log})
		defer r.Close(nil)

		kept := add(t, r, 1)
		synctest.Wait()
		log.failWith(full)
		undone := add(t, r, 10)
		synctest.Wait()
		wantTold(t, "undone", undone, full)
		log.failWith(nil)
		after := add(t, r, 100)
		synctest.Wait()
		if after.total != 1 {
			t.Errorf("the decision after the failure saw %d, want 1", after.total)
		}
		wantWaiting(t, "kept", kept)
		r.Advance(log.end)
		synctest.Wait()
		wantTold(t, "kept", kept, nil)
		wantTold(t, "after", after, nil)
		if got := r.Committed().total; got != 101 {
			t.Errorf("committed total is %d, want 101", got)
		}
	})
}

func TestEventsThatWaitTogetherAreAppendedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		gate := make(chan struct{})
		r := start(machine.Options[sum, int]{Log: &log, Size: func(int) int { return 10 }, BatchBytes: func() int { return 45 }})
		defer r.Close(nil)
		err := r.Submit(func(s sum, _ time.Time) decision { <-gate; return decision{State: s} })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for n := range 10 {
			add(t, r, n)
		}
		close(gate)
		synctest.Wait()
		want := [][]int{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}}
		if !slices.EqualFunc(log.appended(), want, slices.Equal) {
			t.Errorf("appended %v, want %v", log.appended(), want)
		}
	})
}

func TestTheRecordsOfOneDecisionAreNeverSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := start(machine.Options[sum, int]{Log: &log})
		defer r.Close(nil)
		err := r.Submit(func(s sum, _ time.Time) decision {
			return decision{State: s, Records: make([]int, 3*machine.MaxBatchRecords)}
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(log.appended()) != 1 || len(log.appended()[0]) != 3*machine.MaxBatchRecords {
			t.Errorf("appended in %d batches", len(log.appended()))
		}
	})
}

func TestTheQueueIsBoundedUntilRepliesAreGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		r := start(machine.Options[sum, int]{Log: &log, QueueLimit: 2})
		defer r.Close(nil)
		add(t, r, 1)
		add(t, r, 2)
		synctest.Wait() // decided, but not committed
		nothing := func(s sum, _ time.Time) decision { return decision{State: s} }
		if err := r.Submit(nothing); !errors.Is(err, machine.ErrBusy) {
			t.Errorf("third event: %v, want busy", err)
		}
		r.Advance(log.end)
		synctest.Wait()
		if err := r.Submit(nothing); err != nil {
			t.Errorf("after the commit: %v", err)
		}
	})
}

func TestCloseTellsParkedAndQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("no longer leader")
		var log journal
		gate := make(chan struct{})
		r := start(machine.Options[sum, int]{Log: &log})
		parked := add(t, r, 1)
		synctest.Wait()
		if err := r.Submit(func(s sum, _ time.Time) decision { <-gate; return decision{State: s} }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		queued := add(t, r, 2)
		go r.Close(lost)
		synctest.Wait()
		close(gate)
		r.Close(nil)
		wantTold(t, "parked", parked, lost)
		wantTold(t, "queued", queued, lost)
		if len(log.appended()) != 1 {
			t.Errorf("the queued event's records were appended: %v", log.appended())
		}
		if err := r.Submit(nil); !errors.Is(err, machine.ErrClosed) {
			t.Errorf("submit after close: %v", err)
		}
	})
}

func TestTheTimerDecidesAtTheTimeItNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		began := time.Now()
		timer := func(s sum, now time.Time) (decision, time.Time) {
			d := decision{State: s}
			for at := range 3 {
				next := began.Add(time.Duration(at+1) * time.Minute)
				if now.Before(next) {
					return d, next
				}
				if s.total+len(d.Records) == at {
					d.Records = append(d.Records, 1)
				}
			}
			return d, time.Time{}
		}
		r := start(machine.Options[sum, int]{Log: &log, Timer: timer})
		defer r.Close(nil)
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if len(log.appended()) != 0 {
			t.Fatalf("appended %v before the first minute", log.appended())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(log.appended()) != 1 {
			t.Fatalf("appended %v after a minute", log.appended())
		}
		log.failWith(errors.New("disk full"))
		time.Sleep(time.Minute)
		synctest.Wait()
		log.failWith(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(log.appended()) != 2 {
			t.Fatalf("appended %v, want the failed one tried again", log.appended())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(log.appended()) != 3 {
			t.Fatalf("appended %v after three minutes", log.appended())
		}
	})
}

func TestALogMayCommitWhileItAppends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *runtime
		log := &committing{advance: func(end int64) { r.Advance(end) }}
		r = start(machine.Options[sum, int]{Log: log})
		defer r.Close(nil)
		out := add(t, r, 3)
		synctest.Wait()
		wantTold(t, "added", out, nil)
	})
}

type committing struct {
	journal
	advance func(int64)
}

func (c *committing) Append(records []int) (int64, error) {
	end, err := c.journal.Append(records)
	if err == nil {
		c.advance(end)
	}
	return end, err
}

func ExampleRuntime() {
	log := &committing{}
	r := machine.New(machine.Options[sum, int]{Name: "example", Replay: replay, Log: log})
	log.advance = r.Advance
	done := make(chan error)
	err := r.Submit(func(s sum, _ time.Time) decision {
		return decision{State: s, Records: []int{40, 2}, Replies: []func(error){func(err error) { done <- err }}}
	})
	fmt.Println(err, <-done, r.Committed().total)
	r.Close(nil)
	// Output: <nil> <nil> 42
}
