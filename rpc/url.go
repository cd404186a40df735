package rpc

import "slices"

// URLs returns the addresses of the servers as they were given. There may be a
// secret in them.
func (c *Client) URLs() []string { return slices.Clone(c.urls) }

// URL returns the address that was dialled, "" at the end that was connected to.
// There may be a secret in it.
func (c *Conn) URL() string { return c.url }
