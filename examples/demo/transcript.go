package main

import (
	"fmt"
	"io"
	"sync"
)

// transcript is the printed output.
type transcript struct {
	mu  sync.Mutex
	out io.Writer
}

// title prints the title of a step.
func (t *transcript) title(number int, text string) { t.printf("\n%2d. %s\n", number, text) }

// sent prints a message or call that leaves this process.
func (t *transcript) sent(format string, args ...any) { t.printf("      -> "+format+"\n", args...) }

// got prints one that arrives.
func (t *transcript) got(format string, args ...any) { t.printf("      <- "+format+"\n", args...) }

func (t *transcript) printf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, format, args...)
}
