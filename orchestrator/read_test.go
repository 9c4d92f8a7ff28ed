package orchestrator

import (
	"errors"
	"testing"

	"github.com/scangate/scangate/orchestrator/cache"
	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/plan"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/scanners"
)

// counted is a scanner of single files that reports its canary and every target read, and a finding where its stdout
// says so.
func counted() scanners.Scanner {
	return scanners.Scanner{Name: "counted", Scope: scanners.FileScope, Enough: scanners.Reported,
		Exits:  map[int]scanners.Exit{0: scanners.ExitEither},
		Canary: scanners.Canary{Files: map[string]string{"scangate-canary.py": ""}, Path: "scangate-canary.py", Rule: "C"},
		Read: func(r scanners.Run) (scanners.Report, error) {
			if string(r.Stdout) == "panic" {
				panic("adapter")
			}
			n := len(r.Targets)
			rep := scanners.Report{FilesRead: &n, Source: scanners.Reported,
				Findings: []finding.Finding{{Rule: "C", Path: "scangate-canary.py", Level: finding.Error, Message: "m"}}}
			if string(r.Stdout) == "found" {
				rep.Findings = append(rep.Findings, finding.Finding{Rule: "R", Path: r.Targets[0], Level: finding.Error, Message: "m"})
			}
			return rep, nil
		}}
}

// sharded is a scan of three files and one excused, in two jobs.
func sharded() plan.Scan {
	return plan.Scan{Scanner: counted(), InScope: 4, Excused: []scanners.Unread{{Path: "x.bin", Reason: "binary"}},
		Jobs: []plan.Job{{Targets: []string{"a.py", "b.py", "scangate-canary.py"}}, {Targets: []string{"c.py", "scangate-canary.py"}}}}
}

func TestTheShardsOfAScannerAreOneResult(t *testing.T) {
	good, found := engine.Outcome{}, engine.Outcome{Stdout: []byte("found")}
	for _, row := range []struct {
		name   string
		ran    [2]ran
		status scanners.Status
		code   scanners.Code
		read   int // -1: not known
		found  int
	}{
		{"all clean is clean", [2]ran{{Outcome: good}, {Outcome: good}}, scanners.Clean, "", 3, 0},
		{"one found is found", [2]ran{{Outcome: good}, {Outcome: found}}, scanners.Found, "", 3, 1},
		{"one without an answer is broken, and the other's findings stay", [2]ran{{Outcome: found}, {Outcome: engine.Outcome{Fault: engine.Timeout}}}, scanners.Broken, scanners.Timeout, -1, 1},
		{"the first without an answer is broken too", [2]ran{{Outcome: engine.Outcome{Fault: engine.Memory}}, {Outcome: found}}, scanners.Broken, scanners.OutOfMemory, -1, 1},
		{"an engine that could not run one", [2]ran{{Outcome: good}, {Err: errors.New("no")}}, scanners.Broken, scanners.EngineFault, -1, 0},
		{"an adapter that panics", [2]ran{{Outcome: engine.Outcome{Stdout: []byte("panic")}}, {Outcome: good}}, scanners.Broken, scanners.Panic, -1, 0},
		{"a fault that nobody knows", [2]ran{{Outcome: engine.Outcome{Fault: "tired"}}, {Outcome: good}}, scanners.Broken, scanners.EngineFault, -1, 0},
		{"a status that its adapter does not list", [2]ran{{Outcome: engine.Outcome{Exit: 9}}, {Outcome: good}}, scanners.Broken, scanners.UnlistedExit, -1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			remembered, err := cache.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			l := &lowered{of: []place{{0, 0}, {0, 1}}}
			r := read(plan.Plan{Scans: []plan.Scan{sharded()}}, l, row.ran[:], remembered)[0]
			if r.Status != row.status || len(r.Findings) != row.found {
				t.Errorf("%s with %d findings, want %s with %d", r.Status, len(r.Findings), row.status, row.found)
			}
			if row.code == "" && len(r.Reasons) > 0 || row.code != "" && (len(r.Reasons) != 1 || r.Reasons[0].Code != row.code) {
				t.Errorf("reasons %+v, want %q", r.Reasons, row.code)
			}
			e := r.Evidence
			if e.FilesInScope != 4 || len(e.Unread) != 1 {
				t.Errorf("%d files in scope and unread %v, want 4 and one", e.FilesInScope, e.Unread)
			}
			if row.read < 0 && e.FilesRead != nil || row.read >= 0 && (e.FilesRead == nil || *e.FilesRead != row.read) {
				t.Errorf("files read %v, want %d", e.FilesRead, row.read)
			}
		})
	}
}

func TestEveryFaultOfAnEngineHasItsReason(t *testing.T) {
	for _, f := range []engine.Fault{engine.Timeout, engine.Memory, engine.Output, engine.Killed, engine.Start, engine.Isolation, engine.Lost} {
		if _, ok := faults[f]; !ok {
			t.Errorf("the fault %q has no reason", f)
		}
	}
}

func TestAFileThatNoJobIsForBreaksTheResult(t *testing.T) {
	remembered, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	scan := sharded()
	scan.InScope++
	scan.Strays = []scanners.Unread{{Path: "stray.py", Reason: "no-project"}}
	l := &lowered{of: []place{{0, 0}, {0, 1}}}
	r := read(plan.Plan{Scans: []plan.Scan{scan}}, l, []ran{{}, {}}, remembered)[0]
	if r.Status != scanners.Broken || len(r.Reasons) != 1 || r.Reasons[0].Code != scanners.FileNotRead {
		t.Errorf("status %s for %+v, want %s for %s", r.Status, r.Reasons, scanners.Broken, scanners.FileNotRead)
	}
	if r.Evidence.FilesInScope != scan.InScope || len(r.Evidence.Unread) != 2 {
		t.Errorf("evidence %+v, want %d files in scope, 2 unread", r.Evidence, scan.InScope)
	}
}
