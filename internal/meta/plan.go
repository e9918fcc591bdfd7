package meta

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// plan is what the struct tags of one type say, compiled once.
type plan struct {
	fields  []field // in the order of the wire
	tagged  []field // by rising tag
	tags    int     // index of the embedded UnknownTags
	minSize int     // the fewest bytes that one value can take
}

// field is one field of a plan.
type field struct {
	name     string
	index    int
	since    int16 // first version that has the field
	nullable int16 // first version in which it may be null; never: 1<<15 - 1
	tag      int   // -1: not tagged
	def      int64 // the default of a tagged number
	elem     *plan // what a slice of structs, or a struct, is made of
}

const neverNull = 1<<15 - 1

// plans has a plan for every struct that goes over the wire.
var plans = compileAll()

func compileAll() map[reflect.Type]*plan {
	all := make(map[reflect.Type]*plan)
	for _, s := range schemas {
		compile(all, reflect.TypeOf(s.make()).Elem())
	}
	for _, s := range controlSchemas {
		compile(all, reflect.TypeOf(s.make()).Elem())
	}
	return all
}

// compile reads the tags of t. A tag that it does not understand is a bug of
// this package and panics when the package is loaded.
func compile(all map[reflect.Type]*plan, t reflect.Type) *plan {
	if p, ok := all[t]; ok {
		return p
	}
	p := &plan{tags: -1, minSize: 1}
	all[t] = p
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Type == reflect.TypeFor[UnknownTags]() {
			p.tags = i
			continue
		}
		f := parseTag(sf)
		f.index = i
		if e := structOf(sf.Type); e != nil {
			f.elem = compile(all, e)
		}
		if f.tag >= 0 {
			p.tagged = insertByTag(p.tagged, f)
			continue
		}
		p.fields = append(p.fields, f)
		if f.since == 0 {
			p.minSize += minSize(sf.Type, f.elem)
		}
	}
	if p.tags < 0 {
		panic(fmt.Sprintf("meta: %s has no UnknownTags", t))
	}
	return p
}

func insertByTag(fields []field, f field) []field {
	at := len(fields)
	for at > 0 && fields[at-1].tag > f.tag {
		at--
	}
	return append(fields[:at], append([]field{f}, fields[at:]...)...)
}

// structOf is the struct type that t is, or is a slice of; nil when there is
// none. Only structs with tags of their own count: an ID is an array.
func structOf(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct {
		return t
	}
	return nil
}

// minSize is the fewest bytes that an untagged value of type t takes.
func minSize(t reflect.Type, elem *plan) int {
	switch t.Kind() {
	case reflect.Int16, reflect.Uint16:
		return 2
	case reflect.Int32:
		return 4
	case reflect.Int64, reflect.Float64:
		return 8
	case reflect.Array:
		return len(ID{})
	case reflect.Struct:
		return elem.minSize
	}
	return 1 // a bool, an int8, or the length of a string or slice
}

func parseTag(sf reflect.StructField) field {
	text, ok := sf.Tag.Lookup("kafka")
	if !ok {
		panic(fmt.Sprintf("meta: field %s has no kafka tag", sf.Name))
	}
	f := field{name: sf.Name, nullable: neverNull, tag: -1}
	for i, part := range strings.Split(text, ",") {
		switch {
		case i == 0:
			f.since = parseSince(sf.Name, part)
		case strings.HasPrefix(part, "nullable "):
			f.nullable = parseSince(sf.Name, strings.TrimPrefix(part, "nullable "))
		case strings.HasPrefix(part, "tag="):
			f.tag = int(parseNumber(sf.Name, strings.TrimPrefix(part, "tag=")))
		case strings.HasPrefix(part, "default="):
			f.def = parseNumber(sf.Name, strings.TrimPrefix(part, "default="))
		default:
			panic(fmt.Sprintf("meta: field %s: %q is not understood", sf.Name, part))
		}
	}
	return f
}

func parseSince(name, s string) int16 {
	return int16(parseNumber(name, strings.TrimSuffix(s, "+")))
}

func parseNumber(name, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		panic(fmt.Sprintf("meta: field %s: %v", name, err))
	}
	return n
}
