package rpc

// EnforceVersion is used by generated code to have the compiler check that it
// and this package fit together:
//
//	const (
//		_ = rpc.EnforceVersion(1 - rpc.MinGenerated) // generated code too old: generate it anew
//		_ = rpc.EnforceVersion(rpc.MaxGenerated - 1) // this package too old: update parley
//	)
//
// An expression below zero does not compile.
type EnforceVersion uint

const (
	// MinGenerated is the oldest version of generated code that this package serves.
	MinGenerated = 1
	// MaxGenerated is the newest.
	MaxGenerated = 1
)
