// Bench runs Barnabas beside Apache Kafka 4.4 on this machine, under the same load from the same client, in
// alternation, and prints what each of them gives and takes.
//
//	go run ./bench                                   # everything, both brokers, half an hour; writes bench/RESULTS.md
//	go run ./bench -quick                            # a minute's check that it works; judges nothing
//	go run ./bench -only produce64k,fetch1m          # some of it
//	go run ./bench -broker barnabas -cpuprofile /tmp # Barnabas alone, with a CPU profile of each workload
//
// The client is thin, so that the broker and not the client is measured: frames are built once and sent again and again
// over a socket, answers are looked at in place. On a machine where client and broker share the cores, the figure that
// holds is the CPU time of the broker's process for a given amount of work, which /proc tells; rates mostly say how much
// of the machine the client left.
//
// Before anything is measured both brokers take the same load several times: Kafka's compiler needs several gigabytes
// before it is as fast as it gets. Memory that the host has not yet given to this machine is many times slower to touch, which
// would be half of what a broker takes to keep a gigabyte, so all that is free is touched first. What a run wrote is deleted after it, and what is dirty is written out before the next one begins.
//
// It needs Linux, and for Kafka also Java and Maven (see test/kafka/kafkatest).
package main
