package scanners

import (
	"errors"
	"testing"

	"github.com/scangate/scangate/pkg/finding"
)

// tool reports what rep says.
func tool(scope Scope, enough Source, rep Report, err error) Scanner {
	return Scanner{
		Name: "tool", Version: "1.0", Scope: scope, Enough: enough,
		Exits: map[int]Exit{0: ExitClean, 1: ExitFound, 2: ExitEither},
		Canary: Canary{Files: map[string]string{"scangate-canary.py": "", "scangate-canary.mod": ""},
			Path: "scangate-canary.py", Rule: "C"},
		Read: func(Run) (Report, error) { return rep, err },
	}
}

func TestJudge(t *testing.T) {
	hit := func(rule, path string) finding.Finding {
		return finding.Finding{Rule: rule, Path: path, Level: finding.Error, Message: "m"}
	}
	canary, found := hit("C", "scangate-canary.py"), hit("R", "a.py")
	n := func(n int) *int { return &n }
	targets := []string{"a.py", "scangate-canary.py"}
	for _, row := range []struct {
		name   string
		scope  Scope
		enough Source
		run    Run
		rep    Report
		err    error
		view   View
		status Status
		codes  []Code
	}{
		{"the canary alone is clean", FileScope, Reported, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}, FilesRead: n(2), Source: Reported}, nil, View{}, Clean, nil},
		{"a finding beside it is found", FileScope, Reported, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary, found}, FilesRead: n(2), Source: Reported}, nil, View{}, Found, nil},
		{"a finding in a context file is found", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary, hit("R", "go.mod")}, Source: CanaryOnly}, nil,
			View{Has: func(p string) bool { return p == "go.mod" }}, Found, nil},
		{"a finding outside the view is broken", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary, hit("R", "go.mod")}, Source: CanaryOnly}, nil, View{}, Broken, []Code{ForeignPath}},
		{"a status that is not listed is broken", FileScope, CanaryOnly, Run{Exit: 137, Targets: targets},
			Report{Findings: []finding.Finding{canary}, Source: CanaryOnly}, nil, View{}, Broken, []Code{UnlistedExit}},
		{"a report that cannot be read is broken", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{}, errors.New("cut"), View{}, Broken, []Code{UnreadableReport}},
		{"a report without a source is broken", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}}, nil, View{}, Broken, []Code{UnreadableReport}},
		{"a source without its count is broken", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}, Source: Reported}, nil, View{}, Broken, []Code{UnreadableReport}},
		{"a finding without a rule is broken", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary, hit("", "a.py")}, Source: CanaryOnly}, nil, View{}, Broken, []Code{UnreadableReport}},
		{"findings beside a clean status are broken", FileScope, CanaryOnly, Run{Exit: 0, Targets: targets},
			Report{Findings: []finding.Finding{canary}, Source: CanaryOnly}, nil, View{}, Broken, []Code{ExitMismatch}},
		{"a found status without findings is broken", ProjectScope, CanaryOnly, Run{Exit: 1, Targets: []string{"a.py"}},
			Report{Source: CanaryOnly}, nil, View{}, Broken, []Code{ExitMismatch}},
		{"a status that does not tell goes with both", FileScope, CanaryOnly, Run{Exit: 2, Targets: targets},
			Report{Findings: []finding.Finding{canary, found}, Source: CanaryOnly}, nil, View{}, Found, nil},
		{"no canary is broken", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{found}, Source: CanaryOnly}, nil, View{}, Broken, []Code{CanaryMissing}},
		{"another rule in the canary's file is no canary", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{hit("R", "scangate-canary.py")}, Source: CanaryOnly}, nil, View{}, Broken, []Code{CanaryMissing}},
		{"the canary's rule in another file is no canary", FileScope, CanaryOnly, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{hit("C", "a.py")}, Source: CanaryOnly}, nil, View{}, Broken, []Code{CanaryMissing}},
		{"a file scanner without a canary among its targets is broken", FileScope, CanaryOnly, Run{Exit: 0, Targets: []string{"a.py"}},
			Report{Source: CanaryOnly}, nil, View{}, Broken, []Code{CanaryMissing}},
		{"a project scanner's own job needs none", ProjectScope, CanaryOnly, Run{Exit: 0, Targets: []string{"a.py"}},
			Report{Source: CanaryOnly}, nil, View{}, Clean, nil},
		{"a project scanner's canary job does", ProjectScope, CanaryOnly, Run{Exit: 0, Targets: []string{"scangate-canary.py"}},
			Report{Source: CanaryOnly}, nil, View{}, Broken, []Code{CanaryMissing}},
		{"a file that the tool could not read is broken", FileScope, Reported, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}, FilesRead: n(2), Source: Reported, Unread: []Unread{{"a.py", "syntax"}}}, nil, View{},
			Broken, []Code{FileNotRead}},
		{"one file too few is broken", FileScope, Reported, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}, FilesRead: n(1), Source: Reported}, nil, View{}, Broken, []Code{CountMismatch}},
		{"one file too many is broken", FileScope, Reported, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}, FilesRead: n(3), Source: Reported}, nil, View{}, Broken, []Code{CountMismatch}},
		{"an excused file is not missed", FileScope, Reported, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}, FilesRead: n(2), Source: Reported}, nil,
			View{Excused: []Unread{{"b.bin", "binary"}}}, Clean, nil},
		{"a weaker source than needed is broken", FileScope, Reported, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}, FilesRead: n(2), Source: Observed}, nil, View{}, Broken, []Code{WeakEvidence}},
		{"a stronger source than needed is fine", FileScope, Observed, Run{Exit: 1, Targets: targets},
			Report{Findings: []finding.Finding{canary}, FilesRead: n(2), Source: Argument}, nil, View{}, Clean, nil},
		{"every reason is told", FileScope, Reported, Run{Exit: 0, Targets: targets},
			Report{Findings: []finding.Finding{found, hit("R", "x.py")}, FilesRead: n(1), Source: Observed}, nil, View{}, Broken,
			[]Code{ExitMismatch, ForeignPath, CanaryMissing, CountMismatch, WeakEvidence}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := Judge(tool(row.scope, row.enough, row.rep, row.err), row.run, row.view)
			if r.Status != row.status {
				t.Errorf("status %s, want %s", r.Status, row.status)
			}
			if len(r.Reasons) != len(row.codes) {
				t.Fatalf("reasons %+v, want %v", r.Reasons, row.codes)
			}
			for i, c := range row.codes {
				if r.Reasons[i].Code != c || r.Reasons[i].Message == "" {
					t.Errorf("reason %+v, want %s", r.Reasons[i], c)
				}
			}
			for _, f := range r.Findings {
				if f.Path == "scangate-canary.py" || f.Path == "x.py" || f.Scanner != "tool" {
					t.Errorf("finding %+v", f)
				}
			}
		})
	}
}

func TestJudgeCountsWithoutCanaries(t *testing.T) {
	three := 3
	rep := Report{FilesRead: &three, Source: Reported, Findings: []finding.Finding{
		{Rule: "C", Path: "scangate-canary.py", Level: finding.Error, Message: "m"}}}
	r := Judge(tool(FileScope, Reported, rep, nil), Run{Exit: 1, Targets: []string{"a.py", "b.py", "scangate-canary.py"}},
		View{Excused: []Unread{{"c.py", "build-constraint"}}})
	if e := r.Evidence; e.FilesInScope != 3 || *e.FilesRead != 2 || e.Canary != "found" || len(e.Unread) != 1 {
		t.Fatalf("%+v", e)
	}
}

func TestEveryCodeHasItsMessage(t *testing.T) {
	for code := range messages {
		if r := Because(code, "d"); r.Message == "" || r.Code != code || r.Detail != "d" {
			t.Errorf("%+v", r)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("an unknown code passes")
		}
	}()
	Because("no-such-code", "")
}
