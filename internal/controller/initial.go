package controller

import (
	"maps"
	"slices"
	"strconv"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// InitialRecords are what a controller writes as it takes over. To a newly born
// cluster they give its features, in one metadata transaction as Kafka does. To
// one that is in the middle of a transaction they abort it, for whoever began it
// is gone. Mostly they are none.
func InitialRecords(im *meta.Image, env Env) []meta.Record {
	var records []meta.Record
	if im.InTransaction() {
		reason := "Controller failover"
		records = append(records, &meta.AbortTransactionRecord{Reason: &reason})
	}
	if im.MetadataVersion() != 0 {
		return records
	}
	level := env.MetadataVersion
	if level == 0 {
		level = meta.LatestMetadataVersion
	}
	transaction := level >= meta.Level36IV1
	if transaction {
		name := "Bootstrap records"
		records = append(records, &meta.BeginTransactionRecord{Name: &name})
	}
	records = append(records, &meta.FeatureLevelRecord{Name: meta.FeatureMetadataVersion, FeatureLevel: level})
	finalize := maps.Clone(env.Finalize)
	if level < meta.Level40IV1 {
		delete(finalize, FeatureELR) // records could not hold who is eligible
	}
	for _, name := range slices.Sorted(maps.Keys(finalize)) {
		if finalize[name] > 0 {
			records = append(records, &meta.FeatureLevelRecord{Name: name, FeatureLevel: finalize[name]})
		}
	}
	if finalize[FeatureELR] > 0 {
		// Who is eligible depends on min.insync.replicas, so that must be the same
		// for all who decide.
		value := strconv.Itoa(int(env.MinInsyncReplicas))
		records = append(records, &meta.ConfigRecord{
			ResourceType: meta.ResourceBroker, Name: configMinInsyncReplicas, Value: &value,
		})
	}
	if transaction {
		records = append(records, &meta.EndTransactionRecord{})
	}
	return records
}
