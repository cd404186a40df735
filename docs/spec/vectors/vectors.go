// Package vectors has the test vectors of parley.v1, for programs that run
// them. README.md describes the files.
package vectors

import "embed"

// Files has the files of this folder that end in .json.
//
//go:embed *.json
var Files embed.FS
