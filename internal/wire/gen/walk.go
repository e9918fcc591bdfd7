package main

import (
	"fmt"
	"strings"
)

// walker resolves one version of one message into the fields that its bytes consist of.
type walker struct {
	structs  map[string][]field
	version  int
	flexible bool
}

// fixedSizes are the types without a length, in bytes.
var fixedSizes = map[string]int{
	"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "float64": 8, "uuid": 16,
}

// structure renders the fields of a struct in this version: neighbours of fixed size merged, tagged ones last.
func (w walker) structure(fields []field) string {
	var parts, tagged []string
	fixed := 0
	flush := func() {
		if fixed > 0 {
			parts = append(parts, fmt.Sprintf("{kind: fixed, n: %d}", fixed))
			fixed = 0
		}
	}
	for _, f := range fields {
		switch {
		case w.flexible && f.TaggedVersions != "" && w.version <= parseRange(f.TaggedVersions).max:
			// The decoder reads a tag that it knows in every flexible version, also in those from before the tag.
			first := w
			first.version = max(w.version, parseRange(f.TaggedVersions).min)
			tagged = append(tagged, fmt.Sprintf("{kind: tagged, n: %s, fields: []field{%s}}", f.Tag, first.field(f)))
		case !parseRange(f.Versions).has(w.version):
		case fixedSizes[f.Type] > 0:
			fixed += fixedSizes[f.Type]
		default:
			flush()
			parts = append(parts, w.field(f))
		}
	}
	flush()
	return "[]field{" + strings.Join(append(parts, tagged...), ", ") + "}"
}

func (w walker) field(f field) string {
	nullable := parseRange(f.NullableVersions).has(w.version)
	if element, isArray := strings.CutPrefix(f.Type, "[]"); isArray {
		return w.array(f, element, nullable)
	}
	if size := fixedSizes[f.Type]; size > 0 {
		return fmt.Sprintf("{kind: fixed, n: %d}", size)
	}
	switch f.Type {
	case "string":
		return "{kind: text" + nullFlag(nullable) + "}"
	case "bytes", "records":
		return "{kind: blob" + nullFlag(nullable) + "}"
	}
	return fmt.Sprintf("{kind: structure%s, fields: %s}", nullFlag(nullable), w.structure(w.fieldsOf(f, f.Type)))
}

func (w walker) array(f field, element string, nullable bool) string {
	if size := fixedSizes[element]; size > 0 {
		return fmt.Sprintf("{kind: numbers, n: %d%s}", size, nullFlag(nullable))
	}
	if element == "string" {
		return "{kind: array, n: 16" + nullFlag(nullable) + ", fields: []field{{kind: text}}}"
	}
	fields := w.fieldsOf(f, element)
	return fmt.Sprintf("{kind: array, n: %d%s, fields: []field{{kind: structure, fields: %s}}}",
		w.memory(fields), nullFlag(nullable), w.structure(fields))
}

func nullFlag(nullable bool) string {
	if nullable {
		return ", null: true"
	}
	return ""
}

func (w walker) fieldsOf(f field, name string) []field {
	if len(f.Fields) > 0 {
		return f.Fields
	}
	fields, known := w.structs[name]
	if !known {
		panic("unknown struct " + name)
	}
	return fields
}

// memory estimates what one element takes in the decoder's memory: its Go struct has the fields of every version,
// and the map of unknown tags.
func (w walker) memory(fields []field) int {
	total := 8
	for _, f := range fields {
		switch size := fixedSizes[f.Type]; {
		case size > 0:
			total += size
		case strings.HasPrefix(f.Type, "[]") || f.Type == "bytes" || f.Type == "records":
			total += 24
		case f.Type == "string" && f.NullableVersions == "":
			total += 16
		case f.Type == "string" || f.NullableVersions != "":
			total += 8
		default:
			total += w.memory(w.fieldsOf(f, f.Type))
		}
	}
	return (total + 7) &^ 7
}
