package controller

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var rewrite = flag.Bool("rewrite", false, "write the scripts' outputs as they are now; then read the diff")

// TestScripts plays the conversations of testdata/*.txt. A script is a list of
// commands; each is a line, perhaps with further lines of its own, then "----",
// then what it prints: what is answered, and below it the records.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var played strings.Builder
			c := newCluster(t)
			for block := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
				if strings.HasPrefix(block, "#") {
					played.WriteString(block + "\n\n")
					continue
				}
				command, want, _ := strings.Cut(block+"\n", "----\n")
				got := c.play(strings.TrimSuffix(command, "\n"))
				if got != want && !*rewrite {
					t.Errorf("%s\nprints\n%snot\n%s", command, got, want)
				}
				played.WriteString(strings.TrimSuffix(command, "\n") + "\n----\n" + got + "\n")
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(strings.TrimRight(played.String(), "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// cluster is a controller's state with the world around it.
type cluster struct {
	t      testing.TB
	state  State
	env    Env
	offset int64 // of the metadata log's end
	ids    byte
	out    strings.Builder
}

func newCluster(t testing.TB) *cluster {
	c := &cluster{t: t}
	c.env = Env{
		Now: time.Unix(1000, 0), ClusterID: "cluster", NodeID: 100, BrokerID: -1, KRaftVersion: 1,
		SessionTimeout: 9 * time.Second, DefaultPartitions: 2, DefaultReplicationFactor: 1, MinInsyncReplicas: 1,
		Features: []FeatureRange{{FeatureELR, 0, 1}, {"group.version", 0, 1}},
		Finalize: map[string]int16{FeatureELR: 1},
	}
	c.env.NewID = func() meta.ID { c.ids++; return meta.ID{0: 'T', 15: c.ids} }
	c.env.CheckTopicConfig = func(name, value string) error {
		switch {
		case !strings.Contains(" retention.ms cleanup.policy min.insync.replicas unclean.leader.election.enable ", " "+name+" "):
			return fmt.Errorf("Unknown topic config name: %s", name)
		case value == "bad":
			return fmt.Errorf("Invalid value %s for configuration %s", value, name)
		}
		return nil
	}
	c.env.ListConfig = func(_ meta.ResourceType, name string) (string, bool) {
		if name == "cleanup.policy" {
			return "delete", true
		}
		return "", false
	}
	c.env.TopicConfigs = func(_ *meta.Image, overrides map[string]string) []TopicConfig {
		value, source := "604800000", int8(5)
		if v, ok := overrides["retention.ms"]; ok {
			value, source = v, 1
		}
		return []TopicConfig{{Name: "retention.ms", Value: &value, Source: source}}
	}
	c.state = NewState(meta.Empty())
	return c
}

// apply takes over what was decided.
func (c *cluster) apply(d Decision) {
	c.state = State{Image: c.state.Image, Soft: d.Soft}
	c.append(d.Records)
}

func (c *cluster) append(records []meta.Record) {
	for _, r := range records {
		c.printf("  + %s\n", c.describe(r))
	}
	level := c.state.Image.MetadataVersion()
	for _, r := range records {
		b, err := meta.Encode(nil, r, level)
		if err != nil {
			c.t.Errorf("a record cannot be written: %v", err)
			continue
		}
		if _, err := meta.Decode(b); err != nil {
			c.t.Errorf("a record cannot be read: %v", err)
		}
	}
	c.state = c.state.Replay(records...)
	c.offset += int64(len(records))
	checkInvariants(c.t, c.state.Image)
}

func (c *cluster) decide(request kmsg.Request) kmsg.Response {
	c.env.NextOffset = c.offset
	d := Decide(c.state, request, c.env)
	if d.Response.GetVersion() != request.GetVersion() {
		c.t.Errorf("%T of version %d is answered in version %d", request, request.GetVersion(), d.Response.GetVersion())
	}
	d.Response.AppendTo(nil) // must not panic
	c.apply(d)
	return d.Response
}

func (c *cluster) printf(format string, args ...any) { fmt.Fprintf(&c.out, format, args...) }

// arguments are what follows a command on its line: words, and name=value.
type arguments struct {
	words []string
	named map[string]string
}

func parseArguments(fields []string) arguments {
	a := arguments{named: make(map[string]string)}
	for _, f := range fields {
		if name, value, ok := strings.Cut(f, "="); ok {
			a.named[name] = value
		} else {
			a.words = append(a.words, f)
		}
	}
	return a
}

func (a arguments) has(word string) bool {
	for _, w := range a.words {
		if w == word {
			return true
		}
	}
	return false
}

func (a arguments) number(name string, otherwise int64) int64 {
	if s, ok := a.named[name]; ok {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	return otherwise
}

// numbers are like "1,2,3"; "" is none.
func numbers(s string) []int32 {
	out := []int32{}
	for part := range strings.SplitSeq(s, ",") {
		if part == "" {
			continue
		}
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil {
			panic(err)
		}
		out = append(out, int32(n))
	}
	return out
}

// directory is an id for a name as "a".
func directory(name string) meta.ID { return meta.ID{0: 'D', 15: name[0]} }

func directoriesOf(s string) []meta.ID {
	var out []meta.ID
	for part := range strings.SplitSeq(s, ",") {
		if part != "" {
			out = append(out, directory(part))
		}
	}
	return out
}

// play runs one command and gives what it prints.
func (c *cluster) play(command string) string {
	c.out.Reset()
	lines := strings.Split(command, "\n")
	fields := strings.Fields(lines[0])
	a := parseArguments(fields[1:])
	run, ok := commands[fields[0]]
	if !ok {
		c.t.Fatalf("no command %q", fields[0])
	}
	run(c, a, lines[1:])
	if c.out.Len() == 0 {
		return "ok\n"
	}
	return c.out.String()
}
