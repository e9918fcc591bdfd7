// Package logdir is one data directory as Apache Kafka lays it out: who owns it (`.lock`, `meta.properties`), which logs it
// holds, what is known of them from outside their folders (the four checkpoints, the clean-shutdown marker, and a
// manifest of ours), and the work that nobody asks for: recovery, retention, compaction, group commits, deferred
// deletes, checkpoints, and keeping enough of the disk free.
//
// It knows topics by name and id, partitions, folders and storage.Log. It must not know leaders, replicas, metadata
// or the protocol: which logs should exist, and what their high watermarks are, it is told.
//
// # Promises
//
//   - A directory has one owner. A second process is told whose it is.
//   - A log in trouble is offline alone: it neither stops the start nor delays other logs.
//   - A topic that was deleted and made again never sees the old one's records, whatever was interrupted: a folder
//     belongs to the topic id in its partition.metadata, a deleted one is renamed before the name is free, and checkpoints are
//     rewritten before a name is used again.
//   - Durability is asked for with Dir.Flush: it also makes the log's folder durable, which Create does not.
//   - An error of fsync ends the use of the directory until the next start: what it dropped cannot be known (a retry may
//     falsely succeed).
//   - A full disk stops appends, nothing else, until there is space again.
//
// # Locks
//
// Dir.mu guards the table of logs and is held for memory only. entry.mu is held while one log is opened, created,
// deleted or closed, disk included. Nested: entry.mu, then Dir.refreshing, then Dir.mu. flusher.mu, keeper.mu and reserve's atomics nest inside both and call nobody.
package logdir
