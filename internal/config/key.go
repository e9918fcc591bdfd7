package config

import (
	"fmt"
	"math"
	"time"
)

// Key is the typed handle of a setting: the only way to read one. T is the Go type
// of the row's type: bool, string (also for classes), int32, int16, int64, float64,
// []string or Secret. Handles are package variables that never change.
type Key[T any] struct {
	row *Row
}

// Of returns the setting's value. A null value is the zero T. Topic settings asked of a
// broker's Values give the broker's default for topics; broker settings asked of a
// topic's Values give the broker's. The caller must not modify a returned list.
func (k Key[T]) Of(v *Values) T {
	value := v.parsed[k.row.scope][k.row.index]
	if value == nil {
		var none T
		return none
	}
	return value.(T)
}

// IsNull reports whether the setting has no value.
func (k Key[T]) IsNull(v *Values) bool {
	return v.parsed[k.row.scope][k.row.index] == nil
}

// IsSet reports whether somebody set the setting, if only to its default: at the
// start or, dynamically, later.
func (k Key[T]) IsSet(v *Values) bool {
	return v.isSet(k.row)
}

// Name is the setting's name.
func (k Key[T]) Name() string { return k.row.Name }

// Row is the setting's row.
func (k Key[T]) Row() *Row { return k.row }

// Millis reads a setting in milliseconds as a duration. Values beyond what a duration
// holds (Kafka's "never" is 2^63-1 ms) become the longest duration; negative ones,
// which mean "unlimited" or "off" by setting, stay negative.
func Millis[T int32 | int64](k Key[T], v *Values) time.Duration {
	ms := int64(k.Of(v))
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// handle makes the handle of a row. It panics on a name that the table lacks and on a
// type that is not the row's: both are bugs that no start survives.
func handle[T any](scope Scope, name string) Key[T] {
	row, found := Lookup(scope, name)
	if !found {
		panic(fmt.Sprintf("config: no %s setting is called %s", scope, name))
	}
	var value T
	if want := row.zero(); fmt.Sprintf("%T", want) != fmt.Sprintf("%T", any(value)) {
		panic(fmt.Sprintf("config: %s is of type %T, its handle of type %T", name, want, value))
	}
	return Key[T]{row: row}
}

func broker[T any](name string) Key[T] { return handle[T](Broker, name) }

func topic[T any](name string) Key[T] { return handle[T](Topic, name) }

// zero is the zero value of the Go type that parse gives for the row.
func (r *Row) zero() any {
	switch r.Type {
	case Boolean:
		return false
	case Int:
		return int32(0)
	case Short:
		return int16(0)
	case Long:
		return int64(0)
	case Double:
		return float64(0)
	case List:
		return []string(nil)
	case Password:
		return Secret("")
	default:
		return ""
	}
}
