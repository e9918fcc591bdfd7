//go:build suite

package oracle

import (
	"slices"
	"strings"
	"testing"
)

func TestOfWhatBarnabasAloneHasEveryFieldIsADifference(t *testing.T) {
	kafka := []leaf{{"Topics", "1 items"}, {"Topics[0].Topic", "null"}, {"Topics[0].TopicID", "1"}, {"Old", "listed"}, {"Old.Name", "x"}, {"Old[0].Name", "y"}}
	ours := []leaf{{"Topics", "1 items"}, {"Topics[0].TopicID", "2"}, {"New", "listed"}, {"New.Name", "z"}}
	var got []string
	for _, d := range compareLeaves(kafka, ours) {
		got = append(got, d.field+" "+d.kafka+" -> "+d.ours)
	}
	want := []string{"Topics[0].Topic null -> -", "Topics[0].TopicID 1 -> 2", "Old listed -> -", "New - -> listed", "New.Name - -> z"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	silence := []exchange{{"ask", []leaf{{"answer", "no answer"}}}}
	answer := []exchange{{"ask", []leaf{{"ErrorCode", "42"}, {"Text", "<text>"}}}}
	if found := compare(conversation{}, 0, silence, answer); len(found) != 3 {
		t.Errorf("an answer where Kafka is silent: %v", found)
	}
	if found := compare(conversation{}, 0, answer, silence); len(found) != 1 {
		t.Errorf("a silence where Kafka answers: %v", found)
	}
}

func TestALineOfTheListIsJudged(t *testing.T) {
	line := func(reason string) string { return "Fetch 3-4 | a/b | ErrorCode | 1 -> 2 | " + reason }
	for reason, good := range map[string]bool{
		"no client can see it: none asks": true, "Kafka's answer harms: it is wrong": true, "Kafka's answer harms: ": false,
		"we have not come to it yet": false, "not served, so not advertised: Fetch": false, "": false,
	} {
		if _, err := parseDifference(line(reason)); (err == nil) != good {
			t.Errorf("%q: %v", reason, err)
		}
	}
	some, err := parseDifference(line("no client can see it: none asks"))
	if err != nil || len(some) != 2 {
		t.Fatal(some, err)
	}
	listed := map[where]difference{some[0].where: some[0], some[1].where: some[1]}
	other := some[0]
	other.ours = "3"
	unlisted, stale := judge([]difference{other}, listed, func(where) bool { return true })
	if len(unlisted) != 1 || len(stale) != 1 || stale[0].version != 4 {
		t.Errorf("another value, and nothing where one is listed: %v %v", unlisted, stale)
	}
	if _, stale := judge(nil, listed, func(w where) bool { return w.version == 3 }); len(stale) != 1 || !strings.Contains(stale[0].String(), "v3") {
		t.Errorf("what did not run is missed: %v", stale)
	}
}
