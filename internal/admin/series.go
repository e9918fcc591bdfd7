package admin

import (
	"bufio"
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/barnabas-mq/barnabas/internal/coordinator"
	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/replica"
)

// Broker is what topics, partitions and groups are read from at each scrape.
type Broker struct {
	Replicas *replica.Manager
	Groups   *coordinator.Coordinator
}

// writeSeries writes the series that there may be tens of thousands of: one a topic, partition and group. They are
// written straight from the broker's own counters, as a registry would hold each a second time.
func writeSeries(out io.Writer, b Broker) {
	if b.Replicas == nil { // a controller alone
		return
	}
	w := &seriesWriter{w: bufio.NewWriterSize(out, 64<<10)}
	topics := collectTopics(b.Replicas)
	writeTopics(w, topics)
	writePartitions(w, topics)
	writeDirs(w, b.Replicas.Dirs())
	writeGroups(w, b)
	_ = w.w.Flush() // a scraper that went away misses nothing
}

type topicSeries struct {
	topic      *replica.Topic
	partitions []*replica.Partition
}

func collectTopics(m *replica.Manager) []topicSeries {
	var all []topicSeries
	m.Topics(func(t *replica.Topic, partitions []*replica.Partition) bool {
		slices.SortFunc(partitions, func(a, b *replica.Partition) int { return cmp.Compare(a.Index, b.Index) })
		all = append(all, topicSeries{t, partitions})
		return true
	})
	slices.SortFunc(all, func(a, b topicSeries) int { return strings.Compare(a.topic.Name, b.topic.Name) })
	return all
}

// topicCounters are Kafka's BrokerTopicMetrics.
func topicCounters() []struct {
	name, help string
	value      func(*replica.Traffic) int64
} {
	return []struct {
		name, help string
		value      func(*replica.Traffic) int64
	}{
		{"kafka_server_brokertopicmetrics_messagesin_total", "Records produced.", func(t *replica.Traffic) int64 { return t.MessagesIn.Load() }},
		{"kafka_server_brokertopicmetrics_bytesin_total", "Bytes produced.", func(t *replica.Traffic) int64 { return t.BytesIn.Load() }},
		{"kafka_server_brokertopicmetrics_bytesout_total", "Bytes fetched by consumers.", func(t *replica.Traffic) int64 { return t.BytesOut.Load() }},
		{"kafka_server_brokertopicmetrics_bytesrejected_total", "Bytes of refused produce requests.", func(t *replica.Traffic) int64 { return t.BytesRejected.Load() }},
		{"kafka_server_brokertopicmetrics_totalproducerequests_total", "Partitions in produce requests.", func(t *replica.Traffic) int64 { return t.ProduceRequests.Load() }},
		{"kafka_server_brokertopicmetrics_failedproducerequests_total", "Those that failed.", func(t *replica.Traffic) int64 { return t.FailedProduceRequests.Load() }},
		{"kafka_server_brokertopicmetrics_totalfetchrequests_total", "Partitions in fetch requests.", func(t *replica.Traffic) int64 { return t.FetchRequests.Load() }},
		{"kafka_server_brokertopicmetrics_failedfetchrequests_total", "Those that failed.", func(t *replica.Traffic) int64 { return t.FailedFetchRequests.Load() }},
		{"kafka_server_brokertopicmetrics_fetchmessageconversions_total", "Fetches converted down for old consumers.", func(t *replica.Traffic) int64 { return t.Conversions.Load() }},
	}
}

func writeTopics(w *seriesWriter, topics []topicSeries) {
	for _, c := range topicCounters() {
		w.head(c.name, "counter", c.help)
		for _, t := range topics {
			w.value(c.name, c.value(&t.topic.Traffic), "topic", t.topic.Name)
		}
	}
}

// partitionGauges name what is told of each partition: log sizes and offsets as Kafka's kafka.log:type=Log has them, and
// the offsets under the names that kafka_exporter made usual.
func partitionGauges() []struct {
	name, help string
	value      func(p *replica.Partition, l partitionLog) int64
} {
	return []struct {
		name, help string
		value      func(p *replica.Partition, l partitionLog) int64
	}{
		{"kafka_log_log_size", "Bytes of the partition's log.", func(_ *replica.Partition, l partitionLog) int64 { return l.size }},
		{"kafka_log_log_logstartoffset", "First offset that can be read.", func(_ *replica.Partition, l partitionLog) int64 { return l.start }},
		{"kafka_log_log_logendoffset", "Offset of the next record.", func(_ *replica.Partition, l partitionLog) int64 { return l.end }},
		{"kafka_topic_partition_current_offset", "High watermark.", func(p *replica.Partition, _ partitionLog) int64 { return p.HighWatermark() }},
	}
}

type partitionLog struct {
	size, start, end int64
	online           bool
}

func writePartitions(w *seriesWriter, topics []topicSeries) {
	offline := int64(0)
	logs := make(map[*replica.Partition]partitionLog)
	for _, t := range topics {
		for _, p := range t.partitions {
			extent, err := p.Extent()
			if err != nil {
				offline++
				continue
			}
			logs[p] = partitionLog{size: extent.Size, start: extent.Start, end: extent.End, online: true}
		}
	}
	w.head("kafka_server_replicamanager_partitioncount", "gauge", "Partitions held by this broker.")
	w.value("kafka_server_replicamanager_partitioncount", int64(len(logs))+offline)
	w.head("kafka_server_replicamanager_offlinereplicacount", "gauge", "Partitions whose log cannot be used.")
	w.value("kafka_server_replicamanager_offlinereplicacount", offline)
	for _, g := range partitionGauges() {
		w.head(g.name, "gauge", g.help)
		for _, t := range topics {
			for _, p := range t.partitions {
				if l := logs[p]; l.online {
					w.value(g.name, g.value(p, l), "topic", t.topic.Name, "partition", strconv.Itoa(int(p.Index)))
				}
			}
		}
	}
}

func writeDirs(w *seriesWriter, dirs []*logdir.Dir) {
	w.head("kafka_log_logdir_usable_bytes", "gauge", "Free space on the disk of a data directory.")
	for _, d := range dirs {
		if free, _, err := d.Space(); err == nil {
			w.value("kafka_log_logdir_usable_bytes", int64(free), "log_dir", d.Path())
		}
	}
	w.head("kafka_log_logdir_full", "gauge", "1 while produce requests are refused as the disk is full.")
	for _, d := range dirs {
		full := int64(0)
		if d.Writable() != nil {
			full = 1
		}
		w.value("kafka_log_logdir_full", full, "log_dir", d.Path())
	}
}

// writeGroups tells committed offsets and lag under the names of kafka_exporter. Lag is told where this broker leads the
// partition, too.
func writeGroups(w *seriesWriter, b Broker) {
	type commit struct {
		group, topic, partition string
		offset, lag             int64
		known                   bool
	}
	var commits []commit
	members := make(map[string]int64)
	for shard := range b.Groups.Committed() {
		for g := range shard.Groups() {
			members[g.ID] = int64(g.Size())
		}
		for o := range shard.Offsets() {
			c := commit{group: o.Group, topic: o.Topic, partition: strconv.Itoa(int(o.Partition)), offset: o.Offset}
			if p, err := b.Replicas.Get(o.Topic, o.Partition); err == nil {
				c.lag, c.known = max(p.HighWatermark()-o.Offset, 0), true
			}
			commits = append(commits, c)
		}
	}
	w.head("kafka_consumergroup_members", "gauge", "Members of a group.")
	for group, n := range members {
		w.value("kafka_consumergroup_members", n, "consumergroup", group)
	}
	w.head("kafka_consumergroup_current_offset", "gauge", "Offset that a group has committed.")
	for _, c := range commits {
		w.value("kafka_consumergroup_current_offset", c.offset, "consumergroup", c.group, "topic", c.topic, "partition", c.partition)
	}
	w.head("kafka_consumergroup_lag", "gauge", "Records between a group's committed offset and the high watermark.")
	for _, c := range commits {
		if c.known {
			w.value("kafka_consumergroup_lag", c.lag, "consumergroup", c.group, "topic", c.topic, "partition", c.partition)
		}
	}
}

// seriesWriter writes Prometheus' text format.
type seriesWriter struct {
	w    *bufio.Writer
	line []byte
}

func (s *seriesWriter) head(name, kind, help string) {
	_, _ = s.w.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// appendLabel quotes a label's value as Prometheus' text format has it: three escapes, everything else as it is, in UTF-8.
// Names of groups and clients may hold anything.
func appendLabel(b []byte, value string) []byte {
	b = append(b, '"')
	for _, r := range value { // what is no UTF-8 becomes U+FFFD
		switch r {
		case '\\', '"':
			b = append(b, '\\', byte(r))
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// value writes a sample with labels given as name, value, name, value…
func (s *seriesWriter) value(name string, value int64, labels ...string) {
	b := append(s.line[:0], name...)
	for i := 0; i < len(labels); i += 2 {
		if i == 0 {
			b = append(b, '{')
		} else {
			b = append(b, ',')
		}
		b = append(append(b, labels[i]...), '=')
		b = appendLabel(b, labels[i+1])
	}
	if len(labels) > 0 {
		b = append(b, '}')
	}
	b = append(b, ' ')
	b = append(strconv.AppendInt(b, value, 10), '\n')
	s.line = b
	_, _ = s.w.Write(b)
}
