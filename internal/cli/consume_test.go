package cli

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestNullsAreToldFromEmptyValues(t *testing.T) {
	null, empty := &kgo.Record{Key: []byte("a")}, &kgo.Record{Key: []byte("b"), Value: []byte{}}
	for format, want := range map[string]string{"value": "NULL\n\n", "key": "a\tNULL\nb\t\n"} {
		var out bytes.Buffer
		print := consumeFlags{format: format, separator: `\t`, null: "NULL"}.printer(&out)
		for _, r := range []*kgo.Record{null, empty} {
			if err := print(r); err != nil {
				t.Fatal(err)
			}
		}
		if out.String() != want {
			t.Errorf("%s prints %q", format, out.String())
		}
	}
}

func listed(offsets map[int32]int64) kadm.ListedOffsets {
	partitions := map[int32]kadm.ListedOffset{}
	for p, offset := range offsets {
		partitions[p] = kadm.ListedOffset{Topic: "t", Partition: p, Offset: offset}
	}
	return kadm.ListedOffsets{"t": partitions}
}

func TestConsumingBeginsWithinWhatThereIs(t *testing.T) {
	starts, ends := listed(map[int32]int64{0: 5, 1: 0}), listed(map[int32]int64{0: 20, 1: 3})
	for _, c := range []struct {
		from position
		want map[int32]int64
	}{
		{position{kind: atBeginning}, map[int32]int64{0: 5, 1: 0}},
		{position{kind: atEnd}, map[int32]int64{0: 20, 1: 3}},
		{position{atOffset, 2}, map[int32]int64{0: 5, 1: 2}},
		{position{beforeEnd, 10}, map[int32]int64{0: 10, 1: 0}},
	} {
		begin, err := beginOffsets(t.Context(), nil, []string{"t"}, c.from, starts, ends)
		if err != nil || begin["t"][0] != c.want[0] || begin["t"][1] != c.want[1] {
			t.Errorf("%v begins at %v, %v", c.from, begin, err)
		}
	}
}

func TestItEndsWhenEveryPartitionsEndIsReached(t *testing.T) {
	plan := &consumePlan{begin: map[string]map[int32]int64{"t": {0: 5, 1: 3, 2: 0}}}
	plan.endAt(listed(map[int32]int64{0: 7, 1: 3, 2: 1}))
	steps := []struct {
		partition       int32
		offset          int64
		beyond, reached bool
	}{
		{0, 5, false, false},
		{1, 3, true, false}, // came after the end was taken
		{0, 6, false, false},
		{0, 7, true, false},
		{2, 4, true, true}, // offset 0 was compacted away: the next record shows that the end is passed
	}
	for _, step := range steps {
		beyond := plan.passed(&kgo.Record{Topic: "t", Partition: step.partition, Offset: step.offset})
		if beyond != step.beyond || plan.reached() != step.reached {
			t.Errorf("at %d-%d it is beyond: %v, reached: %v", step.partition, step.offset, beyond, plan.reached())
		}
	}
}

func TestPartitionsThatDoNotExistAreRefused(t *testing.T) {
	plan := &consumePlan{begin: map[string]map[int32]int64{"t": {0: 5}}}
	if err := plan.keep([]int32{1}); err == nil || err.Error() != "topic t has no partition 1" {
		t.Errorf("it says %v", err)
	}
}
