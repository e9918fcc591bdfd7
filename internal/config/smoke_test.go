package config

import "testing"

func TestDefaultsResolve(t *testing.T) {
	v := Defaults()
	if got := NumPartitions.Of(v); got != 1 {
		t.Fatalf("num.partitions is %d", got)
	}
	if got := TopicRetentionMs.Of(v); got != 604800000 {
		t.Fatalf("retention.ms is %d", got)
	}
}
