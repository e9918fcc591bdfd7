package batch

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ConvertOptions say what UpConvert makes.
type ConvertOptions struct {
	Codec       Codec // CodecProducer: that of the message set
	Levels      Levels
	KeepOffsets bool // else they count from 0
	MaxDecoded  int  // 0: MaxDecodedBytes
}

// UpConvert makes one batch of magic 2 of a message set of magic 0 or 1, which may be one compressed wrapper. Messages of
// magic 0 have no timestamp. An error wraps kerr.CorruptMessage or kerr.InvalidRecord.
func UpConvert(messages []byte, o ConvertOptions) ([]byte, error) {
	set, err := parseMessageSet(messages, o.MaxDecoded, anySize)
	if err != nil {
		return nil, err
	}
	if len(set.records) == 0 {
		return nil, invalid("no whole message in the set")
	}
	options := BuilderOptions{LeaderEpoch: NoLeaderEpoch, Codec: set.targetCodec(o.Codec), Levels: o.Levels}
	if o.KeepOffsets {
		options.BaseOffset = set.records[0].Offset
	}
	if set.logAppendTime {
		options.LogAppendTime, options.AppendTimeMs = true, set.records[0].Timestamp
	}
	builder := NewBuilder(options)
	for _, r := range set.records {
		if !o.KeepOffsets {
			builder.Append(r)
		} else if err := builder.AppendAt(r); err != nil {
			return nil, invalid("%v", err)
		}
	}
	return builder.Build(), nil
}

func (s *messageSet) targetCodec(wanted Codec) Codec {
	if wanted == CodecProducer {
		return s.codec
	}
	return wanted
}

// checkLegacy is Check for what producers before 0.11 send.
func checkLegacy(b []byte, o CheckOptions) (Checked, error) {
	set, err := parseMessageSet(b, o.MaxDecoded, func(size int) error { return checkSize(size, o) })
	if err != nil {
		return Checked{}, err
	}
	w := walk{options: o, maxTimestamp: NoTimestamp}
	if set.logAppendTime {
		w.header.Attributes = bitLogAppendTime
	}
	builder := NewBuilder(BuilderOptions{
		LeaderEpoch: NoLeaderEpoch, Codec: set.targetCodec(o.Codec), Levels: o.Levels,
		LogAppendTime: o.LogAppendTime, AppendTimeMs: o.NowMs,
	})
	for i, r := range set.records {
		w.index = int32(i)
		w.settings(r.Timestamp, r.Key != nil)
		builder.Append(r)
	}
	if w.errors != nil {
		return Checked{}, w.errors
	}
	return o.built(builder)
}

// DownConvert makes a message set of magic 0 or 1 of whole batches, for consumers before 0.11. It keeps offsets, and each
// batch's codec; headers, producers and control batches have no place there. Records below from are left out where
// messages stand alone, as some clients do not skip them; a compressed batch stays whole.
//
// It stops before the result outgrows maxBytes (0: no limit), but converts one batch at least. Half a batch at the end is
// ignored. zstd is kerr.UnsupportedCompressionType.
func DownConvert(batches []byte, magic int8, from int64, maxBytes int) ([]byte, error) {
	if magic != MagicV0 && magic != MagicV1 {
		return nil, fmt.Errorf("down-conversion to magic %d: %w", magic, kerr.UnsupportedForMessageFormat)
	}
	var out []byte
	for {
		size, has, err := frame(batches)
		if err != nil || size == 0 {
			return out, err
		}
		before := len(out)
		whole := batches[:size]
		if has <= magic {
			out = append(out, whole...)
		} else if out, err = appendDownConverted(out, whole, has, magic, from); err != nil {
			return nil, err
		}
		if maxBytes > 0 && len(out) > maxBytes && before > 0 {
			return out[:before], nil
		}
		batches = batches[size:]
	}
}

func appendDownConverted(dst, whole []byte, has, magic int8, from int64) ([]byte, error) {
	var codec Codec
	var appendTime bool
	if has == MagicCurrent {
		h, err := ParseHeader(whole)
		if err != nil {
			return nil, err
		}
		if h.Control() {
			return dst, nil
		}
		codec, appendTime = h.Codec(), h.LogAppendTime()
	} else {
		m, err := parseLegacyMessage(whole)
		if err != nil {
			return nil, err
		}
		codec, appendTime = m.codec(), m.logAppendTime()
	}
	if codec == CodecZstd {
		return nil, fmt.Errorf("zstd batch for a consumer of magic %d: %w", magic, kerr.UnsupportedCompressionType)
	}
	var attributes byte
	if appendTime && magic == MagicV1 {
		attributes = bitLogAppendTime
	}
	if codec == CodecNone {
		return appendPlainMessages(dst, whole, magic, attributes, from)
	}
	return appendWrapper(dst, whole, magic, attributes, codec)
}

func appendPlainMessages(dst, whole []byte, magic int8, attributes byte, from int64) ([]byte, error) {
	for r, err := range Records(whole, 0) {
		if err != nil {
			return nil, err
		}
		if r.Offset >= from {
			dst = appendLegacyMessage(dst, messageOf(&r, r.Offset, magic, attributes))
		}
	}
	return dst, nil
}

func messageOf(r *Record, offset int64, magic int8, attributes byte) *legacyMessage {
	return &legacyMessage{
		offset: offset, magic: magic, attributes: attributes, timestamp: r.Timestamp, key: r.Key, value: r.Value,
	}
}

// appendWrapper appends a batch as one compressed message. Inner offsets count from the first record in magic 1.
func appendWrapper(dst, whole []byte, magic int8, attributes byte, codec Codec) ([]byte, error) {
	inner := body{codec: codec, brokenLZ4: magic == MagicV0}
	wrapper := legacyMessage{magic: magic, attributes: attributes | byte(codec), timestamp: NoTimestamp}
	base := int64(0)
	for r, err := range singly(whole, maxConvertedBytes) {
		if err != nil {
			return nil, err
		}
		if inner.encoded() == 0 && magic == MagicV1 {
			base = r.Offset
		}
		inner.staged = appendLegacyMessage(inner.staged, messageOf(&r, r.Offset-base, magic, attributes))
		if err := inner.drain(); err != nil {
			return nil, err
		}
		wrapper.offset = r.Offset
		wrapper.timestamp = max(wrapper.timestamp, r.Timestamp)
	}
	if inner.encoded() == 0 { // compaction left only the header
		return dst, nil
	}
	wrapper.value = inner.finish()
	return appendLegacyMessage(dst, &wrapper), nil
}
