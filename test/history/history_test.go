package history

import (
	"strings"
	"testing"
)

func TestTheJudgeKnowsEachAnomaly(t *testing.T) {
	a, b, c := Value(1, 0, 1), Value(1, 0, 2), Value(1, 0, 3)
	told := func() *History {
		h := New()
		for i, v := range []string{a, b, c} {
			h.Send(v)
			h.Ack(v, Place{"t", 0, int64(i)})
		}
		return h
	}
	good := []Found{{0, a}, {1, b}, {2, c}}
	if wrong := told().Judge("t", 0, good, 3); len(wrong) > 0 {
		t.Errorf("a good log is said to be wrong: %v", wrong)
	}
	for anomaly, records := range map[string][]Found{
		"lost":      {{0, a}, {2, c}},
		"doubled":   {{0, a}, {1, b}, {2, c}, {3, b}},
		"reordered": {{0, b}, {1, a}, {2, c}},
		"moved":     {{0, a}, {2, b}, {3, c}},
		"invented":  {{0, a}, {1, b}, {2, c}, {3, "9/0/000000001"}},
	} {
		wrong := told().Judge("t", 0, records, 4)
		if !strings.Contains(strings.Join(wrong, "\n"), anomaly) {
			t.Errorf("%s was not noticed: %v", anomaly, wrong)
		}
	}
}
