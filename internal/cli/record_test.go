package cli

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestRecordsSurviveJSON(t *testing.T) {
	at := time.UnixMilli(1764000000123).UTC()
	for name, record := range map[string]*kgo.Record{
		"text":     {Key: []byte("k"), Value: []byte("v"), Timestamp: at},
		"nulls":    {Timestamp: at},
		"empty":    {Key: []byte{}, Value: []byte{}, Timestamp: at},
		"binary":   {Key: []byte{0xff, 0}, Value: []byte{0x80}, Timestamp: at},
		"headers":  {Value: []byte("<&>\n\u2028"), Timestamp: at, Headers: []kgo.RecordHeader{{Key: "a"}, {Key: "b", Value: []byte{0xfe}}, {Key: "", Value: []byte("x")}}},
		"NULL":     {Value: []byte("NULL"), Timestamp: at},
		"not null": {Value: []byte("null"), Timestamp: at},
	} {
		line, err := json.Marshal(newJSONRecord(record))
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseJSONRecord(line)
		if err != nil {
			t.Fatalf("%s: %s: %v", name, line, err)
		}
		if !reflect.DeepEqual(record, again) {
			t.Errorf("%s: %+v became %+v by way of %s", name, record, again, line)
		}
	}
}

func TestLinesThatAreNoRecordsAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"hello":                      "it is no record in JSON",
		`{"value":"a"} {}`:           "something follows the record",
		`{"valeu":"a"}`:              "unknown field",
		`{"value_base64":"not it!"}`: "illegal base64",
	} {
		if _, err := parseJSONRecord([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is answered with %v", line, err)
		}
	}
}

func FuzzJSONRecord(f *testing.F) {
	f.Add([]byte(`{"key":"k","value":null,"headers":[{"name":"a","value_base64":"/w=="}]}`))
	f.Add([]byte(`{"timestamp":"2026-11-25T22:18:05.937Z","value_base64":""}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		record, err := parseJSONRecord(line)
		if err != nil {
			return
		}
		if y := record.Timestamp.Year(); y < 0 || y > 9999 {
			return // JSON cannot write it
		}
		written, err := json.Marshal(newJSONRecord(record))
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseJSONRecord(written)
		if err != nil || !bytes.Equal(record.Value, again.Value) || (record.Value == nil) != (again.Value == nil) || len(record.Headers) != len(again.Headers) {
			t.Fatalf("%s became %s: %v", line, written, err)
		}
	})
}
