package config

// clientMetricsRows are the settings of client metrics subscriptions.
func clientMetricsRows() []Row {
	return []Row{
		{Name: "interval.ms", Type: Int, Default: "300000", Importance: Medium,
			Status: NotYet, Why: noTelemetry,
			Doc: "How often clients send their metrics."},
		{Name: "match", Type: List, Check: listOf(true), Importance: Medium,
			Status: NotYet, Why: noTelemetry,
			Doc: "Clients that the subscription is for, as attribute=regular expression, separated by commas; empty means all."},
		{Name: "metrics", Type: List, Check: listOf(true), Importance: Medium,
			Status: NotYet, Why: noTelemetry,
			Doc: "Prefixes of the names of the metrics to send; * means all."},
	}
}
