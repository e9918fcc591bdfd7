package meta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
)

// ErrMalformed is wrapped by every error of Decode that means broken bytes.
var ErrMalformed = errors.New("malformed metadata record")

// ErrUnsupportedVersion is wrapped when a record of a kind that we know has a
// version that we do not: acting on a part of it could be wrong.
var ErrUnsupportedVersion = errors.New("unsupported version of a metadata record")

// Decode reads one framed record. The result owns its memory. A kind that is
// not known makes an UnknownRecord. Counts are believed only as far as the
// bytes left could bear them out, so memory stays within a small multiple of b.
func Decode(b []byte) (Record, error) {
	r, _, err := DecodeVersion(b)
	return r, err
}

// DecodeVersion is Decode and says which version the record had.
func DecodeVersion(b []byte) (Record, int16, error) {
	d := decoder{rest: b}
	frame, kindNumber, version := d.uvarint(), d.uvarint(), d.uvarint()
	switch {
	case d.err != nil:
		return nil, 0, fmt.Errorf("%w: frame: %w", ErrMalformed, d.err)
	case frame != frameVersion:
		return nil, 0, fmt.Errorf("%w: frame version %d", ErrMalformed, frame)
	case kindNumber > math.MaxInt16 || version > math.MaxInt16:
		return nil, 0, fmt.Errorf("%w: kind %d version %d", ErrMalformed, kindNumber, version)
	}
	kind := Kind(kindNumber)
	s, known := schemas[kind]
	if !known {
		u := &UnknownRecord{Type: kind, Version: int16(version), Body: append([]byte(nil), d.rest...)}
		return u, u.Version, nil
	}
	if int16(version) > s.newest {
		return nil, 0, fmt.Errorf("%w: %s version %d, newest known %d", ErrUnsupportedVersion, kind, version, s.newest)
	}
	r := s.make()
	d.version = int16(version)
	d.whole(reflect.ValueOf(r).Elem())
	if d.err != nil {
		return nil, 0, fmt.Errorf("%w: %s version %d: %w", ErrMalformed, kind, version, d.err)
	}
	return r, int16(version), nil
}

var (
	errShort   = errors.New("the bytes end too early")
	errTooLong = errors.New("bytes are left over")
	errNull    = errors.New("null where a value must be")
	errVarint  = errors.New("a varint is too long")
	errTags    = errors.New("tags do not rise")
)

// decoder reads from rest. After its first error it reads zeroes.
type decoder struct {
	rest    []byte
	version int16
	err     error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

// take is the next n bytes, or nil after an error.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.fail(errShort)
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) number(size int) uint64 {
	b := d.take(size)
	n := uint64(0)
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// uvarint reads at most 32 bits, as Kafka does.
func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	switch {
	case size == 0:
		d.fail(errShort)
		return 0
	case size < 0 || n > math.MaxUint32:
		d.fail(errVarint)
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// length reads a length, -1 for null. It refuses more elements than the bytes
// left could hold, each taking at least elemSize.
func (d *decoder) length(elemSize int) int {
	n := int(d.uvarint()) - 1
	if n > 0 && n > len(d.rest)/elemSize {
		d.fail(errShort)
		return 0
	}
	return n
}

func (d *decoder) whole(v reflect.Value) {
	d.object(v)
	if d.err == nil && len(d.rest) > 0 {
		d.fail(errTooLong)
	}
}

func (d *decoder) object(v reflect.Value) {
	p := plans[v.Type()]
	for i := range p.fields {
		f := &p.fields[i]
		if d.version >= f.since {
			d.field(f, v.Field(f.index))
		}
	}
	for i := range p.tagged {
		if f := &p.tagged[i]; f.def != 0 {
			v.Field(f.index).SetInt(f.def)
		}
	}
	d.taggedFields(p, v)
}

func (d *decoder) taggedFields(p *plan, v reflect.Value) {
	last := int64(-1)
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		tag := d.uvarint()
		data := d.take(int(d.uvarint()))
		if d.err != nil {
			return
		}
		if int64(tag) <= last {
			d.fail(errTags)
			return
		}
		last = int64(tag)
		f := p.byTag(tag, d.version)
		if f == nil {
			unknown := v.Field(p.tags).Addr().Interface().(*UnknownTags)
			*unknown = append(*unknown, UnknownTag{Tag: uint32(tag), Data: append([]byte(nil), data...)})
			continue
		}
		body := decoder{rest: data, version: d.version}
		body.field(f, v.Field(f.index))
		if body.err == nil && len(body.rest) > 0 {
			body.fail(errTooLong)
		}
		if body.err != nil {
			d.fail(fmt.Errorf("%s: %w", f.name, body.err))
		}
	}
}

// byTag is the field with the tag, nil when this version has none.
func (p *plan) byTag(tag uint64, version int16) *field {
	for i := range p.tagged {
		if f := &p.tagged[i]; uint64(f.tag) == tag && version >= f.since {
			return f
		}
	}
	return nil
}

func (d *decoder) field(f *field, v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *bool:
		*x = d.number(1) != 0
	case *int8:
		*x = int8(d.number(1))
	case *int16:
		*x = int16(d.number(2))
	case *uint16:
		*x = uint16(d.number(2))
	case *int32:
		*x = int32(d.number(4))
	case *int64:
		*x = int64(d.number(8))
	case *float64:
		*x = math.Float64frombits(d.number(8))
	case *ID:
		copy(x[:], d.take(len(x)))
	case *string:
		*x = d.string(f.name)
	case **string:
		if n := d.length(1); n >= 0 {
			s := string(d.take(n))
			*x = &s
		} else if d.version < f.nullable {
			d.fail(fmt.Errorf("%s: %w", f.name, errNull))
		}
	default:
		if v.Kind() == reflect.Struct {
			d.object(v)
			return
		}
		d.slice(f, v)
	}
}

func (d *decoder) string(name string) string {
	n := d.length(1)
	if n < 0 {
		d.fail(fmt.Errorf("%s: %w", name, errNull))
		return ""
	}
	return string(d.take(n))
}

func (d *decoder) slice(f *field, v reflect.Value) {
	size := minSize(v.Type().Elem(), f.elem)
	n := d.length(size)
	if n < 0 {
		if d.version < f.nullable {
			d.fail(fmt.Errorf("%s: %w", f.name, errNull))
		}
		return
	}
	if n == 0 && f.nullable == neverNull {
		return // nil and empty mean the same
	}
	switch x := v.Addr().Interface().(type) {
	case *[]byte:
		*x = append([]byte{}, d.take(n)...)
	case *[]int32:
		*x = make([]int32, n)
		for i := range *x {
			(*x)[i] = int32(d.number(4))
		}
	case *[]ID:
		*x = make([]ID, n)
		for i := range *x {
			copy((*x)[i][:], d.take(size))
		}
	case *[]string:
		*x = make([]string, n)
		for i := range *x {
			(*x)[i] = d.string(f.name)
		}
	default:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			d.object(v.Index(i))
		}
	}
}
