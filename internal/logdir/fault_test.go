package logdir

import "syscall"

// noSpace is what a full disk says.
const noSpace = syscall.ENOSPC
