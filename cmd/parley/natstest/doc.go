// Package natstest has tests only: see go.mod.
package natstest
