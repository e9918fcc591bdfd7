//go:build unix

package cli

import (
	"os/exec"
	"syscall"
)

// apart keeps a terminal's interrupt from a process: it is told by the one that started it, once.
func apart(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
