package node

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// live is the broker's configuration as it is now: what it was started with, and the dynamic configs of the image on
// top.
type live struct {
	nodeID int32
	static *config.Values
	now    atomic.Pointer[config.Values]
}

func newLive(nodeID int32, static *config.Values) *live {
	l := &live{nodeID: nodeID, static: static}
	l.now.Store(static)
	return l
}

func (l *live) values() *config.Values { return l.now.Load() }

// update takes the dynamic configs of an image. It returns those that cannot take effect; the rest does.
func (l *live) update(image *meta.Image) []error {
	v, refused := l.static.WithDynamic(image.Config(meta.ResourceBroker, ""), image.Config(meta.ResourceBroker, nodeName(l.nodeID)))
	l.now.Store(v)
	return refused
}

// topicSettings resolves a topic's configs over the broker's.
func (l *live) topicSettings(image *meta.Image, topic string) *replica.Settings {
	v := config.TopicValues(l.values(), image.Config(meta.ResourceTopic, topic))
	s := &replica.Settings{
		Storage:     storageSettings(v),
		Check:       checkOptions(v),
		MinInSync:   int(config.TopicMinInsyncReplicas.Of(v)),
		GroupCommit: config.TopicFlushMessages.Of(v) == 1,

		LeaderThrottled:   throttled(config.TopicLeaderThrottledReplicas.Of(v), l.nodeID),
		FollowerThrottled: throttled(config.TopicFollowerThrottledReplicas.Of(v), l.nodeID),
	}
	s.Storage.ProducerExpirationMs = int64(config.ProducerIDExpirationMs.Of(l.values()))
	return s
}

// throttled picks a broker's partitions out of a list of partition:broker, which has been checked.
func throttled(replicas []string, broker int32) replica.Throttled {
	var t replica.Throttled
	for _, entry := range replicas {
		if entry == "*" {
			return replica.Throttled{All: true}
		}
		partition, id, _ := strings.Cut(entry, ":")
		if id != strconv.Itoa(int(broker)) {
			continue
		}
		if index, err := strconv.ParseInt(partition, 10, 32); err == nil {
			if t.Partitions == nil {
				t.Partitions = make(map[int32]bool)
			}
			t.Partitions[int32(index)] = true
		}
	}
	return t
}

func storageSettings(v *config.Values) *storage.Settings {
	policy := config.TopicCleanupPolicy.Of(v)
	segmentBytes := int64(config.TopicSegmentBytes.Of(v))
	if config.TopicInternalSegmentBytes.IsSet(v) && !config.TopicInternalSegmentBytes.IsNull(v) {
		segmentBytes = int64(config.TopicInternalSegmentBytes.Of(v))
	}
	return &storage.Settings{
		SegmentBytes:       segmentBytes,
		SegmentMs:          config.TopicSegmentMs.Of(v),
		SegmentJitterMs:    config.TopicSegmentJitterMs.Of(v),
		SegmentIndexBytes:  config.TopicSegmentIndexBytes.Of(v),
		IndexIntervalBytes: config.TopicIndexIntervalBytes.Of(v),
		RetentionMs:        config.TopicRetentionMs.Of(v),
		RetentionBytes:     config.TopicRetentionBytes.Of(v),
		Delete:             slices.Contains(policy, "delete"),
		Compact:            slices.Contains(policy, "compact"),
		FlushMessages:      config.TopicFlushMessages.Of(v),
		FlushMs:            config.TopicFlushMs.Of(v),
		FileDeleteDelayMs:  config.TopicFileDeleteDelayMs.Of(v),
		DeleteRetentionMs:  config.TopicDeleteRetentionMs.Of(v),
		MinCompactionLagMs: config.TopicMinCompactionLagMs.Of(v),
		MaxCompactionLagMs: config.TopicMaxCompactionLagMs.Of(v),
		MinCleanableRatio:  config.TopicMinCleanableDirtyRatio.Of(v),
		Preallocate:        config.TopicPreallocate.Of(v),
		MaxMessageBytes:    config.TopicMaxMessageBytes.Of(v),
	}
}

func checkOptions(v *config.Values) batch.CheckOptions {
	return batch.CheckOptions{
		Codec: targetCodec(config.TopicCompressionType.Of(v)),
		Levels: batch.Levels{
			Gzip: int(config.TopicCompressionGzipLevel.Of(v)),
			LZ4:  int(config.TopicCompressionLz4Level.Of(v)),
			Zstd: int(config.TopicCompressionZstdLevel.Of(v)),
		},
		Compacted:     slices.Contains(config.TopicCleanupPolicy.Of(v), "compact"),
		LogAppendTime: config.TopicMessageTimestampType.Of(v) == "LogAppendTime",
		BeforeMaxMs:   config.TopicMessageTimestampBeforeMaxMs.Of(v),
		AfterMaxMs:    config.TopicMessageTimestampAfterMaxMs.Of(v),
		MaxBatchBytes: int(config.TopicMaxMessageBytes.Of(v)),
		MaxDecoded:    int(config.TopicMaxDecompressedMessageBytes.Of(v)),
	}
}

// targetCodec is the codec in which a topic's batches are stored.
func targetCodec(compressionType string) batch.Codec {
	switch compressionType {
	case "uncompressed":
		return batch.CodecNone
	case "gzip":
		return batch.CodecGzip
	case "snappy":
		return batch.CodecSnappy
	case "lz4":
		return batch.CodecLZ4
	case "zstd":
		return batch.CodecZstd
	default:
		return batch.CodecProducer
	}
}
