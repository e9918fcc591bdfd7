package meta

import (
	"slices"
	"testing"
)

func TestPartitionsOfTheSameBrokersHaveTheirListsInCommon(t *testing.T) {
	topic, dir := ID{1}, ID{2}
	records := []Record{&TopicRecord{Name: "t", TopicID: topic}}
	for i := range int32(4) {
		records = append(records, &PartitionRecord{
			PartitionID: i, TopicID: topic, Replicas: []int32{1 + i%2, 3}, ISR: []int32{1 + i%2, 3}, Leader: 3, Directories: []ID{dir, dir},
		})
	}
	im := Empty().Replay(records...)
	a, _ := im.Partition("t", 0)
	b, _ := im.Partition("t", 1)
	c, _ := im.Partition("t", 2)
	if &a.Replicas[0] != &c.Replicas[0] || &a.ISR[0] != &c.Replicas[0] || &a.Directories[0] != &b.Directories[0] {
		t.Error("equal lists are kept twice")
	}
	if !slices.Equal(a.Replicas, []int32{1, 3}) || !slices.Equal(b.Replicas, []int32{2, 3}) {
		t.Errorf("%v, %v", a.Replicas, b.Replicas)
	}
	if longer := append(a.ISR, 9); &longer[0] == &c.ISR[0] {
		t.Error("who appends to a partition's list writes into that of others")
	}
}
