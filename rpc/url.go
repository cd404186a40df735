package rpc

import "slices"

// URLs returns the addresses of the servers as they were given. There may be a
// secret in them.
func (c *Client) URLs() []string { return slices.Clone(c.urls) }
