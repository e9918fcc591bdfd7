// Command adapter does for the suite what one Go library can do: produce, consume, and consume in a group.
//
// It is called as adapter LIBRARY BROKER and reads one command a line from its standard input, to each of which it
// answers one line, "ok" or "error" and why:
//
//	produce TOPIC CODEC plain|idempotent FILE   all records of FILE, in order, to partition 0
//	consume TOPIC COUNT FILE                    the first COUNT records of partition 0, into FILE
//	group TOPIC GROUP COUNT FILE                the next COUNT records of the group, committed, into FILE
//
// The programs for the other languages speak the same. Files hold a record a line, as JSON (see record).
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A library is what each of the Go clients can do.
type library interface {
	produce(ctx context.Context, topic, codec string, idempotent bool, records []record) error
	consume(ctx context.Context, topic string, count int) ([]record, error)
	group(ctx context.Context, topic, group string, count int) ([]record, error)
}

// commandLimit bounds one command; the suite's broker is on the same machine.
const commandLimit = 60 * time.Second

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: adapter franz-go|sarama|kafka-go BROKER")
		os.Exit(2)
	}
	var lib library
	switch broker := os.Args[2]; os.Args[1] {
	case "franz-go":
		lib = franz{broker}
	case "sarama":
		lib = saramaClient{broker, os.Args[3:]}
	case "kafka-go":
		lib = kafkaGo{broker}
	default:
		fmt.Fprintf(os.Stderr, "no library %q\n", os.Args[1])
		os.Exit(2)
	}
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
		if err := do(ctx, lib, strings.Fields(commands.Text())); err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
		cancel()
	}
}

func do(ctx context.Context, lib library, args []string) error {
	switch {
	case len(args) == 5 && args[0] == "produce":
		records, err := readRecords(args[4])
		if err != nil {
			return err
		}
		return lib.produce(ctx, args[1], args[2], args[3] == "idempotent", records)
	case len(args) == 4 && args[0] == "consume":
		count, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		records, err := lib.consume(ctx, args[1], count)
		if err != nil {
			return fmt.Errorf("after %d of %d records: %w", len(records), count, err)
		}
		return writeRecords(args[3], records)
	case len(args) == 5 && args[0] == "group":
		count, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		records, err := lib.group(ctx, args[1], args[2], count)
		if err != nil {
			return fmt.Errorf("after %d of %d records: %w", len(records), count, err)
		}
		return writeRecords(args[4], records)
	}
	return fmt.Errorf("no such command: %q", args)
}
