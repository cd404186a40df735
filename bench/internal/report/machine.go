package report

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// Machine describes the machine of the measurements.
type Machine struct {
	CPU    string
	Cores  int
	Kernel string
	Go     string
}

// ThisMachine describes the machine that this runs on. What is unknown is "".
func ThisMachine() Machine {
	return Machine{CPU: cpuModel(), Cores: runtime.NumCPU(), Kernel: kernel(), Go: runtime.Version()}
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// kernel returns the kernel's version without the distribution's suffix.
func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	return "Linux " + version
}

// ThisTree is the version of modules that are not released.
const ThisTree = "as in this repository"

// Version returns the version of a module that this program is linked with.
func Version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		switch {
		case dep.Path != module:
		case dep.Replace != nil, dep.Version == "(devel)": // the latter in the workspace of go.work
			return ThisTree
		default:
			return dep.Version
		}
	}
	return ""
}
