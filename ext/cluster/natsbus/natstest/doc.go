// Package natstest has the tests of natsbus with a NATS server.
package natstest
