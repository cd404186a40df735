package main

import (
	"encoding/json"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// read returns a file of the repository.
func read(t *testing.T, r *repository, name string) string {
	t.Helper()
	text, err := r.read(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A module with a replacement cannot be installed by version.
func TestPublishedModulesReplaceNothing(t *testing.T) {
	r := here(t)
	version, err := r.version()
	if err != nil {
		t.Fatal(err)
	}
	for i, folder := range published {
		file, err := r.goMod(folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(file.Replace)+len(file.Exclude) > 0 || file.Module.Mod.Path != modulePath(folder) {
			t.Errorf("%s has replacements or exclusions, or the name %s", folder, file.Module.Mod)
		}
		for _, require := range file.Require {
			other, ok := publishedFolder(require.Mod.Path)
			switch {
			case ok && require.Mod.Version != version:
				t.Errorf("%s requires %s, the repository is of version %s", folder, require.Mod, version)
			case ok && !slices.Contains(published[:i], other), !ok && strings.HasPrefix(require.Mod.Path, rootPath):
				t.Errorf("%s requires %s, which is not published before it", folder, require.Mod)
			}
		}
	}
	if want := "\nPUBLISHED = " + strings.Join(published, " ") + "\n"; !strings.Contains(read(t, r, "Makefile"), want) {
		t.Errorf("the Makefile does not say %q", want)
	}
}

func TestEachModuleIsInTheWorkspace(t *testing.T) {
	r := here(t)
	work, err := modfile.ParseWork("go.work", []byte(read(t, r, "go.work")), nil)
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, use := range work.Use {
		members = append(members, path.Clean(use.Path))
	}
	folders, err := r.modules()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(members)
	slices.Sort(folders)
	if !slices.Equal(members, folders) {
		t.Errorf("go.work has %v, the modules are %v", members, folders)
	}
	for _, folder := range append(folders, "tools") {
		name := path.Join("/", folder)
		if !strings.Contains(read(t, r, ".github/dependabot.yml"), "\n      - "+name+"\n") {
			t.Errorf("dependabot.yml lacks %s", name)
		}
	}
	if len(work.Replace) > 0 {
		t.Error("go.work has replacements")
	}
}

// The two latest releases of Go are supported: all modules build with the older
// one.
func TestModulesAskForTheOlderSupportedRelease(t *testing.T) {
	r := here(t)
	releases := regexp.MustCompile(`(?m)^GO_RELEASES = go(1\.\d+)\.\d+ go1\.\d+\.\d+$`).FindStringSubmatch(read(t, r, "Makefile"))
	if releases == nil {
		t.Fatal("the Makefile names no two releases of Go")
	}
	folders, err := r.modules()
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		file, err := r.goMod(folder)
		if err != nil {
			t.Fatal(err)
		}
		if want := releases[1] + ".0"; file.Go.Version != want || file.Toolchain != nil {
			t.Errorf("%s asks for go %s, want %s and no toolchain", folder, file.Go.Version, want)
		}
	}
}

func TestWhatIsPublishedHasTheLicense(t *testing.T) {
	r := here(t)
	license := read(t, r, "LICENSE")
	if !strings.Contains(license, "Apache License\n                           Version 2.0, January 2004") {
		t.Error("LICENSE is not Apache-2.0")
	}
	folders := slices.Clone(published)
	for _, name := range packages {
		folders = append(folders, "web/"+name)
	}
	for _, folder := range folders {
		if read(t, r, path.Join(folder, "LICENSE")) != license {
			t.Errorf("the LICENSE of %s is another one", folder)
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	r := here(t)
	files := strings.Fields(git(t, r, "ls-files", "--", "package.json", "*/package.json"))
	if len(files) < 5 {
		t.Fatalf("there are only %v", files)
	}
	for _, name := range files {
		if strings.Contains(name, "/testdata/") {
			continue
		}
		var manifest struct {
			License, Description string
			Repository           struct{ Type, URL, Directory string }
		}
		if err := json.Unmarshal([]byte(read(t, r, name)), &manifest); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if manifest.License != "Apache-2.0" || manifest.Description == "" || manifest.Repository.Directory != path.Dir(name) ||
			manifest.Repository.URL != "git+https://"+rootPath+".git" || manifest.Repository.Type != "git" {
			t.Errorf("%s lacks license, description or repository: %+v", name, manifest)
		}
	}
}

func TestLockFilesHoldNoAddresses(t *testing.T) {
	r := here(t)
	for name := range strings.FieldsSeq(git(t, r, "ls-files", "--", "*package-lock.json")) {
		if strings.Contains(read(t, r, name), `"resolved": "http`) {
			t.Errorf("%s names where packages were downloaded from", name)
		}
	}
}

// A tag of an action can be moved to other code, a commit cannot.
func TestWorkflowsUseCommitsAndRunWhatAnyoneRuns(t *testing.T) {
	r := here(t)
	workflows, err := filepath.Glob(r.path(".github/workflows/*.yml"))
	if err != nil || len(workflows) == 0 {
		t.Fatal(workflows, err)
	}
	pinned := regexp.MustCompile(`^\s+- uses: [a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, workflow := range workflows {
		text := read(t, r, ".github/workflows/"+filepath.Base(workflow))
		if !strings.Contains(text, "bash .ci/run\n") {
			t.Errorf("%s does not call .ci/run", workflow)
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, "uses:") && !pinned.MatchString(strings.TrimSuffix(line, "\n")) {
				t.Errorf("%s: not pinned to a commit: %s", workflow, line)
			}
		}
	}
	if !strings.Contains(read(t, r, ".ci/run"), "\nmake release-check\n") {
		t.Error(".ci/run does not prove that the next release installs")
	}
}
