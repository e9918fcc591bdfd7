package batch

import (
	"iter"
	"slices"
)

// Record is one record. A nil Key or Value is null, an empty one is empty.
type Record struct {
	Offset    int64
	Timestamp int64
	Key       []byte
	Value     []byte
	Headers   []RecordHeader
}

// RecordHeader is a header of a record. A nil Value is null.
type RecordHeader struct {
	Key   string
	Value []byte
}

// MaxRecordHeaders bounds the headers of one record. They take twenty times their least size when parsed, and compress to
// nothing; no batch of a size that producers are allowed by default has so many.
const MaxRecordHeaders = 1 << 20

// validHeaderCount says whether so many headers may be in the bytes that are left; each takes two at least.
func validHeaderCount(count int32, left int) bool {
	return count >= 0 && count <= MaxRecordHeaders && int(count) <= left/2
}

// Records decodes the records of b, which is one whole batch of magic 2 or one message of magic 0 or 1; bytes
// behind it are ignored. Offsets and timestamps are absolute, and the append time where the batch has one.
// Keys and values alias b or, if it is compressed, one buffer of at most maxDecoded bytes (0: MaxDecodedBytes); they
// may be kept but not changed. After an error there is nothing more. Checksums of magic 2 are the caller's (CheckCRC).
// That buffer is why strangers' batches are better walked by Scan: they may hold 2 GiB in a few bytes.
func Records(b []byte, maxDecoded int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if magic, err := PeekMagic(b); err == nil && (magic == MagicV0 || magic == MagicV1) {
			yieldLegacy(b, maxDecoded, yield)
			return
		}
		h, whole, _, err := Next(b)
		if err != nil {
			yield(Record{}, err)
			return
		}
		payload, err := decompress(h.Codec(), whole[HeaderSize:], maxDecoded, false)
		if err != nil {
			yield(Record{}, err)
			return
		}
		yieldRecords(h, payload, yield)
	}
}

func yieldRecords(h Header, payload []byte, yield func(Record, error) bool) {
	if h.NumRecords < 0 {
		yield(Record{}, invalid("batch of %d records", h.NumRecords))
		return
	}
	at := 0
	for i := range h.NumRecords {
		r, end := parseRecord(payload, at, h)
		if end < 0 {
			yield(Record{}, invalid("record %d of %d does not parse", i, h.NumRecords))
			return
		}
		at = end
		if !yield(r, nil) {
			return
		}
	}
	if at != len(payload) {
		yield(Record{}, invalid("%d bytes behind the last record", len(payload)-at))
	}
}

// parseRecord parses the record at payload[at:] and returns where it ends, or -1.
func parseRecord(payload []byte, at int, h Header) (Record, int) {
	size, i := readVarint32(payload, at)
	if i < 0 || size < 1 || int(size) > len(payload)-i {
		return Record{}, -1
	}
	end := i + int(size)
	r, ok := parseRecordBody(payload[i:end], h)
	if !ok {
		return Record{}, -1
	}
	return r, end
}

// parseRecordBody parses a record from behind its size.
func parseRecordBody(body []byte, h Header) (r Record, ok bool) {
	timestampDelta, i := readVarint64(body, 1) // behind the attributes, which are unused
	offsetDelta, i := readVarint32(body, i)
	r.Key, i = readBytes(body, i)
	r.Value, i = readBytes(body, i)
	count, i := readVarint32(body, i)
	if i < 0 || !validHeaderCount(count, len(body)-i) {
		return Record{}, false
	}
	if count > 0 {
		r.Headers = make([]RecordHeader, count)
	}
	for n := range r.Headers {
		var key []byte
		key, i = readBytes(body, i)
		if i < 0 || key == nil {
			return Record{}, false
		}
		r.Headers[n].Key = string(key)
		r.Headers[n].Value, i = readBytes(body, i)
	}
	if i != len(body) {
		return Record{}, false
	}
	r.Offset = h.BaseOffset + int64(offsetDelta)
	r.Timestamp = h.timestamp(timestampDelta)
	return r, true
}

// readBytes reads a length and that many bytes; a negative length is null, as in Kafka any is. An i of -1 stays.
func readBytes(b []byte, i int) ([]byte, int) {
	size, i := readVarint32(b, i)
	if i < 0 || int(size) > len(b)-i {
		return nil, -1
	}
	if size < 0 {
		return nil, i
	}
	end := i + int(size)
	return b[i:end:end], end
}

// appendRecord appends the record with the given deltas.
func appendRecord(b []byte, r *Record, timestampDelta int64, offsetDelta int32) []byte {
	size := recordBodySize(r, timestampDelta, offsetDelta)
	b = slices.Grow(b, size+maxVarint32Size)
	b = appendRecordHead(b, size, timestampDelta, offsetDelta)
	b = appendBytes(b, r.Key)
	b = appendBytes(b, r.Value)
	b = appendVarint(b, int64(len(r.Headers)))
	for i := range r.Headers {
		b = appendVarint(b, int64(len(r.Headers[i].Key)))
		b = append(b, r.Headers[i].Key...)
		b = appendBytes(b, r.Headers[i].Value)
	}
	return b
}

// appendRecordHead appends what comes before the key. size counts what follows it.
func appendRecordHead(b []byte, size int, timestampDelta int64, offsetDelta int32) []byte {
	b = appendVarint(b, int64(size))
	b = append(b, 0) // attributes
	b = appendVarint(b, timestampDelta)
	return appendVarint(b, int64(offsetDelta))
}

func appendBytes(b, value []byte) []byte {
	if value == nil {
		return appendVarint(b, -1)
	}
	b = appendVarint(b, int64(len(value)))
	return append(b, value...)
}

func recordBodySize(r *Record, timestampDelta int64, offsetDelta int32) int {
	size := 1 + varintSize(timestampDelta) + varintSize(int64(offsetDelta)) +
		bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(len(r.Headers)))
	for i := range r.Headers {
		n := len(r.Headers[i].Key)
		size += varintSize(int64(n)) + n + bytesSize(r.Headers[i].Value)
	}
	return size
}

func bytesSize(value []byte) int {
	if value == nil {
		return varintSize(-1)
	}
	return varintSize(int64(len(value))) + len(value)
}
