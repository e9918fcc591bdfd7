package sim

import (
	"slices"
	"strings"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// tamper has the controller decide wrongly.
func (f faults) tamper(im *meta.Image, records []meta.Record) []meta.Record {
	if !f.sameEpoch && !f.anyLeader && !f.keepsFenced {
		return records
	}
	var out []meta.Record
	for _, r := range records {
		change, ok := r.(*meta.PartitionChangeRecord)
		if !ok || f.keepsFenced && fences(records) {
			if !ok {
				out = append(out, r)
			}
			continue
		}
		topic, known := im.TopicByID(change.TopicID)
		if !known || change.Leader < 0 {
			out = append(out, r)
			continue
		}
		p := topic.Partitions[change.PartitionID]
		if f.anyLeader {
			wrong := *change
			for _, id := range p.Replicas {
				if !slices.Contains(p.ISR, id) && !slices.Contains(p.ELR, id) {
					wrong.Leader, wrong.ISR = id, []int32{id}
				}
			}
			out = append(out, &wrong)
			continue
		}
		next, err := p.Merge(change)
		if err != nil {
			panic(err)
		}
		out = append(out, &meta.PartitionRecord{
			PartitionID: change.PartitionID, TopicID: change.TopicID, Replicas: next.Replicas, ISR: next.ISR,
			EligibleLeaderReplicas: next.ELR, LastKnownELR: next.LastKnownELR, Directories: next.Directories,
			Leader: next.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: next.PartitionEpoch, LeaderRecoveryState: next.LeaderRecovery,
		})
	}
	return out
}

func fences(records []meta.Record) bool {
	return slices.ContainsFunc(records, func(r meta.Record) bool {
		c, ok := r.(*meta.BrokerRegistrationChangeRecord)
		return ok && c.Fenced > 0
	})
}

// TestTheWorldsShowEachMistake plants one mistake after the other. Each begins with a seed that shows it, as some take hundreds of
// worlds; as the code changes another one will.
func TestTheWorldsShowEachMistake(t *testing.T) {
	for _, mistake := range []struct {
		name string
		seed uint64
		faults
	}{
		{"a log that pretends to sync", 1, faults{lazyDisk: true}},
		{"a controller that answers before its decision is committed", 1, faults{earlyAnswers: true}},
		{"an election without a new leader epoch", 1, faults{sameEpoch: true}},
		{"a leader that was not in sync", 2, faults{anyLeader: true}},
		{"a fenced broker that leads on", 1, faults{keepsFenced: true}},
		{"a leader that acknowledges what only it has", 6, faults{earlyAcks: true}},
		{"a leader that acknowledges with too few in sync (KIP-966)", 3, faults{ackWhileAlone: true}},
		{"a leader that does not count whom it proposed (KIP-497)", 85, faults{forgetsISR: true}},
		{"a follower that cuts its log at its high watermark (KIP-101)", 3, faults{cutsToHW: true}},
		{"a follower that takes an answer to an earlier question (KAFKA-18991)", 1, faults{acceptsAnyTerm: true}},
		{"an unclean shutdown that passes for a clean one (KAFKA-18635)", 8, faults{alwaysClean: true}},
		{"a wiped disk that votes under its old id", 1, faults{oldIdentity: true}},
	} {
		t.Run(mistake.name, func(t *testing.T) {
			for s := mistake.seed; s < mistake.seed+3_000; s++ {
				if w := play(s, plan{steps: troubles(s), busy: mistake.forgetsISR, faults: mistake.faults}, nil); w.wrong != nil {
					line, _, _ := strings.Cut(w.wrong.Error(), "\n")
					t.Logf("seed %d: %s", s, line)
					return
				}
			}
			t.Error("nobody noticed")
		})
	}
}
