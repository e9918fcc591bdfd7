package replica

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A consumer that is told "no such offset", or an end that lies before records that were acknowledged, skips or rereads.
func TestANewLeaderTellsNoOffsetThatItsHighWatermarkHasYetToReach(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	h.post(p, "0")
	h.inSync(1, 1)
	h.inSync(1, 1, 2)
	h.post(p, "1")
	h.elect(1, 1) // The epoch begins at 2, the high watermark is 1.
	for _, ask := range []struct {
		what      string
		timestamp int64
		level     Level
		want      int64
		err       error
	}{
		{"latest", LatestTimestamp, Committed, -1, kerr.OffsetNotAvailable},
		{"latest for read_committed", LatestTimestamp, Stable, -1, kerr.OffsetNotAvailable},
		{"latest for a follower", LatestTimestamp, LogEnd, 2, nil},
		{"earliest", EarliestTimestamp, Committed, 0, nil},
		{"earliest local", EarliestLocalTimestamp, Committed, 0, nil},
		{"a time that is committed", 1_700_000_000_000, Committed, 0, nil},
		{"a time after all", 1_800_000_000_000, Committed, -1, kerr.OffsetNotAvailable},
		{"latest tiered", LatestTieredTimestamp, Committed, -1, nil},
	} {
		if at, err := p.OffsetFor(ask.timestamp, ask.level, -1); at.Offset != ask.want || !errors.Is(err, ask.err) {
			t.Errorf("%s: %+v: %v", ask.what, at, err)
		}
	}
	if _, err := p.DeleteRecordsBefore(1); err != nil {
		t.Fatal(err)
	}
	if _, err := p.OffsetFor(1_700_000_000_000, Committed, -1); !errors.Is(err, kerr.OffsetNotAvailable) {
		t.Errorf("a time whose first record is not committed yet: %v", err)
	}
	h.inSync(1, 1)
	if at, err := p.OffsetFor(LatestTimestamp, Committed, -1); at.Offset != 2 || err != nil {
		t.Errorf("caught up: %+v: %v", at, err)
	}
}
