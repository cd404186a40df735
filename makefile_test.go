package parley_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestMakeAlonePrintsTheTargets checks that make without arguments builds, installs and
// removes nothing: it prints the targets that have a description, each once.
func TestMakeAlonePrintsTheTargets(t *testing.T) {
	text, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make")
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=") // the flags of a make that runs this test have no effect
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	described := regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## (.*)$`).FindAllStringSubmatch(string(text), -1)
	if lines := strings.Count(string(out), "\n"); lines != len(described) || lines < 10 {
		t.Errorf("%d lines for %d targets:\n%s", lines, len(described), out)
	}
	for _, d := range described {
		if !regexp.MustCompile(`(?m)^make ` + d[1] + ` +` + regexp.QuoteMeta(d[2]) + `$`).Match(out) {
			t.Errorf("make %s is not listed", d[1])
		}
	}
}

// TestInstalledPackagesRunNoScripts checks the setting that holds for npm ci and npm
// install alike, from the Makefile and by hand.
func TestInstalledPackagesRunNoScripts(t *testing.T) {
	for _, settings := range []string{"web/.npmrc", "site/.npmrc"} {
		text, err := os.ReadFile(settings)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^ignore-scripts=true$`).Match(text) {
			t.Errorf("%s lets packages run scripts:\n%s", settings, text)
		}
	}
}
