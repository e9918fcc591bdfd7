//go:build suite

package oracle

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const batchHeader = 61

// records shows what Fetch gave: every batch and every record in it. What is compressed is shown as what it holds,
// because two encoders need not agree, and a checksum as whether it is right, because producer ids differ. An incomplete
// batch behind others is not shown: clients drop it and ask again, and how much of it is sent is up to the broker.
func (f *flattener) records(path string, b []byte) {
	if len(b) == 0 {
		f.add(path, "0 bytes")
	}
	for n := 0; len(b) > 0; n++ {
		at := fmt.Sprintf("%s[%d]", path, n)
		size := 12
		if len(b) >= 12 {
			size += int(int32(binary.BigEndian.Uint32(b[8:])))
		}
		if len(b) < 17 || size > len(b) || size < 17 {
			if n == 0 {
				f.add(at, "%d bytes of a batch", len(b))
			}
			return
		}
		if magic := int8(b[16]); magic == 2 {
			f.batch(at, b[:size])
		} else {
			f.message(at, b[:size], 0)
		}
		b = b[size:]
	}
}

func (f *flattener) batch(at string, b []byte) {
	o := binary.BigEndian
	attributes := int16(o.Uint16(b[21:]))
	codec := int(attributes & 7)
	f.add(at+".BaseOffset", "%d", int64(o.Uint64(b)))
	f.add(at+".LeaderEpoch", "%d", int32(o.Uint32(b[12:])))
	f.add(at+".CRC", "%v", crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)) == o.Uint32(b[17:]))
	f.add(at+".Attributes", "%#x", attributes)
	f.add(at+".LastOffsetDelta", "%d", int32(o.Uint32(b[23:])))
	f.add(at+".BaseTimestamp", "%s", f.time(int64(o.Uint64(b[27:]))))
	f.add(at+".MaxTimestamp", "%s", f.time(int64(o.Uint64(b[35:]))))
	f.add(at+".ProducerID", "%s", f.producer(int64(o.Uint64(b[43:]))))
	f.add(at+".ProducerEpoch", "%d", int16(o.Uint16(b[51:])))
	f.add(at+".BaseSequence", "%d", int32(o.Uint32(b[53:])))
	f.add(at+".NumRecords", "%d", int32(o.Uint32(b[57:])))
	if codec == noCodec {
		f.add(at+".Length", "%d", len(b))
	}
	payload, err := decompress(codec, b[batchHeader:])
	if err != nil {
		f.add(at+".Records", "do not decompress: %v", err)
		return
	}
	clock := f.time(int64(o.Uint64(b[27:]))) == "<now>" // then the deltas are a clock's, too
	for i := 0; len(payload) > 0; i++ {
		length, n := binary.Varint(payload)
		if n <= 0 || length < 0 || int(length) > len(payload)-n {
			f.add(fmt.Sprintf("%s.Records[%d]", at, i), "damaged")
			return
		}
		f.add(fmt.Sprintf("%s.Records[%d]", at, i), "%s", showRecord(payload[n:n+int(length)], clock))
		payload = payload[n+int(length):]
	}
}

func showRecord(b []byte, clock bool) string {
	at := 1
	number := func() int64 {
		v, n := binary.Varint(b[at:])
		at += max(n, 1)
		return v
	}
	data := func() string {
		n := number()
		if n < 0 {
			return "null"
		}
		at += int(n)
		return short(b[at-int(n) : at])
	}
	timestamp, offset := number(), number()
	if clock {
		timestamp = 0
	}
	text := fmt.Sprintf("%+d at %+d: %s=%s", offset, timestamp, data(), data())
	for range number() {
		text += fmt.Sprintf(" %s:%s", data(), data())
	}
	if b[0] != 0 {
		text += fmt.Sprintf(" attributes %#x", b[0])
	}
	return text
}

// short shows long data by its length and checksum.
func short(b []byte) string {
	if len(b) > 80 {
		return fmt.Sprintf("%d bytes %08x", len(b), crc32.ChecksumIEEE(b))
	}
	return fmt.Sprintf("%q", b)
}

// message shows one message of magic 0 or 1, and what a compressed one wraps.
func (f *flattener) message(at string, b []byte, depth int) {
	o := binary.BigEndian
	magic, attributes := int8(b[16]), int8(b[17])
	f.add(at+".Offset", "%d", int64(o.Uint64(b)))
	f.add(at+".CRC", "%v", crc32.ChecksumIEEE(b[16:]) == o.Uint32(b[12:]))
	f.add(at+".Magic", "%d", magic)
	f.add(at+".Attributes", "%#x", attributes)
	rest := b[18:]
	if magic == 1 {
		f.add(at+".Timestamp", "%s", f.time(int64(o.Uint64(rest))))
		rest = rest[8:]
	}
	field := func() []byte {
		n := int32(o.Uint32(rest))
		rest = rest[4:]
		if n < 0 {
			return nil
		}
		v := rest[:n:n]
		rest = rest[n:]
		return v
	}
	key, value := field(), field()
	f.add(at+".Key", "%s", shown(key))
	codec := int(attributes & 7)
	if codec == noCodec {
		f.add(at+".Value", "%s", shown(value))
		return
	}
	if magic == 0 && codec == lz4 {
		value = rightLZ4(value)
	}
	inner, err := decompress(codec, value)
	if err != nil || depth > 0 {
		f.add(at+".Value", "does not decompress: %v", err)
		return
	}
	for n := 0; len(inner) > 0; n++ {
		size := 12 + int(o.Uint32(inner[8:]))
		f.message(fmt.Sprintf("%s.Value[%d]", at, n), inner[:size], depth+1)
		inner = inner[size:]
	}
}

func shown(b []byte) string {
	if b == nil {
		return "null"
	}
	return short(b)
}
