package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// options are the command's flags. Where files lie on this machine is no part of a result.
type options struct {
	Only        []string
	Brokers     []string
	Quick       bool
	Warm        int
	Pairs       int
	Bytes       int64
	Duration    time.Duration
	Idle        time.Duration
	Partitions  int
	Acks        int16
	InFlight    int
	Pipeline    int
	Connections int
	HeapMB      int
	Touch       bool
	Dir         string `json:"-"`
	Out         string `json:"-"`
	CPUProfile  string `json:"-"`
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parse reads the flags. -quick changes the defaults of those that say how long a run is.
func parse(arguments []string) (options, error) {
	o := options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := f.String("only", "", "workloads to run, with commas between: "+strings.Join(workloadNames(), ", "))
	broker := f.String("broker", "both", "barnabas, kafka or both")
	acks := f.String("acks", "1", "acks of the producers: 1 or all")
	gigabytes := f.Float64("size", 2, "gigabytes (10^9 bytes) of a produce or fetch run")
	f.BoolVar(&o.Quick, "quick", false, "short runs that show that it works and judge nothing")
	f.IntVar(&o.Warm, "warm", 3, "passes of the same load before the first that counts")
	f.IntVar(&o.Pairs, "pairs", 3, "runs of each broker that count, in alternation")
	f.DurationVar(&o.Duration, "duration", 10*time.Second, "time of a run of the workloads that have no size")
	f.DurationVar(&o.Idle, "idle", 30*time.Second, "how long an idle broker is watched")
	f.IntVar(&o.Partitions, "partitions", 20_000, "idle partitions of the workload partitions")
	f.IntVar(&o.InFlight, "inflight", 5, "produce requests in flight on a connection")
	f.IntVar(&o.Pipeline, "pipeline", 64, "tiny requests in flight on the connection of tiny-pipelined")
	f.IntVar(&o.Connections, "connections", 1, "connections that produce or fetch, each with a partition of its own")
	f.IntVar(&o.HeapMB, "heap", 1024, "Kafka's heap in MiB, all of it touched at the start")
	f.BoolVar(&o.Touch, "touch", true, "touch the machine's free memory before anything is measured, which -quick does not")
	f.StringVar(&o.Dir, "dir", "", "where the brokers keep their data (default a new directory in the system's for temporary files)")
	f.StringVar(&o.Out, "out", filepath.Join(kafkatest.Root(), "bench"), "directory for RESULTS.md and results.json; empty for none, which is the default of -quick")
	f.StringVar(&o.CPUProfile, "cpuprofile", "", "directory for a CPU profile of Barnabas in each workload")
	if err := f.Parse(arguments); err != nil {
		return o, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	o.Bytes = int64(*gigabytes * 1e9)
	if o.Quick {
		o.shorten(given)
	}
	var err error
	if o.Only, err = chosen(*only, workloadNames()); err != nil {
		return o, err
	}
	if *broker == "both" {
		*broker = "barnabas,kafka"
	}
	if o.Brokers, err = chosen(*broker, []string{"barnabas", "kafka"}); err != nil {
		return o, err
	}
	switch *acks {
	case "1":
		o.Acks = 1
	case "all", "-1":
		o.Acks = -1
	default:
		return o, fmt.Errorf("-acks %s: 1 or all", *acks)
	}
	if o.Warm < 0 || min(o.Pairs, o.InFlight, o.Pipeline, o.Connections, o.Partitions) < 1 {
		return o, errors.New("-pairs, -inflight, -pipeline, -connections and -partitions are at least 1, -warm at least 0")
	}
	return o, nil
}

// shorten makes the runs short where no flag says how long they are.
func (o *options) shorten(given map[string]bool) {
	set := func(name string, assign func()) {
		if !given[name] {
			assign()
		}
	}
	set("warm", func() { o.Warm = 1 })
	set("pairs", func() { o.Pairs = 1 })
	set("size", func() { o.Bytes = 200e6 })
	set("duration", func() { o.Duration = time.Second })
	set("idle", func() { o.Idle = 2 * time.Second })
	set("partitions", func() { o.Partitions = 1000 })
	set("heap", func() { o.HeapMB = 512 })
	set("touch", func() { o.Touch = false })
	set("out", func() { o.Out = "" })
}

// chosen splits a list and checks that all of it is known. Nothing stands for everything.
func chosen(list string, known []string) ([]string, error) {
	if list == "" {
		return known, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}
