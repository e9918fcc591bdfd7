package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Values are the resolved settings of a broker, or of one topic or group on it. They
// never change: an alteration makes new Values (see [Values.WithDynamic]).
type Values struct {
	layers    *layers
	network   *network
	parsed    [scopeCount][]any
	scope     Scope
	overrides map[string]string // what was set for the topic or group itself
}

// layers are the texts that the values were resolved from, outermost last.
type layers struct {
	machine        map[string]string // defaults that depend on the machine; they describe as defaults
	static         map[string]string // file, environment and command line, merged
	dynamicDefault map[string]string // set for all brokers of the cluster
	dynamicBroker  map[string]string // set for this broker
}

// setting is one text with its name and origin.
type setting struct {
	name, text string
	origin     Origin
}

// find returns the effective one among several settings that mean the same: the
// outermost layer wins, then the first name.
func (l *layers) find(names ...string) (setting, bool) {
	stack := [...]struct {
		texts  map[string]string
		origin Origin
	}{{l.dynamicBroker, FromDynamicBroker}, {l.dynamicDefault, FromDynamicDefault}, {l.static, FromStatic}, {l.machine, FromDefault}}
	for _, layer := range stack {
		for _, name := range names {
			if text, found := layer.texts[name]; found {
				return setting{name, text, layer.origin}, true
			}
		}
	}
	return setting{}, false
}

// Defaults returns the Values of a broker for which nothing was set, without the
// defaults that depend on the machine. It is what tests start from.
func Defaults() *Values {
	v, err := resolve(&layers{}, func(problem error) { panic(problem) })
	if err != nil {
		panic(err)
	}
	return v
}

// resolve makes a broker's Values. Texts that do not parse are handed to bad and count
// as not set.
func resolve(l *layers, bad func(error)) (*Values, error) {
	v := &Values{layers: l}
	v.parsed[Broker] = resolveBroker(l, bad)
	v.parsed[Topic] = resolveScope(Topic, l, nil)
	v.parsed[Group] = resolveScope(Group, l, nil)
	v.parsed[ClientMetrics] = resolveScope(ClientMetrics, l, nil)
	network, err := newNetwork(v)
	v.network = network
	return v, err
}

func resolveBroker(l *layers, bad func(error)) []any {
	rows := Rows(Broker)
	parsed := make([]any, len(rows))
	for i := range rows {
		row := &rows[i]
		if set, found := l.find(row.Name); found {
			value, err := row.parse(set.text)
			if err == nil {
				parsed[i] = value
				continue
			}
			bad(err)
		}
		parsed[i] = row.defaultValue()
	}
	return parsed
}

// resolveScope resolves topic, group or client metrics settings: what was set for the
// thing itself, else the broker setting that stands in, else the default. Values that do not
// parse were refused when they were set; should one be there nevertheless, it counts as not set.
func resolveScope(scope Scope, l *layers, overrides map[string]string) []any {
	rows := Rows(scope)
	parsed := make([]any, len(rows))
	for i := range rows {
		row := &rows[i]
		if text, found := overrides[row.Name]; found {
			if value, err := row.parse(text); err == nil {
				parsed[i] = value
				continue
			}
		}
		parsed[i] = row.inherited(l)
	}
	return parsed
}

// inherited is the value that a topic or group setting has when it is not set itself.
func (r *Row) inherited(l *layers) any {
	names := make([]string, 0, len(r.Synonyms))
	for _, synonym := range r.Synonyms {
		names = append(names, synonym.Name)
	}
	set, found := l.find(names...)
	if !found {
		return r.inheritedDefault()
	}
	for _, synonym := range r.Synonyms {
		if synonym.Name == set.name {
			if value, err := r.parse(synonym.convert(set.text)); err == nil {
				return value
			}
		}
	}
	return r.defaultValue()
}

// inheritedDefault is the row's own default, or that of its broker setting when it has none.
func (r *Row) inheritedDefault() any {
	if !r.Null || len(r.Synonyms) == 0 {
		return r.defaultValue()
	}
	row, found := Lookup(Broker, r.Synonyms[0].Name)
	if !found || row.Null {
		return nil
	}
	value, err := r.parse(r.Synonyms[0].convert(row.Default))
	if err != nil {
		panic("config: default of " + r.Name + ": " + err.Error())
	}
	return value
}

// convert turns a broker setting's text into that of the topic setting. Negative times
// all mean "unlimited", whose notation for topics is -1.
func (s Synonym) convert(text string) string {
	if s.First {
		text, _, _ = strings.Cut(text, ",")
	}
	if s.Times == 0 {
		return text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return text
	case n < 0:
		return "-1"
	}
	return strconv.FormatInt(n*s.Times, 10)
}

// defaultValue is the parsed default, or nil for null.
func (r *Row) defaultValue() any {
	if r.Null {
		return nil
	}
	value, problem := parseType(r.Type, r.Default)
	if problem != "" {
		panic("config: default of " + r.Name + ": " + problem)
	}
	return value
}

// WithDynamic returns the Values of the same broker with other dynamic settings: those of the
// cluster's default and those of this broker, which win. Settings that cannot take effect
// are left out and reported; the broker goes on with what is beneath them.
func (v *Values) WithDynamic(clusterDefault, perBroker map[string]string) (*Values, []error) {
	var problems []error
	l := &layers{machine: v.layers.machine, static: v.layers.static, dynamicDefault: maps.Clone(clusterDefault), dynamicBroker: maps.Clone(perBroker)}
	bad := func(err error) { problems = append(problems, err) }
	for _, layer := range []map[string]string{l.dynamicDefault, l.dynamicBroker} {
		dropInvalid(layer, bad)
	}
	changed, err := v.over(l, bad)
	if err == nil {
		return changed, problems
	}
	bad(err)
	return v.withoutContradiction(l), problems
}

// over resolves layers on top of what v was started with, and says if they contradict each other.
func (v *Values) over(l *layers, bad func(error)) (*Values, error) {
	changed, err := resolve(l, bad)
	if err != nil {
		changed.network = v.network
		return changed, err
	}
	return changed, changed.checkChangeable()
}

// withoutContradiction takes the dynamic settings one by one, as many as agree with each other. It is for what was stored
// beside other static settings, or by a version that did not refuse it: a broker that obeyed might let nobody in who could
// mend it, and one that dropped them all might delete what only they keep.
func (v *Values) withoutContradiction(l *layers) *Values {
	taken := &layers{machine: l.machine, static: l.static, dynamicDefault: map[string]string{}, dynamicBroker: map[string]string{}}
	changed, _ := v.over(taken, func(error) {})
	take := func(from, to map[string]string) (more bool) {
		for _, name := range slices.Sorted(maps.Keys(from)) {
			to[name] = from[name]
			with, err := v.over(taken, func(error) {})
			if err != nil {
				delete(to, name)
				continue
			}
			changed, more = with, true
			delete(from, name)
		}
		return more
	}
	for more := true; more; { // one that was refused may agree with a later one
		more = take(l.dynamicDefault, taken.dynamicDefault)
		more = take(l.dynamicBroker, taken.dynamicBroker) || more
	}
	return changed
}

// dropInvalid removes settings that are unknown, read-only or do not parse.
func dropInvalid(layer map[string]string, bad func(error)) {
	for name, text := range layer {
		row, found := Lookup(Broker, name)
		if !found {
			continue // a plug-in's, or of a prefix: kept for DescribeConfigs, read by nobody
		}
		var err error
		if row.Update == ReadOnly {
			err = whole("Cannot update these configs dynamically: [%s]", name)
		} else {
			_, err = row.parse(text)
		}
		if err != nil {
			bad(err)
			delete(layer, name)
		}
	}
}

// TopicValues are the settings of a topic on a broker, given what was set for the topic.
func TopicValues(broker *Values, overrides map[string]string) *Values {
	return broker.scoped(Topic, overrides)
}

// GroupValues are the settings of a group on a broker, given what was set for the group.
func GroupValues(broker *Values, overrides map[string]string) *Values {
	return broker.scoped(Group, overrides)
}

// scoped shares everything with the broker's Values but what was overridden: a topic
// without settings of its own costs nothing.
func (v *Values) scoped(scope Scope, overrides map[string]string) *Values {
	if len(overrides) == 0 {
		return v
	}
	derived := *v
	derived.scope, derived.overrides = scope, maps.Clone(overrides)
	derived.parsed[scope] = resolveScope(scope, v.layers, overrides)
	return &derived
}

func (v *Values) isSet(row *Row) bool {
	if row.scope == Broker {
		set, found := v.layers.find(row.Name)
		return found && set.origin != FromDefault
	}
	_, found := v.overrides[row.Name]
	return found && v.scope == row.scope
}
