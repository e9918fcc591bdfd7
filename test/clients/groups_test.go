//go:build suite

package clients

import (
	"testing"
	"time"
)

// TestAGroupGoesOnWhereItCommitted hands one group from library to library. Each takes a few records, commits, leaves, and
// comes back once more before the next library takes over: nothing may be skipped or come twice.
func TestAGroupGoesOnWhereItCommitted(t *testing.T) {
	const turns, turn = 2, 40
	b := startBroker(t, nil)
	b.createTopics(t, "relay")
	start := time.Now()
	var records []record
	for _, r := range dataset(77, start, datasetBytes) {
		if len(records) == len(libraries)*turns*turn {
			break
		}
		records = append(records, r)
	}
	if err := startGo("franz-go")(t, b.Address).produce("relay", "zstd", true, records); err != nil {
		t.Fatal(err)
	}
	for i := range records {
		records[i].Offset = int64(i)
	}
	for _, c := range libraries {
		t.Run(c.name, func(t *testing.T) {
			a := c.start(t, b.Address)
			for range turns {
				before := time.Now()
				got, err := a.group("relay", "relay-runners", turn)
				if err != nil {
					t.Fatal(err)
				}
				if err := compare(seen(c, records[:turn]), got); err != nil {
					t.Errorf("from offset %d on: %v", records[0].Offset, err)
				}
				records = records[turn:]
				t.Logf("%.1f s", time.Since(before).Seconds())
			}
		})
	}
}
