package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Warning says that settings are accepted without being acted on, and what is lost.
type Warning struct {
	Names []string
	Text  string
}

func (w Warning) String() string {
	verb := "has no effect"
	if len(w.Names) > 1 {
		verb = "have no effect"
	}
	return strings.Join(w.Names, ", ") + " " + verb + ": " + w.Text
}

// LoadBroker resolves a broker's settings from sources, of which later ones win. It refuses
// unknown names, invalid values, settings that carry security or durability which is not
// there, and settings that contradict each other: all that it finds, in one error.
func LoadBroker(sources ...Source) (*Values, []Warning, error) {
	l := &layers{machine: map[string]string{}, static: map[string]string{}}
	from := map[string]string{}
	fromFile := false
	for _, source := range sources {
		if source.kind == sourceMachine {
			maps.Copy(l.machine, source.Values)
			continue
		}
		fromFile = fromFile || source.kind == sourceFile
		for name, text := range source.Values {
			l.static[name], from[name] = text, source.Name
		}
	}
	if !fromFile {
		// Without a file, nobody has decided that strangers may connect.
		l.machine["listeners"] = "PLAINTEXT://127.0.0.1:9092"
	}
	warnings, err := checkNames(l.static, from)
	if err != nil {
		return nil, nil, err
	}
	pairNodeID(l.static)
	v, err := resolve(l, func(error) {}) // every text was checked above
	if err == nil {
		err = v.crossCheck()
	}
	if err != nil {
		return nil, nil, err
	}
	return v, warnings, nil
}

// pairNodeID lets node.id and its former name stand for each other.
func pairNodeID(static map[string]string) {
	id, isNode := static["node.id"]
	old, isBroker := static["broker.id"]
	switch {
	case isNode && !isBroker:
		static["broker.id"] = id
	case isBroker && !isNode:
		static["node.id"] = old
	}
}

// checkNames looks at each setting alone.
func checkNames(static, from map[string]string) ([]Warning, error) {
	var problems []error
	lost := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(static)) {
		why, err := checkStatic(name, static[name], from[name])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", from[name], err))
		}
		if why != "" {
			lost[why] = append(lost[why], name)
		}
	}
	warnings := make([]Warning, 0, len(lost))
	for why, names := range lost {
		warnings = append(warnings, Warning{Names: names, Text: why})
	}
	slices.SortFunc(warnings, func(a, b Warning) int { return cmp.Compare(a.Names[0], b.Names[0]) })
	return warnings, errors.Join(problems...)
}

// checkStatic returns what is lost when a setting is accepted, or why it is not accepted.
func checkStatic(name, text, source string) (lost string, err error) {
	if row, found := Lookup(Broker, name); found {
		return row.checkStatic(name, text)
	}
	if _, base, found := baseName(name); found {
		row, found := Lookup(Broker, base)
		if !found {
			return "", unknown(name, base, source)
		}
		if row.Status == ActedOn {
			return "it cannot be set for one listener yet; " + base + " holds for all", nil
		}
		return row.checkStatic(name, text)
	}
	for _, family := range plugIns() {
		if strings.HasPrefix(name, family.prefix) {
			return family.why, nil
		}
	}
	switch {
	case authorizerSetting(name):
		return "", fmt.Errorf("%s is refused: %s; remove it to start without", name, noAuthorizer)
	case removed(name):
		return "Kafka 4 has removed it", nil
	}
	return "", unknown(name, name, source)
}

func (r *Row) checkStatic(name, text string) (lost string, err error) {
	value, err := r.parse(text)
	if err != nil {
		return "", r.explain(err)
	}
	if r.Status == ActedOn || r.Status == NoEffect || r.isDefault(value) {
		return "", nil
	}
	if r.Status == Refused {
		return "", fmt.Errorf("%s is refused: %s; remove it to start without", name, r.Why)
	}
	return r.Why, nil
}

// isDefault reports whether a value is the row's default, so that setting it loses nothing.
func (r *Row) isDefault(value any) bool {
	if r.Null {
		text, isText := value.(string)
		return isText && text == ""
	}
	return format(value) == format(r.defaultValue())
}

// explain adds what is allowed to a problem that does not say so itself.
func (r *Row) explain(err error) error {
	allowed := r.Check.Allowed
	if allowed == "" || strings.Contains(err.Error(), allowed) {
		return err
	}
	return fmt.Errorf("%w (allowed: %s)", err, allowed)
}

// unknown says that a name is neither Kafka's nor ours, and which is nearest.
func unknown(name, base, source string) error {
	text := fmt.Sprintf("%s is no setting of Kafka's nor of Barnabas's", name)
	if source == "environment" {
		text = fmt.Sprintf("%s means %s, which is no setting of Kafka's nor of Barnabas's", variableOf(name), name)
	}
	nearest := Suggest(Broker, base)
	switch {
	case nearest == "" && base == name:
		if row, found := Lookup(Topic, name); found {
			return errors.New(text + "; it is a topic's, for brokers it is called " + row.brokerNames())
		}
		return errors.New(text)
	case nearest == "":
		return errors.New(text)
	}
	if row, found := Lookup(Topic, name); found {
		return errors.New(text + "; it is a topic's, for brokers it is called " + row.brokerNames())
	}
	if base != name {
		nearest = strings.TrimSuffix(name, base) + nearest
	}
	return errors.New(text + "; did you mean " + nearest + "?")
}

func (r *Row) brokerNames() string {
	names := make([]string, 0, len(r.Synonyms))
	for _, s := range r.Synonyms {
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return "nothing: set it on the topic"
	}
	return strings.Join(names, " or ")
}
