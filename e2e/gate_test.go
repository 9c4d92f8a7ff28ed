//go:build e2e

// Package e2e runs the real command on real engines and images, over workspaces with known holes.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// padding makes a file larger than one million bytes.
var padding = strings.Repeat("# padding\n", 120_000)

// result is the part of the result document that these tests look at.
type result struct {
	Verdict  string `json:"verdict"`
	Scanners []struct {
		Name     string `json:"name"`
		Status   string `json:"status"`
		Reasons  []struct{ Code string }
		Evidence json.RawMessage `json:"evidence"`
	} `json:"scanners"`
}

// The command under test: SCANGATE_BIN, or what make builds.
func command(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("SCANGATE_BIN")
	if bin == "" {
		bin = filepath.Join("..", "bin", "scangate")
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("find the command under test: %v (make builds it)", err)
	}
	return bin
}

// scan runs one scanner over dir and returns the result document.
func scan(t *testing.T, bin, dir, scanner string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, bin, "run", dir, "--format", "json", "--engine", "embedded", "--scanner", scanner)
	c.Dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if code := c.ProcessState.ExitCode(); code != 0 && code != 1 && code != 3 {
		t.Fatalf("exit status %d\n%s", code, stderr.String())
	}
	var r result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("read result: %v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	return r
}

// write lays files out below dir; those in secret are for their owner alone.
func write(t *testing.T, dir string, files map[string]string, secret []string) {
	t.Helper()
	for name, text := range files {
		mode := os.FileMode(0o644)
		if slices.Contains(secret, name) {
			mode = 0o600
		}
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoLieIsBelieved(t *testing.T) {
	bin := command(t)
	for _, l := range lies {
		t.Run(l.scanner+"/"+strings.ReplaceAll(l.name, " ", "_"), func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, l.files, l.secret)
			r := scan(t, bin, dir, l.scanner)
			if len(r.Scanners) != 1 || r.Scanners[0].Name != l.scanner {
				t.Fatalf("scanners are %+v, want %s alone", r.Scanners, l.scanner)
			}
			s := r.Scanners[0]
			t.Logf("bare: %s; scangate: %s, verdict %s", l.bare, s.Status, r.Verdict)
			if !slices.Contains(l.want, s.Status) {
				t.Errorf("status %s %v, want %v; evidence %s", s.Status, s.Reasons, l.want, s.Evidence)
			}
			if s.Status == "broken" && r.Verdict != "incomplete" {
				t.Errorf("verdict %s of a broken scanner", r.Verdict)
			}
		})
	}
}
