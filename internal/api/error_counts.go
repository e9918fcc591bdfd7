package api

import (
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrorCounts is how often an answer tells each error code, NONE aside: at its top and for each topic, partition, group
// or resource in it, as Kafka counts its ErrorsPerSec. An answer without errors has none and allocates nothing.
type ErrorCounts []ErrorCount

// ErrorCount is how often an answer tells one error code.
type ErrorCount struct {
	Code  int16
	Times int
}

// Add counts a code. It is small enough to be inlined, as Produce and Fetch call it for each partition.
func (c *ErrorCounts) Add(code int16) {
	if code != 0 {
		c.add(code)
	}
}

func (c *ErrorCounts) add(code int16) {
	for i := range *c {
		if (*c)[i].Code == code {
			(*c)[i].Times++
			return
		}
	}
	*c = append(*c, ErrorCount{Code: code, Times: 1})
}

// ErrorFields knows where the error codes lie in the responses of each API, by key. That is looked for once, by
// reflection; counting then only follows the way, and passes by whatever holds no code.
type ErrorFields map[int16]*errorFields

// errorFields are the ways to the error codes below one struct.
type errorFields struct {
	code   int // the index of ErrorCode, or noCode
	inside []errorFieldsInside
}

// errorFieldsInside are the ways through a field that is a slice of structs.
type errorFieldsInside struct {
	slice   int
	element *errorFields
}

const noCode = -1

// ErrorFieldsOf looks where the rows' responses have their error codes.
func ErrorFieldsOf(rows []Row) ErrorFields {
	all := make(ErrorFields, len(rows))
	for _, row := range rows {
		all[row.Key] = findErrorFields(reflect.TypeOf(kmsg.ResponseForKey(row.Key)).Elem())
	}
	return all
}

// findErrorFields returns nil where there is no code at all. Only ErrorCode itself is one: CreateTopics'
// TopicConfigErrorCode says why configs are not shown, and Kafka does not count it.
func findErrorFields(of reflect.Type) *errorFields {
	found := &errorFields{code: noCode}
	for i := range of.NumField() {
		field := of.Field(i)
		switch {
		case field.Name == "ErrorCode":
			found.code = i
		case field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct:
			if element := findErrorFields(field.Type.Elem()); element != nil {
				found.inside = append(found.inside, errorFieldsInside{i, element})
			}
		}
	}
	if found.code == noCode && found.inside == nil {
		return nil
	}
	return found
}

// Count counts the error codes in a response; nothing in one of an API that has no row.
func (f ErrorFields) Count(response kmsg.Response) ErrorCounts {
	var counts ErrorCounts
	if fields := f[response.Key()]; fields != nil {
		fields.count(reflect.ValueOf(response).Elem(), &counts)
	}
	return counts
}

func (f *errorFields) count(in reflect.Value, counts *ErrorCounts) {
	if f.code != noCode {
		counts.Add(int16(in.Field(f.code).Int()))
	}
	for _, inside := range f.inside {
		slice := in.Field(inside.slice)
		for i := range slice.Len() {
			inside.element.count(slice.Index(i), counts)
		}
	}
}
