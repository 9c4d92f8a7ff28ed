package scannertest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate/scanners"
)

var update = flag.Bool("update", false, "write the .golden files")

// Run holds s to the contract of scanners.Scanner, compares what Judge makes of each recorded run with its golden, and
// bends the recorded runs in the ways that a broken or lying tool would: none of them may pass.
func Run(t *testing.T, s scanners.Scanner) {
	t.Run("value", func(t *testing.T) { value(t, s) })
	status := map[scanners.Status]bool{}
	for _, c := range Cases(t, s) {
		r := scanners.Judge(s, c.Run, scanners.View{})
		status[r.Status] = true
		t.Run(c.Name, func(t *testing.T) {
			compare(t, c, golden(t, r))
			if r.Status != scanners.Broken {
				bend(t, s, c.Run, r)
			}
		})
	}
	for _, want := range []scanners.Status{scanners.Clean, scanners.Found, scanners.Broken} {
		if !status[want] {
			t.Errorf("no recorded run of %s is %s", s.Name, want)
		}
	}
}

func compare(t *testing.T, c Case, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(c.base+".golden", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := need(t, c.base+".golden"); !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// bend changes a good run in one place at a time.
func bend(t *testing.T, s scanners.Scanner, run scanners.Run, was scanners.Result) {
	broken := func(name string, r scanners.Run, code scanners.Code) {
		t.Helper()
		got := scanners.Judge(s, r, scanners.View{})
		if got.Status != scanners.Broken || code != "" && got.Reasons[0].Code != code {
			t.Errorf("%s: %s %v, want %s", name, got.Status, got.Reasons, code)
		}
	}
	with := func(out []byte) scanners.Run { r := run; r.Stdout = out; return r }

	// Every cut of a short report, and a thousand of a long one. Only white space may be missing.
	whole := len(bytes.TrimRight(run.Stdout, " \t\r\n"))
	for n := 0; n < whole; n += 1 + whole/1000 {
		broken(fmt.Sprintf("cut after byte %d of %d", n, whole), with(run.Stdout[:n]), scanners.UnreadableReport)
	}
	for _, text := range []string{"", "\n", "null", "{}", "panic: out of memory"} {
		broken(fmt.Sprintf("report %q", text), with([]byte(text)), scanners.UnreadableReport)
	}
	for _, after := range []string{string(run.Stdout), "{}", "null", "x", "\x00"} {
		both := append(bytes.Clone(run.Stdout), after...)
		broken(fmt.Sprintf("report followed by %.20q", after), with(both), scanners.UnreadableReport)
	}
	for _, out := range doubled(run.Stdout) {
		broken(fmt.Sprintf("report with a name twice, %.60q", out), with(out), scanners.UnreadableReport)
	}
	for _, out := range recased(run.Stdout) {
		got := scanners.Judge(s, with(out), scanners.View{})
		if got.Status != scanners.Broken && !reflect.DeepEqual(got, was) {
			t.Errorf("report with a name in other case, %.60q: %s", out, got.Status)
		}
	}

	for exit := -1; exit <= 256; exit++ {
		r := run
		r.Exit = exit
		kind, listed := s.Exits[exit]
		switch {
		case !listed:
			broken(fmt.Sprintf("exit status %d", exit), r, scanners.UnlistedExit)
		case kind == scanners.ExitClean && (was.Status == scanners.Found || was.Evidence.Canary == "found"):
			broken(fmt.Sprintf("findings and exit status %d", exit), r, "")
		}
	}
	if was.Evidence.Canary == "found" {
		blind := s
		blind.Read = func(r scanners.Run) (scanners.Report, error) {
			rep, err := s.Read(r)
			kept := rep.Findings[:0:0]
			for _, f := range rep.Findings {
				if f.Path != s.Canary.Path {
					kept = append(kept, f)
				}
			}
			rep.Findings = kept
			return rep, err
		}
		got := scanners.Judge(blind, run, scanners.View{})
		if got.Status != scanners.Broken || got.Evidence.Canary != "missing" {
			t.Errorf("without the canary's findings: %s, canary %s", got.Status, got.Evidence.Canary)
		}
	}
	if s.Enough != scanners.CanaryOnly {
		r := run
		r.Targets = append(append([]string{}, run.Targets...), "zz-never-read")
		r.Bytes++
		if s.Enough != scanners.Argument {
			broken("a target that the tool did not read", r, "")
		}
	}
}

// doubled are the report with each of its top-level names once more, before and after the real one.
func doubled(report []byte) [][]byte {
	text, names := object(report)
	var all [][]byte
	for _, name := range names {
		for _, value := range []string{"[]", "null", "{}"} {
			all = append(all,
				[]byte(fmt.Sprintf("{%q:%s,%s", name, value, text[1:])),
				[]byte(fmt.Sprintf("%s,%q:%s}", text[:len(text)-1], name, value)))
		}
	}
	return all
}

// recased are the report with each of its top-level names once more in capitals, empty.
func recased(report []byte) [][]byte {
	text, names := object(report)
	var all [][]byte
	for _, name := range names {
		for _, value := range []string{"[]", "null", "{}"} {
			all = append(all, []byte(fmt.Sprintf("%s,%q:%s}", text[:len(text)-1], strings.ToUpper(name), value)))
		}
	}
	return all
}

// object is the report without white space around it, and its names; none where it is no JSON object.
func object(report []byte) (string, []string) {
	text := strings.TrimSpace(strings.TrimPrefix(string(report), "\ufeff"))
	var o map[string]json.RawMessage
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &o) != nil {
		return "", nil
	}
	var names []string
	for name := range o {
		names = append(names, name)
	}
	return text, names
}

// Fuzz feeds s's reader whatever the fuzzer makes of the recorded runs: it must not panic, answer the same twice, and
// not pass unless the canary is found, every target is accounted for and every finding is in a target.
func Fuzz(f *testing.F, s scanners.Scanner) {
	cases := Cases(f, s)
	for i, c := range cases {
		f.Add(c.Run.Stdout, c.Run.Stderr, c.Run.Exit, uint8(i))
	}
	f.Fuzz(func(t *testing.T, stdout, stderr []byte, exit int, i uint8) {
		run := cases[int(i)%len(cases)].Run
		run.Stdout, run.Stderr, run.Exit = stdout, stderr, exit
		r := scanners.Judge(s, run, scanners.View{})
		if again := scanners.Judge(s, run, scanners.View{}); !reflect.DeepEqual(r, again) {
			t.Fatalf("first %+v, then %+v", r, again)
		}
		if r.Status == scanners.Broken {
			if len(r.Reasons) == 0 {
				t.Fatal("broken without a reason")
			}
			return
		}
		if s.Scope == scanners.FileScope && r.Evidence.Canary != "found" {
			t.Fatalf("%s without the canary", r.Status)
		}
		if r.Evidence.FilesRead != nil && *r.Evidence.FilesRead != r.Evidence.FilesInScope {
			t.Fatalf("%s having read %d of %d", r.Status, *r.Evidence.FilesRead, r.Evidence.FilesInScope)
		}
		for _, x := range r.Findings {
			if !slices.Contains(run.Targets, x.Path) {
				t.Fatalf("finding in %q, which is no target", x.Path)
			}
		}
	})
}
