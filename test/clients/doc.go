// Package clients runs the Kafka clients that people use against Barnabas and compares what comes out with what went in.
//
// It knows seven libraries (franz-go, sarama, kafka-go, librdkafka through kcat, Kafka's Java client, kafka-python and
// kafkajs) and Barnabas as a process with a port; it knows nothing of Barnabas's packages. run.sh is the way in. What the
// libraries need is installed by the ordinary package clients into .cache, which git does not see.
package clients
