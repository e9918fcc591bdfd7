package main

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

func TestRecordBatchesFillTheirSizeAndFitTheDefaultLimits(t *testing.T) {
	for _, size := range []int{smallBatch, largeBatch} {
		b := recordBatch(size, 0, recordSize)
		if len(b) > size || len(b) < size-3*recordSize {
			t.Errorf("a batch for %d bytes has %d", size, len(b))
		}
		if err := batch.CheckCRC(b); err != nil {
			t.Errorf("batch of %d bytes: %v", len(b), err)
		}
	}
}

func TestAnswersAreReadInPlaceAsTheCodecReadsThem(t *testing.T) {
	records := recordBatch(0, 3, tinySize)
	binary.BigEndian.PutUint64(records, 41) // base offset
	answer := fetchAnswer(t, "topic", 0, append(records, records[:70]...))
	got, err := fetched(answer, "topic")
	if err != nil {
		t.Fatal(err)
	}
	next, size, err := nextOffset(got, 41)
	if err != nil || next != 44 || size != len(records) {
		t.Fatalf("next offset %d after %d bytes, %v; want 44 after %d: a batch that is cut off does not count", next, size, err, len(records))
	}
	if _, err := fetched(fetchAnswer(t, "topic", 6, nil), "topic"); err == nil {
		t.Fatal("a partition's error is not seen")
	}
}

func TestProduceErrorsAreSeen(t *testing.T) {
	for _, code := range []int16{0, 3} {
		r := kmsg.NewPtrProduceResponse()
		r.Version = produceVersion
		p := kmsg.NewProduceResponseTopicPartition()
		p.ErrorCode = code
		r.Topics = []kmsg.ProduceResponseTopic{{Topic: "topic", Partitions: []kmsg.ProduceResponseTopicPartition{p}}}
		if err := checkProduced(r.AppendTo(make([]byte, 5)), "topic"); (err != nil) != (code != 0) {
			t.Errorf("code %d: %v", code, err)
		}
	}
	if err := checkProduced(make([]byte, 9), "topic"); err == nil {
		t.Error("a short answer is not seen")
	}
}

// fetchAnswer is an answer about one partition, without its length.
func fetchAnswer(t *testing.T, topic string, code int16, records []byte) []byte {
	t.Helper()
	r := kmsg.NewPtrFetchResponse()
	r.Version = fetchVersion
	p := kmsg.NewFetchResponseTopicPartition()
	p.ErrorCode, p.RecordBatches = code, records
	r.Topics = []kmsg.FetchResponseTopic{{Topic: topic, Partitions: []kmsg.FetchResponseTopicPartition{p}}}
	return r.AppendTo(make([]byte, 5)) // correlation id and no tags
}

func TestThePipelineKeepsItsDepthAndTakesEveryAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if socket, err := listener.Accept(); err == nil {
			echo(socket)
		}
	}()
	ours, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	const depth, total = 4, 50
	c := &conn{socket: ours, buffer: make([]byte, 64)}
	p := pipeline{conn: c, frame: frame(kmsg.NewPtrApiVersionsRequest()), depth: depth, check: func([]byte) error { return nil }}
	if err := p.run(context.Background(), requests(total)); err != nil {
		t.Fatal(err)
	}
	if len(p.took) != total || c.next != total {
		t.Fatalf("%d answers to %d requests, want %d", len(p.took), c.next, total)
	}
}

// echo answers each request with its correlation id.
func echo(socket net.Conn) {
	defer socket.Close()
	c := &conn{socket: socket, buffer: make([]byte, 64)}
	for {
		request, err := c.receive()
		if err != nil {
			return
		}
		answer := binary.BigEndian.AppendUint32(nil, 4)
		if _, err := socket.Write(append(answer, request[4:8]...)); err != nil {
			return
		}
	}
}

func TestCPUTimeIsReadWhateverTheCommandIsCalled(t *testing.T) {
	got, err := parseCPUTime("7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 123 45 9 9 20 0 5 0 1")
	if err != nil || got != 1680*time.Millisecond {
		t.Fatalf("got %s, %v; want 1.68s of user and system time", got, err)
	}
}

func TestQuantilesAndSpreads(t *testing.T) {
	var l latencies
	for i := range 1000 {
		l = append(l, time.Duration(1000-i)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0.5: 500, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := l.quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := spreadOf([]float64{3, 1, 2}); got != (spread{2, 1, 3}) {
		t.Errorf("spread of 3 1 2 is %+v", got)
	}
	if got := spreadOf(ratios([]float64{2, 9}, []float64{1, 3})); got != (spread{2.5, 2, 3}) {
		t.Errorf("ratios have spread %+v", got)
	}
}

func TestEveryBarIsOnAWorkloadAndTheReportSaysWhetherItIsReached(t *testing.T) {
	for _, b := range bars() {
		if _, err := chosen(b.Workload, workloadNames()); err != nil {
			t.Errorf("bar on %s: %v", b.Workload, err)
		}
	}
	r := &result{Name: "produce64k", Runs: map[string][]sample{
		"barnabas": {{{megabytesPerSecond, 900}, {cpuPerGB, 0.7}}},
		"kafka":    {{{megabytesPerSecond, 400}, {cpuPerGB, 5}}},
	}}
	var text strings.Builder
	r.print(&text, true)
	for _, want := range []string{"≥ 3x FAIL", "≤ 0.930 pass, ≤ 0.250x pass"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, text.String())
		}
	}
}

func TestQuickShortensOnlyWhatNoFlagSays(t *testing.T) {
	o, err := parse([]string{"-quick", "-pairs", "2", "-only", "tiny", "-broker", "barnabas", "-acks", "all"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Pairs != 2 || o.Warm != 1 || o.Out != "" || o.Acks != -1 || len(o.Only) != 1 || len(o.Brokers) != 1 {
		t.Fatalf("options are %+v", o)
	}
	if _, err := parse([]string{"-only", "nothing"}); err == nil {
		t.Fatal("an unknown workload is taken")
	}
}
