//go:build suite

package oracle

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// leaf is one value of an answer, with the way to it.
type leaf struct {
	path  string
	value string
}

// symbols stand for what two brokers cannot have in common. The first value of a kind is #1, the next new one #2: the
// same value is the same symbol throughout a conversation.
type symbols struct {
	node  *broker
	name  string // of the conversation, in topics and groups
	seen  map[string]string
	count map[string]int
	exact bool // two brokers with the same ids: only addresses differ
}

func newSymbols(b *broker, name string) *symbols {
	return &symbols{node: b, name: name, seen: map[string]string{}, count: map[string]int{}}
}

func (s *symbols) symbol(kind, value string) string {
	key := kind + "\x00" + value
	if s.seen[key] == "" {
		s.count[kind]++
		s.seen[key] = fmt.Sprintf("<%s#%d>", kind, s.count[kind])
	}
	return s.seen[key]
}

// flatten walks an answer in the order of its fields.
func (s *symbols) flatten(r kmsg.Response) []leaf {
	v := reflect.ValueOf(r).Elem()
	f := flattener{symbols: s, response: strings.TrimSuffix(v.Type().Name(), "Response"), version: r.GetVersion()}
	f.fields("", v)
	return f.leaves
}

type flattener struct {
	*symbols
	response string
	version  int16
	leaves   []leaf
}

func (f *flattener) add(path, format string, args ...any) {
	f.leaves = append(f.leaves, leaf{path, fmt.Sprintf(format, args...)})
}

func (f *flattener) fields(path string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch {
		case path == "" && field.Name == "Version":
		case field.Name == "UnknownTags":
			tags := v.Field(i).Addr().Interface().(*kmsg.Tags)
			tags.Each(func(tag uint32, b []byte) { f.add(fmt.Sprintf("%s[%d]", join(path, "UnknownTags"), tag), "%x", b) })
		default:
			f.value(join(path, field.Name), field.Name, v.Field(i))
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

var bracketed = regexp.MustCompile(`\[[^\]]*\]`)

// value flattens one field. The rule for it, if there is one, comes from rules_test.go.
func (f *flattener) value(path, name string, v reflect.Value) {
	full := f.response + "." + bracketed.ReplaceAllString(path, "")
	if rule, ok := valueRules[f.response+"."+path]; ok {
		f.add(path, "%s", rule(f, v.Interface()))
		return
	}
	if rule, ok := valueRules[full]; ok {
		f.add(path, "%s", rule(f, v.Interface()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			f.add(path, "null")
			return
		}
		f.value(path, name, v.Elem())
	case reflect.Struct:
		f.fields(path, v)
	case reflect.String:
		f.add(path, "%q", f.text(v.String()))
	case reflect.Array:
		f.add(path, "%s", f.id(v.Bytes()))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			f.bytes(path, full, v.Bytes())
			return
		}
		f.list(path, name, full, v)
	default:
		f.add(path, "%v", v.Interface())
	}
}

// id shows a 16-byte id.
func (f *flattener) id(b []byte) string {
	text := hex.EncodeToString(b)
	if f.exact || strings.Trim(text, "0") == "" {
		return text
	}
	return f.symbol("id", text)
}

func (f *flattener) bytes(path, full string, b []byte) {
	switch {
	case b == nil:
		f.add(path, "null")
	case recordFields[full]:
		f.records(path, b)
	default:
		f.add(path, "%x", b)
	}
}

// list flattens items in their order, or by their key where Kafka's order is that of a hash map.
func (f *flattener) list(path, name, full string, v reflect.Value) {
	if v.IsNil() {
		f.add(path, "null")
		return
	}
	key, keyed := listKeys[full]
	if !keyed {
		f.add(path, "%d items", v.Len())
		for i := range v.Len() {
			f.value(fmt.Sprintf("%s[%d]", path, i), name, v.Index(i))
		}
		return
	}
	type item struct {
		key string
		at  int
	}
	var items []item
	rises := true
	for i := range v.Len() {
		items = append(items, item{f.text(key.of(f, v.Index(i).Interface())), i})
		rises = rises && (key.by == nil || i == 0 || key.by(v.Index(i-1).Interface()) < key.by(v.Index(i).Interface()))
	}
	if key.by != nil {
		f.add(path+" in order", "%v", rises)
	}
	sort.SliceStable(items, func(i, j int) bool { return items[i].key < items[j].key })
	for n, it := range items {
		at := fmt.Sprintf("%s[%s]", path, it.key)
		if n > 0 && items[n-1].key == it.key {
			at = fmt.Sprintf("%s[%s again %d]", path, it.key, n)
		}
		f.add(at, "listed")
		f.value(at, name, v.Index(it.at))
	}
	if len(items) == 0 {
		f.add(path, "0 items")
	}
}

var uuidText = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// text replaces what names the broker, and generated uuids.
func (f *flattener) text(v string) string {
	v = strings.ReplaceAll(v, f.node.dataDir, "<log dir>")
	v = strings.ReplaceAll(v, f.node.address, "<address>")
	v = strings.ReplaceAll(v, f.node.controller, "<controller>")
	v = strings.ReplaceAll(v, f.name, "<name>")
	if f.exact {
		return v
	}
	return uuidText.ReplaceAllStringFunc(v, func(id string) string { return f.symbol("uuid", id) })
}

// time shows a timestamp: one of the run is a clock's.
func (f *flattener) time(ms int64) string {
	at := time.UnixMilli(ms)
	if !f.exact && at.After(f.node.since.Add(-time.Second)) && at.Before(time.Now().Add(time.Minute)) {
		return "<now>"
	}
	return fmt.Sprint(ms)
}
