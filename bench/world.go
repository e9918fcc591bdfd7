package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

// world is one run of the command.
type world struct {
	options  options
	dir      string
	binary   string
	brokers  []*broker // those that take loads, in the order of alternation; started with the first load
	lastPass time.Duration
}

func run(ctx context.Context, o options) (err error) {
	w := &world{options: o}
	if w.dir, err = os.MkdirTemp(o.Dir, "barnabas-bench-"); err != nil {
		return err
	}
	defer func() {
		for _, b := range w.brokers {
			err = errors.Join(err, b.end())
		}
		err = errors.Join(err, os.RemoveAll(w.dir))
	}()
	if w.binary, err = kafkatest.Build(ctx); err != nil {
		return err
	}
	if o.Touch {
		if err := touchMemory(os.Stdout); err != nil {
			return err
		}
	}
	r := newReport(o)
	for _, l := range workloads() {
		if !slices.Contains(o.Only, l.name) {
			continue
		}
		result, err := w.measure(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		r.Workloads = append(r.Workloads, result)
		result.print(os.Stdout, !o.Quick)
	}
	return r.write(o.Out)
}

// measure runs one workload on each broker in alternation.
func (w *world) measure(ctx context.Context, l workload) (*result, error) {
	r := &result{Name: l.name, Title: l.title, Runs: map[string][]sample{}}
	names := w.options.Brokers
	if l.onlyOurs {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name != "barnabas" })
	}
	if l.own != nil {
		for range w.options.Pairs {
			for _, name := range names {
				s, err := l.own(ctx, w, name)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				r.Runs[name] = append(r.Runs[name], s)
			}
		}
		return r, nil
	}
	return r, w.measureLoad(ctx, l, r)
}

func (w *world) measureLoad(ctx context.Context, l workload, r *result) error {
	if err := w.startAll(); err != nil {
		return err
	}
	loads := map[*broker]load{}
	for _, b := range w.brokers {
		loads[b] = l.load(w.options)
		if err := loads[b].prepare(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		for range w.options.Warm {
			if _, err := w.onePass(ctx, b, loads[b], ""); err != nil {
				return err
			}
		}
	}
	for pair := range w.options.Pairs {
		profile := ""
		if pair == w.options.Pairs-1 {
			profile = l.name
		}
		for _, b := range w.brokers {
			s, err := w.onePass(ctx, b, loads[b], profile)
			if err != nil {
				return err
			}
			r.Runs[b.name] = append(r.Runs[b.name], s)
		}
	}
	for _, b := range w.brokers {
		if err := loads[b].finish(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

// onePass measures a pass and takes away what it wrote.
func (w *world) onePass(ctx context.Context, b *broker, l load, profile string) (sample, error) {
	s, err := w.measurePass(ctx, b, l, profile)
	if err != nil {
		return nil, err
	}
	if writer, ok := l.(interface {
		renew(ctx context.Context, b *broker, exists bool) error
	}); ok {
		err = writer.renew(ctx, b, true)
	}
	return s, err
}

func (w *world) startAll() error {
	for _, name := range w.options.Brokers[len(w.brokers):] {
		b, err := w.startBroker(name, true)
		if err != nil {
			return err
		}
		w.brokers = append(w.brokers, b)
	}
	return nil
}

const (
	calmDirty = 128 << 20
	calmLimit = 30 * time.Second
)

// calm waits until what earlier runs wrote is deleted, or on the disk: no pass shall pay for another one's files. What is
// left then is written out from here, on this process's account.
func (w *world) calm(ctx context.Context) error {
	if w.options.Quick {
		return ctx.Err()
	}
	for end := time.Now().Add(calmLimit); time.Now().Before(end); {
		leaving, err1 := filepath.Glob(filepath.Join(w.dir, "*", "data", "*-delete"))
		dirty, err2 := kilobytes("/proc/meminfo", "Dirty:")
		writing, err3 := kilobytes("/proc/meminfo", "Writeback:")
		err := errors.Join(err1, err2, err3, ctx.Err())
		if err != nil || len(leaving) == 0 && dirty+writing < calmDirty {
			return err
		}
		if len(leaving) == 0 {
			syscall.Sync()
			continue
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

// profile begins a CPU profile of Barnabas that is about as long as a pass, if one is asked for. The function that it
// returns waits for it.
func (w *world) profile(ctx context.Context, b *broker, workload string) (wait func() error) {
	if w.options.CPUProfile == "" || b.admin == "" || workload == "" {
		return func() error { return nil }
	}
	seconds := max(1, int(math.Ceil(w.lastPass.Seconds())))
	name := filepath.Join(w.options.CPUProfile, workload+".pprof")
	done := make(chan error, 1)
	go func() {
		done <- download(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", b.admin, seconds), name)
	}()
	return func() error { return <-done }
}

func download(ctx context.Context, url, name string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, response.Body)
	return errors.Join(err, f.Close())
}
