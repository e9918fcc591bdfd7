package kafkatest

import "syscall"

// dieWithParent makes a node end with the suite, however that ends.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
