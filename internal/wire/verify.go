package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The decoder turns counts into allocations: a request of 1 MiB whose topics are all empty strings takes 32 MiB, and
// one unknown tag in an element of five bytes a map of 300. So a body may ask for no more memory than
// decodedPerByte times its own size, or decodedFloor where that is more, and never for more than decodedLimit.
// Requests of real clients stay under 8 times; record batches do not count, as they are not copied.
const (
	decodedPerByte = 16
	decodedFloor   = 1 << 20
	decodedLimit   = 64 << 20

	// What unknown tags take: the first in a struct makes a map with room for a few.
	firstTagMemory, nextTagMemory = 400, 64
	// stringHeaderMemory is the header of a string, which the codec's structs often only point to.
	stringHeaderMemory = 16
	// maxNesting bounds the recursion of the walk; the deepest schema has 9 levels.
	maxNesting = 16
	// fewestTagBytes is the least that a tag takes: its number and its size.
	fewestTagBytes = 2
)

var (
	// ErrMalformed is what every error of Verify and of ParseHeader wraps: the bytes are not what the version says.
	ErrMalformed = errors.New("malformed request")
	// ErrUnknownRequest says that the codec has no such API or version.
	ErrUnknownRequest = errors.New("unknown API or version")
)

// Shape is what Verify found out about a body.
type Shape struct {
	Size    int  // Bytes that belong to the body; what follows them is ignored, as Kafka does.
	Decoded int  // An estimate of the memory that decoding takes, without the bytes that it aliases.
	Aliases bool // Whether the decoded request will have byte slices that lie in the body.
}

// Verify walks a request body without allocating and reports whether it can be decoded: every length and count fits
// into the bytes that are left, nothing is null that must not be, and the memory asked for is in proportion. Only
// bodies that pass may be given to the decoder, and only their first Size bytes.
func Verify(key, version int16, body []byte) (Shape, error) {
	s, known := schemaOf(key, version)
	if !known {
		return Shape{}, fmt.Errorf("api key %d version %d: %w", key, version, ErrUnknownRequest)
	}
	limit := min(max(decodedFloor, decodedPerByte*len(body)), decodedLimit)
	w := walk{reader: reader{b: body}, flexible: s.flexible, memoryLeft: limit}
	w.structure(s.fields, 0)
	if w.err != "" {
		return Shape{}, fmt.Errorf("api key %d version %d at byte %d of %d: %s: %w",
			key, version, w.at, len(body), w.err, ErrMalformed)
	}
	return Shape{Size: w.at, Decoded: limit - w.memoryLeft, Aliases: w.aliases}, nil
}

// Flexible reports whether a request's body, and so its header, is in the flexible encoding of KIP-482. Versions newer
// than any that is known count as flexible where the newest known one is: that is how ApiVersions of the future is
// read far enough to be answered (KIP-511).
func Flexible(key, version int16) bool {
	if key < 0 || int(key) >= len(schemas) || len(schemas[key]) == 0 {
		return false
	}
	for i := range schemas[key] {
		if s := &schemas[key][i]; s.min <= version && version <= s.max {
			return s.flexible
		}
	}
	newest := schemas[key][len(schemas[key])-1]
	return version > newest.max && newest.flexible
}

// reader takes bytes from the front of b; err is set by the first thing that does not fit and sticks.
type reader struct {
	b   []byte
	at  int
	err string
}

func (r *reader) fail(why string) {
	if r.err == "" {
		r.err = why
	}
}

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) skip(n int) {
	if n < 0 || n > r.left() {
		r.fail("length exceeds the bytes left")
		return
	}
	r.at += n
}

func (r *reader) take(n int) []byte {
	start := r.at
	r.skip(n)
	return r.b[start:r.at]
}

func (r *reader) int8() int8 {
	if p := r.take(1); len(p) == 1 {
		return int8(p[0])
	}
	return 0
}

func (r *reader) int16() int16 {
	if p := r.take(2); len(p) == 2 {
		return int16(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (r *reader) int32() int32 {
	if p := r.take(4); len(p) == 4 {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

// uvarint reads an unsigned varint of at most 31 bits: nothing in the protocol may be larger.
func (r *reader) uvarint() int {
	value := 0
	for shift := 0; shift < 35; shift += 7 {
		if r.left() == 0 {
			r.fail("varint is cut off")
			return 0
		}
		c := r.b[r.at]
		r.at++
		value |= int(c&0x7f) << shift
		if c < 0x80 {
			if value > 1<<31-1 {
				break
			}
			return value
		}
	}
	r.fail("varint exceeds 31 bits")
	return 0
}

// walk is the state of one Verify.
type walk struct {
	reader
	flexible   bool
	aliases    bool
	memoryLeft int
}

// use counts memory that the decoder will take.
func (w *walk) use(n int) {
	w.memoryLeft -= n
	if w.memoryLeft < 0 {
		w.fail("decoding takes too much memory for its size")
	}
}

func (w *walk) structure(fields []field, depth int) {
	if depth > maxNesting {
		w.fail("nested too deeply")
		return
	}
	tags := fields
	for i := range fields {
		if fields[i].kind == tagged {
			break
		}
		w.field(&fields[i], depth)
		if w.err != "" {
			return
		}
		tags = fields[i+1:]
	}
	if w.flexible {
		w.tags(tags, depth)
	}
}

func (w *walk) field(f *field, depth int) {
	switch f.kind {
	case fixed:
		w.skip(f.n)
	case text:
		w.text(f.null)
	case blob:
		w.blob(f.null)
	case numbers:
		w.numbers(f)
	case array:
		w.array(f, depth)
	case structure:
		if f.null && w.absent() {
			return
		}
		w.structure(f.fields, depth+1)
	case tagged:
		panic("wire: schema has a tagged field among the others")
	}
}

// absent reads the byte before a struct that may be null. Kafka takes any negative one for null, the decoder only the
// -1 that everybody writes.
func (w *walk) absent() bool {
	switch marker := w.int8(); {
	case marker == -1:
		return true
	case marker < -1:
		w.fail("a struct is neither there nor null")
	}
	return w.err != ""
}

func (w *walk) text(null bool) {
	n := 0
	if w.flexible {
		n = w.uvarint() - 1
	} else {
		n = int(w.int16())
	}
	if n < 0 {
		w.null(null)
		return
	}
	if n > 1<<15-1 {
		w.fail("string exceeds 32767 bytes")
		return
	}
	w.skip(n)
	w.use(stringHeaderMemory + (n+7)&^7)
}

func (w *walk) blob(null bool) {
	n := w.length()
	if n < 0 {
		w.null(null)
		return
	}
	w.aliases = true
	w.skip(n)
}

// length reads the length of bytes or of an array; negative means null.
func (w *walk) length() int {
	if w.flexible {
		return w.uvarint() - 1
	}
	return int(w.int32())
}

func (w *walk) null(allowed bool) {
	if !allowed {
		w.fail("null where there must be a value")
	}
}

func (w *walk) numbers(f *field) {
	n := w.length()
	if n < 0 {
		w.null(f.null)
		return
	}
	w.skip(n * f.n)
	w.use(n * f.n)
}

func (w *walk) array(f *field, depth int) {
	n := w.length()
	if n < 0 {
		w.null(f.null)
		return
	}
	// Every element takes at least a byte, so this bounds the loop; the memory of all of them is counted before the
	// first is looked at.
	if n > w.left() {
		w.fail("count exceeds the bytes left")
		return
	}
	w.use(n * f.n)
	element := &f.fields[0]
	for i := 0; i < n && w.err == ""; i++ {
		w.field(element, depth+1)
	}
}

// tags walks the tagged fields at the end of a struct. Kafka does not mind their order, or one that comes twice.
func (w *walk) tags(known []field, depth int) {
	n := w.uvarint()
	if n > w.left()/fewestTagBytes {
		w.fail("count of tags exceeds the bytes left")
		return
	}
	memory := firstTagMemory
	for i := 0; i < n && w.err == ""; i++ {
		tag := w.uvarint()
		content := w.take(w.uvarint())
		if w.err != "" {
			return
		}
		if f := find(known, tag); f != nil {
			w.within(content, f, depth)
			continue
		}
		w.use(memory)
		memory = nextTagMemory
	}
}

func find(known []field, tag int) *field {
	for i := range known {
		if known[i].n == tag {
			return &known[i].fields[0]
		}
	}
	return nil
}

// within walks the content of a tagged field, which must not reach beyond it.
func (w *walk) within(content []byte, f *field, depth int) {
	outer := w.reader
	w.reader = reader{b: content}
	w.field(f, depth+1)
	outer.err = w.err
	w.reader = outer
}
