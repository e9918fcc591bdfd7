//go:build suite

package clients

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// An adapter is one client library at work. Everything happens in partition 0.
type adapter interface {
	// produce sends all records, in order, and returns when each is acknowledged by the whole in-sync set.
	produce(topic, codec string, idempotent bool, records []record) error
	// consume reads the first count records.
	consume(topic string, count int) ([]record, error)
	// group joins a group, reads the next count records, commits that, and leaves.
	group(topic, group string, count int) ([]record, error)
}

// answerLimit is longer than the adapters' own limit for a command.
const answerLimit = 90 * time.Second

// A session is a running adapter program, which takes commands on its standard input (see go/main.go).
type session struct {
	name    string
	dir     string // for the files that the commands name
	mu      sync.Mutex
	input   io.WriteCloser
	answers chan string
	problem string // file that takes its standard error
	files   int
}

func startSession(t *testing.T, name string, cmd *exec.Cmd) *session {
	t.Helper()
	s := &session{name: name, dir: t.TempDir(), answers: make(chan string)}
	s.problem = filepath.Join(s.dir, "stderr")
	problem, err := os.Create(s.problem)
	if err != nil {
		t.Fatal(err)
	}
	defer problem.Close()
	cmd.Stderr = problem
	if s.input, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			s.answers <- lines.Text()
		}
		close(s.answers)
	}()
	t.Cleanup(func() {
		s.input.Close()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
		}
		cmd.Process.Kill()
		cmd.Wait()
	})
	return s
}

// do sends one command and takes its answer.
func (s *session) do(args ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintln(s.input, strings.Join(args, " ")); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	select {
	case answer, open := <-s.answers:
		if answer == "ok" {
			return nil
		}
		if !open {
			text, _ := os.ReadFile(s.problem)
			return fmt.Errorf("%s ended; it said:\n%s", s.name, tail(string(text), 4000))
		}
		return fmt.Errorf("%s %s: %s", s.name, strings.Join(args[:len(args)-1], " "), strings.TrimPrefix(answer, "error "))
	case <-time.After(answerLimit):
		return errors.New(s.name + ": no answer to " + strings.Join(args, " "))
	}
}

// file names a new file for a command.
func (s *session) file() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files++
	return filepath.Join(s.dir, fmt.Sprint(s.files, ".json"))
}

func (s *session) produce(topic, codec string, idempotent bool, records []record) error {
	file := s.file()
	defer os.Remove(file)
	if err := writeRecords(file, records); err != nil {
		return err
	}
	how := "plain"
	if idempotent {
		how = "idempotent"
	}
	return s.do("produce", topic, codec, how, file)
}

func (s *session) consume(topic string, count int) ([]record, error) {
	file := s.file()
	defer os.Remove(file)
	if err := s.do("consume", topic, fmt.Sprint(count), file); err != nil {
		return nil, err
	}
	return readRecords(file)
}

func (s *session) group(topic, group string, count int) ([]record, error) {
	file := s.file()
	defer os.Remove(file)
	if err := s.do("group", topic, group, fmt.Sprint(count), file); err != nil {
		return nil, err
	}
	return readRecords(file)
}

func goAdapter() string { return filepath.Join(cache, "adapter") }

// startGo starts one of the Go libraries; more is handed on to it.
func startGo(library string, more ...string) func(*testing.T, string) adapter {
	return func(t *testing.T, address string) adapter {
		return startSession(t, library, exec.Command(goAdapter(), append([]string{library, address}, more...)...))
	}
}

func startJava(t *testing.T, address string) adapter {
	t.Helper()
	jars, err := kafkatest.ClassPath(context.Background(), kafkatest.Server44)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cache, "java") + string(os.PathListSeparator) + jars
	return startSession(t, "java", exec.Command("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.level=ERROR", "-cp", path, "Adapter", address))
}

func startPython(t *testing.T, address string) adapter {
	return startSession(t, "kafka-python", exec.Command(filepath.Join(cache, "python", "bin", "python"), "python/adapter.py", address))
}

func startJS(t *testing.T, address string) adapter {
	return startSession(t, "kafkajs", exec.Command("node", "js/adapter.js", address, filepath.Join(cache, "js")))
}
