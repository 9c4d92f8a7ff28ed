package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/scangate/scangate/orchestrator/gate"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

var update = flag.Bool("update", false, "write the golden files")

func sum(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func count(n int) *int { return &n }

func result(name string, files int, fs ...finding.Finding) scanners.Result {
	r := scanners.Result{
		Scanner: name, Version: "1.2.3", Status: scanners.Clean, Image: scanners.Image{Manifest: sum("a"), Config: sum("b")}, Job: sum("c"),
		Evidence: scanners.Evidence{FilesInScope: files, FilesRead: count(files), Source: scanners.Reported, Canary: "found"},
	}
	for i, f := range fs {
		f.Scanner = name
		f.Fingerprints = map[string]string{finding.V1: fmt.Sprintf("%064x", i+1)}
		r.Status, r.Findings = scanners.Found, append(r.Findings, f)
	}
	return r
}

func decide(t testing.TB, text string, in gate.Input) gate.Decision {
	t.Helper()
	p, err := policy.Parse("scangate.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	in.Policy, in.AsOf = p, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, r := range in.Results {
		in.Names = append(in.Names, r.Scanner)
	}
	return gate.Decide(in)
}

func inputs22() Inputs {
	return Inputs{Snapshot: sum("1"), Policy: sum("2"), Lock: sum("3"), Platform: "linux/amd64", AsOf: "2026-11-22"}
}

var shell = finding.Finding{
	Rule: "B602", Level: finding.Error, Path: "src/run.py", StartLine: 7, StartColumn: 1, EndLine: 7, EndColumn: 40,
	Message: "subprocess call with shell=True identified, security issue.", Fix: "pass a list of arguments and shell=False",
	Help: "https://bandit.readthedocs.io/en/1.9.4/plugins/b602.html",
}

func scans(t testing.TB) map[string]Report {
	assert := finding.Finding{Rule: "B101", Level: finding.Note, Path: "src/run.py", StartLine: 12, Message: "Use of assert detected."}
	key := finding.Finding{Rule: "aws-access-token", Level: finding.Error, Path: "deploy/.env", StartLine: 3, StartColumn: 9, Message: "an AWS access token stands here in clear"}
	old := finding.Finding{Rule: "B608", Level: finding.Warning, Path: "src/db.py", StartLine: 30, Message: "Possible SQL injection."}
	dependency := finding.Finding{Rule: "GO-2026-0001", Level: finding.Error, Path: "go.mod", Message: "example.org/x v1.0.0 has a known hole", Fix: "go get example.org/x@v1.0.1"}
	none := scanners.Result{Scanner: "hadolint", Version: "2.14.0", Status: scanners.NotApplicable, Reasons: []scanners.Reason{scanners.Because(scanners.NoInput, "")}}
	unset := scanners.Result{Scanner: "osv", Version: "2.3.0", Status: scanners.NotConfigured, Reasons: []scanners.Reason{scanners.Because(scanners.NotLocked, "")}}
	broken := scanners.Result{
		Scanner: "ruff", Version: "0.15.0", Status: scanners.Broken, Job: sum("d"), Image: scanners.Image{Manifest: sum("e"), Config: sum("f")},
		Reasons:  []scanners.Reason{scanners.Because(scanners.Timeout, "after 2m0s")},
		Evidence: scanners.Evidence{FilesInScope: 12, Canary: "missing", Source: scanners.CanaryOnly, Unread: []scanners.Unread{{Path: "a\nb.py", Reason: "syntax"}}},
	}
	withBaseline := inputs22()
	withBaseline.Baseline, withBaseline.Base, withBaseline.Suppressions = sum("4"), "0123abcd", sum("5")
	return map[string]Report{
		"pass": {Inputs: inputs22(), Files: 214, Decision: decide(t, "", gate.Input{Results: []scanners.Result{
			result("bandit", 12), result("gitleaks", 214), none, unset}})},
		"fail": {Inputs: withBaseline, Files: 214, Homes: map[string]string{"bandit": "https://github.com/PyCQA/bandit"},
			LeftOut: []LeftOut{{"socket", "special"}, {"away", "link-outside"}},
			Decision: decide(t, "suppressions:\n  - {scanner: gitleaks, rule: gone, path: 'x/**', reason: r, expires: 2027-01-01}\n  - {scanner: gitleaks, rule: aws-access-token, path: deploy/.env, reason: r, expires: 2025-01-01}\n",
				gate.Input{Baseline: map[string]bool{fmt.Sprintf("%064x", 3): true}, Results: []scanners.Result{
					result("bandit", 12, assert, shell, old), result("gitleaks", 214, key), result("govulncheck", 3, dependency), none}})},
		"incomplete": {Inputs: inputs22(), Files: 214, Decision: decide(t, "", gate.Input{
			LeftOut: []gate.Problem{{Path: "vault/key", Reason: "unreadable"}},
			Results: []scanners.Result{result("bandit", 12, shell), broken, none}})},
		"restricted": {Inputs: func() Inputs { in := inputs22(); in.Restricted = []string{"bandit"}; return in }(), Files: 12,
			Decision: decide(t, "", gate.Input{Restricted: true, Results: []scanners.Result{result("bandit", 12)}})},
		"nothing": {Inputs: inputs22(), Decision: decide(t, "", gate.Input{Results: []scanners.Result{none}})},
	}
}

type format struct {
	name  string
	write func(Report, io.Writer) error
}

var formats = []format{
	{"json", Report.JSON},
	{"agent", Report.Agent},
	{"sarif", Report.SARIF},
	{"human", func(r Report, w io.Writer) error { return r.Human(w, Options{Width: 100}) }},
}

func written(t testing.TB, f format, r Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.write(r, &b); err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	for name, r := range scans(t) {
		for _, f := range formats {
			t.Run(name+" "+f.name, func(t *testing.T) {
				got, golden := written(t, f, r), filepath.Join("testdata", name+"."+f.name)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("differs from %s:\n%s", golden, got)
				}
			})
		}
	}
}

func TestTheResultDocumentKeepsToItsSchema(t *testing.T) {
	f, err := os.Open("../../docs/schema/result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("result.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("result.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range scans(t) {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(written(t, formats[0], r)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		v.(map[string]any)["verdict"] = "ok"
		if schema.Validate(v) == nil {
			t.Errorf("%s: the schema takes a verdict that is none", name)
		}
	}
}

func TestTheReferenceNamesEveryReason(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("../../docs/schema/result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range gate.Codes() {
		if sentences[code] == "" {
			t.Errorf("no sentence for %s", code)
		}
		if !strings.Contains(string(text), "| `"+string(code)+"` |") {
			t.Errorf("docs/reference.md does not name %s", code)
		}
		if !strings.Contains(string(schema), `"`+string(code)+`"`) {
			t.Errorf("the schema does not name %s", code)
		}
	}
}

func TestTheResultDigestIsOfTheBytesThatAreWritten(t *testing.T) {
	r := scans(t)["fail"]
	digest, err := r.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(written(t, formats[0], r)))); digest != want {
		t.Errorf("got %s, want %s", digest, want)
	}
}

func TestArrivalOrderDoesNotChangeAByte(t *testing.T) {
	for name, want := range scans(t) {
		for range 10 {
			got := want
			got.LeftOut = slices.Clone(want.LeftOut)
			rand.Shuffle(len(got.LeftOut), func(i, j int) { got.LeftOut[i], got.LeftOut[j] = got.LeftOut[j], got.LeftOut[i] })
			got.Decision.Results = slices.Clone(want.Decision.Results)
			for i := range got.Decision.Results {
				fs := slices.Clone(got.Decision.Results[i].Findings)
				rand.Shuffle(len(fs), func(i, j int) { fs[i], fs[j] = fs[j], fs[i] })
				got.Decision.Results[i].Findings = fs
			}
			if a, b := written(t, formats[0], got), written(t, formats[0], want); a != b {
				t.Fatalf("%s:\n%s\n%s", name, a, b)
			}
		}
	}
}

func TestAnAgentReadsOneLineOnAPass(t *testing.T) {
	got := written(t, formats[1], scans(t)["pass"])
	digest, err := scans(t)["pass"].Digest()
	if err != nil {
		t.Fatal(err)
	}
	if want := "scangate: pass · 2 scanners looked at 214 files · result " + digest + "\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnAgentIsToldOfEveryFindingOrHowManyMore(t *testing.T) {
	var fs []finding.Finding
	for i := range 500 {
		f := shell
		f.StartLine = i + 1
		f.Level = []finding.Level{finding.Warning, finding.Error}[i%2]
		fs = append(fs, f)
	}
	r := Report{Inputs: inputs22(), Decision: decide(t, "failing: note", gate.Input{Results: []scanners.Result{result("bandit", 1, fs...)}})}
	got := written(t, formats[1], r)
	shown, more := strings.Count(got, "bandit/B602"), 0
	for _, l := range strings.Split(got, "\n") {
		if n, err := fmt.Sscanf(l, "%d more findings: run with --format json", &more); n == 1 && err == nil {
			break
		}
	}
	if len(got) > AgentLimit || shown < 20 || shown+more != 500 {
		t.Errorf("%d bytes, %d shown, %d more", len(got), shown, more)
	}
	if strings.Contains(got, " warning ") {
		t.Error("a warning stands where an error did not fit")
	}
}

func TestABrokenScannerNeverTellsAnAgentToRepairItsCode(t *testing.T) {
	got := written(t, formats[1], scans(t)["incomplete"])
	for _, want := range []string{
		"not your code: scanner ruff could not look; timeout: the scanner did not end in time\n",
		"not your code: vault/key could not be taken into the snapshot\n",
		"src/run.py:7:1 error bandit/B602 subprocess call",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// hostile puts s wherever text comes from a scanner or from a name in the workspace.
func hostile(t testing.TB, s string) Report {
	f := finding.Finding{Rule: s, Level: finding.Level(s), Path: s, StartLine: 1, Message: s, Fix: s, Help: s}
	known := f
	known.Level = finding.Error
	found := result("bandit", 2, f, known)
	found.Version = s
	found.Findings[0].Fingerprints[s] = s
	found.Evidence.Unread = []scanners.Unread{{Path: s, Reason: s}}
	broken := scanners.Result{Scanner: "ruff", Status: scanners.Broken, Reasons: []scanners.Reason{{Code: s, Message: s, Detail: s}}}
	d := decide(t, "", gate.Input{LeftOut: []gate.Problem{{Path: s, Reason: s}}, Results: []scanners.Result{found, broken}})
	d.Unused = []policy.Suppression{{Scanner: "bandit", Rule: s, Path: s, Reason: s, Expires: "2027-01-01"}}
	return Report{Inputs: inputs22(), Decision: d, LeftOut: []LeftOut{{s, s}}, Homes: map[string]string{"bandit": s}}
}

// harmless holds every format to what terminals, CI runners and readers must never see.
func harmless(t *testing.T, r Report) {
	t.Helper()
	for _, f := range formats {
		got := written(t, f, r)
		for i, c := range got {
			if c < 0x20 && c != '\n' || c >= 0x7f && c < 0xa0 {
				t.Fatalf("%s: control character %U: …%q", f.name, c, got[max(0, i-40):i])
			}
			if f.name != "json" && strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\u2028\u2029\ufeff\U000e0041", c) {
				t.Fatalf("%s: unseen character %U", f.name, c)
			}
		}
		for l := range strings.Lines(got) {
			if strings.HasPrefix(strings.TrimSpace(l), "::") {
				t.Fatalf("%s: a runner takes this for a command: %q", f.name, l)
			}
			if low := strings.ToLower(l); f.name != "json" && (strings.Contains(low, "##[") || strings.Contains(low, "##vso[")) {
				t.Fatalf("%s: a runner takes this for a command: %q", f.name, l)
			}
		}
		if f.name == "agent" && len(got) > AgentLimit {
			t.Fatalf("agent: %d bytes", len(got))
		}
		if f.name == "json" || f.name == "sarif" {
			if !json.Valid([]byte(got)) {
				t.Fatalf("%s: not JSON", f.name)
			}
		}
	}
}

var hostiles = []string{
	"::error file=a::owned", "  ::add-mask::x", "a\n::set-output name=x::y", "##[error]x", "##vso[task.setvariable]x", "###[x", "##VSO[x",
	"\x1b[2Jcleared", "\x1b]8;;https://evil.example\x07link\x1b]8;;\x07", "\u009b31mred", "a\rb", "a\x00b", "\x7f", "\u202egnp.exe", "\u2066x\u2069",
	"line\u2028line", "\ufeffbom", "tag\U000e0041", "\xff\xfe", "%00", "a%b", strings.Repeat("x", 9000), strings.Repeat("\x1b", 4000),
	strings.Repeat("::a ", 900), "-rf", "../../etc/passwd", "a:b", "<script>", "\u00a0::error::x", "x ::error::y " + strings.Repeat("z ", 200) + "::error::w",
}

func TestHostileText(t *testing.T) {
	for _, s := range hostiles {
		harmless(t, hostile(t, s))
	}
}

func TestVisibleShowsWhatATerminalWouldActOn(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[31mred": `\u{1b}[31mred`, "\u202egnp.exe": `\u{202e}gnp.exe`, "##[error]": `#\u{23}[error]`, "naïve 漢字 ✓": "naïve 漢字 ✓",
		"\xff": "\ufffd", "a\nb": `a\u{a}b`,
	} {
		if got := visible(in, maxShort); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := visible(strings.Repeat("é", 400), 101); len(got) > 101 || !strings.HasSuffix(got, "é…") {
		t.Errorf("cut to %d bytes: %q", len(got), got)
	}
}

func FuzzFormats(f *testing.F) {
	for _, s := range hostiles {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { harmless(t, hostile(t, s)) })
}

func TestColourOnlyWhereAsked(t *testing.T) {
	r := scans(t)["fail"]
	var plain, coloured bytes.Buffer
	if err := r.Human(&plain, Options{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if err := r.Human(&coloured, Options{Width: 100, Color: true}); err != nil {
		t.Fatal(err)
	}
	var bare strings.Builder
	for i, part := range strings.Split(coloured.String(), "\x1b[") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "m")
		}
		bare.WriteString(part)
	}
	if coloured.Len() == plain.Len() || bare.String() != plain.String() {
		t.Errorf("colours change more than colours:\n%s", bare.String())
	}
}
