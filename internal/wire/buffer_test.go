package wire

import (
	"bytes"
	"testing"
)

func TestABufferGrowsWithWhatIsWritten(t *testing.T) {
	b := GetBuffer(10)
	var want []byte
	for i := range 3000 {
		piece := bytes.Repeat([]byte{byte(i)}, i%40)
		_, _ = b.Write(piece)
		want = append(want, piece...)
	}
	if !bytes.Equal(b.B, want) {
		t.Error("what was written is not what is there")
	}
	b.Free()
}

func TestABufferHoldsAtLeastWhatWasAskedFor(t *testing.T) {
	for _, n := range []int{0, 1, 512, 513, 1 << 20, 1<<22 - 1, 1 << 22, 1<<22 + 1} {
		b := GetBuffer(n)
		if cap(b.B) < n || len(b.B) != 0 {
			t.Errorf("asked for %d: length %d, capacity %d", n, len(b.B), cap(b.B))
		}
		b.Free()
	}
}

func TestFreeingTwiceIsABug(t *testing.T) {
	b := GetBuffer(1)
	b.Free()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b.Free()
}

func TestFreedBytesArePoisonedInTestBuilds(t *testing.T) {
	if !poisoning {
		t.Skip("only with -race or -tags poison")
	}
	b := GetBuffer(4)
	_, _ = b.Write([]byte("data"))
	kept := b.B
	b.Free()
	if kept[0] != poisonByte {
		t.Error("a freed buffer still reads as before")
	}
}
