// Package members knows who takes part in the metadata quorum, and decides which change of its members comes next: who comes to
// learn, who of those votes, who goes. It is pure.
//
// It must not know Raft, nor how a change is carried out, nor how a node is reached.
package members

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// MaxLearners bounds the members that do not vote: each gets every entry from the leader.
const MaxLearners = 16

// Endpoint is where a controller's listener is reached.
type Endpoint struct {
	Name string `json:"name"`
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// Member is what is written down of a member of the quorum. Unknown fields are passed over, so nodes of different versions
// understand each other.
type Member struct {
	NodeID int32 `json:"nodeId"`
	// DirectoryID is that of its metadata directory, in Kafka's notation: by it the member votes.
	DirectoryID string     `json:"directoryId"`
	Endpoints   []Endpoint `json:"endpoints,omitempty"`
}

// Encode is a member's bytes.
func (m Member) Encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("members: %v", err)) // numbers and strings always marshal
	}
	return b
}

// Decode reads what Encode wrote.
func Decode(b []byte) (Member, error) {
	var m Member
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("member of the quorum: %w", err)
	}
	return m, nil
}

func (m Member) equal(other Member) bool {
	return m.NodeID == other.NodeID && m.DirectoryID == other.DirectoryID && slices.Equal(m.Endpoints, other.Endpoints)
}

// Known is one member as its leader sees it.
type Known struct {
	ID uint64 // of Raft
	Member
	Votes    bool
	Active   bool // it was heard of a moment ago
	CaughtUp bool // it has, or almost has, all that is committed
}

// View is the quorum as its leader sees it.
type View struct {
	Members []Known
	// Busy says that a change is under way; no other one begins before it is through.
	Busy bool
}

// Change is the next change. Each field that is not 0 is the id of a member: several make one change, all of which happens or
// nothing. The zero Change changes nothing.
type Change struct {
	Learns, Votes, Goes uint64
	// Says is about whom Member says something new, who stays what it is.
	Says   uint64
	Member Member // of Learns or Says
}

// None says that nothing is to be changed.
func (c Change) None() bool { return c.Learns == 0 && c.Votes == 0 && c.Goes == 0 && c.Says == 0 }

var (
	// ErrWait is for what cannot be decided yet: a change is under way, or the member has to catch up first.
	ErrWait = errors.New("not yet")
	// ErrDuplicate is for a voter that is there.
	ErrDuplicate = errors.New("is a voter already")
	// ErrUnknown is for a voter that is not there.
	ErrUnknown = errors.New("is no voter")
	// ErrLast is for the last voter, which cannot go.
	ErrLast = errors.New("is the only voter")
	// ErrTooMany is for more learners than MaxLearners.
	ErrTooMany = errors.New("too many controllers wait to be voters")
)

func (v View) find(id uint64) (Known, bool) {
	i := slices.IndexFunc(v.Members, func(k Known) bool { return k.ID == id })
	if i < 0 {
		return Known{}, false
	}
	return v.Members[i], true
}

// other finds another member of the same node id: a disk that the node had before.
func (v View) other(id uint64, node int32, votes bool) (Known, bool) {
	for _, k := range v.Members {
		if k.ID != id && k.NodeID == node && k.Votes == votes {
			return k, true
		}
	}
	return Known{}, false
}

func (v View) count(votes bool) int {
	n := 0
	for _, k := range v.Members {
		if k.Votes == votes {
			n++
		}
	}
	return n
}

// Join is the next step for a controller that says that it is there. One that is no member learns first. One that has caught up takes
// the vote of a disk that its node has lost: that disk never votes again. Else it votes only when it is asked to (Add), or when
// votes has controllers vote that come by themselves (controller.quorum.auto.join.enable).
func Join(v View, id uint64, m Member, votes bool) (Change, error) {
	known, is := v.find(id)
	switch {
	case v.Busy:
		return Change{}, ErrWait
	case is && !known.equal(m):
		return Change{Says: id, Member: m}, nil
	case is && known.Votes:
		return Change{}, nil
	case !is:
		return learn(v, id, m)
	}
	before, had := v.other(id, m.NodeID, true)
	switch {
	case !had && !votes:
		return Change{}, nil
	case !known.CaughtUp, had && before.Active:
		return Change{}, ErrWait
	}
	return Change{Votes: id, Goes: before.ID}, nil
}

func learn(v View, id uint64, m Member) (Change, error) {
	before, had := v.other(id, m.NodeID, false)
	if !had && v.count(false) >= MaxLearners {
		return Change{}, ErrTooMany
	}
	return Change{Learns: id, Goes: before.ID, Member: m}, nil
}

// Add is the next step for a controller that shall vote. ErrDuplicate: its node votes.
func Add(v View, id uint64, m Member) (Change, error) {
	known, is := v.find(id)
	if _, votes := v.other(id, m.NodeID, true); votes || is && known.Votes {
		return Change{}, fmt.Errorf("controller %d %w", m.NodeID, ErrDuplicate)
	}
	switch {
	case v.Busy:
		return Change{}, ErrWait
	case !is:
		return learn(v, id, m)
	case !known.CaughtUp:
		return Change{}, ErrWait
	}
	return Change{Votes: id}, nil
}

// Remove is the next step for a voter that shall go. ErrUnknown: it is none, which after a step of Remove's means that it is gone. It
// waits for a majority of those that stay to be heard of.
func Remove(v View, id uint64, node int32) (Change, error) {
	known, is := v.find(id)
	switch {
	case !is || !known.Votes || known.NodeID != node:
		return Change{}, fmt.Errorf("controller %d with this directory id %w", node, ErrUnknown)
	case v.count(true) == 1:
		return Change{}, fmt.Errorf("controller %d %w", node, ErrLast)
	case v.Busy, 2*v.others(id) <= v.count(true)-1:
		return Change{}, ErrWait
	}
	return Change{Goes: id}, nil
}

// others counts the other voters that are heard of. Without a voter they have to be a majority: where another disk is lost, the
// quorum would be, and nobody could take the step back.
func (v View) others(id uint64) int {
	n := 0
	for _, k := range v.Members {
		if k.ID != id && k.Votes && k.Active {
			n++
		}
	}
	return n
}
