package wire

import (
	"math/bits"
	"sync"
)

const (
	// minClass and maxClass bound the pooled sizes: 512 bytes to 4 MiB, each class double the one below. What is
	// larger is allocated for its one use and left to the garbage collector: such frames are rare, and keeping
	// them would pin the peak of every connection.
	minClass = 9
	maxClass = 22

	// poisonByte overwrites what is freed when poisoning is on, so that a reader that kept a freed buffer sees
	// garbage in every test instead of another request's bytes once a month (KAFKA-19012).
	poisonByte = 0xDB
)

// classes holds the pools, one a size class. sync.Pool is safe for concurrent use and holds no state of its own that
// a caller could see.
var classes [maxClass - minClass + 1]sync.Pool

// Buffer is a growing run of pooled bytes with one owner. The owner passes it on whole or frees it, once; nothing may
// refer to B after Free. The zero Buffer is not usable: take one from GetBuffer.
type Buffer struct {
	// B is what was written so far; append to it through the methods, or by hand within its capacity.
	B []byte

	freed bool
}

// GetBuffer returns an empty buffer whose capacity is at least n bytes.
func GetBuffer(n int) *Buffer {
	class := classOf(n)
	if class > maxClass {
		return &Buffer{B: make([]byte, 0, n)}
	}
	if b, ok := classes[class-minClass].Get().(*Buffer); ok {
		b.freed = false
		return b
	}
	return &Buffer{B: make([]byte, 0, 1<<class)}
}

// classOf returns the exponent of the smallest class that holds n bytes.
func classOf(n int) int {
	if n <= 1<<minClass {
		return minClass
	}
	return bits.Len(uint(n - 1))
}

// Free gives the buffer back. The caller must be the only one to refer to it or to a slice of it. Freeing twice is a
// bug that would give one buffer to two owners, so it panics.
func (b *Buffer) Free() {
	if b.freed {
		panic("wire: buffer freed twice")
	}
	b.freed = true
	if poisoning {
		poison(b.B[:cap(b.B)])
	}
	capacity := cap(b.B)
	class := bits.Len(uint(capacity)) - 1
	if class < minClass || class > maxClass || capacity != 1<<class {
		b.B = nil
		return
	}
	b.B = b.B[:0]
	classes[class-minClass].Put(b)
}

func poison(p []byte) {
	for i := range p {
		p[i] = poisonByte
	}
}

// Len returns how many bytes were written.
func (b *Buffer) Len() int { return len(b.B) }

// Write appends p; it never fails. Buffer is thereby an io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	copy(b.Extend(len(p)), p)
	return len(p), nil
}

// Extend lengthens the buffer by n bytes and returns them to be filled, whatever they hold now. A fetch reads file
// regions straight into them.
func (b *Buffer) Extend(n int) []byte {
	b.Reserve(n)
	start := len(b.B)
	b.B = b.B[:start+n]
	return b.B[start:]
}

// Reserve makes room for n more bytes. Slices of B that were taken before become stale.
func (b *Buffer) Reserve(n int) {
	need := len(b.B) + n
	if need <= cap(b.B) {
		return
	}
	larger := GetBuffer(max(need, 2*cap(b.B)))
	grown := append(larger.B, b.B...)
	larger.B, b.B = b.B[:0], grown
	larger.Free()
}

// AppendFunc lets f append to the buffer, as the codec's AppendTo does. What outgrows the buffer's memory lies in memory
// of f's making from then on.
func (b *Buffer) AppendFunc(f func([]byte) []byte) {
	before := b.B
	b.B = f(b.B)
	if cap(before) != cap(b.B) {
		outgrown := &Buffer{B: before[:0]}
		outgrown.Free()
	}
}
