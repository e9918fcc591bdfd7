//go:build suite

package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

// A record is one Kafka record as the adapters write it down; a null is kept apart from an empty value.
type record struct {
	Key       []byte   `json:"k"`
	Value     []byte   `json:"v"`
	Headers   []header `json:"h"`
	Timestamp int64    `json:"t"` // Unix milliseconds
	Offset    int64    `json:"o"` // where it was read; ignored when producing

	headerText string // instead of Headers, where a client only prints them
}

type header struct {
	Name  string `json:"n"`
	Value []byte `json:"v"`
}

// datasetBytes is how much each library produces with each codec: keys, values and headers.
const datasetBytes = 2 << 20

// headerSets are what the records carry. A name that comes twice stands together, since kafkajs keeps an object.
var headerSets = [][]header{
	nil,
	{{"content-type", []byte("text/plain")}},
	{{"retry", []byte("1")}, {"retry", []byte("2")}, {"trace", []byte{0x01, 0xff, 0xfe, 0x80}}},
	{{"absent", nil}, {"empty", []byte{}}, {"spaced name, with = signs?", []byte("a=b,c=d\n")}},
	{{"größe", []byte("Größe — 10 µm")}},
}

// dataset makes records of every kind that the protocol has, the same ones for the same seed, from the last hours up to
// now, out of order in time.
func dataset(seed uint64, now time.Time, bytes int) []record {
	random := rand.New(rand.NewPCG(seed, 3))
	var records []record
	for size := 0; size < bytes; {
		r := record{
			Key:       datum(random, 40),
			Value:     datum(random, 2000),
			Headers:   headerSets[random.IntN(len(headerSets))],
			Timestamp: now.Add(-time.Duration(random.IntN(6*3600_000)) * time.Millisecond).UnixMilli(),
		}
		if random.IntN(300) == 0 {
			r.Value = text(random, 100_000) // longer than many buffers
		}
		records = append(records, r)
		size += len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			size += len(h.Name) + len(h.Value)
		}
	}
	return records
}

// datum is null, empty, a line of text, or bytes of any value.
func datum(random *rand.Rand, longest int) []byte {
	switch random.IntN(10) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2, 3, 4:
		b := make([]byte, 1+random.IntN(longest))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	return text(random, 1+random.IntN(longest))
}

// text is what compresses as logs do.
func text(random *rand.Rand, length int) []byte {
	words := []string{"partition", "offset", "leader", "epoch", "Größe", "id=", "0", "17", "\t", "\n", " ", ",", "{\"a\":", "}", "日本"}
	b := make([]byte, 0, length+16)
	for len(b) < length {
		b = append(b, words[random.IntN(len(words))]...)
	}
	return b[:length]
}

// difference says how two records differ, "" when they do not.
func difference(want, got record) string {
	var d []string
	if !same(want.Key, got.Key) {
		d = append(d, fmt.Sprintf("key %s, want %s", show(got.Key), show(want.Key)))
	}
	if !same(want.Value, got.Value) {
		d = append(d, fmt.Sprintf("value %s, want %s", show(got.Value), show(want.Value)))
	}
	if want.headerText != "" || got.headerText != "" {
		if want.headerText != got.headerText {
			d = append(d, fmt.Sprintf("headers %q, want %q", got.headerText, want.headerText))
		}
	} else if !slices.EqualFunc(want.Headers, got.Headers, func(a, b header) bool { return a.Name == b.Name && same(a.Value, b.Value) }) {
		d = append(d, "headers "+showHeaders(got.Headers)+", want "+showHeaders(want.Headers))
	}
	if want.Timestamp != got.Timestamp {
		d = append(d, fmt.Sprintf("timestamp %d, want %d", got.Timestamp, want.Timestamp))
	}
	if want.Offset != got.Offset {
		d = append(d, fmt.Sprintf("offset %d, want %d", got.Offset, want.Offset))
	}
	return strings.Join(d, "; ")
}

// same keeps null apart from empty.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func show(b []byte) string {
	if b == nil {
		return "null"
	}
	if len(b) > 60 {
		return fmt.Sprintf("%q… (%d bytes)", b[:60], len(b))
	}
	return fmt.Sprintf("%q", b)
}

func showHeaders(headers []header) string {
	var parts []string
	for _, h := range headers {
		parts = append(parts, h.Name+": "+show(h.Value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// compare holds every record that came out against the one that went in, and says where they differ first.
func compare(want, got []record) error {
	if len(want) != len(got) {
		return fmt.Errorf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if d := difference(want[i], got[i]); d != "" {
			return fmt.Errorf("record %d of %d: %s", i, len(want), d)
		}
	}
	return nil
}

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
			return nil, fmt.Errorf("%s, record %d: %w", name, len(records), err)
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
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<16)
	for e := json.NewEncoder(w); len(records) > 0; records = records[1:] {
		if err := e.Encode(records[0]); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
