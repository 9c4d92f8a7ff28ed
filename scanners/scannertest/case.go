// Package scannertest is what every adapter is held to. An adapter's own test is two lines: Run and Fuzz.
package scannertest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scangate/scangate/scanners"
)

// Case is what a tool left behind once. In testdata it is a group of files <name>-<version>-<case> with the endings
//
//	.out, .err  its streams, byte for byte
//	.exit       its exit status
//	.targets    a line for each target, sorted, the canary included: its path and, after a tab, its size in bytes.
//	            Absent: the canary's file alone
//	.dir        Run.Dir, where it is not ""
//	.golden     what Judge makes of it; written by go test -update
type Case struct {
	Name string
	Run  scanners.Run
	base string
}

// Cases reads the recorded runs of s from testdata.
func Cases(t testing.TB, s scanners.Scanner) []Case {
	t.Helper()
	prefix := filepath.Join("testdata", s.Name+"-"+s.Version+"-")
	exits, err := filepath.Glob(prefix + "*.exit")
	if err != nil || len(exits) == 0 {
		t.Fatalf("find recorded runs %s*.exit: %d, %v", prefix, len(exits), err)
	}
	var cases []Case
	for _, exit := range exits {
		base := strings.TrimSuffix(exit, ".exit")
		c := Case{Name: strings.TrimPrefix(base, prefix), base: base}
		c.Run.Stdout, c.Run.Stderr = need(t, base+".out"), need(t, base+".err")
		if c.Run.Exit, err = strconv.Atoi(strings.TrimSpace(string(need(t, exit)))); err != nil {
			t.Fatalf("read %s: %v", exit, err)
		}
		c.targets(t, s)
		if dir, err := os.ReadFile(base + ".dir"); err == nil {
			c.Run.Dir = strings.TrimSpace(string(dir))
		}
		cases = append(cases, c)
	}
	return cases
}

func (c *Case) targets(t testing.TB, s scanners.Scanner) {
	t.Helper()
	list, err := os.ReadFile(c.base + ".targets")
	if os.IsNotExist(err) {
		c.Run.Targets, c.Run.Bytes = []string{s.Canary.Path}, int64(len(s.Canary.Files[s.Canary.Path]))
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		path, size, sized := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		c.Run.Targets = append(c.Run.Targets, path)
		if sized {
			n, err := strconv.ParseInt(size, 10, 64)
			if err != nil {
				t.Fatalf("read %s.targets: %v", c.base, err)
			}
			c.Run.Bytes += n
		}
	}
}

func need(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden is the reviewed form of a Result.
func golden(t testing.TB, r scanners.Result) []byte {
	t.Helper()
	type reason struct{ Code, Detail string }
	g := struct {
		Status   scanners.Status
		Reasons  []reason
		Evidence scanners.Evidence
		Findings any
	}{Status: r.Status, Evidence: r.Evidence, Findings: r.Findings}
	for _, x := range r.Reasons {
		g.Reasons = append(g.Reasons, reason{x.Code, x.Detail})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
