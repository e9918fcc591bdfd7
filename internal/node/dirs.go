package node

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// openDirs locks and opens the data directories.
func (n *Node) openDirs(context.Context) error {
	v := n.live.values()
	n.files = storage.NewFiles(openFiles(int(config.MaxOpenLogFiles.Of(v)), maxDescriptors()))
	paths := v.LogDirs()
	dirs, errs := make([]*logdir.Dir, len(paths)), make([]error, len(paths))
	var opening sync.WaitGroup
	for i, path := range paths {
		opening.Go(func() { dirs[i], errs[i] = logdir.Open(n.dirOptions(path)) })
	}
	opening.Wait()
	for _, dir := range dirs {
		if dir != nil {
			n.dirs = append(n.dirs, dir)
		}
	}
	return errors.Join(errs...)
}

// openFiles is how many files of logs may be open when the process may have so many descriptors (0: not known): connections
// need theirs, too.
func openFiles(configured, descriptors int) int {
	if descriptors > 0 {
		return min(configured, descriptors/2)
	}
	return configured
}

func (n *Node) dirOptions(path string) logdir.Options {
	v := n.live.values()
	return logdir.Options{
		FS: n.options.FS, Path: path, NodeID: n.nodeID, Files: n.files, Logger: n.logger,
		Settings: func(topic string) *storage.Settings {
			if n.replicas != nil {
				if s := n.replicas.Settings(topic); s != nil {
					return s.Storage // all logs of a topic share them
				}
			}
			return n.live.topicSettings(n.imageForSettings(), topic).Storage
		},
		SettingsKnown: n.settingsKnown,
		HighWatermark: func(topic string, partition int32) int64 {
			if n.replicas == nil {
				return -1
			}
			return n.replicas.HighWatermark(topic, partition)
		},
		Idle: func(topic string, partition int32) bool {
			return n.replicas != nil && n.replicas.Idle(topic, partition)
		},
		Rest: func(topic string, partition int32) { n.replicas.Rest(topic, partition) },
		BrokerEpoch: func() int64 {
			if n.registration == nil {
				return -1
			}
			return n.registration.epoch.Load()
		},
		Failed:             n.fail,
		RecoveryThreads:    int(config.NumRecoveryThreadsPerDataDir.Of(v)),
		RetentionCheck:     config.Millis(config.LogRetentionCheckIntervalMs, v),
		CheckpointEvery:    config.Millis(config.LogFlushOffsetCheckpointIntervalMs, v),
		HighWatermarkEvery: config.Millis(config.ReplicaHighWatermarkCheckpointIntervalMs, v),
		FlushWorkers:       int(config.FlushWorkers.Of(v)),
		DiskCalls:          int(config.DiskOperationsMax.Of(v)),
		ReserveBytes:       config.DiskReserveBytes.Of(v),
		Cleaner:            cleanerOptions(v),
		SkipRecoveryScan:   n.options.SkipRecoveryScan,
	}
}

func cleanerOptions(v *config.Values) logdir.CleanerOptions {
	return logdir.CleanerOptions{
		Disabled:       !config.LogCleanerEnable.Of(v),
		Threads:        int(config.LogCleanerThreads.Of(v)),
		DedupeBytes:    config.LogCleanerDedupeBufferSize.Of(v),
		LoadFactor:     config.LogCleanerIOBufferLoadFactor.Of(v),
		BufferBytes:    int(config.LogCleanerIOBufferSize.Of(v)),
		BytesPerSecond: config.LogCleanerIOMaxBytesPerSecond.Of(v),
		Backoff:        config.Millis(config.LogCleanerBackoffMs, v),
	}
}

// reconfigureDirs hands the directories what may have changed of their settings.
func (n *Node) reconfigureDirs() {
	v := n.live.values()
	for _, dir := range n.dirs {
		dir.Reconfigure(cleanerOptions(v), int(config.NumRecoveryThreadsPerDataDir.Of(v)))
	}
}

// identify finds the cluster's id in the directories, or makes one for directories that are all new.
func (n *Node) identify(context.Context) error {
	var err error
	if n.clusterID, err = n.knownCluster(); err != nil {
		return err
	}
	begins := n.clusterID == ""
	if begins {
		id := newID()
		n.clusterID = base64.RawURLEncoding.EncodeToString(id[:])
	}
	for _, dir := range n.dirs {
		id := dir.Identity()
		if id.ClusterID == n.clusterID {
			continue
		}
		if !begins {
			n.logger.Warn("a data directory without meta.properties joins others that are in use; if it was in use before, its disk may not be mounted",
				"dir", dir.Path())
		}
		id.ClusterID = n.clusterID
		if err := dir.SetIdentity(id); err != nil {
			return fmt.Errorf("data directory %s: %w", dir.Path(), err)
		}
	}
	return nil
}

// knownCluster is the id of the cluster that the directories belong to; empty if they are all new.
func (n *Node) knownCluster() (string, error) {
	known := ""
	for _, dir := range n.dirs {
		id := dir.Identity().ClusterID
		if id != "" && known != "" && id != known {
			return "", fmt.Errorf("data directory %s belongs to cluster %s, another one to %s", dir.Path(), id, known)
		}
		if id != "" {
			known = id
		}
	}
	return known, nil
}
