//go:build suite

package oracle

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const differencesFile = "differences.txt"

// where is the place of a difference.
type where struct {
	key     int16
	version int16
	step    string // conversation/step
	field   string
}

func (w where) String() string {
	return fmt.Sprintf("%s v%d | %s | %s", kmsg.NameForKey(w.key), w.version, w.step, w.field)
}

// difference is what the two brokers have there.
type difference struct {
	where
	kafka, ours string
	reason      string // in the list
}

const absent = "-"

// compare answers how two talks of one conversation differ.
func compare(c conversation, version int16, kafka, ours []exchange) []difference {
	var found []difference
	ourStep := map[string]exchange{}
	for _, e := range ours {
		ourStep[e.step] = e
	}
	add := func(step string, some ...difference) {
		for _, d := range some {
			d.where = where{int16(c.key), version, c.name + "/" + step, d.field}
			found = append(found, d)
		}
	}
	for _, k := range kafka {
		o, both := ourStep[k.step]
		delete(ourStep, k.step)
		switch {
		case !both:
			add(k.step, difference{where: where{field: "step"}, kafka: "taken", ours: absent})
		case answered(k) && !answered(o):
			add(k.step, difference{where: where{field: "answer"}, kafka: "answered", ours: o.leaves[0].value})
		default:
			add(k.step, compareLeaves(k.leaves, o.leaves)...)
		}
	}
	for _, o := range ours {
		if _, alone := ourStep[o.step]; alone {
			add(o.step, difference{where: where{field: "step"}, kafka: absent, ours: "taken"})
			add(o.step, compareLeaves(nil, o.leaves)...)
		}
	}
	return found
}

// answered says whether a broker answered at all.
func answered(e exchange) bool { return len(e.leaves) != 1 || e.leaves[0].path != "answer" }

// compareLeaves compares two answers. An item that Kafka alone has is one difference, whatever is in it; of what
// Barnabas alone has each field is one, so that the list says all that we answer otherwise.
func compareLeaves(kafka, ours []leaf) []difference {
	var found []difference
	theirs := map[string]string{}
	for _, l := range ours {
		theirs[l.path] = l.value
	}
	missing := "" // the last item that Kafka alone has
	for _, l := range kafka {
		v, ok := theirs[l.path]
		delete(theirs, l.path)
		switch {
		case ok && v == l.value, missing != "" && within(l.path, missing):
			continue
		case !ok:
			v, missing = absent, l.path
		}
		found = append(found, difference{where: where{field: l.path}, kafka: l.value, ours: v})
	}
	for _, l := range ours {
		if _, left := theirs[l.path]; left {
			found = append(found, difference{where: where{field: l.path}, kafka: absent, ours: l.value})
		}
	}
	return found
}

// within says whether a field is one of an item's: Topics[1].TopicID is none of Topics[1].Topic.
func within(path, item string) bool {
	rest, ok := strings.CutPrefix(path, item)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "["))
}

// readDifferences reads the list. A line is
//
//	API versions | conversation/step | field | Kafka's value -> ours | reason
//
// where versions is 3 or 3-13: all of them, not some of them.
func readDifferences() (map[where]difference, error) {
	f, err := os.Open(differencesFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	listed := map[where]difference{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		some, err := parseDifference(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", differencesFile, n, err)
		}
		for _, d := range some {
			if _, twice := listed[d.where]; twice {
				return nil, fmt.Errorf("%s:%d: %s is listed twice", differencesFile, n, d.where)
			}
			listed[d.where] = d
		}
	}
	return listed, lines.Err()
}

func parseDifference(line string) ([]difference, error) {
	parts := strings.Split(line, " | ")
	if len(parts) != 5 {
		return nil, errors.New("a line is: API versions | conversation/step | field | Kafka's value -> ours | reason")
	}
	name, versions, _ := strings.Cut(parts[0], " ")
	key := keyOf(name)
	from, to, ranged := strings.Cut(versions, "-")
	if !ranged {
		to = from
	}
	lo, err1 := strconv.Atoi(from)
	hi, err2 := strconv.Atoi(to)
	kafka, ours, arrow := strings.Cut(parts[3], " -> ")
	if err := errors.Join(err1, err2); err != nil || key < 0 || !arrow {
		return nil, fmt.Errorf("%q is no API with versions, or %q no pair of values", parts[0], parts[3])
	}
	if err := checkReason(int16(key), parts[4]); err != nil {
		return nil, err
	}
	var all []difference
	for v := lo; v <= hi; v++ {
		all = append(all, difference{where{int16(key), int16(v), parts[1], parts[2]}, kafka, ours, parts[4]})
	}
	return all, nil
}

// checkReason lets in what may be a reason. That something has not been made yet is none, but for what Barnabas does not
// claim to serve in its answer to ApiVersions.
func checkReason(key int16, reason string) error {
	prefixes := []string{"Kafka's answer harms: ", "no client can see it: "}
	if key == apiVersionsKey {
		prefixes = append(prefixes, "not served, so not advertised: ")
	}
	for _, prefix := range prefixes {
		if why, ok := strings.CutPrefix(reason, prefix); ok && strings.TrimSpace(why) != "" {
			return nil
		}
	}
	return fmt.Errorf("%q is no reason: one begins with %q", reason, prefixes)
}

// keyOf is the number of an API by the codec's name for it, -1 if there is none.
func keyOf(name string) int {
	for key := range int16(kmsg.MaxKey + 1) {
		if kmsg.NameForKey(key) == name {
			return int(key)
		}
	}
	return -1
}

// judge holds what was found against the list: what is unlisted, and what is listed and did not occur. What did not run
// is not missed.
func judge(found []difference, listed map[where]difference, ran func(where) bool) (unlisted []difference, stale []where) {
	seen := map[where]bool{}
	for _, d := range found {
		seen[d.where] = true
		if l, ok := listed[d.where]; !ok || l.kafka != d.kafka || l.ours != d.ours {
			unlisted = append(unlisted, d)
		}
	}
	for w := range listed {
		if !seen[w] && ran(w) {
			stale = append(stale, w)
		}
	}
	slices.SortFunc(stale, func(a, b where) int { return strings.Compare(a.String(), b.String()) })
	return unlisted, stale
}

// lines shows differences as lines of the list, versions in a row together.
func lines(found []difference) []string {
	type same struct {
		key                      int16
		step, field, kafka, ours string
	}
	var order []same
	versions := map[same][]int16{}
	for _, d := range found {
		s := same{d.key, d.step, d.field, d.kafka, d.ours}
		if versions[s] == nil {
			order = append(order, s)
		}
		versions[s] = append(versions[s], d.version)
	}
	var out []string
	for _, s := range order {
		v := versions[s]
		slices.Sort(v)
		for i := 0; i < len(v); {
			j := i
			for j+1 < len(v) && v[j+1] == v[j]+1 {
				j++
			}
			span := fmt.Sprint(v[i])
			if j > i {
				span = fmt.Sprintf("%d-%d", v[i], v[j])
			}
			out = append(out, fmt.Sprintf("%s %s | %s | %s | %s -> %s", kmsg.NameForKey(s.key), span, s.step, s.field, s.kafka, s.ours))
			i = j + 1
		}
	}
	return out
}
