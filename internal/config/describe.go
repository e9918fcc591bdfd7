package config

import (
	"maps"
	"slices"
)

// Description is one setting as DescribeConfigs tells it.
type Description struct {
	Name      string
	Value     *string // nil: null, or not to be shown
	Origin    Origin
	ReadOnly  bool
	Sensitive bool
	Type      Type // 0: unknown
	Synonyms  []DescribedSynonym
	Doc       string
}

// DescribedSynonym is a value that the setting has or would have without the ones before it.
type DescribedSynonym struct {
	Name   string
	Value  *string
	Origin Origin
}

// DescribeTopic describes all settings of a topic, sorted by name, given what was set for it.
func DescribeTopic(broker *Values, overrides map[string]string) []Description {
	return describeScope(TopicValues(broker, overrides), Topic, FromTopic, overrides)
}

// DescribeGroup describes all settings of a group, sorted by name, given what was set for it.
func DescribeGroup(broker *Values, overrides map[string]string) []Description {
	return describeScope(GroupValues(broker, overrides), Group, FromGroup, overrides)
}

// DescribeClientMetrics describes all settings of a client metrics subscription.
func DescribeClientMetrics(broker *Values, overrides map[string]string) []Description {
	return describeScope(broker.scoped(ClientMetrics, overrides), ClientMetrics, FromClientMetrics, overrides)
}

func describeScope(v *Values, scope Scope, own Origin, overrides map[string]string) []Description {
	rows := Rows(scope)
	described := make([]Description, 0, len(rows))
	for i := range rows {
		row := &rows[i]
		_, set := overrides[row.Name]
		if row.Internal && !set {
			continue
		}
		d := row.describe(v.parsed[scope][i])
		if set {
			d.Synonyms = append(d.Synonyms, DescribedSynonym{row.Name, d.Value, own})
		}
		d.Synonyms = append(d.Synonyms, v.inheritedSynonyms(row)...)
		d.Origin = firstOrigin(d.Synonyms)
		described = append(described, d)
	}
	return described
}

// inheritedSynonyms are what a topic or group setting would be without being set.
func (v *Values) inheritedSynonyms(row *Row) []DescribedSynonym {
	if len(row.Synonyms) > 0 {
		return v.layers.synonyms(row.Synonyms[0].Name, false)
	}
	if row.scope == Group && !row.Null {
		value := format(row.defaultValue())
		return []DescribedSynonym{{row.Name, &value, FromDefault}}
	}
	return nil
}

func firstOrigin(synonyms []DescribedSynonym) Origin {
	if len(synonyms) == 0 {
		return FromDefault
	}
	return synonyms[0].Origin
}

func (r *Row) describe(value any) Description {
	d := Description{Name: r.Name, Sensitive: r.Sensitive(), Type: r.Type, Doc: r.Doc, Origin: FromDefault}
	if value != nil && !d.Sensitive {
		text := format(value)
		d.Value = &text
	}
	return d
}

// DescribeBroker describes all settings of this broker, sorted by name, plug-in settings
// and those of single listeners included when they are set.
func DescribeBroker(v *Values) []Description {
	rows := Rows(Broker)
	described := make([]Description, 0, len(rows))
	for i := range rows {
		row := &rows[i]
		if (row.Internal || row.Dynamic) && !v.isSet(row) {
			continue
		}
		d := row.describe(v.parsed[Broker][i])
		d.ReadOnly = row.Update == ReadOnly
		d.Synonyms = v.layers.synonyms(row.Name, d.Sensitive)
		d.Origin = firstOrigin(d.Synonyms)
		described = append(described, d)
	}
	for _, name := range v.layers.unlisted() {
		described = append(described, v.layers.describeUnlisted(name))
	}
	slices.SortFunc(described, func(a, b Description) int { return compareNames(a.Name, b.Name) })
	return described
}

// DescribeBrokerDefault describes what was set for all brokers of the cluster.
func DescribeBrokerDefault(v *Values) []Description {
	described := []Description{}
	for _, name := range slices.Sorted(maps.Keys(v.layers.dynamicDefault)) {
		d := Description{Name: name, Sensitive: true}
		if row, found := brokerRow(name); found {
			d = Description{Name: name, Sensitive: row.Sensitive(), ReadOnly: row.Update == ReadOnly, Type: row.Type, Doc: row.Doc}
		}
		if text := v.layers.dynamicDefault[name]; !d.Sensitive {
			d.Value = &text
		}
		d.Origin = FromDynamicDefault
		d.Synonyms = []DescribedSynonym{{name, d.Value, FromDynamicDefault}}
		described = append(described, d)
	}
	return described
}

// brokerSynonyms are the settings that mean the same as a broker setting, which is among them.
func brokerSynonyms(name string) []string {
	for _, same := range [][]string{
		{"log.roll.ms", "log.roll.hours"},
		{"log.roll.jitter.ms", "log.roll.jitter.hours"},
		{"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
	} {
		if slices.Contains(same, name) {
			return same
		}
	}
	if name == "log.flush.interval.ms" {
		return []string{name, "log.flush.scheduler.interval.ms"}
	}
	if _, base, found := baseName(name); found {
		return []string{name, base}
	}
	return []string{name}
}

// synonyms lists what was set under the names that mean the same as the one described,
// outermost layer first, defaults last. Like Kafka it leaves out what ranks before the first
// appearance of the described name itself, and everything if there is none.
func (l *layers) synonyms(described string, sensitive bool) []DescribedSynonym {
	names := brokerSynonyms(described)
	var list []DescribedSynonym
	add := func(name, text string, origin Origin) {
		synonym := DescribedSynonym{Name: name, Origin: origin}
		if !sensitive {
			synonym.Value = &text
		}
		list = append(list, synonym)
	}
	for _, layer := range []struct {
		texts  map[string]string
		origin Origin
	}{{l.dynamicBroker, FromDynamicBroker}, {l.dynamicDefault, FromDynamicDefault}, {l.static, FromStatic}} {
		for _, name := range names {
			if text, found := layer.texts[name]; found {
				add(name, text, layer.origin)
			}
		}
	}
	for _, name := range names {
		if text, found := l.defaultText(name); found {
			add(name, text, FromDefault)
		}
	}
	first := slices.IndexFunc(list, func(s DescribedSynonym) bool { return s.Name == described })
	if first < 0 {
		return nil
	}
	return list[first:]
}

func (l *layers) defaultText(name string) (string, bool) {
	if text, found := l.machine[name]; found {
		return text, true
	}
	row, found := Lookup(Broker, name)
	if !found || row.Null || row.Dynamic || row.Kafka == kafkaHasNone {
		return "", false
	}
	return format(row.defaultValue()), true
}

// unlisted are the settings that are set but have no row: of plug-ins and single listeners.
func (l *layers) unlisted() []string {
	var names []string
	for _, layer := range []map[string]string{l.static, l.dynamicDefault, l.dynamicBroker} {
		for name := range layer {
			if !isBroker(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// describeUnlisted describes a setting without a row. Only its own listener's base tells
// whether it may be shown; what nobody knows is kept secret.
func (l *layers) describeUnlisted(name string) Description {
	d := Description{Name: name, Sensitive: true, ReadOnly: true}
	if row, found := brokerRow(name); found {
		d.Sensitive, d.Type, d.Doc = row.Sensitive(), row.Type, row.Doc
	}
	d.Synonyms = l.synonyms(name, d.Sensitive)
	d.Origin = firstOrigin(d.Synonyms)
	if set, found := l.find(name); found && !d.Sensitive {
		d.Value = &set.text
	}
	return d
}
