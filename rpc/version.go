package rpc

// EnforceVersion lets generated code check at compile time that it fits this
// package. It computes two differences of constants of this type: its own
// version minus MinGenerated, and MaxGenerated minus its own. A negative one
// does not compile, and its name in the error says what to do.
type EnforceVersion uint

const (
	// MinGenerated is the oldest version of generated code that this package
	// supports.
	MinGenerated = 1
	// MaxGenerated is the newest.
	MaxGenerated = 1
)
