package rpc

// EnforceVersion is used by generated code to have the compiler check that it
// and this package fit together: it makes two differences, of its own version
// from MinGenerated and of MaxGenerated from its own, constants of this type. One
// below zero does not compile, and its name in the error says what to do.
type EnforceVersion uint

const (
	// MinGenerated is the oldest version of generated code that this package serves.
	MinGenerated = 1
	// MaxGenerated is the newest.
	MaxGenerated = 1
)
