package batch

import (
	"fmt"
	"testing"
)

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{64, 1000} {
		for _, codec := range allCodecs {
			batch := build(BuilderOptions{Codec: codec}, someRecords(n, 1000))
			b.Run(fmt.Sprintf("%s-%dKB", codec, n), func(b *testing.B) {
				b.SetBytes(int64(len(batch)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Check(batch, open(CodecProducer)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	batch := build(BuilderOptions{}, someRecords(64, 1000))
	b.Run("crc-alone-64KB", func(b *testing.B) {
		b.SetBytes(int64(len(batch)))
		for b.Loop() {
			if CheckCRC(batch) != nil {
				b.Fatal()
			}
		}
	})
	tiny := build(BuilderOptions{}, someRecords(1000, 20))
	b.Run("none-tiny-records", func(b *testing.B) {
		b.SetBytes(int64(len(tiny)))
		for b.Loop() {
			if _, err := Check(tiny, open(CodecProducer)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRecompress(b *testing.B) {
	for _, to := range allCodecs {
		batch := build(BuilderOptions{Codec: CodecGzip}, someRecords(64, 1000))
		b.Run(fmt.Sprintf("gzip-to-%s-64KB", to), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Check(batch, open(to)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
