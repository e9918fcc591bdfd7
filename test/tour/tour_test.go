//go:build suite

package tour

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	serve     = "go run ./cmd/barnabas serve"
	testAll   = "go test ./..."
	consume   = "./barnabas consume events --from beginning --group tour --exit-at-end"
	lag       = "./barnabas group describe tour"
	nodes     = "./barnabas serve --nodes 3"
	kcat      = "kcat -b 127.0.0.1:9092 -t events -C -o beginning -e"
	stepLimit = 15 * time.Minute // for README's test command; the others take seconds
)

// TestReadmeAsWritten does what README says from top to bottom, and then what its last sentence says: kills the broker,
// starts it again, and consumes.
func TestReadmeAsWritten(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "barnabas")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "clone", "-q", root, clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	p := place{dir: clone, env: emptyHome(t)}
	readme, err := os.ReadFile(filepath.Join(clone, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands := indented(string(readme))
	for _, command := range []string{serve, testAll, consume, lag, kcat, nodes} {
		if !slices.Contains(commands, command) {
			t.Fatalf("README does not say %q any more; it says\n%s", command, strings.Join(commands, "\n"))
		}
	}

	var broker *exec.Cmd
	printed := map[string]string{}
	for _, command := range commands {
		switch {
		case command == serve:
			broker = p.serve(t, serve, 1)
		case command == nodes:
			// It is for when the broker is stopped.
		case command == testAll && os.Getenv("TOUR") != "all":
			t.Logf("%-90s in CI's own clean clone", command)
		default:
			start := time.Now()
			printed[command] = p.paste(t, command)
			t.Logf("%-90s %.1f s", command, time.Since(start).Seconds())
		}
	}

	lines, err := os.ReadFile("/tmp/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	once := string(lines)
	sameLines(t, consume, printed[consume], once)
	sameLines(t, kcat, printed[kcat], once+once) // README has kcat produce the file a second time
	if !strings.Contains(printed[lag], "events") || !strings.Contains(printed[lag], "LAG") {
		t.Errorf("%s shows no lag:\n%s", lag, printed[lag])
	}

	kill(broker)
	broker = p.serve(t, serve, 1)
	sameLines(t, "after kill -9: "+kcat, p.paste(t, kcat), once+once)
	if got := p.paste(t, consume); len(strings.Split(got, "\n")) < strings.Count(once, "\n") {
		t.Errorf("after kill -9 the group did not get what kcat had produced:\n%s", got)
	}

	kill(broker)
	cluster := p.serve(t, nodes, 3)
	p.paste(t, "./barnabas topic create spread --partitions 3")
	if got := p.paste(t, "./barnabas topic describe spread"); !strings.Contains(got, "1,2,3") && !strings.Contains(got, "1,3,2") {
		t.Errorf("a topic of the cluster has no three replicas:\n%s", got)
	}
	if err := cluster.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cluster.Wait() // that a signal ended it is no news
}

// indented are the commands that README shows.
func indented(readme string) []string {
	var commands []string
	for line := range strings.Lines(readme) {
		if command, found := strings.CutPrefix(line, "    "); found {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

// emptyHome is the environment of a user who has never run anything. Go's caches stay: they are what a machine with a
// network would fetch, and compile, again.
func emptyHome(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Split(strings.TrimSpace(string(out)), "\n")
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "HOME=") || strings.HasPrefix(e, "XDG_") || strings.HasPrefix(e, "BARNABAS")
	})
	return append(env, "HOME="+t.TempDir(), "GOMODCACHE="+caches[0], "GOCACHE="+caches[1])
}

// A place is where README's reader is.
type place struct {
	dir string
	env []string
}

// serve runs a command that serves and returns when so many nodes say that they are ready.
func (p place) serve(t *testing.T, command string, nodes int) *exec.Cmd {
	t.Helper()
	name := filepath.Join(t.TempDir(), "serve.log")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := exec.Command("bash", "-c", "exec "+command)
	c.Dir, c.Env, c.Stdout, c.Stderr = p.dir, p.env, out, out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run and what it runs end together
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(c) })
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(text, []byte("Barnabas is ready")) == nodes {
			t.Logf("%s\n%s", command, text)
			return c
		}
	}
	text, _ := os.ReadFile(name)
	t.Fatalf("%s did not get ready:\n%s", serve, text)
	return nil
}

func kill(c *exec.Cmd) {
	if c.ProcessState == nil {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		c.Wait()
	}
}

// paste runs a command line as a shell does and returns what it printed.
func (p place) paste(t *testing.T, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	var out, problem bytes.Buffer
	c := exec.CommandContext(ctx, "bash", "-c", command)
	c.Dir, c.Env, c.Stdout, c.Stderr = p.dir, p.env, &out, &problem
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, out.String(), problem.String())
	}
	return out.String()
}

// sameLines compares without the order, which several partitions do not keep.
func sameLines(t *testing.T, command, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	slices.Sort(g)
	slices.Sort(w)
	if !slices.Equal(g, w) && !slices.Equal(g, append([]string{""}, w...)) {
		t.Errorf("%s printed\n%s\nwant\n%s", command, got, want)
	}
}
