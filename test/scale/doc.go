// Package scale holds Barnabas to what it promises of 20,000 idle partitions: memory, descriptors, and what a start and a stop
// cost. It knows Barnabas as a process with a port and reads /proc, so it needs Linux; it knows nothing of Barnabas's packages.
// run.sh is the way in. Times are printed; only CPU time is held to a bound, as it is the same on a busy machine.
package scale
