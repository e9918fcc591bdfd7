// Package tools runs Apache Kafka's own command-line tools against Barnabas and holds what they print against what is
// known to be there. It knows the tools by their classes and Barnabas as a process with a port and a directory. run.sh is
// the way in.
package tools
