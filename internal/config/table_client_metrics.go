package config

// clientMetricsRows are the settings of client metrics subscriptions.
func clientMetricsRows() []Row {
	return []Row{
		{Name: "interval.ms", Type: Int, Default: "300000", Importance: Medium,
			Status: NotYet, Why: noTelemetry,
			Doc: ""},
		{Name: "match", Type: List, Importance: Medium,
			Status: NotYet, Why: noTelemetry,
			Doc: ""},
		{Name: "metrics", Type: List, Importance: Medium,
			Status: NotYet, Why: noTelemetry,
			Doc: ""},
	}
}
