//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// The header of the table, as in docs/deploy.md.
const header = "| proxy | what happens | the client sees | the server sees | links lost | calls done: small, large messages | calls failed |\n" +
	"|---|---|---|---|--:|--:|--:|"

// outcome is the outcome of a row.
type outcome struct {
	row
	result
	err error
}

// table runs rows and prints them as Markdown. It returns the errors of all
// rows.
func (s settings) table(ctx context.Context, out io.Writer, rows []row) error {
	versions := make(map[string]string)
	for _, r := range rows {
		v, err := r.kind.version()
		if err != nil {
			return fmt.Errorf("%s is not there: %w", r.kind.name(), err)
		}
		versions[r.kind.name()] = v
	}
	fmt.Fprintln(out, header)
	var errs []error
	failed := 0
	for _, o := range s.runAll(ctx, rows) {
		r := o()
		fmt.Fprintf(out, "| %s %s | %s | %s | %s | %d | %d, %d | %d |\n", r.kind.name(), versions[r.kind.name()]+through(r.kind), r.what,
			r.clientSees, r.serverSees, r.lost, r.small, r.large, r.failed)
		failed += r.failed
		if r.err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", r.kind.name(), r.what, r.err))
		}
	}
	fmt.Fprintf(out, "%d rows, %d calls failed\n", len(rows), failed)
	return errors.Join(errs...)
}

// through says whether a proxy was reached through TLS.
func through(k kind) string {
	if k.tls() {
		return ", TLS"
	}
	return ""
}

// runAll returns a function for each row that waits for its outcome. The silent
// rows run at the same time, because they need little CPU.
func (s settings) runAll(ctx context.Context, rows []row) (all []func() outcome) {
	var silent sync.WaitGroup
	for _, r := range rows {
		one := sync.OnceValue(func() outcome {
			res, err := r.run(ctx, s)
			return outcome{r, res, err}
		})
		if r.silent {
			silent.Go(func() { one() })
		}
		all = append(all, one)
	}
	silent.Wait()
	return all
}
