package meta

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// golden is a record as Kafka wrote it, see testdata/README.md.
type golden struct {
	Record  string
	Version int16
	Case    string
	Bytes   string
	Fields  map[string]any
}

func (g golden) String() string { return fmt.Sprintf("%s version %d, %s", g.Record, g.Version, g.Case) }

func goldens(t testing.TB) []golden {
	b, err := os.ReadFile("testdata/kafka-4.4.0.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		var g golden
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		if err := d.Decode(&g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

func TestRecordsAreReadAndWrittenAsKafkaDoes(t *testing.T) {
	kinds := make(map[Kind]int)
	for _, g := range goldens(t) {
		b, _ := hex.DecodeString(g.Bytes)
		if schemaNamed(g.Record) == nil {
			continue
		}
		r, version, err := DecodeVersion(b)
		if err != nil {
			t.Errorf("%s: %v", g, err)
			continue
		}
		kinds[r.Kind()]++
		if r.Kind().String() != g.Record || version != g.Version {
			t.Errorf("%s: read as %s version %d", g, r.Kind(), version)
		}
		compareStruct(t, g.String(), g.Fields, reflect.ValueOf(r).Elem())
		back, err := EncodeVersion(nil, r, version)
		if err != nil || !bytes.Equal(back, b) {
			t.Errorf("%s: written as\n%x (%v), Kafka wrote\n%x", g, back, err, b)
		}
	}
	for kind, s := range schemas {
		if kinds[kind] != 3*(int(s.newest)+1) {
			t.Errorf("%s: compared %d times, for %d versions", kind, kinds[kind], s.newest+1)
		}
	}
}

func TestControlRecordsAreReadAndWrittenAsKafkaDoes(t *testing.T) {
	compared := 0
	for _, g := range goldens(t) {
		for controlType, s := range controlSchemas {
			if s.name != g.Record {
				continue
			}
			compared++
			b, _ := hex.DecodeString(g.Bytes)
			r, err := DecodeControl([]byte{0, 0, 0, byte(controlType)}, b)
			if err != nil {
				t.Errorf("%s: %v", g, err)
				continue
			}
			compareStruct(t, g.String(), g.Fields, reflect.ValueOf(r).Elem())
			key, value := EncodeControl(r)
			if !bytes.Equal(key, []byte{0, 0, 0, byte(controlType)}) || !bytes.Equal(value, b) {
				t.Errorf("%s: written as %x %x, Kafka wrote %x", g, key, value, b)
			}
		}
	}
	if compared != len(controlSchemas) {
		t.Errorf("compared %d of %d control records", compared, len(controlSchemas))
	}
}

func schemaNamed(name string) *schema {
	for _, s := range schemas {
		if s.name == name {
			return &s
		}
	}
	return nil
}

// compareStruct holds the fields that Kafka says against those of v, whose names
// differ in case alone.
func compareStruct(t *testing.T, what string, fields map[string]any, v reflect.Value) {
	for name, want := range fields {
		f := v.FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, name) })
		if !f.IsValid() {
			t.Errorf("%s: no field for %s", what, name)
			continue
		}
		compareValue(t, what+": "+name, want, f)
	}
}

func compareValue(t *testing.T, what string, want any, v reflect.Value) {
	switch want := want.(type) {
	case map[string]any:
		compareStruct(t, what, want, v)
		return
	case []any:
		if v.Len() != len(want) {
			t.Errorf("%s: %d elements, Kafka has %d", what, v.Len(), len(want))
			return
		}
		for i := range want {
			compareValue(t, fmt.Sprintf("%s[%d]", what, i), want[i], v.Index(i))
		}
		return
	case nil:
		if !v.IsNil() {
			t.Errorf("%s: %v, Kafka has null", what, v)
		}
		return
	}
	if got := plainly(v); got != fmt.Sprint(want) {
		t.Errorf("%s: %s, Kafka has %v", what, got, want)
	}
}

// plainly is a value as Kafka's JSON has it.
func plainly(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case ID:
		return FormatID(x)
	case *string:
		return *x
	case []byte:
		return base64.StdEncoding.EncodeToString(x)
	case float64:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprint(v.Interface())
}
