package replica

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// leader is what this broker knows of a partition while it leads it. The partition's lock guards it.
type leader struct {
	self       int32
	epoch      int32
	epochStart int64 // the log's end when this epoch began: below it, the high watermark may lag what was acknowledged
	since      int32 // the first of the epochs in which it has led without a break
	replicas   []int32
	inSync     []int32
	began      time.Time         // this epoch: until then every follower counts as caught up
	remotes    map[int32]*remote // the other replicas, as their fetches tell; nil without followers
	proposed   []int32           // the in-sync set that the controller was asked for; nil: none
	parked     []parked          // ordered by end
}

// parked is somebody who waits until the high watermark reaches end.
type parked struct {
	end  int64
	done func(error)
}

// committed is where the high watermark belongs: the least end of the in-sync set, ours being own. Who was proposed for it
// counts as in it, and who was proposed to leave does until that is confirmed (KIP-497). A member that has not fetched in this
// epoch holds it at zero, so that nothing is committed on a guess.
func (l *leader) committed(own int64) int64 {
	least := own
	for _, ids := range [][]int32{l.inSync, l.proposed} {
		for _, id := range ids {
			if id != l.self {
				least = min(least, l.end(id))
			}
		}
	}
	return least
}

// end is how far another replica has fetched in this epoch.
func (l *leader) end(id int32) int64 {
	if r := l.remotes[id]; r != nil {
		return r.end
	}
	return 0
}

// enough says whether what is written now may be acknowledged with acks=all, or committed at all (KIP-966): an in-sync set
// that has shrunk below min.insync.replicas may be elected away, with what it alone has. A partition with fewer replicas
// than that needs all of them.
func (l *leader) enough(minInSync int) error {
	if len(l.inSync) < min(minInSync, len(l.replicas)) {
		return fmt.Errorf("%d in sync, min.insync.replicas is %d: %w", len(l.inSync), minInSync, kerr.NotEnoughReplicas)
	}
	return nil
}

// park keeps done for the time when the high watermark reaches end.
func (l *leader) park(end int64, done func(error)) {
	at := len(l.parked)
	for at > 0 && l.parked[at-1].end > end {
		at-- // ends come in order but for a duplicate's, whose end is that of the original
	}
	l.parked = slices.Insert(l.parked, at, parked{end, done})
}

// release takes those whose wait is over at the high watermark.
func (l *leader) release(highWatermark int64) []parked {
	n := 0
	for n < len(l.parked) && l.parked[n].end <= highWatermark {
		n++
	}
	if n == 0 {
		return nil
	}
	free := l.parked[:n:n]
	l.parked = l.parked[n:]
	if len(l.parked) == 0 {
		l.parked = nil
	}
	return free
}

// checkEpoch compares the leader epoch that a request names (-1: none) with ours (KIP-320).
func checkEpoch(asked, ours int32) error {
	switch {
	case asked < 0 || asked == ours:
		return nil
	case asked < ours:
		return fmt.Errorf("leader epoch %d, ours is %d: %w", asked, ours, kerr.FencedLeaderEpoch)
	default:
		return fmt.Errorf("leader epoch %d, ours is %d: %w", asked, ours, kerr.UnknownLeaderEpoch)
	}
}
