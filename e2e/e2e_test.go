//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// day is what expiries are judged by: the tests give the same result on any day.
const day = "2026-11-01"

// document is the result document as these tests read it.
type document struct {
	Verdict  string `json:"verdict"`
	Scanners []struct {
		Name    string `json:"name"`
		Status  string `json:"status"`
		Reasons []struct {
			Code string `json:"code"`
		} `json:"reasons"`
	} `json:"scanners"`
	Findings []struct {
		Scanner   string `json:"scanner"`
		Rule      string `json:"rule"`
		Path      string `json:"path"`
		StartLine int    `json:"startLine"`
	} `json:"findings"`
}

func decode(t *testing.T, text []byte) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("read result document: %v\n%s", err, text)
	}
	return d
}

// ran is what a program left behind.
type ran struct {
	exit           int
	stdout, stderr []byte
}

// runIn runs a program in dir with more variables. Not to be able to run it is fatal, no status of its own is.
func runIn(t *testing.T, dir string, env []string, name string, args ...string) ran {
	t.Helper()
	return await(t, program(t, dir, env, name, args...))
}

func program(t *testing.T, dir string, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	return c
}

func await(t *testing.T, c *exec.Cmd) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("run %s: %v", filepath.Base(c.Path), err)
	}
	return ran{c.ProcessState.ExitCode(), stdout.Bytes(), stderr.Bytes()}
}

// needRoot: both tests compare what root has with what others have.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: it makes an ordinary user's runs, host names and root file systems")
	}
}

// imageStore is where the command keeps its images.
func imageStore(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(cache, "scangate", "images")
}
