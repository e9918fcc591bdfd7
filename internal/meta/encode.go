package meta

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
)

// frameVersion is the version of the frame around each metadata record.
const frameVersion = 1

// Encode appends to dst the record as metadata version level writes it: the
// frame (frame version, kind, record version) and the body. It fails when the
// record says something that records of that level cannot say.
func Encode(dst []byte, r Record, level int16) ([]byte, error) {
	return EncodeVersion(dst, r, RecordVersion(r.Kind(), level))
}

// EncodeVersion is Encode with the version of the record given. The version of
// an UnknownRecord is its own.
func EncodeVersion(dst []byte, r Record, version int16) ([]byte, error) {
	if u, ok := r.(*UnknownRecord); ok {
		return append(appendFrame(dst, u.Type, u.Version), u.Body...), nil
	}
	kind := r.Kind()
	if s := schemas[kind]; version < 0 || version > s.newest {
		return dst, fmt.Errorf("%s has no version %d", kind, version)
	}
	e := encoder{buf: appendFrame(dst, kind, version), version: version}
	e.object(reflect.ValueOf(r).Elem())
	if e.err != nil {
		return dst, fmt.Errorf("%s version %d: %w", kind, version, e.err)
	}
	return e.buf, nil
}

func appendFrame(dst []byte, kind Kind, version int16) []byte {
	dst = binary.AppendUvarint(dst, frameVersion)
	dst = binary.AppendUvarint(dst, uint64(uint16(kind)))
	return binary.AppendUvarint(dst, uint64(uint16(version)))
}

// encoder writes one record of one version. Its first error sticks.
type encoder struct {
	buf     []byte
	version int16
	err     error
}

func (e *encoder) object(v reflect.Value) {
	p := plans[v.Type()]
	for i := range p.fields {
		f := &p.fields[i]
		fv := v.Field(f.index)
		if e.version < f.since {
			e.mustBeAbsent(f, fv)
			continue
		}
		e.field(f, fv)
	}
	e.taggedFields(p, v)
}

// mustBeAbsent holds that nothing is lost by writing an older version.
func (e *encoder) mustBeAbsent(f *field, v reflect.Value) {
	if !f.isDefault(v) && e.err == nil {
		e.err = fmt.Errorf("%s is set, and first exists in version %d", f.name, f.since)
	}
}

// isDefault says that a field can be left out. An empty slice is the default
// unless null is.
func (f *field) isDefault(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice:
		if f.nullable != neverNull {
			return v.IsNil()
		}
		return v.Len() == 0
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int() == f.def
	}
	return v.IsZero()
}

// taggedFields writes the fields that differ from their defaults and the tags
// that we do not know, all by rising tag.
func (e *encoder) taggedFields(p *plan, v reflect.Value) {
	unknown := *v.Field(p.tags).Addr().Interface().(*UnknownTags)
	count := len(unknown)
	for i := range p.tagged {
		f := &p.tagged[i]
		switch fv := v.Field(f.index); {
		case e.version < f.since:
			e.mustBeAbsent(f, fv)
		case !f.isDefault(fv):
			count++
		}
	}
	e.buf = binary.AppendUvarint(e.buf, uint64(count))
	for i := range p.tagged {
		f := &p.tagged[i]
		fv := v.Field(f.index)
		if e.version < f.since || f.isDefault(fv) {
			continue
		}
		for len(unknown) > 0 && unknown[0].Tag < uint32(f.tag) {
			e.rawTag(unknown[0].Tag, unknown[0].Data)
			unknown = unknown[1:]
		}
		body := encoder{version: e.version}
		body.field(f, fv)
		if body.err != nil && e.err == nil {
			e.err = body.err
		}
		e.rawTag(uint32(f.tag), body.buf)
	}
	for _, t := range unknown {
		e.rawTag(t.Tag, t.Data)
	}
}

func (e *encoder) rawTag(tag uint32, data []byte) {
	e.buf = binary.AppendUvarint(e.buf, uint64(tag))
	e.buf = binary.AppendUvarint(e.buf, uint64(len(data)))
	e.buf = append(e.buf, data...)
}

// length writes the length of something that may be null as KIP-482 does.
func (e *encoder) length(n int) { e.buf = binary.AppendUvarint(e.buf, uint64(n)+1) }

// null writes null when v is nil and the field may be null in this version.
// A nil slice that may not be null is an empty one.
func (e *encoder) null(f *field, isNil bool) bool {
	if !isNil || e.version < f.nullable {
		return false
	}
	e.buf = append(e.buf, 0)
	return true
}

func (e *encoder) field(f *field, v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *bool:
		e.buf = append(e.buf, boolByte(*x))
	case *int8:
		e.buf = append(e.buf, byte(*x))
	case *int16:
		e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(*x))
	case *uint16:
		e.buf = binary.BigEndian.AppendUint16(e.buf, *x)
	case *int32:
		e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(*x))
	case *int64:
		e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(*x))
	case *float64:
		e.buf = binary.BigEndian.AppendUint64(e.buf, math.Float64bits(*x))
	case *ID:
		e.buf = append(e.buf, x[:]...)
	case *string:
		e.string(*x)
	case **string:
		e.nullableString(f, *x)
	default:
		if v.Kind() == reflect.Struct {
			e.object(v)
			return
		}
		e.slice(f, v)
	}
}

func (e *encoder) nullableString(f *field, s *string) {
	switch {
	case e.null(f, s == nil):
	case s == nil:
		e.err = fmt.Errorf("%s is null", f.name)
	default:
		e.string(*s)
	}
}

func (e *encoder) slice(f *field, v reflect.Value) {
	if e.null(f, v.IsNil()) {
		return
	}
	e.length(v.Len())
	switch x := v.Addr().Interface().(type) {
	case *[]byte:
		e.buf = append(e.buf, *x...)
	case *[]int32:
		for _, n := range *x {
			e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(n))
		}
	case *[]ID:
		for i := range *x {
			e.buf = append(e.buf, (*x)[i][:]...)
		}
	case *[]string:
		for _, s := range *x {
			e.string(s)
		}
	default:
		for i := range v.Len() {
			e.object(v.Index(i))
		}
	}
}

// maxString is the longest string that Kafka's protocol can hold.
const maxString = math.MaxInt16

func (e *encoder) string(s string) {
	if len(s) > maxString && e.err == nil {
		e.err = fmt.Errorf("a string of %d bytes is too long", len(s))
	}
	e.length(len(s))
	e.buf = append(e.buf, s...)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
