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
	good := []Found{{0, 1, a}, {1, 1, b}, {2, 2, c}}
	if wrong := told().Judge(Reading{"t", 0, good, 3, 3}); len(wrong) > 0 {
		t.Errorf("a good log is said to be wrong: %v", wrong)
	}
	for anomaly, records := range map[string][]Found{
		"lost":         {{0, 0, a}, {2, 0, c}},
		"doubled":      {{0, 0, a}, {1, 0, b}, {2, 0, c}, {3, 0, b}},
		"reordered":    {{0, 0, b}, {1, 0, a}, {2, 0, c}},
		"moved":        {{0, 0, a}, {2, 0, b}, {3, 0, c}},
		"invented":     {{0, 0, a}, {1, 0, b}, {2, 0, c}, {3, 0, "9/0/000000001"}},
		"leader epoch": {{0, 2, a}, {1, 1, b}, {2, 2, c}},
	} {
		wrong := told().Judge(Reading{"t", 0, records, 4, 0})
		if !strings.Contains(strings.Join(wrong, "\n"), anomaly) {
			t.Errorf("%s was not noticed: %v", anomaly, wrong)
		}
	}
	short := good[:2]
	if wrong := told().Judge(Reading{"t", 0, short, 2, 3}); len(wrong) != 1 || !strings.Contains(wrong[0], "lost") {
		t.Errorf("that the log ends before what was acknowledged was not noticed: %v", wrong)
	}
	if wrong := told().Judge(Reading{"t", 0, short, 2, 2}); len(wrong) > 0 {
		t.Errorf("what was acknowledged after the reading began is said to be lost: %v", wrong)
	}
}
