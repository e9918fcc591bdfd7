package logdir

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
)

// The manifest is `.barnabas-manifest`: all that is needed to open the directory without touching a partition's folder.
// docs/format/data-directory.md has the bytes. It is believed only if the clean-shutdown marker names its nonce, that
// is, if nobody has had the directory since it was written.
const (
	manifestMagic   = "BMAN"
	manifestVersion = 1
	manifestHeader  = len(manifestMagic) + 2 + nonceSize + 4
	nonceSize       = 16
	// minManifestEntry is the least that an entry takes; it bounds the count before anything is allocated.
	minManifestEntry = 1 + 1 + 16 + 1 + 6
)

const manifestOffline = 1 << 0 // entry flag: opened by its folder, and with a full check

var (
	errManifest = errors.New("unusable manifest")
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
)

type manifest struct {
	nonce   [nonceSize]byte
	entries []manifestEntry
}

// manifestEntry is one log. Log is storage's part, encoded; it stays so until the log is opened.
type manifestEntry struct {
	key
	topicID                    [16]byte
	offline                    bool
	highWatermark, cleaned     int64
	retentionDueMs             int64
	recoveryPoint, startOffset int64
	log                        []byte
}

func (m *manifest) nonceText() string { return hex.EncodeToString(m.nonce[:]) }

// encode writes the manifest; entries sorted by topic share its name.
func (m *manifest) encode() []byte {
	b := make([]byte, 0, manifestHeader+160*len(m.entries))
	b = append(b, manifestMagic...)
	b = binary.BigEndian.AppendUint16(b, manifestVersion)
	b = append(b, m.nonce[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.entries)))
	previous := ""
	for i := range m.entries {
		b = m.entries[i].appendTo(b, previous)
		previous = m.entries[i].topic
	}
	return appendChecksum(b)
}

func appendChecksum(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (e *manifestEntry) appendTo(b []byte, previousTopic string) []byte {
	if e.topic == previousTopic {
		b = append(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(len(e.topic)))
		b = append(b, e.topic...)
	}
	b = binary.AppendUvarint(b, uint64(e.partition))
	b = append(b, e.topicID[:]...)
	var flags byte
	if e.offline {
		flags |= manifestOffline
	}
	b = append(b, flags)
	for _, v := range []int64{e.highWatermark, e.cleaned, e.retentionDueMs, e.recoveryPoint, e.startOffset} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(e.log)))
	return append(b, e.log...)
}

// decodeManifest checks the whole file before it returns anything. Entries alias b.
func decodeManifest(b []byte) (*manifest, error) {
	if len(b) < manifestHeader+4 || string(b[:len(manifestMagic)]) != manifestMagic {
		return nil, fmt.Errorf("%w: no header", errManifest)
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: checksum", errManifest)
	}
	if v := binary.BigEndian.Uint16(body[len(manifestMagic):]); v != manifestVersion {
		return nil, fmt.Errorf("%w: version %d", errManifest, v)
	}
	m := &manifest{nonce: [nonceSize]byte(body[len(manifestMagic)+2:])}
	count := binary.BigEndian.Uint32(body[manifestHeader-4:])
	rest := body[manifestHeader:]
	if uint64(count)*minManifestEntry > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: %d entries in %d bytes", errManifest, count, len(rest))
	}
	m.entries = make([]manifestEntry, count)
	topic := ""
	for i := range m.entries {
		r := manifestReader{b: rest}
		m.entries[i] = r.entry(topic)
		if r.bad {
			return nil, fmt.Errorf("%w: entry %d", errManifest, i)
		}
		topic, rest = m.entries[i].topic, r.b
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes behind the last entry", errManifest, len(rest))
	}
	return m, nil
}

// manifestReader takes fields off b; bad stays set from the first that is not there.
type manifestReader struct {
	b   []byte
	bad bool
}

func (r *manifestReader) entry(previousTopic string) manifestEntry {
	e := manifestEntry{key: key{topic: previousTopic}}
	if name := r.bytes(r.uvarint()); len(name) > 0 {
		e.topic = string(name)
	}
	partition := r.uvarint()
	r.bad = r.bad || partition > 1<<31-1 || checkTopic(e.topic) != nil
	e.partition = int32(partition)
	copy(e.topicID[:], r.bytes(uint64(len(e.topicID))))
	if flags := r.bytes(1); len(flags) == 1 {
		e.offline = flags[0]&manifestOffline != 0
		r.bad = r.bad || flags[0]&^manifestOffline != 0
	}
	for _, v := range []*int64{&e.highWatermark, &e.cleaned, &e.retentionDueMs, &e.recoveryPoint, &e.startOffset} {
		*v = r.varint()
	}
	e.log = r.bytes(r.uvarint())
	return e
}

func (r *manifestReader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *manifestReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *manifestReader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *manifestReader) skip(n int) {
	if n <= 0 || r.bad {
		r.bad = true
		return
	}
	r.b = r.b[n:]
}
