// Package wire knows the outermost layer of the Kafka protocol: frames, request and response headers, pooled
// buffers, and how large a request body may claim to be before a decoder sees it. It must not know what a request
// means, who sent it or which broker answers.
package wire
