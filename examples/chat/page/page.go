// Package page is the chat's page for browsers. Its source is in web/chat, and `make generate` builds it.
package page

import (
	"embed"
	"io/fs"
)

//go:embed built
var embedded embed.FS

// Files is the page as it was built: index.html and what it loads.
var Files = built()

func built() fs.FS {
	files, err := fs.Sub(embedded, "built")
	if err != nil {
		panic(err) // the name is not a path
	}
	return files
}
