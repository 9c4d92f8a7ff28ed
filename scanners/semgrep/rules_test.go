//go:build e2e

package semgrep

import (
	"bytes"
	"encoding/json"
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
)

// TestRules runs the real command, SCANGATE_BIN, over a good and a bad example of each rule: each due line is reported by
// the rule of its folder, and no other rule or line is.
func TestRules(t *testing.T) {
	bin := os.Getenv("SCANGATE_BIN")
	if bin == "" {
		t.Fatal("SCANGATE_BIN does not name the command under test (make test sets it)")
	}
	archive, err := txtar.ParseFile("testdata/rules.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var due []string
	tested := map[string]bool{}
	for _, f := range archive.Files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
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

	out, err := exec.Command(bin, "run", dir, "--scanner", "semgrep", "--engine", "embedded", "--format", "json").Output()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("the command ended with %v, want exit status 1; %s", err, out)
	}
	var result struct {
		Scanners []struct{ Status string }
		Findings []struct {
			Rule, Path, Fix string
			StartLine       int
		}
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	if status := result.Scanners[0].Status; status != "found" {
		t.Fatalf("semgrep is %s: %s", status, out)
	}
	var got []string
	for _, f := range result.Findings {
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
