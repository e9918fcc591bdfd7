package config

// metricsRows are the settings of metrics and client telemetry.
func metricsRows() []Row {
	return []Row{
		{Name: "kafka.metrics.polling.interval.secs", Type: Int, Default: "10", Check: atLeast(1), Importance: Low,
			Status: NoEffect, Why: noJMX,
			Doc: "How often Kafka's metrics reporters are asked."},
		{Name: "kafka.metrics.reporters", Type: List, Check: listOf(true), Importance: Low,
			Status: NoEffect, Why: noJMX,
			Doc: "Java classes that report Kafka's internal metrics."},
		{Name: "metric.reporters", Type: List, Default: "org.apache.kafka.common.metrics.JmxReporter", Check: listOf(true), Importance: Low, Update: ClusterWide,
			Status: NoEffect, Why: noJMX,
			Doc: "Java classes that report Kafka's metrics."},
		{Name: "metrics.num.samples", Type: Int, Default: "2", Check: atLeast(1), Importance: Low,
			Status: NoEffect, Why: noJMX,
			Doc: "How many samples Kafka's metrics average over."},
		{Name: "metrics.recording.level", Type: String, Default: "INFO", Importance: Low,
			Status: NoEffect, Why: noJMX,
			Doc: "How detailed Kafka's metrics are."},
		{Name: "metrics.sample.window.ms", Type: Long, Default: "30000", Check: atLeast(1), Importance: Low,
			Status: NoEffect, Why: noJMX,
			Doc: "Length of one sample of Kafka's metrics."},
		{Name: "telemetry.max.bytes", Type: Int, Default: "1048576", Check: atLeast(1), Importance: Low,
			Status: NotYet, Why: noTelemetry,
			Doc: "Largest set of metrics that a client may send at once."},
	}
}
