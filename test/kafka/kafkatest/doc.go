// Package kafkatest runs Apache Kafka and Barnabas as processes, for the suites under test. It knows how to get
// Kafka's jars with Maven, to format and start a node on free ports, and to wait until it serves. What is asked of the
// node, and how answers are judged, is each suite's own.
//
// A suite does:
//
//	kafka, err := kafkatest.StartKafka(kafkatest.Options{Dir: t.TempDir()})
//	barnabas, err := kafkatest.StartBarnabas(kafkatest.Options{Dir: t.TempDir()})
//	defer kafka.Kill()
//	out, err := kafkatest.Tool(ctx, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", barnabas.Address, "--list")
//
// Nothing here skips: a jar that cannot be fetched or a node that does not start is an error that says why.
package kafkatest
