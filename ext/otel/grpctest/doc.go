// Package grpctest has tests only: see go.mod.
package grpctest
