// Package config knows every setting there is: Kafka's of brokers, topics, groups
// and client metrics, and our own few. A setting is one [Row] of a table; documentation,
// DescribeConfigs, the command line and the checks all iterate that table. Code reads
// a setting through its typed handle ([Key]) from immutable [Values].
//
// The package must not know who acts on a setting, and imports no other package of ours.
package config

// Type is the type of a setting's value. The numbers are those of DescribeConfigs.
type Type int8

// The types of Kafka's settings.
const (
	Boolean Type = iota + 1
	String
	Int
	Short
	Long
	Double
	List
	Class
	Password
)

// String is Kafka's name of the type.
func (t Type) String() string {
	names := [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}
	return names[t]
}

// Scope says what a setting belongs to.
type Scope uint8

// The scopes. A name is unique within its scope only.
const (
	Broker Scope = iota
	Topic
	Group
	ClientMetrics
	scopeCount
)

// String is the scope's name in messages.
func (s Scope) String() string {
	return [...]string{"broker", "topic", "group", "client metrics"}[s]
}

// Update says how a broker setting may change while the broker runs.
type Update uint8

// The update modes of Kafka's documentation. Settings of other scopes are always dynamic.
const (
	ReadOnly Update = iota
	PerBroker
	ClusterWide
)

// String is Kafka's name of the update mode.
func (u Update) String() string {
	return [...]string{"read-only", "per-broker", "cluster-wide"}[u]
}

// Importance is Kafka's ranking of a setting for documentation.
type Importance uint8

// The ranks.
const (
	High Importance = iota
	Medium
	Low
)

// String is Kafka's name of the rank.
func (i Importance) String() string {
	return [...]string{"high", "medium", "low"}[i]
}

// Status says what Barnabas does with a setting.
type Status uint8

// The statuses.
const (
	// ActedOn settings do what they say.
	ActedOn Status = iota
	// NotYet settings are checked and described, but nothing follows from them yet:
	// setting one to another value than its default warns with the row's Why.
	NotYet
	// NoEffect settings steer a mechanism of Kafka that Barnabas does not have and does
	// not need. Nothing is lost by their silence; Why says what stands in their place.
	NoEffect
	// Refused settings carry security or durability that is not there yet: setting one
	// to another value than its default stops the start with the row's Why.
	Refused
)

// String is the status in the words of the documentation.
func (s Status) String() string {
	return [...]string{"acted on", "not acted on yet", "not needed", "refused"}[s]
}

// Origin says where a value comes from. The numbers are those of DescribeConfigs.
type Origin int8

// The origins.
const (
	FromTopic          Origin = 1
	FromDynamicBroker  Origin = 2
	FromDynamicDefault Origin = 3
	FromStatic         Origin = 4
	FromDefault        Origin = 5
	FromClientMetrics  Origin = 7
	FromGroup          Origin = 8
)

// Row is one setting.
type Row struct {
	Name       string
	Type       Type
	Default    string // in Kafka's notation
	Null       bool   // no default: the value is null until somebody sets it
	Kafka      string // Kafka's default where ours differs; [kafkaHasNone] where it demands a value
	Check      Check
	Importance Importance
	Update     Update
	Synonyms   []Synonym // broker settings that give this topic or group setting its default, first wins
	Status     Status
	Why        string // what is lost, what stands in its place, or why it is refused
	Internal   bool   // not described unless it is set
	Dynamic    bool   // has no place in server.properties: only set while the broker runs
	Doc        string

	scope Scope
	index int
}

// kafkaHasNone stands in Row.Kafka for settings that Kafka does not start without.
const kafkaHasNone = "none: it must be set"

// Scope returns what the setting belongs to.
func (r *Row) Scope() Scope { return r.scope }

// Sensitive reports whether the value must never be shown.
func (r *Row) Sensitive() bool { return r.Type == Password }

// Synonym names a broker setting that stands in for a topic's or group's, and the
// number that its value is multiplied with: hours to milliseconds, say.
type Synonym struct {
	Name  string
	Times int64
	First bool // the broker's is a list, of which the first entry counts
}
