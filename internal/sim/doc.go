// Package sim plays whole clusters in one goroutine: the quorum's real driver, log and snapshots over disks in memory, the real
// controller on what it commits, and brokers that register, send heartbeats, replicate and propose in-sync sets. Messages get lost,
// doubled and late, links are cut, processes die, disks lose what was not synced. All of it is drawn from a seed, so a world that
// breaks an invariant does so again: go test ./internal/sim -sim.seed N.
//
// It is tests alone. It must not know how a node waits, nor what goes over the wire.
package sim
