package admin

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/server"
)

// Requests counts what the server does. It is the server's Observer: its methods are called for each request, so they
// look nothing up but an array, and errors.
type Requests struct {
	registry    *prometheus.Registry
	durations   *prometheus.HistogramVec
	bytes       *prometheus.CounterVec
	closed      *prometheus.CounterVec
	errors      *prometheus.CounterVec
	connections *prometheus.GaugeVec
	accepted    *prometheus.CounterVec
	refused     *prometheus.CounterVec

	apis [kmsg.MaxKey + 1]atomic.Pointer[apiMetrics] // filled as APIs are first used, so that unused ones have no series
}

// apiMetrics are the series of one API.
type apiMetrics struct {
	duration        prometheus.Observer
	in, out, closed prometheus.Counter
}

// latencyBuckets span what an append takes to what a long poll does, in seconds.
var latencyBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// NewRequests makes the metrics of requests, connections and the process.
func NewRequests(version string) *Requests {
	r := &Requests{
		registry: prometheus.NewRegistry(),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kafka_network_request_duration_seconds", Buckets: latencyBuckets,
			Help: "Time from a request being read whole to its answer being encoded; long polls wait in it.",
		}, []string{"request"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kafka_network_bytes_total", Help: "Bytes of requests (in) and answers (out).",
		}, []string{"request", "direction"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kafka_network_requests_failed_total", Help: "Requests answered by closing the connection.",
		}, []string{"request"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kafka_network_request_errors_total",
			Help: "Error codes in answers, at their top and in each topic, partition, group or resource. NONE is left out.",
		}, []string{"request", "error"}),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kafka_network_connections", Help: "Open connections.",
		}, []string{"listener"}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kafka_network_connections_accepted_total", Help: "Connections accepted.",
		}, []string{"listener"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kafka_network_malformed_requests_total", Help: "What was no request: malformed frames, unknown APIs and versions.",
		}, []string{"listener"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "barnabas_build_info", Help: "Always 1; the label tells the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.registry.MustRegister(r.durations, r.bytes, r.closed, r.errors, r.connections, r.accepted, r.refused, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Served counts one request.
func (r *Requests) Served(s server.Served) {
	m := r.api(s.Key)
	if m == nil {
		return
	}
	m.duration.Observe(s.Duration.Seconds())
	m.in.Add(float64(s.In))
	m.out.Add(float64(s.Out))
	if s.Failed {
		m.closed.Inc()
	}
	for _, e := range s.Errors {
		r.errors.WithLabelValues(kmsg.NameForKey(s.Key), errorName(e.Code)).Add(float64(e.Times))
	}
}

// errorName is Kafka's name of an error code. Codes that it does not know share one, so that there are never more series
// than Kafka has errors for each API.
func errorName(code int16) string {
	if code == kerr.NotLeaderForPartition.Code {
		return "NOT_LEADER_OR_FOLLOWER" // since Kafka 2.6; the codec has the old name
	}
	return kerr.TypedErrorForCode(code).Message
}

func (r *Requests) api(key int16) *apiMetrics {
	if key < 0 || int(key) >= len(r.apis) {
		return nil
	}
	if m := r.apis[key].Load(); m != nil {
		return m
	}
	name := kmsg.NameForKey(key)
	m := &apiMetrics{
		duration: r.durations.WithLabelValues(name),
		in:       r.bytes.WithLabelValues(name, "in"), out: r.bytes.WithLabelValues(name, "out"),
		closed: r.closed.WithLabelValues(name),
	}
	r.apis[key].Store(m)
	return m
}

// Connections counts connections that open (1) and close (-1).
func (r *Requests) Connections(listener string, change int) {
	r.connections.WithLabelValues(listener).Add(float64(change))
	if change > 0 {
		r.accepted.WithLabelValues(listener).Add(float64(change))
	}
}

// Refused counts what was no request.
func (r *Requests) Refused(listener string) { r.refused.WithLabelValues(listener).Inc() }
