package sim

import (
	"container/heap"
	cryptorand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strings"
)

// Times are in milliseconds.
const (
	hosts         = 3
	tickEvery     = 30 // a tenth of the election timeout
	healWithin    = 15_000
	sessionMillis = 2_500
)

// plan is what kind of world it is. The fields of faults are mistakes that are planted.
type plan struct {
	steps  int  // things that go wrong
	busy   bool // the client writes all the time
	faults faults
}

// faults are mistakes that the real code does not make: the worlds have to show each.
type faults struct {
	lazyDisk       bool // the quorum's log says that it has synced, and has not
	earlyAnswers   bool // the controller answers before its decision is committed
	sameEpoch      bool // an election begins no leader epoch
	anyLeader      bool // a leader is elected that was not in sync
	keepsFenced    bool // a broker is fenced and leads on
	earlyAcks      bool // a leader acknowledges what only it has
	cutsToHW       bool // a follower cuts its log at its high watermark
	alwaysClean    bool // a broker says that it went cleanly though its machine lost power (KAFKA-18635)
	forgetsISR     bool // a leader does not wait for whom it has proposed to come in sync
	oldIdentity    bool // a disk that was wiped votes under its old id
	ackWhileAlone  bool // a leader advances its high watermark below min.insync.replicas
	acceptsAnyTerm bool // a broker takes records of whoever answers, in whatever epoch
}

// world is one cluster and everything that happens to it.
type world struct {
	plan    plan
	random  *rand.Rand
	now     int64
	order   int
	events  events
	hosts   []*host
	cut     [hosts][hosts]bool // from, to
	loss    int                // messages of a hundred that get lost or doubled
	calm    bool               // nothing goes wrong any more
	changed int64              // when a change of members was proposed last
	truth   truth
	trace   *strings.Builder // nil: not kept
	wrong   error
	counts  counts
}

// counts show that something happened.
type counts struct{ steps, commits, elections, leaders, acked, crashes, wipes, unclean, changes, snapshots int }

func (c *counts) add(o counts) {
	c.steps, c.commits, c.elections, c.leaders = c.steps+o.steps, c.commits+o.commits, c.elections+o.elections, c.leaders+o.leaders
	c.acked, c.crashes, c.wipes, c.unclean = c.acked+o.acked, c.crashes+o.crashes, c.wipes+o.wipes, c.unclean+o.unclean
	c.changes, c.snapshots = c.changes+o.changes, c.snapshots+o.snapshots
}

type event struct {
	at, order int64
	do        func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// libraryChance has the Raft library's election timeouts, which it draws from crypto/rand, come from the seed.
type libraryChance struct{ source *rand.ChaCha8 }

func (l libraryChance) Read(p []byte) (int, error) { return l.source.Read(p) }

// play plays a world to its end, and says what is wrong with it.
func play(seed uint64, p plan, trace *strings.Builder) *world {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	before := cryptorand.Reader
	cryptorand.Reader = libraryChance{rand.NewChaCha8(key)}
	defer func() { cryptorand.Reader = before }()

	w := &world{plan: p, random: rand.New(rand.NewPCG(seed, 1)), trace: trace}
	w.truth.init(w)
	for i := range hosts {
		w.hosts = append(w.hosts, newHost(w, i))
	}
	for _, h := range w.hosts {
		h.start()
	}
	w.after(w.upTo(500), w.client)
	w.after(500+w.upTo(1_000), w.trouble)
	w.after(1_000, w.operate)
	for w.wrong == nil && !w.truth.whole {
		w.step()
	}
	for _, h := range w.hosts {
		h.halt()
	}
	return w
}

// step is the next thing that happens. A panic, as the library's on a log that has lost what it promised, is a wrong like others.
func (w *world) step() {
	defer func() {
		if p := recover(); p != nil {
			w.fail("panic: %v\n%s", p, debug.Stack())
		}
	}()
	e := heap.Pop(&w.events).(event)
	w.now = e.at
	w.counts.steps++
	e.do()
}

func (w *world) after(millis int64, do func()) {
	w.order++
	heap.Push(&w.events, event{w.now + millis, int64(w.order), do})
}

// upTo is a time below a bound.
func (w *world) upTo(millis int64) int64 { return w.random.Int64N(millis) }

func (w *world) chance(percent int) bool { return w.random.IntN(100) < percent }

func (w *world) fail(format string, args ...any) {
	if w.wrong == nil {
		w.wrong = fmt.Errorf("at %d ms: "+format, append([]any{w.now}, args...)...)
		w.say("WRONG %v", w.wrong)
	}
}

func (w *world) say(format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%6d "+format+"\n", append([]any{w.now}, args...)...)
	}
}

// send brings something from one host to another, or not, or twice. gone is told when it is lost and may be nil.
func (w *world) send(from, to *host, arrive, gone func()) {
	copies := 1
	if w.chance(w.loss) {
		copies = 2 * w.random.IntN(2)
	}
	if w.cut[from.index][to.index] {
		copies = 0
	}
	life := to.life
	for range copies {
		delay := 1 + w.upTo(4)
		if w.chance(w.loss) {
			delay += w.upTo(400)
		}
		w.after(delay, func() {
			if to.up && to.life == life && !w.cut[from.index][to.index] {
				to.run(arrive)
			}
		})
	}
	if copies == 0 && gone != nil {
		from.after(10+w.upTo(50), gone)
	}
}

// trouble is the next thing that goes wrong, until enough has and all becomes well.
func (w *world) trouble() {
	if w.plan.steps--; w.plan.steps < 0 {
		w.heal()
		return
	}
	h := w.hosts[w.random.IntN(hosts)]
	switch n := w.random.IntN(100); {
	case !h.up:
		h.start()
	case n < 20:
		h.kill()
	case n < 38:
		h.cutPower()
	case n < 44 && w.mayWipe(h):
		h.wipe()
	case n < 52:
		w.say("host %d stands still", h.id)
		h.frozen = w.now + 200 + w.upTo(4_000)
	case n < 57:
		h.broker.leaves = true
	case n < 62:
		w.turn(h)
	case n < 75:
		other := w.hosts[(h.index+1+w.random.IntN(hosts-1))%hosts]
		w.cut[h.index][other.index] = true
		w.say("cut from %d to %d", h.id, other.id)
		if w.chance(50) {
			w.cut[other.index][h.index] = true
		}
	case n < 80:
		w.loss = w.random.IntN(30)
	default:
		w.cut = [hosts][hosts]bool{}
		w.loss /= 2
	}
	w.after(50+w.upTo(900), w.trouble)
}

// turn has one host not vote, or all of them again.
func (w *world) turn(h *host) {
	for _, other := range w.hosts {
		if other.unwanted {
			other.unwanted = false
			return
		}
	}
	w.say("host %d is to vote no more", h.id)
	h.unwanted = true
}

func (w *world) heal() {
	w.say("all is well")
	w.calm, w.loss, w.cut = true, 0, [hosts][hosts]bool{}
	for _, h := range w.hosts {
		h.frozen, h.unwanted = 0, false
		if !h.up {
			h.start()
		}
	}
	w.after(100, func() { w.awaitWhole(w.now + healWithin) })
}

// awaitWhole looks whether everything is as it should be when nothing goes wrong.
func (w *world) awaitWhole(deadline int64) {
	missing := w.truth.missing()
	switch {
	case missing == "":
		w.truth.whole = true
	case w.now > deadline:
		w.fail("%d ms after all faults ended %s", healWithin, missing)
	default:
		w.after(100, func() { w.awaitWhole(deadline) })
	}
}

var silent = slog.New(slog.DiscardHandler)
