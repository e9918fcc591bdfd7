package controller

import (
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// State is what the controller decides on. It is immutable: a decision leaves
// it as it was, and Replay and a Decision's Soft make the next one.
type State struct {
	Image *meta.Image
	// Soft is what no record says: when brokers were last heard of. It belongs
	// to the active controller alone and is rebuilt by its successor.
	Soft *Soft
}

// NewState is the state of a controller that takes over with the image: every
// unfenced broker gets a full session from the first decision on, for the one
// before may have heard of it just now.
func NewState(im *meta.Image) State { return State{Image: im, Soft: &Soft{}} }

// Replay is the state after the records. It panics on a record that does not
// fit: the controller has decided it, or it was checked when it was read.
// Replaying a whole batch at once is much cheaper than one record at a time.
func (s State) Replay(records ...meta.Record) State {
	return State{Image: s.Image.Replay(records...), Soft: s.Soft}
}

// Decision is what a request, or the passing of time, leads to. The records are
// one atomic batch; the response may leave once they are committed, and when
// there are none, once everything decided before is.
type Decision struct {
	Records  []meta.Record
	Response kmsg.Response
	// Soft is the soft state from here on, whether or not the records commit.
	// It is never nil.
	Soft *Soft
}
