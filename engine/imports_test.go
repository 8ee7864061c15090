package engine_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says for each package of the project which others it may import; see LAYOUT.md. What is
// not listed here must be, with a thought, when a package is added. The commands, and test helpers,
// stand above all others.
var mayImport = map[string][]string{
	"engine/format":  {},
	"engine/index":   {},
	"engine/segment": {"engine/format"},
	"engine":         {"engine/format", "engine/index", "engine/segment"},
	"engine/oracle":  {"engine"}, // for tests, of all floors
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
