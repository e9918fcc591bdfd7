//go:build !race

package storage

import (
	"testing"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

func TestAppendingAndReadingAllocateNothing(t *testing.T) {
	w := onDisk(t)
	records := w.build(batch.BuilderOptions{Producer: &batch.Producer{ID: 1}}, 1, 2000)
	sequence, buf := int32(0), make([]byte, 1<<16)
	cycle := func() {
		putSequence(records, sequence)
		sequence++
		a, err := w.log.Append(records, AppendOptions{NowMs: testStart})
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.log.Read(a.BaseOffset, a.EndOffset, len(buf), true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadInto(buf); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	cycle()
	if n := testing.AllocsPerRun(200, cycle); n > 0 {
		t.Fatalf("%v allocations for an append and a read", n)
	}
}
