package members

import (
	"errors"
	"testing"
)

func member(node int32, directory string) Member {
	return Member{NodeID: node, DirectoryID: directory, Endpoints: []Endpoint{{"CONTROLLER", "host", 9093}}}
}

// three is a quorum of nodes 1, 2 and 3, by ids 11, 12 and 13.
func three() View {
	var v View
	for i := int32(1); i <= 3; i++ {
		v.Members = append(v.Members, Known{ID: uint64(10 + i), Member: member(i, string('a'+i)), Votes: true, Active: true, CaughtUp: true})
	}
	return v
}

func (v View) with(k Known) View {
	v.Members = append(append([]Known(nil), v.Members...), k)
	return v
}

func want(t *testing.T, got Change, err error, change Change, wantErr error) {
	t.Helper()
	if !errors.Is(err, wantErr) {
		t.Fatalf("error %v, want %v", err, wantErr)
	}
	if got.Learns != change.Learns || got.Votes != change.Votes || got.Goes != change.Goes || got.Says != change.Says {
		t.Errorf("change is %+v, want %+v", got, change)
	}
}

func TestAVoterThatComesAsItIsKnownChangesNothing(t *testing.T) {
	got, err := Join(three(), 12, member(2, "c"), true)
	want(t, got, err, Change{}, nil)
}

func TestAVoterThatMovedSaysSo(t *testing.T) {
	moved := member(2, "c")
	moved.Endpoints = []Endpoint{{"CONTROLLER", "elsewhere", 9093}}
	got, err := Join(three(), 12, moved, false)
	want(t, got, err, Change{Says: 12}, nil)
	if got.Member.Endpoints[0].Host != "elsewhere" {
		t.Errorf("it says %+v", got.Member)
	}
}

func TestAStrangerLearnsFirstAndVotesOnceAskedToOrByItself(t *testing.T) {
	v, m := three(), member(4, "z")
	got, err := Join(v, 14, m, true)
	want(t, got, err, Change{Learns: 14}, nil)
	late := v.with(Known{ID: 14, Member: m, Active: true})
	got, err = Join(late, 14, m, true)
	want(t, got, err, Change{}, ErrWait)
	there := v.with(Known{ID: 14, Member: m, Active: true, CaughtUp: true})
	got, err = Join(there, 14, m, false)
	want(t, got, err, Change{}, nil)
	got, err = Join(there, 14, m, true)
	want(t, got, err, Change{Votes: 14}, nil)
	got, err = Add(there, 14, m)
	want(t, got, err, Change{Votes: 14}, nil)
}

func TestANodeWithANewDiskTakesTheVoteOfTheLostOneOnceThatIsSilent(t *testing.T) {
	v, m := three(), member(3, "new")
	got, err := Join(v, 23, m, false)
	want(t, got, err, Change{Learns: 23}, nil)
	v = v.with(Known{ID: 23, Member: m, Active: true, CaughtUp: true})
	got, err = Join(v, 23, m, false)
	want(t, got, err, Change{}, ErrWait)
	v.Members[2].Active = false
	got, err = Join(v, 23, m, false)
	want(t, got, err, Change{Votes: 23, Goes: 13}, nil)
}

func TestADiskThatWasLostBeforeItVotedLeavesNothingBehind(t *testing.T) {
	v := three().with(Known{ID: 14, Member: member(4, "first")})
	got, err := Join(v, 24, member(4, "second"), false)
	want(t, got, err, Change{Learns: 24, Goes: 14}, nil)
}

func TestNothingBeginsWhileAChangeIsUnderWay(t *testing.T) {
	v := three()
	v.Busy = true
	_, err := Join(v, 14, member(4, "z"), true)
	want(t, Change{}, err, Change{}, ErrWait)
	_, err = Add(v, 14, member(4, "z"))
	want(t, Change{}, err, Change{}, ErrWait)
	_, err = Remove(v, 13, 3)
	want(t, Change{}, err, Change{}, ErrWait)
}

func TestAVoterIsAddedOnceAndOneThatIsNoneCannotGo(t *testing.T) {
	_, err := Add(three(), 13, member(3, "d"))
	want(t, Change{}, err, Change{}, ErrDuplicate)
	_, err = Add(three(), 23, member(3, "other disk"))
	want(t, Change{}, err, Change{}, ErrDuplicate)
	_, err = Remove(three(), 14, 4)
	want(t, Change{}, err, Change{}, ErrUnknown)
	_, err = Remove(three(), 13, 2)
	want(t, Change{}, err, Change{}, ErrUnknown)
	got, err := Remove(three(), 13, 3)
	want(t, got, err, Change{Goes: 13}, nil)
}

func TestNobodyIsRemovedWhileAnotherVoterIsMissed(t *testing.T) {
	v := three()
	for i := range v.Members {
		v.Members[i].Active = v.Members[i].ID != 12
	}
	_, err := Remove(v, 13, 3)
	want(t, Change{}, err, Change{}, ErrWait)
	got, err := Remove(v, 12, 2)
	want(t, got, err, Change{Goes: 12}, nil)
}

func TestTheLastVoterStays(t *testing.T) {
	v := View{Members: three().Members[:1]}
	_, err := Remove(v, 11, 1)
	want(t, Change{}, err, Change{}, ErrLast)
}

func TestLearnersAreBounded(t *testing.T) {
	v := three()
	for i := range MaxLearners {
		v = v.with(Known{ID: uint64(100 + i), Member: member(int32(100+i), "x")})
	}
	_, err := Join(v, 500, member(500, "y"), false)
	want(t, Change{}, err, Change{}, ErrTooMany)
}

func TestAMemberComesOutAsItWentIn(t *testing.T) {
	m := member(7, "dir")
	got, err := Decode(m.Encode())
	if err != nil || !got.equal(m) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Decode([]byte("{")); err == nil {
		t.Error("half a member is one")
	}
}
