//go:build suite

package oracle

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func aboutCommittedOffsets() []conversation {
	return []conversation{
		since(kmsg.OffsetCommit, 1, "without a group", func(t *Talk) {
			of := t.Topic("", 2)
			g := t.Name
			ask := func(step string, r *kmsg.OffsetCommitRequest) { t.Ask(step, r) }
			ask("plain", committing(t.Version, g, "", -1, of, 0, 5, kmsg.StringPtr("note")))
			ask("null metadata", committing(t.Version, g, "", -1, of, 1, 6, nil))
			t.Ask("fetched", fetchingOffsets(6, g, of, 0, 1))
			for _, offset := range []int64{-1, -2, 0, 1 << 62} {
				ask("offset "+number(offset), committing(t.Version, g, "", -1, of, 0, offset, kmsg.StringPtr("")))
				t.Ask("fetched "+number(offset), fetchingOffsets(6, g, of, 0))
			}
			ask("metadata of 4096", committing(t.Version, g, "", -1, of, 0, 1, kmsg.StringPtr(strings.Repeat("x", 4096))))
			ask("metadata of 4097", committing(t.Version, g, "", -1, of, 0, 1, kmsg.StringPtr(strings.Repeat("x", 4097))))
			ask("unknown topic", committing(t.Version, g, "", -1, topic{name: t.Name + "-none", id: [16]byte{1, 2}}, 0, 1, nil))
			ask("no topic name", committing(t.Version, g, "", -1, topic{}, 0, 1, nil))
			ask("unknown partition", committing(t.Version, g, "", -1, of, 9, 1, nil))
			ask("negative partition", committing(t.Version, g, "", -1, of, -1, 1, nil))
			ask("empty group", committing(t.Version, "", "", -1, of, 0, 1, nil))
			ask("unknown group generation 1", committing(t.Version, g+"-b", "", 1, of, 0, 1, nil))
			ask("unknown group member generation 1", committing(t.Version, g+"-b", "m", 1, of, 0, 1, nil))
			ask("unknown group member generation -1", committing(t.Version, g+"-c", "m", -1, of, 0, 1, nil))
			ask("known group generation 1", committing(t.Version, g, "", 1, of, 0, 1, nil))
			none := committing(t.Version, g, "", -1, of, 0, 1, nil)
			none.Topics = nil
			ask("nothing", none)
			twice := committing(t.Version, g, "", -1, of, 0, 1, nil)
			twice.Topics[0].Partitions = append(twice.Topics[0].Partitions, twice.Topics[0].Partitions[0])
			twice.Topics[0].Partitions[1].Offset = 9
			ask("a partition twice", twice)
			t.Ask("fetched at last", fetchingOffsets(6, g, of, 0, 1))
		}),
		since(kmsg.OffsetCommit, 1, "as a member", func(t *Talk) {
			of := t.Topic("", 1)
			g := t.Name
			m := t.Join("joins", "", g, 3, unchanged)
			t.Ask("before sync", committing(t.Version, g, m.MemberID, m.Generation, of, 0, 1, nil))
			t.Must(syncing(3, g, m.MemberID, m.Generation, noSync))
			t.Ask("good", committing(t.Version, g, m.MemberID, m.Generation, of, 0, 2, nil))
			t.Ask("wrong generation", committing(t.Version, g, m.MemberID, m.Generation+1, of, 0, 3, nil))
			t.Ask("generation -1", committing(t.Version, g, m.MemberID, -1, of, 0, 4, nil))
			t.Ask("unknown member", committing(t.Version, g, "nobody", m.Generation, of, 0, 5, nil))
			t.Ask("from outside", committing(t.Version, g, "", -1, of, 0, 6, nil))
			if t.Version >= 7 {
				r := committing(t.Version, g, m.MemberID, m.Generation, of, 0, 7, nil)
				r.InstanceID = kmsg.StringPtr("nobody")
				t.Ask("unknown instance", r)
			}
			t.Ask("fetched", fetchingOffsets(6, g, of, 0))
			t.Must(leaving(1, g, m.MemberID))
			t.Ask("from outside when empty", committing(t.Version, g, "", -1, of, 0, 8, nil))
			t.Ask("the member that left", committing(t.Version, g, m.MemberID, m.Generation, of, 0, 9, nil))
		}),
		since(kmsg.OffsetFetch, 1, "fetching", func(t *Talk) {
			of, other := t.Topic("-a", 2), t.Topic("-b", 1)
			g := t.Name
			t.Must(committing(5, g, "", -1, of, 0, 5, kmsg.StringPtr("note")))
			t.Must(committing(6, g, "", -1, other, 0, 7, nil))
			t.Ask("one", fetchingOffsets(t.Version, g, of, 0))
			t.Ask("one without an offset", fetchingOffsets(t.Version, g, of, 1))
			t.Ask("unknown partition", fetchingOffsets(t.Version, g, of, 9))
			t.Ask("unknown topic", fetchingOffsets(t.Version, g, topic{name: t.Name + "-none", id: [16]byte{5, 6}}, 0))
			t.Ask("no topic name", fetchingOffsets(t.Version, g, topic{}, 0))
			t.Ask("unknown group", fetchingOffsets(t.Version, g+"-none", of, 0))
			t.Ask("empty group", fetchingOffsets(t.Version, "", of, 0))
			t.Ask("no partitions", fetchingOffsets(t.Version, g, of, []int32{}...))
			if t.Version >= 2 {
				all := fetchingOffsets(t.Version, g, of)
				t.Ask("all", all)
				t.Ask("all of an unknown group", fetchingOffsets(t.Version, g+"-none", of))
			}
			empty := fetchingOffsets(t.Version, g, of)
			empty.Topics, empty.Groups[0].Topics = []kmsg.OffsetFetchRequestTopic{}, []kmsg.OffsetFetchRequestGroupTopic{}
			t.Ask("an empty list", empty)
			if t.Version >= 7 {
				stable := fetchingOffsets(t.Version, g, of, 0)
				stable.RequireStable = true
				t.Ask("stable", stable)
			}
			if t.Version >= 8 {
				several := fetchingOffsets(t.Version, g, of, 0)
				several.Groups = append(several.Groups, fetchingOffsets(t.Version, g+"-none", of, 0).Groups...)
				t.Ask("two groups", several)
				several.Groups = append(several.Groups, several.Groups[0])
				t.Ask("a group twice", several)
				none := fetchingOffsets(t.Version, g, of, 0)
				none.Groups = nil
				t.Ask("no groups", none)
			}
			if t.Version >= 9 {
				member := fetchingOffsets(t.Version, g, of, 0)
				member.Groups[0].MemberID, member.Groups[0].MemberEpoch = kmsg.StringPtr("x"), 3
				t.Ask("as a member of a new kind", member)
			}
			t.Must(deleteTopic(other.name))
			t.await("the offsets to be gone", func() bool {
				return t.Must(fetchingOffsets(5, g, other, 0)).(*kmsg.OffsetFetchResponse).Topics[0].Partitions[0].Offset == -1
			})
			if t.Version >= 2 {
				t.Ask("all after a topic was deleted", fetchingOffsets(t.Version, g, of))
			}
			if t.Version >= 10 {
				t.Ask("the deleted topic", fetchingOffsets(t.Version, g, other, 0))
			}
		}),
		// Version 0 was kept in ZooKeeper, which Kafka 3.9 need not have: then it refuses whatever is asked.
		between(kmsg.OffsetCommit, 0, 0, "where there is no ZooKeeper", func(t *Talk) {
			of := t.Topic("", 1)
			t.Ask("commit", committing(0, t.Name, "", -1, of, 0, 5, kmsg.StringPtr("note")))
			t.Ask("unknown topic", committing(0, t.Name, "", -1, topic{name: t.Name + "-none"}, 0, 5, nil))
		}),
		between(kmsg.OffsetFetch, 0, 0, "where there is no ZooKeeper", func(t *Talk) {
			of := t.Topic("", 2)
			t.Must(committing(1, t.Name, "", -1, of, 0, 5, kmsg.StringPtr("note")))
			t.Ask("committed", fetchingOffsets(0, t.Name, of, 0))
			t.Ask("not committed", fetchingOffsets(0, t.Name, of, 1))
			t.Ask("unknown topic", fetchingOffsets(0, t.Name, topic{name: t.Name + "-none"}, 0))
		}),
		every(kmsg.OffsetDelete, "deleting", func(t *Talk) {
			of := t.Topic("", 2)
			g := t.Name
			t.Must(committing(5, g, "", -1, of, 0, 5, nil))
			t.Must(committing(5, g, "", -1, of, 1, 5, nil))
			asking := func(group, name string, partitions ...int32) *kmsg.OffsetDeleteRequest {
				r := kmsg.NewPtrOffsetDeleteRequest()
				r.Group = group
				one := kmsg.NewOffsetDeleteRequestTopic()
				one.Topic = name
				for _, n := range partitions {
					p := kmsg.NewOffsetDeleteRequestTopicPartition()
					p.Partition = n
					one.Partitions = append(one.Partitions, p)
				}
				r.Topics = append(r.Topics, one)
				return r
			}
			t.Ask("unknown group", asking(g+"-none", of.name, 0))
			t.Ask("empty group", asking("", of.name, 0))
			t.Ask("unknown topic", asking(g, of.name+"-none", 0))
			t.Ask("unknown partition", asking(g, of.name, 7))
			t.Ask("one", asking(g, of.name, 0))
			t.Ask("again", asking(g, of.name, 0))
			t.Ask("no partitions", asking(g, of.name))
			t.Ask("fetched", fetchingOffsets(6, g, of, 0, 1))
			m := t.Join("joins", "", g, 3, func(r *kmsg.JoinGroupRequest) {
				for i := range r.Protocols {
					r.Protocols[i].Metadata = subscription(of.name)
				}
			})
			t.Must(syncing(3, g, m.MemberID, m.Generation, noSync))
			t.Ask("subscribed", asking(g, of.name, 1))
			other := t.Topic("-other", 1)
			t.Ask("not subscribed", asking(g, other.name, 0))
			t.Must(leaving(1, g, m.MemberID))
			t.Ask("the last", asking(g, of.name, 1))
			t.Ask("described", describingGroups(5, g))
		}),
		since(kmsg.OffsetCommit, 1, "several partitions", func(t *Talk) {
			of := t.Topic("", 3)
			g := t.Name
			for p := range int32(3) {
				t.Ask(fmt.Sprintf("partition %d", p), committing(t.Version, g, "", -1, of, p, int64(p), nil))
			}
			t.Ask("all", fetchingOffsets(5, g, of))
		}),
	}
}
