package replica

import (
	"math"
	"sync/atomic"
)

// Level says which end of a log a Watch waits for.
type Level int8

// The ends that readers see.
const (
	// Committed readers see what lies below the high watermark: consumers.
	Committed Level = iota
	// Stable readers see what lies below the last stable offset: read_committed consumers.
	Stable
	// LogEnd readers see everything: followers.
	LogEnd
)

// all is more bytes than any watch waits for: it fires a watch whatever it counts.
const all = math.MaxInt32

// A Watch is one long poll. It counts the bytes that become readable on the partitions where it was placed and fires
// once they suffice, so that a poll for many bytes is not woken by each small append. It fires once.
type Watch struct {
	level   Level
	follows bool // a follower's: it also waits to be told of another high watermark
	missing atomic.Int64
	fired   atomic.Bool
	done    chan struct{}
}

// NewWatch makes a watch that fires when minBytes more bytes can be read at the level.
func NewWatch(level Level, minBytes int) *Watch {
	w := &Watch{level: level, done: make(chan struct{})}
	w.missing.Store(int64(minBytes))
	return w
}

// NewFollowersWatch makes a watch at the log's end that also fires when the high watermark is another than the follower was told:
// else it would hear of it with what is appended next, or when its poll is over (KIP-1166).
func NewFollowersWatch(minBytes int) *Watch {
	w := NewWatch(LogEnd, minBytes)
	w.follows = true
	return w
}

// Done is closed when the watch fires.
func (w *Watch) Done() <-chan struct{} { return w.done }

// Fire ends the poll now, whatever is missing.
func (w *Watch) Fire() { w.add(all) }

func (w *Watch) add(bytes int64) {
	if w.missing.Add(-bytes) <= 0 && w.fired.CompareAndSwap(false, true) {
		close(w.done)
	}
}

// watches are the long polls placed on one partition. The partition's lock guards them.
type watches []*Watch

func (ws *watches) place(w *Watch) { *ws = append(*ws, w) }

func (ws *watches) remove(w *Watch) {
	list := *ws
	for i, at := range list {
		if at == w {
			last := len(list) - 1
			list[i], list[last] = list[last], nil
			*ws = list[:last]
			break
		}
	}
	if len(*ws) == 0 {
		*ws = nil // an idle partition keeps no memory for polls that are gone
	}
}

func (ws watches) add(level Level, bytes int64) {
	for _, w := range ws {
		if w.level == level {
			w.add(bytes)
		}
	}
}

// moved is called when the high watermark moves otherwise than by an append: it wakes every reader of what is committed, as nobody
// knows how many bytes that is, and every follower that has to know.
func (ws watches) moved() {
	for _, w := range ws {
		if w.level != LogEnd || w.follows {
			w.add(all)
		}
	}
}

func (ws watches) fire() {
	for _, w := range ws {
		w.add(all)
	}
}
