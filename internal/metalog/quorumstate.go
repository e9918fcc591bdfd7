package metalog

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// quorumStateFile is what Kafka's Raft keeps its epoch and vote in. We write it for a node that goes back to Kafka, and
// read it when a node comes from there.
const quorumStateFile = "quorum-state"

const (
	noNode = -1
	// stateWithVoters lists the voters of a static quorum; stateWithDirectory has none, they are in the log (KIP-853).
	stateWithVoters    = 0
	stateWithDirectory = 1
)

type quorumState struct {
	Version     int
	LeaderID    int32
	LeaderEpoch int32
	Voters      []int32 // of version 0
}

type voterJSON struct {
	VoterID int32 `json:"voterId"`
}

type quorumStateJSON struct {
	ClusterID      *string     `json:"clusterId,omitempty"`
	LeaderID       int32       `json:"leaderId"`
	LeaderEpoch    int32       `json:"leaderEpoch"`
	VotedID        int32       `json:"votedId"`
	VotedDirectory *string     `json:"votedDirectoryId,omitempty"`
	AppliedOffset  *int64      `json:"appliedOffset,omitempty"`
	CurrentVoters  []voterJSON `json:"currentVoters,omitempty"`
	DataVersion    *int        `json:"data_version"`
}

// encode writes one line, as Kafka's reader expects.
func (s quorumState) encode() []byte {
	j := quorumStateJSON{LeaderID: s.LeaderID, LeaderEpoch: s.LeaderEpoch, VotedID: noNode, DataVersion: &s.Version}
	if s.Version == stateWithVoters {
		j.ClusterID, j.AppliedOffset = new(string), new(int64)
		for _, id := range s.Voters {
			j.CurrentVoters = append(j.CurrentVoters, voterJSON{id})
		}
	} else {
		none := base64.RawURLEncoding.EncodeToString(make([]byte, 16))
		j.VotedDirectory = &none
	}
	b, err := json.Marshal(j)
	if err != nil {
		panic(err) // numbers and strings always marshal
	}
	return b
}

func parseQuorumState(b []byte) (quorumState, error) {
	var j quorumStateJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return quorumState{}, err
	}
	if j.DataVersion == nil || *j.DataVersion < stateWithVoters || *j.DataVersion > stateWithDirectory {
		return quorumState{}, errors.New("no or unknown data_version")
	}
	if j.LeaderEpoch < 0 {
		return quorumState{}, fmt.Errorf("leaderEpoch %d", j.LeaderEpoch)
	}
	s := quorumState{Version: *j.DataVersion, LeaderID: j.LeaderID, LeaderEpoch: j.LeaderEpoch}
	for _, v := range j.CurrentVoters {
		s.Voters = append(s.Voters, v.VoterID)
	}
	return s, nil
}

// readQuorumState gives nil if there is no such file.
func (l *Log) readQuorumState() (*quorumState, error) {
	b, err := vfs.ReadFile(l.o.FS, l.path(quorumStateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := parseQuorumState(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", quorumStateFile, err)
	}
	return &s, nil
}

// Superseded says whether another than the raft log whose last term is given has led here since: a Kafka to which the folder
// went back, and which has left it. We write an epoch down only once Raft has it.
func (l *Log) Superseded(term uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	state, err := l.readQuorumState()
	return err == nil && state != nil && uint64(state.LeaderEpoch) > term
}

// writeQuorumState keeps the version that is there, which goes with how Kafka is configured.
func (l *Log) writeQuorumState(epoch int32) error {
	s := quorumState{LeaderID: l.o.NodeID, LeaderEpoch: epoch, Voters: []int32{l.o.NodeID}}
	if old, err := l.readQuorumState(); err == nil && old != nil {
		s.Version = old.Version
	}
	if err := vfs.WriteFileAtomic(l.o.FS, l.path(quorumStateFile), s.encode(), true); err != nil {
		return fmt.Errorf("write %s: %w", quorumStateFile, err)
	}
	return nil
}
