// Package storage keeps one partition's log: segments, their indexes, the state of producers and transactions, leader
// epochs, retention and recovery, in the files of Apache Kafka, byte for byte.
//
// It knows offsets, batches and files. It must not know topics, leaders, followers, clients or the protocol: whoever
// appends has checked the batch (package batch), decided that it may, and says on whose behalf; whoever reads says up to
// where. The log starts no goroutine and no timer. What is slow by nature, Sync and Housekeep, its owner calls when it
// sees fit.
//
// The files of a partition's directory, each with a page in docs/format:
//
//	00000000000000000000.log        record batches, from the offset that is its name
//	00000000000000000000.index      sparse: offset → position
//	00000000000000000000.timeindex  sparse: timestamp → offset
//	00000000000000000000.txnindex   aborted transactions, only if there are any
//	00000000000000000000.snapshot   state of the producers before that offset
//	leader-epoch-checkpoint         which leader epoch began at which offset
//
// # Locks
//
// Log.mu is held for one append, roll, truncation or retention step, including their writes, never for a sync. Reading
// takes no lock that a write holds: it goes by the published list of segments, each with a published size, and
// holds a reference on the open file.
// Nested: Log.mu, then (one of) segment.mu, epochs.mu, handle.mu, Files.mu.
package storage
