package logdir

import "container/heap"

// dueKind is what an item of the schedule is for.
type dueKind uint8

const (
	dueRetention dueKind = iota // the log's retention or rolling has something to do
	dueFlush                    // flush.ms has passed for the log
	dueSync                     // enough was appended for a sync in the background
	dueRemoval                  // the folder's delay has passed
	dueRest                     // an idle log was synced
)

// due is one thing to do at a time, in milliseconds.
type due struct {
	at     int64
	kind   dueKind
	e      *entry
	folder string
}

// schedule is a heap, soonest first. An item is not taken out when a sooner one replaces it: whoever gets it
// checks that it still holds.
type schedule []due

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].at < s[j].at }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)        { *s = append(*s, x.(due)) }

func (s *schedule) Pop() any {
	old := *s
	last := old[len(old)-1]
	old[len(old)-1] = due{}
	*s = old[:len(old)-1]
	return last
}

func (s *schedule) add(item due) { heap.Push(s, item) }

// take removes the items due at a time.
func (s *schedule) take(atMs int64) []due {
	var taken []due
	for len(*s) > 0 && (*s)[0].at <= atMs {
		taken = append(taken, heap.Pop(s).(due))
	}
	return taken
}
