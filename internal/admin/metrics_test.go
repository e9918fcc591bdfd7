package admin

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/server"
)

// metrics are what Prometheus understands of a scrape.
type metrics struct {
	t        *testing.T
	families map[string]*dto.MetricFamily
}

func (d *desk) scrape() metrics {
	d.t.Helper()
	p := d.get("/metrics")
	if p.status != http.StatusOK {
		d.t.Fatalf("%+v", p)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(p.text))
	if err != nil {
		d.t.Fatalf("Prometheus does not understand the metrics: %v", err)
	}
	return metrics{d.t, families}
}

// find returns the series with these labels, given as name, value, name, value…; nil if there is none.
func (m metrics) find(name string, labels ...string) *dto.Metric {
	want := make(map[string]string)
	for pair := range slices.Chunk(labels, 2) {
		want[pair[0]] = pair[1]
	}
	for _, series := range m.families[name].GetMetric() {
		got := make(map[string]string)
		for _, label := range series.GetLabel() {
			got[label.GetName()] = label.GetValue()
		}
		if maps.Equal(got, want) {
			return series
		}
	}
	return nil
}

// is checks the value of a counter or gauge.
func (m metrics) is(want float64, name string, labels ...string) {
	m.t.Helper()
	series := m.find(name, labels...)
	if series == nil {
		m.t.Errorf("%s%v is missing", name, labels)
		return
	}
	if got := series.GetCounter().GetValue() + series.GetGauge().GetValue(); got != want {
		m.t.Errorf("%s%v is %v, not %v", name, labels, got, want)
	}
}

func (m metrics) isMissing(name string, labels ...string) {
	m.t.Helper()
	if series := m.find(name, labels...); series != nil {
		m.t.Errorf("there is %s: %v", name, series)
	}
}

func TestTheMetricsAreTextWithAHelpAndATypeForEach(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 2)
	d.dial().put("orders", 0, 1)
	m := d.scrape()
	for name, family := range m.families {
		if family.GetHelp() == "" || family.GetType() == dto.MetricType_UNTYPED {
			t.Errorf("%s has no help or no type", name)
		}
	}
	m.is(1, "barnabas_build_info", "version", "1.2.3")
	for _, name := range []string{"go_goroutines", "process_start_time_seconds", "kafka_log_logdir_usable_bytes"} {
		if len(m.families[name].GetMetric()) == 0 {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestAScraperThatAsksForAnotherFormatGetsTextToo(t *testing.T) {
	d := openDesk(t)
	p := d.ask(http.MethodGet, "/metrics", http.Header{
		"Accept":          {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0"},
		"Accept-Encoding": {"gzip"},
	})
	if format := p.header.Get("Content-Type"); !strings.HasPrefix(format, "text/plain; version=0.0.4") || p.header.Get("Content-Encoding") != "" {
		t.Errorf("%v", p.header)
	}
	if !strings.Contains(p.text, "\nbarnabas_build_info{") || !strings.Contains(p.text, "\nkafka_server_replicamanager_partitioncount 0\n") {
		t.Errorf("parts are missing: %s", p.text)
	}
}

func TestMessagesAndBytesOfEachTopicAreCounted(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 2)
	d.topic("payments", 2, 1)
	c := d.dial()
	produced := c.put("orders", 0, 3) + c.put("orders", 1, 2)
	fetched := c.take("orders", 0, 0)
	damaged := records(1)
	damaged[len(damaged)-1]++
	c.ask(produce("orders", 0, 1, damaged))
	c.take("orders", 1, 99)

	m := d.scrape()
	for name, want := range map[string]int{
		"messagesin": 5, "bytesin": produced, "bytesout": fetched, "bytesrejected": len(damaged),
		"totalproducerequests": 3, "failedproducerequests": 1, "totalfetchrequests": 2, "failedfetchrequests": 1, "fetchmessageconversions": 0,
	} {
		m.is(float64(want), "kafka_server_brokertopicmetrics_"+name+"_total", "topic", "orders")
		m.is(0, "kafka_server_brokertopicmetrics_"+name+"_total", "topic", "payments")
	}
}

func TestRequestsTheirBytesAndLatencyAreCountedByAPI(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 1)
	c := d.dial()
	in, out := 0, 0
	for range 3 {
		_, asked, answered := c.ask(produce("orders", 0, 1, records(1)))
		in, out = in+asked, out+answered
	}

	m := d.scrape()
	m.is(float64(in), "kafka_network_bytes_total", "request", "Produce", "direction", "in")
	m.is(float64(out), "kafka_network_bytes_total", "request", "Produce", "direction", "out")
	m.is(0, "kafka_network_requests_failed_total", "request", "Produce")
	latency := m.find("kafka_network_request_duration_seconds", "request", "Produce").GetHistogram()
	buckets := latency.GetBucket()
	if latency.GetSampleCount() != 3 || latency.GetSampleSum() <= 0 || len(buckets) != len(latencyBuckets)+1 {
		t.Fatalf("%v", latency)
	}
	if last := buckets[len(buckets)-1]; last.GetCumulativeCount() != 3 || !math.IsInf(last.GetUpperBound(), 1) {
		t.Errorf("%v", last)
	}
	m.isMissing("kafka_network_request_duration_seconds", "request", "Fetch") // Nobody has asked for it yet.
}

func TestConnectionsAreCountedByListenerAndSoIsWhatWasNoRequest(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 1)
	kept, refused, stranger := d.dial(), d.dial(), d.dial()
	kept.put("orders", 0, 1)
	refused.send(produce("unknown", 0, 0, records(1)))
	refused.expectClosed()
	if _, err := stranger.socket.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	stranger.expectClosed()

	m := d.scrape()
	m.is(3, "kafka_network_connections_accepted_total", "listener", "PLAINTEXT")
	m.is(1, "kafka_network_malformed_requests_total", "listener", "PLAINTEXT")
	m.is(1, "kafka_network_requests_failed_total", "request", "Produce")
	if m.find("kafka_network_connections", "listener", "PLAINTEXT").GetGauge().GetValue() < 1 {
		t.Error("the connection that is kept is not counted")
	}
}

func TestErrorsAreCountedByAPIUnderKafkasNames(t *testing.T) {
	d := openDesk(t)
	d.topic("orders", 1, 1)
	c := d.dial()
	c.put("orders", 0, 1)
	c.ask(produce("orders", 7, 1, records(1)))
	c.ask(produce("unknown", 0, 1, records(1)))
	c.take("orders", 0, 99)

	const name = "kafka_network_request_errors_total"
	m := d.scrape()
	m.is(2, name, "request", "Produce", "error", "UNKNOWN_TOPIC_OR_PARTITION")
	m.is(1, name, "request", "Fetch", "error", "OFFSET_OUT_OF_RANGE")
	if n := len(m.families[name].GetMetric()); n != 2 {
		t.Errorf("%d series, although two errors occurred: %v", n, m.families[name])
	}
}

func TestAnErrorHasTheNameThatKafkaHasForItNow(t *testing.T) {
	for code, want := range map[int16]string{
		-1: "UNKNOWN_SERVER_ERROR", 3: "UNKNOWN_TOPIC_OR_PARTITION", 6: "NOT_LEADER_OR_FOLLOWER", 27: "REBALANCE_IN_PROGRESS",
		9998: "UNKNOWN_SERVER_ERROR", 9999: "UNKNOWN_SERVER_ERROR", // However many there are, they are one series.
	} {
		if got := errorName(code); got != want {
			t.Errorf("code %d is %s, not %s", code, got, want)
		}
	}
}

func TestARequestWithAKeyThatNoAPIHasIsNotCounted(t *testing.T) {
	d := openDesk(t)
	for _, key := range []int16{-1, math.MaxInt16} { // The server refuses them, so this is only so that nothing breaks.
		d.requests.Served(server.Served{Key: key, Errors: api.ErrorCounts{{Code: 3, Times: 1}}})
	}
	if m := d.scrape(); len(m.families["kafka_network_request_duration_seconds"].GetMetric()) > 0 {
		t.Error("it is counted")
	}
}
