// Package clustertest has tests only: see go.mod.
package clustertest
