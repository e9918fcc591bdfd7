//go:build suite

package clients

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// A client is one library and what it cannot do; what is not said here it must do.
type client struct {
	name       string
	start      func(*testing.T, string) adapter
	can        func(record) bool       // which records it can send; nil: all
	order      func([]record) []record // how it likes them sorted; nil: as they are
	ownTime    bool                    // its records carry the time at which it sends them
	sees       func(record) record     // what its reading loses of a record; nil: nothing
	idempotent bool                    // it has an idempotent producer
}

// codecs are Kafka's, by the names that clients give them. Every library here has all of them.
var codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

var libraries = []client{
	{name: "franz-go", start: startGo("franz-go"), idempotent: true},
	{name: "sarama", start: startGo("sarama"), idempotent: true},
	{name: "kafka-go", start: startGo("kafka-go"), sees: nullForEmpty},
	{name: "librdkafka", start: startKcat(), idempotent: true, can: kcatCan, order: kcatOrder, ownTime: true, sees: printedHeaders},
	{name: "java", start: startJava, idempotent: true},
	{name: "kafka-python", start: startPython, idempotent: true, can: pythonCan},
	{name: "kafkajs", start: startJS, idempotent: true, can: noNullHeader},
}

// printedHeaders is for kcat, which prints headers and does not quote them.
func printedHeaders(r record) record {
	r.headerText, r.Headers = headerText(r.Headers), nil
	return r
}

// nullForEmpty is for kafka-go, whose reader gives nil for both (its writer keeps them apart: the others see that).
func nullForEmpty(r record) record {
	r.Key, r.Value = nilIfEmpty(r.Key), nilIfEmpty(r.Value)
	r.Headers = slices.Clone(r.Headers)
	for i := range r.Headers {
		r.Headers[i].Value = nilIfEmpty(r.Headers[i].Value)
	}
	return r
}

func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// noNullHeader is for kafkajs, which throws on a header without a value.
func noNullHeader(r record) bool {
	return !slices.ContainsFunc(r.Headers, func(h header) bool { return h.Value == nil })
}

// pythonCan is for kafka-python, which refuses such a header too, and a record with neither key nor value.
func pythonCan(r record) bool { return noNullHeader(r) && (r.Key != nil || r.Value != nil) }

// A written topic is what one library produced with one codec.
type written struct {
	topic   string
	records []record
}

func topicOf(c client, codec string) string { return c.name + "-" + codec }

// TestEveryLibraryReadsWhatEveryOtherWrote has each library produce with each codec, and each read all of it back: every
// ordered pair, compared record by record.
func TestEveryLibraryReadsWhatEveryOtherWrote(t *testing.T) {
	b := startBroker(t, nil)
	var names []string // all at first: kafka-go does not look again for what it did not find
	for _, c := range libraries {
		for _, codec := range codecs {
			names = append(names, topicOf(c, codec))
		}
	}
	b.createTopics(t, names...)
	topics := make([][]written, len(libraries)) // by producer
	t.Run("produce", func(t *testing.T) {
		for i, c := range libraries {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				topics[i] = writeTopics(t, b, c, uint64(i))
			})
		}
	})
	var records, bytes atomic.Int64
	t.Run("consume", func(t *testing.T) {
		for _, c := range libraries {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				a := c.start(t, b.Address)
				for _, w := range slices.Concat(topics...) {
					got, err := a.consume(w.topic, len(w.records))
					if err != nil {
						t.Errorf("what %s wrote: %v", w.topic, err)
						continue
					}
					if err := compare(seen(c, w.records), got); err != nil {
						t.Errorf("what %s wrote: %v", w.topic, err)
					}
					records.Add(int64(len(got)))
					bytes.Add(datasetBytes)
				}
				t.Logf("%.1f s", time.Since(start).Seconds())
			})
		}
	})
	t.Logf("%d ordered pairs of libraries, %d codecs: %d records compared, %d MB",
		len(libraries)*len(libraries), len(codecs), records.Load(), bytes.Load()>>20)
}

// writeTopics produces a topic with each codec. Where a library has an idempotent producer, every other topic is its.
func writeTopics(t *testing.T, b broker, c client, seed uint64) []written {
	start := time.Now()
	a := c.start(t, b.Address)
	var all []written
	for i, codec := range codecs {
		w := written{topic: topicOf(c, codec)}
		w.records = suited(c, dataset(100*seed+uint64(i), start, datasetBytes))
		before := time.Now()
		if err := a.produce(w.topic, codec, c.idempotent && i%2 == 0, w.records); err != nil {
			t.Fatal(err)
		}
		for o := range w.records {
			w.records[o].Offset = int64(o)
		}
		if c.ownTime {
			stampAsRead(t, b, &w, before)
		}
		all = append(all, w)
	}
	t.Logf("%.1f s", time.Since(start).Seconds())
	return all
}

// suited is what of a dataset a library can send, in an order that suits it.
func suited(c client, records []record) []record {
	if c.can != nil {
		records = slices.DeleteFunc(records, func(r record) bool { return !c.can(r) })
	}
	if c.order != nil {
		records = c.order(records)
	}
	return records
}

// stampAsRead takes the timestamps that a library set itself from what franz-go reads: they must lie in the time of
// producing, and every other library must read the same.
func stampAsRead(t *testing.T, b broker, w *written, before time.Time) {
	t.Helper()
	got, err := startGo("franz-go")(t, b.Address).consume(w.topic, len(w.records))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if r.Timestamp < before.UnixMilli() || r.Timestamp > time.Now().UnixMilli() {
			t.Fatalf("%s, record %d: timestamp %d is not from when it was produced", w.topic, i, r.Timestamp)
		}
		w.records[i].Timestamp = r.Timestamp
	}
}

// seen is what of the records a library's reading can tell.
func seen(c client, records []record) []record {
	if c.sees == nil {
		return records
	}
	all := make([]record, len(records))
	for i, r := range records {
		all[i] = c.sees(r)
	}
	return all
}
