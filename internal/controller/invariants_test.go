package controller

import (
	"slices"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// checkInvariants holds what is true of every image that decisions make.
func checkInvariants(t testing.TB, im *meta.Image) {
	t.Helper()
	elr := elrEnabled(im)
	for topic := range im.Topics() {
		for i, p := range topic.Partitions {
			bad := func(what string) { t.Errorf("%s-%d: %s: %+v", topic.Name, i, what, p) }
			if !p.Exists() {
				bad("a partition that nobody made")
				continue
			}
			if p.Leader != meta.NoLeader {
				if !slices.Contains(p.ISR, p.Leader) {
					bad("the leader is out of sync")
				}
				other := func(id int32) bool { return id != p.Leader && isActive(im, id) }
				if !isActive(im, p.Leader) && slices.ContainsFunc(p.ISR, other) {
					bad("the leader is not active, and another could lead")
				}
			}
			if !containsAll(p.Replicas, p.ISR) || !containsAll(p.Replicas, p.ELR) {
				bad("in sync or eligible without being a replica")
			}
			if len(p.ISR) == 0 && !elr {
				bad("nobody is in sync")
			}
			if len(p.ISR) == 0 && p.Leader != meta.NoLeader {
				bad("a leader without anybody in sync")
			}
			for _, id := range p.ELR {
				if slices.Contains(p.ISR, id) {
					bad("both in sync and eligible")
				}
			}
			if len(p.Directories) != len(p.Replicas) {
				bad("not one directory a replica")
			}
			for _, ids := range [][]int32{p.Replicas, p.ISR, p.ELR} {
				if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
					bad("a broker twice")
				}
			}
		}
	}
}
