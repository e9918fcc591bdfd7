// Package meta holds the cluster's metadata: its records in Kafka's published
// schemas, the Image that replaying them makes, the Delta between two images,
// and the snapshot that makes an image again.
//
// It knows the bytes of a record and what each record does to the image. It
// must not know why a record was written, who asked for it, where the log is
// kept, or what time it is: the package is pure. The same replay builds the
// controller's state and every broker's view, so the two cannot differ.
package meta
