package batch

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// walk is one pass over a batch's records.
type walk struct {
	header       Header
	options      CheckOptions
	index        int32 // of the record at hand
	maxTimestamp int64
	deltaOfMax   int32
	gaps         bool // offsets are not consecutive
	errors       *RecordErrors
}

// plain walks uncompressed records.
func (w *walk) plain(payload []byte) error {
	at := 0
	var m recordMeta
	for w.index = 0; w.index < w.header.NumRecords; w.index++ {
		if at = walkRecord(payload, at, &m); at < 0 {
			return invalid("record %d of %d does not parse", w.index, w.header.NumRecords)
		}
		if m.offsetDelta != w.index && w.options.Origin == FromClient {
			return invalid("record %d has offset delta %d", w.index, m.offsetDelta)
		}
		w.record(&m)
	}
	if at != len(payload) {
		return invalid("%d bytes behind the last record", len(payload)-at)
	}
	return nil
}

// compressed walks records in a stream. Offsets with gaps are not an error here but a reason to rebuild the batch: some
// clients wrote them, and Kafka has always put them right.
func (w *walk) compressed(payload []byte) error {
	s, err := openRecords(w.header.Codec(), payload, decodeLimit(w.options.MaxDecoded))
	if err != nil {
		return err
	}
	defer s.from.close()
	var m recordMeta
	for w.index = 0; w.index < w.header.NumRecords; w.index++ {
		if s.record(&m, nil); s.err != nil {
			return fmt.Errorf("record %d of %d: %w", w.index, w.header.NumRecords, s.err)
		}
		if m.offsetDelta != w.index && w.options.Origin == FromClient {
			w.gaps = true
		}
		w.record(&m)
	}
	return s.end()
}

// record checks one record against the topic's settings.
func (w *walk) record(m *recordMeta) {
	timestamp := w.header.timestamp(m.timestampDelta)
	if timestamp > w.maxTimestamp {
		w.maxTimestamp, w.deltaOfMax = timestamp, m.offsetDelta
	}
	w.settings(timestamp, m.hasKey)
}

// settings holds one record against the topic's.
func (w *walk) settings(timestamp int64, hasKey bool) {
	if w.options.Compacted && !hasKey {
		w.refuse(kerr.InvalidRecord, func() string { return "Compacted topic cannot accept message without key" })
		return
	}
	w.timestamp(timestamp)
}

// timestamp holds a record's timestamp against the topic's bounds. Without a timestamp, or where the broker sets it, only
// one thing is wrong: a producer that says the broker already had.
func (w *walk) timestamp(timestamp int64) {
	o := &w.options
	if o.LogAppendTime || timestamp == NoTimestamp {
		if w.header.LogAppendTime() {
			w.refuse(kerr.InvalidTimestamp, func() string {
				return "Producer should not set timestamp type to LogAppendTime"
			})
		}
		return
	}
	// Wraps for absurd timestamps as Kafka's does: -1 and -2 pass the default bound.
	if age := o.NowMs - timestamp; age > o.BeforeMaxMs || -age > o.AfterMaxMs {
		w.refuse(kerr.InvalidTimestamp, func() string {
			return fmt.Sprintf("Timestamp %d is out of range. It should be within [%d, %d]",
				timestamp, o.NowMs-o.BeforeMaxMs, o.NowMs+o.AfterMaxMs)
		})
	}
}

// refuse notes the record at hand; the message is made only if it is kept.
func (w *walk) refuse(cause error, message func() string) {
	if w.errors == nil {
		w.errors = &RecordErrors{Cause: kerr.InvalidRecord}
	}
	w.errors.Total++
	if cause == kerr.InvalidTimestamp { // one bad timestamp decides the answer, as in Kafka
		w.errors.Cause = cause
	}
	if len(w.errors.Records) < MaxRecordErrors {
		w.errors.Records = append(w.errors.Records, RecordError{Index: w.index, Message: message()})
	}
}
