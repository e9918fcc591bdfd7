package logdir

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Identity is what `meta.properties` says: whose directory this is.
type Identity struct {
	ClusterID   string // empty until the node knows its cluster
	NodeID      int32
	DirectoryID [16]byte
}

const (
	metaVersionProperty   = "version"
	metaNodeProperty      = "node.id"
	metaBrokerProperty    = "broker.id" // version 0, of Kafkas with ZooKeeper
	metaClusterProperty   = "cluster.id"
	metaDirectoryProperty = "directory.id"
	noNode                = int32(-1)
	reservedDirectoryIDs  = 100 // Kafka keeps the first hundred 128-bit numbers for special meanings
)

var errMetaProperties = errors.New("invalid meta.properties")

// decodeMetaProperties reads versions 0 and 1. What the file does not say is the zero value, for the node noNode.
func decodeMetaProperties(b []byte) (Identity, error) {
	p, err := parseProperties(b)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", errMetaProperties, err)
	}
	id := Identity{NodeID: noNode, ClusterID: p[metaClusterProperty]}
	version, given := p[metaVersionProperty]
	if !given {
		version = "0"
	}
	nodeProperty := metaNodeProperty
	switch version {
	case "0":
		nodeProperty = metaBrokerProperty
	case "1":
	default:
		return Identity{}, fmt.Errorf("%w: version %.20q (known are 0 and 1)", errMetaProperties, version)
	}
	if node, ok := p[nodeProperty]; ok {
		n, err := strconv.ParseInt(strings.TrimSpace(node), 10, 32)
		if err != nil {
			return Identity{}, fmt.Errorf("%w: %s=%.20q", errMetaProperties, nodeProperty, node)
		}
		id.NodeID = int32(n)
	}
	if version == "1" && (id.ClusterID == "" || id.NodeID < 0) {
		return Identity{}, fmt.Errorf("%w: version 1 needs %s and %s", errMetaProperties, metaClusterProperty, metaNodeProperty)
	}
	if directory, ok := p[metaDirectoryProperty]; ok {
		if id.DirectoryID, err = parseUUID(directory); err != nil || reservedUUID(id.DirectoryID) {
			return Identity{}, fmt.Errorf("%w: %s=%.40q", errMetaProperties, metaDirectoryProperty, directory)
		}
	}
	return id, nil
}

// encodeMetaProperties writes version 1.
func encodeMetaProperties(id Identity, now time.Time) []byte {
	return fmt.Appendf(nil, "#\n#%s\n%s=%s\n%s=%s\n%s=%d\n%s=1\n", now.UTC().Format(time.UnixDate),
		metaClusterProperty, escape(id.ClusterID), metaDirectoryProperty, formatUUID(id.DirectoryID),
		metaNodeProperty, id.NodeID, metaVersionProperty)
}

// Kafka writes ids as URL-safe base64 without padding.
func formatUUID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func parseUUID(s string) (id [16]byte, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(strings.TrimSpace(s), "="))
	if err != nil {
		return id, fmt.Errorf("id %.40q: %w", s, err)
	}
	if len(b) != len(id) {
		return id, fmt.Errorf("id %.40q: %d bytes instead of %d", s, len(b), len(id))
	}
	return [16]byte(b), nil
}

func reservedUUID(id [16]byte) bool {
	return binary.BigEndian.Uint64(id[:8]) == 0 && binary.BigEndian.Uint64(id[8:]) < reservedDirectoryIDs
}

// encodePartitionMetadata and decodePartitionMetadata are `partition.metadata`: which topic id the log belongs to.
func encodePartitionMetadata(topicID [16]byte) []byte {
	return []byte("version: 0\ntopic_id: " + formatUUID(topicID))
}

var errPartitionMetadata = errors.New("malformed " + partitionMetadataName)

func decodePartitionMetadata(b []byte) (topicID [16]byte, err error) {
	version, rest := cutLine(b)
	value, ok := strings.CutPrefix(version, "version:")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if !ok || err != nil || n < 0 {
		return topicID, fmt.Errorf("%w: line %.40q", errPartitionMetadata, version)
	}
	line, _ := cutLine(rest)
	value, ok = strings.CutPrefix(line, "topic_id:")
	if !ok {
		return topicID, fmt.Errorf("%w: line %.40q", errPartitionMetadata, line)
	}
	if topicID, err = parseUUID(value); err != nil {
		return topicID, fmt.Errorf("%w: %w", errPartitionMetadata, err)
	}
	if topicID == ([16]byte{}) {
		return topicID, fmt.Errorf("%w: zero topic id", errPartitionMetadata)
	}
	return topicID, nil
}
