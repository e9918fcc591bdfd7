//go:build suite

// Package oracle holds Barnabas against Apache Kafka. It has the same conversations with both over plain sockets, every
// API that Barnabas advertises in every version, and compares the answers field by field: with Kafka 4.4, and with
// Kafka 3.9 for the versions that 4.x dropped. Ids and clocks are replaced by symbols, consistently within a
// conversation. What still differs is in differences.txt, each with its reason; anything else fails.
//
// A conversation (conversation.go) is a function that is run once against each broker. What it asks with Talk.Ask is
// compared, what it does with Talk.Must only prepares.
package oracle
