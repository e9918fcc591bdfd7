package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// jsonRecord is a record with everything, as consume prints and produce reads it. Bytes that
// are not UTF-8 stand in the fields called …_base64.
type jsonRecord struct {
	Topic       string       `json:"topic,omitempty"`
	Partition   *int32       `json:"partition,omitempty"`
	Offset      *int64       `json:"offset,omitempty"`
	Timestamp   *time.Time   `json:"timestamp,omitempty"`
	Key         *string      `json:"key"`
	KeyBase64   *string      `json:"key_base64,omitempty"`
	Value       *string      `json:"value"`
	ValueBase64 *string      `json:"value_base64,omitempty"`
	Headers     []jsonHeader `json:"headers"`
}

type jsonHeader struct {
	Name        string  `json:"name"`
	Value       *string `json:"value"`
	ValueBase64 *string `json:"value_base64,omitempty"`
}

func newJSONRecord(r *kgo.Record) jsonRecord {
	timestamp := r.Timestamp.UTC()
	j := jsonRecord{Topic: r.Topic, Partition: &r.Partition, Offset: &r.Offset, Timestamp: &timestamp, Headers: make([]jsonHeader, 0, len(r.Headers))}
	j.Key, j.KeyBase64 = jsonText(r.Key)
	j.Value, j.ValueBase64 = jsonText(r.Value)
	for _, h := range r.Headers {
		header := jsonHeader{Name: h.Key}
		header.Value, header.ValueBase64 = jsonText(h.Value)
		j.Headers = append(j.Headers, header)
	}
	return j
}

// jsonText gives bytes as text if they are UTF-8, else in base64; null gives neither.
func jsonText(b []byte) (text, encoded *string) {
	if b == nil {
		return nil, nil
	}
	if s := string(b); utf8.ValidString(s) {
		return &s, nil
	}
	s := base64.StdEncoding.EncodeToString(b)
	return nil, &s
}

func jsonBytes(text, encoded *string) ([]byte, error) {
	switch {
	case encoded != nil:
		return base64.StdEncoding.DecodeString(*encoded)
	case text != nil:
		return []byte(*text), nil
	}
	return nil, nil
}

// parseJSONRecord reads a record's key, value and headers, and its timestamp if it has one.
// Where it was before does not matter.
func parseJSONRecord(line []byte) (*kgo.Record, error) {
	var j jsonRecord
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&j); err != nil {
		return nil, fmt.Errorf("it is no record in JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the record")
	}
	record := &kgo.Record{}
	var keyErr, valueErr error
	record.Key, keyErr = jsonBytes(j.Key, j.KeyBase64)
	record.Value, valueErr = jsonBytes(j.Value, j.ValueBase64)
	if err := errors.Join(keyErr, valueErr); err != nil {
		return nil, err
	}
	if j.Timestamp != nil {
		record.Timestamp = *j.Timestamp
	}
	for _, h := range j.Headers {
		value, err := jsonBytes(h.Value, h.ValueBase64)
		if err != nil {
			return nil, err
		}
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Name, Value: value})
	}
	return record, nil
}
