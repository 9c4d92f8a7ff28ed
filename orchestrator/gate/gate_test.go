package gate

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

var day = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func count(n int) *int { return &n }

// result is one that looked at three files.
func result(name string, fs ...finding.Finding) scanners.Result {
	r := scanners.Result{
		Scanner: name, Status: scanners.Clean,
		Evidence: scanners.Evidence{FilesInScope: 3, FilesRead: count(3), Source: scanners.Reported, Canary: "found"},
	}
	for _, f := range fs {
		f.Scanner = name
		r.Status, r.Findings = scanners.Found, append(r.Findings, f)
	}
	return r
}

func with(r scanners.Result, change func(*scanners.Result)) scanners.Result {
	change(&r)
	return r
}

func ended(name string, s scanners.Status) scanners.Result {
	return scanners.Result{Scanner: name, Status: s}
}

func parse(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse("scangate.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	grave = finding.Finding{Rule: "B602", Level: finding.Error, Path: "src/run.py", StartLine: 7, Fingerprints: map[string]string{finding.V1: "f1"}}
	mild  = finding.Finding{Rule: "B101", Level: finding.Note, Path: "src/run.py", StartLine: 9, Fingerprints: map[string]string{finding.V1: "f2"}}
)

const suppress = "suppressions: [{scanner: a, rule: B602, path: 'src/**', reason: constant, expires: %}]"

func until(day string) string { return suppress[:len(suppress)-3] + day + "}]" }

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  string
		in      Input
		want    Verdict
		reasons []Reason
		states  []finding.State
	}{
		{name: "every scanner looked and found nothing", in: Input{Results: []scanners.Result{result("a"), result("b")}}, want: Pass},
		{name: "a finding at the failing level fails", in: Input{Results: []scanners.Result{result("a", grave), result("b")}}, want: Fail,
			reasons: []Reason{{BlockingFindings, ""}}, states: []finding.State{finding.New}},
		{name: "a finding below the failing level passes", in: Input{Results: []scanners.Result{result("a", mild), result("b")}}, want: Pass,
			states: []finding.State{finding.New}},
		{name: "broken beats found", in: Input{Results: []scanners.Result{result("a", grave), ended("b", scanners.Broken)}}, want: Incomplete,
			reasons: []Reason{{ScannerBroken, "b"}, {BlockingFindings, ""}}, states: []finding.State{finding.New}},
		{name: "a broken scanner that need not look leaves the verdict to the others", policy: "scanners: {b: {required: false}}",
			in: Input{Results: []scanners.Result{result("a"), ended("b", scanners.Broken)}}, want: Pass, reasons: []Reason{{BrokenAdvisory, "b"}}},
		{name: "what a scanner that need not look found still counts", policy: "scanners: {a: {required: false}}",
			in: Input{Results: []scanners.Result{result("a", grave), result("b")}}, want: Fail, reasons: []Reason{{BlockingFindings, ""}},
			states: []finding.State{finding.New}},
		{name: "nothing looked at is no pass", in: Input{Results: []scanners.Result{ended("a", scanners.NotApplicable), ended("b", scanners.NotApplicable)}},
			want: Incomplete, reasons: []Reason{{NothingScanned, ""}}},
		{name: "no results at all", in: Input{Restricted: true}, want: Incomplete, reasons: []Reason{{NothingScanned, ""}, {OnlySome, ""}}},
		{name: "one that looked is enough beside one with no file in scope",
			in: Input{Results: []scanners.Result{result("a"), ended("b", scanners.NotApplicable)}}, want: Pass},
		{name: "absent data is no fault of a scanner that nobody requires",
			in: Input{Results: []scanners.Result{result("a"), ended("b", scanners.NotConfigured)}}, want: Pass},
		{name: "absent data of a required scanner is", policy: "scanners: {b: {required: true}}",
			in: Input{Results: []scanners.Result{result("a"), ended("b", scanners.NotConfigured)}}, want: Incomplete, reasons: []Reason{{NotConfigured, "b"}}},
		{name: "a required scanner with no file in scope passes", policy: "scanners: {b: {required: true}}",
			in: Input{Results: []scanners.Result{result("a"), ended("b", scanners.NotApplicable)}}, want: Pass},
		{name: "a result that went missing", in: Input{Results: []scanners.Result{result("a")}}, want: Incomplete, reasons: []Reason{{ScannerMissing, "b"}}},
		{name: "a scanner that is off is not missed", policy: "scanners: {b: {enabled: false}}",
			in: Input{Results: []scanners.Result{result("a")}}, want: Pass},
		{name: "a restricted run misses nobody and says so", in: Input{Restricted: true, Results: []scanners.Result{result("a")}}, want: Pass,
			reasons: []Reason{{OnlySome, ""}}},
		{name: "two results of one scanner", in: Input{Results: []scanners.Result{result("a"), result("a"), result("b")}}, want: Incomplete,
			reasons: []Reason{{ScannerTwice, "a"}}},
		{name: "a scanner that nobody knows", in: Input{Results: []scanners.Result{result("a"), result("b"), result("c")}}, want: Incomplete,
			reasons: []Reason{{UnknownScanner, "c"}}},
		{name: "a policy for a scanner that nobody knows", policy: "scanners: {bandti: {enabled: true}}",
			in: Input{Results: []scanners.Result{result("a"), result("b")}}, want: Incomplete, reasons: []Reason{{UnknownScanner, "bandti"}}},
		{name: "clean without its canary is no evidence", in: Input{Results: []scanners.Result{
			with(result("a"), func(r *scanners.Result) { r.Evidence.Canary = "missing" }), result("b")}},
			want: Incomplete, reasons: []Reason{{EvidenceMissing, "a"}}},
		{name: "clean with no file read is no evidence", in: Input{Results: []scanners.Result{
			with(result("a"), func(r *scanners.Result) { r.Evidence.FilesRead = count(0) }), result("b")}},
			want: Incomplete, reasons: []Reason{{EvidenceMissing, "a"}}},
		{name: "every file rightly unread is an answer, but nobody looked", in: Input{Results: []scanners.Result{
			with(result("a"), func(r *scanners.Result) {
				r.Evidence.FilesRead, r.Evidence.FilesInScope = count(0), 1
				r.Evidence.Unread = []scanners.Unread{{Path: "x_windows.go", Reason: "build-constraint"}}
			}), ended("b", scanners.NotApplicable)}},
			want: Incomplete, reasons: []Reason{{NothingScanned, ""}}},
		{name: "clean beside a finding is a contradiction", in: Input{Results: []scanners.Result{
			with(result("a", mild), func(r *scanners.Result) { r.Status = scanners.Clean }), result("b")}},
			want: Incomplete, reasons: []Reason{{EvidenceMissing, "a"}}, states: []finding.State{finding.New}},
		{name: "a word that is no status", in: Input{Results: []scanners.Result{ended("a", "skipped"), result("b")}}, want: Incomplete,
			reasons: []Reason{{ScannerBroken, "a"}}},
		{name: "an unreadable file", in: Input{Results: []scanners.Result{result("a"), result("b")}, LeftOut: []Problem{{"se\ncret", "unreadable"}}},
			want: Incomplete, reasons: []Reason{{FileUnreadable, "se%0Acret"}}},
		{name: "a known finding does not fail", in: Input{Results: []scanners.Result{result("a", grave), result("b")}, Baseline: map[string]bool{"f1": true}},
			want: Pass, states: []finding.State{finding.Known}},
		{name: "a finding without a fingerprint is never known", in: Input{Results: []scanners.Result{
			result("a", finding.Finding{Rule: "r", Level: finding.Error, Path: "p"}), result("b")}, Baseline: map[string]bool{"f1": true}},
			want: Fail, reasons: []Reason{{BlockingFindings, ""}}, states: []finding.State{finding.New}},
		{name: "a suppression holds on its last day", policy: until("2026-11-22"),
			in: Input{Results: []scanners.Result{result("a", grave), result("b")}}, want: Pass, states: []finding.State{finding.Suppressed}},
		{name: "a suppression is over the day after, and named", policy: until("2026-11-21"),
			in: Input{Results: []scanners.Result{result("a", grave), result("b")}}, want: Fail,
			reasons: []Reason{{BlockingFindings, ""}, {SuppressionLapsed, "a/B602 src/**"}}, states: []finding.State{finding.New}},
		{name: "a suppression of one scanner is none of another", policy: until("2026-11-22"),
			in: Input{Results: []scanners.Result{result("a"), result("b", grave)}}, want: Fail,
			reasons: []Reason{{BlockingFindings, ""}}, states: []finding.State{finding.New}},
		{name: "a place where nothing fails", policy: "paths: [{match: ['src/**'], failing: never, reason: fixtures}]",
			in: Input{Results: []scanners.Result{result("a", grave), result("b")}}, want: Pass, states: []finding.State{finding.New}},
		{name: "a stricter place", policy: "paths: [{match: ['src/**'], failing: note}]",
			in: Input{Results: []scanners.Result{result("a", mild), result("b")}}, want: Fail,
			reasons: []Reason{{BlockingFindings, ""}}, states: []finding.State{finding.New}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.Policy, c.in.AsOf, c.in.Names = parse(t, c.policy), day, []string{"a", "b"}
			d := Decide(c.in)
			if d.Verdict != c.want || !reflect.DeepEqual(d.Reasons, c.reasons) {
				t.Errorf("got %s %v, want %s %v", d.Verdict, d.Reasons, c.want, c.reasons)
			}
			var states []finding.State
			for _, r := range d.Results {
				for _, f := range r.Findings {
					states = append(states, f.State)
				}
			}
			if !reflect.DeepEqual(states, c.states) {
				t.Errorf("states %v, want %v", states, c.states)
			}
			if (len(d.Blocking) > 0) != slices.Contains(c.reasons, Reason{BlockingFindings, ""}) {
				t.Errorf("blocking %v", d.Blocking)
			}
		})
	}
}

func TestWithoutADayNoSuppressionHolds(t *testing.T) {
	d := Decide(Input{Policy: parse(t, until("9999-12-31")), Names: []string{"a"}, Results: []scanners.Result{result("a", grave)}})
	if d.Verdict != Fail {
		t.Errorf("got %s", d.Verdict)
	}
}

func TestASuppressionThatCoversNothingIsUnused(t *testing.T) {
	p := parse(t, until("2026-12-01"))
	in := Input{Policy: p, AsOf: day, Names: []string{"a"}, Results: []scanners.Result{result("a", mild)}}
	if d := Decide(in); len(d.Unused) != 1 || d.Unused[0].Rule != "B602" || d.Verdict != Pass {
		t.Errorf("got %+v", d)
	}
	in.Results = []scanners.Result{result("a", grave)}
	if d := Decide(in); len(d.Unused) != 0 {
		t.Errorf("used and called unused: %+v", d.Unused)
	}
}

func TestDecideLeavesItsInputAlone(t *testing.T) {
	in := Input{Policy: policy.Default(), AsOf: day, Names: []string{"a"}, Results: []scanners.Result{result("a", grave, mild)}}
	Decide(in)
	if in.Results[0].Findings[0].State != "" {
		t.Error("the caller's findings were written to")
	}
}

func TestExit(t *testing.T) {
	for v, want := range map[Verdict]int{Pass: 0, Fail: 1, Incomplete: 3, "": 3, "ok": 3} {
		if got := v.Exit(); got != want {
			t.Errorf("%q exits %d, want %d", v, got, want)
		}
	}
}

func drawFinding(t *rapid.T) finding.Finding {
	return finding.Finding{
		Rule:         rapid.SampledFrom([]string{"B602", "B101"}).Draw(t, "rule"),
		Level:        rapid.SampledFrom([]finding.Level{finding.Note, finding.Warning, finding.Error, "odd"}).Draw(t, "level"),
		Path:         rapid.SampledFrom([]string{"src/run.py", "testdata/a.py", "b.go"}).Draw(t, "path"),
		StartLine:    rapid.IntRange(0, 3).Draw(t, "line"),
		Fingerprints: map[string]string{finding.V1: rapid.SampledFrom([]string{"f1", "f2", "f3"}).Draw(t, "fingerprint")},
	}
}

func drawInput(t *rapid.T) Input {
	texts := []string{"", until("2026-12-01"), until("2026-01-01"), "failing: note", "scanners: {a: {required: true}, b: {required: false}}",
		"paths: [{match: ['testdata/**'], failing: never, reason: fixtures}]"}
	p, err := policy.Parse("x", []byte(rapid.SampledFrom(texts).Draw(t, "policy")))
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Policy: p, AsOf: day, Names: []string{"a", "b", "c"}, Baseline: map[string]bool{"f3": true},
		Restricted: rapid.Bool().Draw(t, "restricted")}
	for _, name := range in.Names {
		var r scanners.Result
		switch rapid.IntRange(0, 6).Draw(t, name) {
		case 0:
			continue
		case 1:
			r = ended(name, scanners.Broken)
		case 2:
			r = ended(name, scanners.NotApplicable)
		case 3:
			r = ended(name, scanners.NotConfigured)
		default:
			r = result(name, rapid.SliceOfN(rapid.Custom(drawFinding), 0, 3).Draw(t, "findings")...)
		}
		in.Results = append(in.Results, r)
	}
	return in
}

func TestAFurtherFaultOrFindingNeverLowersTheVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		before := Decide(in).Verdict
		in.Results = slices.Clone(in.Results)
		switch kind := rapid.IntRange(0, 3).Draw(t, "addition"); {
		case kind == 0:
			in.LeftOut = append(in.LeftOut, Problem{"x", "unreadable"})
		case len(in.Results) == 0:
		default:
			i := rapid.IntRange(0, len(in.Results)-1).Draw(t, "where")
			r := &in.Results[i]
			switch kind {
			case 1:
				f := drawFinding(t)
				f.Scanner = r.Scanner
				r.Findings = append(slices.Clone(r.Findings), f)
				if r.Status == scanners.Clean {
					r.Status = scanners.Found
				}
			case 2:
				if s := in.Policy.Scanner(r.Scanner).Required; s == nil || *s {
					r.Status = scanners.Broken
				}
			case 3:
				r.Evidence.Canary = "missing"
			}
		}
		if after := Decide(in).Verdict; ranks[after] < ranks[before] {
			t.Fatalf("%s became %s", before, after)
		}
	})
}

func TestAnyOrderGivesOneDecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		want := Decide(in)
		in.Results = slices.Clone(in.Results)
		rand.Shuffle(len(in.Results), func(i, j int) { in.Results[i], in.Results[j] = in.Results[j], in.Results[i] })
		for i := range in.Results {
			fs := slices.Clone(in.Results[i].Findings)
			rand.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
			in.Results[i].Findings = fs
		}
		got := Decide(in)
		// Findings that differ in their fingerprint alone are equal to Compare; they have one State each all the same.
		if got.Verdict != want.Verdict || !reflect.DeepEqual(got.Reasons, want.Reasons) || len(got.Blocking) != len(want.Blocking) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}
