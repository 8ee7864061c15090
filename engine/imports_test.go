package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport says for each package of the project which others it may import; see LAYOUT.md. What is
// not listed here must be, with a thought, when a package is added. The commands, and test helpers,
// stand above all others.
var mayImport = map[string][]string{
	"engine/disk":    {},
	"engine/format":  {},
	"engine/index":   {},
	"engine/segment": {"engine/disk", "engine/format"},
	"engine":         {"engine/disk", "engine/format", "engine/index", "engine/segment"},
	"engine/faults":  {"engine/disk", "engine/segment"}, // for tests
	"engine/oracle":  {"engine"},                        // for tests, of all floors
	"nodes/codec":    {},
	"nodes":          {"engine", "nodes/codec"}, // the engine's values and errors, not its Log
	"fs/transport":   {"nodes"},
	"fs":             {"engine", "nodes", "nodes/codec", "fs/transport"},
	"cmd/purofs":     {"engine", "fs", "nodes/codec"},
}

// fuse is what the engine must know nothing of.
const fuse = "github.com/hanwen/go-fuse"

func TestImports(t *testing.T) {
	const line = `{{.ImportPath}} {{join .Imports " "}}`
	out, err := exec.Command("go", "list", "-e", "-f", line, "purofs/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		name := strings.TrimPrefix(words[0], "purofs/")
		allowed, known := mayImport[name]
		for _, path := range words[1:] {
			within, ours := strings.CutPrefix(path, "purofs/")
			if ours && !known {
				t.Errorf("package %s is not listed: say what it may import", name)
			}
			if ours && !slices.Contains(allowed, within) {
				t.Errorf("package %s imports %s, which is not below it", name, within)
			}
			if strings.HasPrefix(name, "engine") && strings.HasPrefix(path, fuse) {
				t.Errorf("package %s imports %s", name, path)
			}
		}
	}
}

// mayUse is what the engine takes of the packages that reach files; everything else goes through
// package disk, where tests can see it and make it fail. Names are patterns of
// path.Match.
var mayUse = map[string][]string{
	"os":      {"O_*", "SameFile"}, // which compares what was found out before
	"syscall": {"E*", "Stat_t"},
	"unix":    {"*_MAGIC", "E*"},
	// The producer's lock.
	"segment/lock.go unix": {"F_*", "Flock_t", "FcntlFlock", "Syscall", "SYS_SCHED_YIELD"},
	// What the machine tells of itself, and of a directory.
	"store.go os":      {"ReadFile"},
	"follower.go os":   {"File", "NewFile"},
	"follower.go unix": {"IN_*", "Inotify*", "SizeofInotifyEvent", "Close"},
}

// ownFiles are the packages of the engine that reach files themselves: the layer, and test helpers.
var ownFiles = []string{"engine/disk", "engine/faults", "engine/oracle"}

func TestFilesOnlyThroughDisk(t *testing.T) {
	var files []string
	for name := range mayImport {
		dir, isEngine := strings.CutPrefix(name+"/", "engine/")
		if !isEngine || slices.Contains(ownFiles, name) {
			continue
		}
		found, err := filepath.Glob(dir + "*.go")
		if err != nil || len(found) == 0 {
			t.Fatalf("package %s: %v, %v", name, found, err)
		}
		files = append(files, found...)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := selector.X.(*ast.Ident)
			if ok && mayUse[pkg.Name] != nil && !listed(selector.Sel.Name, mayUse[pkg.Name]) &&
				!listed(selector.Sel.Name, mayUse[name+" "+pkg.Name]) {
				t.Errorf("%s uses %s.%s: files are touched through package disk only",
					name, pkg.Name, selector.Sel.Name)
			}
			return true
		})
	}
}

// listed tells whether a name matches one of the patterns.
func listed(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := filepath.Match(pattern, name)
		return ok
	})
}
