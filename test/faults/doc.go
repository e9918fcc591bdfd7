// Package faults does to a broker process what disks, limits and strangers do: the disk fills up, a bit of a closed
// segment flips, descriptors run out, a peer sends thousands of malformed frames. Each story says what must still work
// meanwhile, and that nothing acknowledged is lost.
package faults
