package server

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/api"
)

func benchmarkServer(b *testing.B, rows ...api.Row) net.Conn {
	logger := slog.New(slog.DiscardHandler)
	s := New(Options{
		Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}}, Rows: rows, Logger: logger, Broker: &api.Broker{Logger: logger},
		Limits: ample(Limits{}),
	})
	if err := s.Listen(); err != nil {
		b.Fatal(err)
	}
	s.Serve()
	socket, err := net.Dial("tcp", s.Addresses()[0].String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = socket.Close()
		_ = s.Shutdown(context.Background())
	})
	return socket
}

func readAnswers(b *testing.B, reader *bufio.Reader, n int) {
	var size [4]byte
	for range n {
		if _, err := io.ReadFull(reader, size[:]); err != nil {
			b.Fatal(err)
		}
		if _, err := reader.Discard(int(binary.BigEndian.Uint32(size[:]))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTinyRequests are heartbeats, one at a time and a hundred at a time.
func BenchmarkTinyRequests(b *testing.B) {
	one := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, heartbeat(), 1)
	for name, pipelined := range map[string]int{"one by one": 1, "pipelined": 100} {
		b.Run(name, func(b *testing.B) {
			socket := benchmarkServer(b, api.Row{Key: 12, Max: 4, Handle: answerAtOnce})
			reader := bufio.NewReaderSize(socket, 64<<10)
			var bundle []byte
			for range pipelined {
				bundle = append(bundle, one...)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for sent := 0; sent < b.N; sent += pipelined {
				if _, err := socket.Write(bundle); err != nil {
					b.Fatal(err)
				}
				readAnswers(b, reader, pipelined)
			}
		})
	}
}

// BenchmarkProduce carries batches to a handler that does nothing with them.
func BenchmarkProduce(b *testing.B) {
	for name, size := range map[string]int{"64 KiB": 64 << 10, "1 MiB": 1 << 20} {
		b.Run(name, func(b *testing.B) { benchmarkProduce(b, size) })
	}
}

func benchmarkProduce(b *testing.B, size int) {
	one := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, produce(size), 1)
	socket := benchmarkServer(b, api.Row{Key: 0, Max: 9, Handle: answerAtOnce, Overlaps: true, Aliases: true})
	reader := bufio.NewReaderSize(socket, 64<<10)
	b.SetBytes(int64(len(one)))
	b.ReportAllocs()
	b.ResetTimer()
	const inFlight = 5
	sent, received := 0, 0
	for received < b.N {
		for sent < b.N && sent-received < inFlight {
			if _, err := socket.Write(one); err != nil {
				b.Fatal(err)
			}
			sent++
		}
		readAnswers(b, reader, 1)
		received++
	}
}
