package storage

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func benchmarkLog(b *testing.B) (*Log, *world) {
	settings := testSettings()
	l, err := Create(Options{FS: vfs.OS(), Dir: filepath.Join(b.TempDir(), "topic-0"), Files: NewFiles(100), Settings: &settings})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close(false) })
	return l, &world{clock: testClock()}
}

// BenchmarkAppend is the cost of an append beyond the caller's checks; an idempotent producer's, which is the default.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l, w := benchmarkLog(b)
			sequence := int32(0)
			records := w.build(batch.BuilderOptions{Producer: &batch.Producer{ID: 1}}, 1, size)
			b.SetBytes(int64(len(records)))
			b.ReportAllocs()
			for b.Loop() {
				putSequence(records, sequence)
				if _, err := l.Append(records, AppendOptions{NowMs: testStart}); err != nil {
					b.Fatal(err)
				}
				sequence++
			}
		})
	}
}

// BenchmarkReadForward is a consumer that catches up by megabytes.
func BenchmarkReadForward(b *testing.B) {
	for _, size := range []int{2000, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l, w := benchmarkLog(b)
			for l.Size() < 64<<20 {
				if _, err := l.Append(w.plain(1, size), AppendOptions{NowMs: testStart}); err != nil {
					b.Fatal(err)
				}
			}
			buf := make([]byte, 2<<20)
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			from := int64(0)
			for b.Loop() {
				r, err := l.Read(from, l.EndOffset(), 1<<20, true)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.ReadInto(buf); err != nil {
					b.Fatal(err)
				}
				from = r.NextOffset
				r.Close()
				if from == l.EndOffset() {
					from = 0
				}
			}
		})
	}
}
