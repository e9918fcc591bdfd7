package main

import (
	"bufio"
	"encoding/json"
	"os"
	"time"
)

// A record is one Kafka record as the adapters write it down; a null is kept apart from an empty value.
type record struct {
	Key       []byte   `json:"k"`
	Value     []byte   `json:"v"`
	Headers   []header `json:"h"`
	Timestamp int64    `json:"t"` // Unix milliseconds
	Offset    int64    `json:"o"` // where it was read; ignored when producing
}

type header struct {
	Name  string `json:"n"`
	Value []byte `json:"v"`
}

func (r record) time() time.Time { return time.UnixMilli(r.Timestamp) }

func readRecords(name string) ([]record, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var records []record
	for d := json.NewDecoder(bufio.NewReaderSize(f, 1<<16)); d.More(); {
		var r record
		if err := d.Decode(&r); err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func writeRecords(name string, records []record) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	e := json.NewEncoder(w)
	for _, r := range records {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
