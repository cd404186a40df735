package proc

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// Profile is the CPU profile that this process takes, if any.
type Profile struct {
	base string
	cpu  *os.File
}

// Begin starts to write BASE.cpu.pprof.
func (p *Profile) Begin(base string) error {
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return err
	}
	f, err := os.Create(base + ".cpu.pprof")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	p.base, p.cpu = base, f
	return nil
}

// End ends the profile. It also writes BASE.allocs.pprof, with all allocations
// since the process started.
func (p *Profile) End() (err error) {
	pprof.StopCPUProfile()
	if err := p.cpu.Close(); err != nil {
		return err
	}
	f, err := os.Create(p.base + ".allocs.pprof")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return pprof.Lookup("allocs").WriteTo(f, 0)
}
