package kafkatest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Start starts a node that is not running, on the same port and directory, and waits until it serves. The output is
// appended to that of earlier runs.
func (n *Node) Start() error {
	out, err := os.OpenFile(n.Output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	n.process = exec.Command(n.Command[0], n.Command[1:]...)
	n.process.Stdout, n.process.Stderr, n.process.Dir = out, out, n.Dir
	n.process.SysProcAttr = dieWithParent()
	if err := n.process.Start(); err != nil {
		return err
	}
	n.PID, n.exited = n.process.Process.Pid, make(chan struct{})
	go func(p *exec.Cmd, exited chan struct{}) {
		_ = p.Wait() // how it ended is seen in its output
		close(exited)
	}(n.process, n.exited)
	if err := n.awaitReady(); err != nil {
		n.Kill()
		return fmt.Errorf("start %s: %w; its output ends with:\n%s", n.Command[0], err, n.Tail(30))
	}
	return nil
}

// Stop asks the node to end, as a service manager does (SIGTERM), and waits until it has.
func (n *Node) Stop() error {
	if err := n.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-n.exited:
		return nil
	case <-time.After(stopTimeout):
		n.Kill()
		return fmt.Errorf("%s did not end in %s; its output ends with:\n%s", n.Command[0], stopTimeout, n.Tail(30))
	}
}

// Kill ends the node at once (SIGKILL) and waits until it is gone. A node that is gone stays so.
func (n *Node) Kill() {
	_ = n.process.Process.Kill() // only fails when it is gone
	<-n.exited
}

// Exited is closed when the process is gone.
func (n *Node) Exited() <-chan struct{} { return n.exited }

// Tail is the end of the node's output.
func (n *Node) Tail(lines int) string {
	b, err := os.ReadFile(n.Output)
	if err != nil {
		return err.Error()
	}
	at := len(b)
	for i := len(b) - 1; i > 0 && lines > 0; i-- {
		if b[i-1] == '\n' {
			at, lines = i, lines-1
		}
	}
	return string(b[min(at, len(b)):])
}

// awaitReady waits until the node tells a client of at least one broker: then topics can be created.
func (n *Node) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	last := errors.New("not asked yet")
	for {
		select {
		case <-n.exited:
			return errors.New("the process ended")
		case <-ctx.Done():
			return fmt.Errorf("not ready in %s: %w", startTimeout, last)
		case <-ticker.C:
			if last = serves(n.Address); last == nil {
				return nil
			}
		}
	}
}

// serves asks for the brokers with the oldest Metadata that asks for no topic, version 1.
func serves(address string) error {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	const request = "\x00\x00\x00\x0e" + "\x00\x03\x00\x01\x00\x00\x00\x07" + "\xff\xff" + "\x00\x00\x00\x00"
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	var head [12]byte // length, correlation id, number of brokers
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	if brokers := int32(binary.BigEndian.Uint32(head[8:])); brokers < 1 {
		return errors.New("it knows no broker yet")
	}
	return nil
}
