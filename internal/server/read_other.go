//go:build !unix

package server

// read reads once. Here a connection cannot wait for bytes without a buffer to put them in.
func (c *conn) read() (int, error) {
	c.incoming.readInto(c.socket.Read)
	return c.incoming.n, c.incoming.err
}

type outgoing struct{}

func (c *conn) writeSome(p []byte) (int, error) { return c.socket.Write(p) }

// gone reports whether the peer has closed or reset the connection; here that shows only when it is used.
func (c *conn) gone() bool { return false }

// flushesWhenDry says that read does not know whether the socket has something to read before it waits for it.
func (c *conn) flushesWhenDry() bool { return false }
