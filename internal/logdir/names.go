package logdir

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Files and folders of a data directory. The first group is Kafka's; the second is ours alone, hidden plain files,
// because Kafka refuses to start on a folder that it cannot read as a partition but ignores files.
const (
	lockName                = ".lock"
	metaPropertiesName      = "meta.properties"
	cleanShutdownName       = ".kafka_cleanshutdown"
	recoveryPointsName      = "recovery-point-offset-checkpoint"
	logStartOffsetsName     = "log-start-offset-checkpoint"
	highWatermarksName      = "replication-offset-checkpoint"
	cleanerOffsetsName      = "cleaner-offset-checkpoint"
	partitionMetadataName   = "partition.metadata"
	clusterMetadataTopic    = "__cluster_metadata"
	deleteSuffix            = "-delete"
	futureSuffix            = "-future"
	straySuffix             = "-stray"
	maxFolderName           = 255
	maxTopicName            = 249
	remoteIndexCacheFolder  = "remote-log-index-cache"
	bootName                = ".barnabas-boot"
	manifestName            = ".barnabas-manifest"
	reserveName             = ".barnabas-reserve"
	lostAndFoundOfExtFolder = "lost+found"
)

// key names a partition within a directory.
type key struct {
	topic     string
	partition int32
}

func (k key) String() string { return k.topic + "-" + strconv.Itoa(int(k.partition)) }

// folderKind is what the suffix of a folder says about the log in it.
type folderKind uint8

const (
	folderForeign folderKind = iota // not a partition's folder
	folderLive
	folderDeleted // renamed by a delete, to be removed
	folderFuture  // a copy under way from another directory
	folderStray   // not known to the metadata, kept for a person to look at
)

// parseFolder reads the name of a folder as Kafka does: `<topic>-<n>`, or with a suffix `<topic>-<n>.<unique>-delete`.
// Topics hold dashes and dots themselves, so the partition is what follows the last dash of the part before the last dot
// of a suffixed name.
func parseFolder(name string) (key, folderKind) {
	kind := folderLive
	for suffix, k := range map[string]folderKind{deleteSuffix: folderDeleted, futureSuffix: folderFuture, straySuffix: folderStray} {
		if strings.HasSuffix(name, suffix) {
			kind = k
		}
	}
	if kind != folderLive {
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return key{}, folderForeign
		}
		name = name[:dot]
	}
	dash := strings.LastIndexByte(name, '-')
	if dash <= 0 {
		return key{}, folderForeign
	}
	n, err := strconv.ParseInt(name[dash+1:], 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != name[dash+1:] {
		return key{}, folderForeign // t-01 beside t-1 would be two folders of one partition
	}
	k := key{topic: name[:dash], partition: int32(n)}
	if checkTopic(k.topic) != nil {
		return key{}, folderForeign
	}
	return k, kind
}

// suffixedFolder is the name that a log's folder gets when it is deleted or set aside. A name longer than file systems
// take is cut in the topic, as in Kafka: the folder is never opened by that name again.
func suffixedFolder(k key, unique, suffix string) string {
	tail := fmt.Sprintf("-%d.%s%s", k.partition, unique, suffix)
	return k.topic[:min(len(k.topic), maxFolderName-len(tail))] + tail
}

// checkTopic refuses names that must not become a part of a path.
func checkTopic(topic string) error {
	bad := topic == "" || topic == "." || topic == ".." || len(topic) > maxTopicName
	for i := 0; i < len(topic) && !bad; i++ {
		c := topic[i]
		legal := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
		bad = !legal
	}
	if bad {
		return fmt.Errorf("topic %.60q: %w", topic, kerr.InvalidTopicException)
	}
	return nil
}
