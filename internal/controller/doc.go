// Package controller decides what becomes of the cluster's metadata: topics and
// their placement, leaders and in-sync sets, registrations, fencing, configs,
// features and producer ids.
//
// It is pure. A decision takes the state, a request and an Env (time, ids, the
// seed of placement, defaults), and gives records and the answer; the state
// changes only by replaying the records. So it can be replayed, simulated and
// tested without a cluster. It must not know how records are replicated, who
// may ask for what (the api checks that first), or how answers travel.
package controller
