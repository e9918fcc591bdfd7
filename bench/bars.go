package main

// bar is what a figure of Barnabas has to reach.
type bar struct {
	Workload string
	Figure   string
	Ratio    bool // of Barnabas to Kafka, not Barnabas' own figure
	AtLeast  bool // else at most
	Limit    float64
}

// floorMargin is how far above the floors we may be. The floors are what a broker of this architecture that does
// nothing but the one thing took on two cores of this class, over loopback and ext4.
const floorMargin = 1.5

// bars lists what is promised.
func bars() []bar {
	return []bar{
		{Workload: "start", Figure: "new directory ms", Limit: 100},
		{Workload: "idle", Figure: "memory idle MB", Limit: 30},
		{Workload: "partitions", Figure: "start ms", Limit: 2000},
		{Workload: "partitions", Figure: "descriptors, all written", Limit: 12_000},
		{Workload: "partitions", Figure: "descriptors after start", Limit: 12_000},
		{Workload: "partitions", Figure: "bytes of memory a partition", Limit: 1000},

		{Workload: "produce64k", Figure: cpuPerGB, Limit: floorMargin * 0.62},
		{Workload: "produce64k", Figure: cpuPerGB, Ratio: true, Limit: 0.25},
		{Workload: "produce64k", Figure: megabytesPerSecond, Ratio: true, AtLeast: true, Limit: 3},
		{Workload: "produce1m", Figure: cpuPerGB, Limit: floorMargin * 0.32},
		{Workload: "produce1m", Figure: cpuPerGB, Ratio: true, Limit: 0.25},
		{Workload: "produce1m", Figure: megabytesPerSecond, Ratio: true, AtLeast: true, Limit: 3},
		{Workload: "fetch64k", Figure: cpuPerGB, Limit: floorMargin * 0.55},
		{Workload: "fetch64k", Figure: cpuPerGB, Ratio: true, Limit: 0.6},
		{Workload: "fetch64k", Figure: megabytesPerSecond, Ratio: true, AtLeast: true, Limit: 1.2},
		{Workload: "fetch1m", Figure: cpuPerGB, Limit: floorMargin * 0.30},
		{Workload: "fetch1m", Figure: cpuPerGB, Ratio: true, Limit: 0.9},
		{Workload: "fetch1m", Figure: megabytesPerSecond, Ratio: true, AtLeast: true, Limit: 1.1},

		{Workload: "tiny", Figure: cpuPerRequest, Limit: floorMargin * 35},
		{Workload: "tiny-pipelined", Figure: cpuPerRequest, Limit: floorMargin * 5},
		{Workload: "tiny-pipelined", Figure: cpuPerRequest, Ratio: true, Limit: 0.2},
		{Workload: "latency", Figure: p99, Ratio: true, Limit: 0.5},
		{Workload: "fsync16", Figure: requestsPerSecond, Ratio: true, AtLeast: true, Limit: 8},
	}
}

// reached judges a figure; ratio is Barnabas to Kafka.
func (b bar) reached(ours, ratio spread) bool {
	value := ours.Median
	if b.Ratio {
		value = ratio.Median
	}
	if b.AtLeast {
		return value >= b.Limit
	}
	return value <= b.Limit
}
