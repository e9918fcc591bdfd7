//go:build unix

package node

import (
	"math"

	"golang.org/x/sys/unix"
)

// maxDescriptors is how many descriptors the process may have, 0 if that is not known.
func maxDescriptors() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur)
}
