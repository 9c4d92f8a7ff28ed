//go:build e2e

package semgrep

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"github.com/scangate/scangate/scanners"
)

// TestRules runs the real program, in the unpacked image at SCANGATE_SEMGREP_ROOT, over a good and a bad example of
// each rule: each due line is reported by the rule of its folder, and no other rule or line is.
func TestRules(t *testing.T) {
	root := os.Getenv("SCANGATE_SEMGREP_ROOT")
	if root == "" {
		t.Fatal("SCANGATE_SEMGREP_ROOT does not name the unpacked image")
	}
	archive, err := txtar.ParseFile("testdata/rules.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var due, targets []string
	tested := map[string]bool{}
	for _, f := range archive.Files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
		targets = append(targets, p)
		rule, _, _ := strings.Cut(f.Name, "/")
		n := 0
		for line := range bytes.Lines(f.Data) {
			n++
			if bytes.HasSuffix(bytes.TrimSpace(line), []byte(" due")) {
				due = append(due, fmt.Sprintf("%s:%d %s", f.Name, n, rule))
				tested[rule] = true
			}
		}
	}
	for _, id := range ruleIDs(t) {
		if !tested[id] {
			t.Errorf("rule %s has no bad example", id)
		}
	}

	var args []string
	for _, a := range Scanner.Command[1:] {
		switch a {
		case scanners.Config:
			// Below the working folder, the path would become part of the ids of the rules.
			rules, err := filepath.Abs("rules")
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, rules)
		case scanners.Files:
			args = append(args, targets...)
		default:
			args = append(args, a)
		}
	}
	cmd := exec.Command(root+Scanner.Command[0], args...)
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(Scanner.Env), "LD_LIBRARY_PATH="+root+"/opt/semgrep/libs", "HOME="+dir)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	// The reader wants paths below /workspace.
	rep, err := read(scanners.Run{Stdout: bytes.ReplaceAll(out, []byte(dir+"/"), []byte(scanners.Workspace+"/"))})
	if err != nil {
		t.Fatalf("%v; %s", err, exit.Stderr)
	}
	if len(rep.Unread) > 0 || *rep.FilesRead != len(targets) {
		t.Errorf("read %d of %d, not %v", *rep.FilesRead, len(targets), rep.Unread)
	}
	var got []string
	for _, f := range rep.Findings {
		got = append(got, fmt.Sprintf("%s:%d %s", f.Path, f.StartLine, f.Rule))
		if f.Fix == "" {
			t.Errorf("rule %s does not say what repairs it", f.Rule)
		}
	}
	slices.Sort(got)
	slices.Sort(due)
	for _, d := range due {
		if !slices.Contains(got, d) {
			t.Errorf("missing %s", d)
		}
	}
	for _, g := range got {
		if !slices.Contains(due, g) {
			t.Errorf("not due: %s", g)
		}
	}
}

func ruleIDs(t *testing.T) []string {
	files, err := filepath.Glob("rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no rules", err)
	}
	var ids []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var pack struct {
			Rules []struct{ ID string }
		}
		if err := yaml.Unmarshal(text, &pack); err != nil {
			t.Fatal(err)
		}
		for _, r := range pack.Rules {
			ids = append(ids, r.ID)
		}
	}
	return ids
}
