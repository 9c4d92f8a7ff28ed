package policy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/scangate/scangate/pkg/finding"
)

// whole says everything that can be said.
const whole = `# the policy of a project
schema: scangate.policy/v1
failing: warning
scanners:
  bandit: {enabled: true, required: true, failing: note}
  semgrep: {enabled: false}
  gitleaks: {required: false}
paths:
  - match: ["testdata/**", "**/*_test.go"]
    scanners: [bandit, semgrep]
    rules: [B101]
    failing: never
    reason: test fixtures hold holes on purpose
  - match: ["app/[id]/page.tsx"]
    failing: error
limits: {timeout: 10m, memory: 2GiB, stdout: 64MiB, files: 200000, fileBytes: 100MiB}
isolation: {cgroups: must}
suppressions:
  - scanner: bandit
    rule: B602
    path: src/run.py
    line: 7
    fingerprint: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    reason: the command is a constant
    expires: 2027-01-31
`

var documents = []struct {
	name, text string
	want       string // of the error; "" is good
	decoder    bool   // only the decoder can see it: syntax, globs, how the text is written
}{
	{name: "an empty file is the default policy", text: ""},
	{name: "a file of comments is the default policy", text: "# nothing yet\n"},
	{name: "a document of nothing is the default policy", text: "---\n"},
	{name: "everything at once", text: whole},
	{name: "a quoted day", text: "suppressions: [{scanner: a, rule: r, path: p, reason: x, expires: '2027-01-31'}]"},
	{name: "a misspelt key", text: "failing: error\nfailling: note\n",
		want: `scangate.yaml:2:1: unknown key "failling" (did you mean "failing"?)`},
	{name: "a key like no other", text: "only: [bandit]\n", want: `scangate.yaml:1:1: unknown key "only"`},
	{name: "a misspelt key of a scanner", text: "scanners:\n  bandit:\n    enable: true\n",
		want: `scangate.yaml:3:5: unknown key "enable" (did you mean "enabled"?)`},
	{name: "a key said twice", text: "failing: error\nfailing: note\n", decoder: true,
		want: `scangate.yaml:2:1: key "failing" stands on line 1 already`},
	{name: "a scanner said twice", text: "scanners:\n  a: {}\n  a: {enabled: false}\n", decoder: true,
		want: `scangate.yaml:3:3: key "a" stands on line 2 already`},
	{name: "a level that is none", text: "failing: eror\n",
		want: `scangate.yaml:1:10: want error, warning, note, got "eror" (did you mean "error"?)`},
	{name: "never is for paths", text: "failing: never\n", want: `scangate.yaml:1:10: want error, warning, note, got "never"`},
	{name: "a word for a truth", text: "scanners: {a: {enabled: yes}}\n", want: `scangate.yaml:1:25: want true or false, got "yes"`},
	{name: "a scanner with nothing said", text: "scanners: {a: }\n", want: `scangate.yaml:1:15: want keys and values, got nothing`},
	{name: "a list for a mapping", text: "- failing\n", want: "scangate.yaml:1:1: want keys and values, got a list"},
	{name: "text for a mapping", text: "run everything\n", want: `scangate.yaml:1:1: want keys and values, got "run everything"`},
	{name: "a mapping for a list", text: "paths: {match: a}\n", want: "scangate.yaml:1:8: want a list, got keys and values"},
	{name: "a number for a rule", text: "paths: [{match: [a], rules: [101], failing: note}]\n",
		want: "scangate.yaml:1:30: want text, got the number 101"},
	{name: "a scanner that is required and off", text: "scanners:\n  a: {enabled: false, required: true}\n",
		want: `scangate.yaml:2:3: scanner "a" is required and not enabled`},
	{name: "a scanner's name in capitals", text: "scanners: {Bandit: {}}\n", want: `scangate.yaml:1:12: "Bandit" is no scanner's name`},
	{name: "never without a reason", text: "paths:\n  - match: [a]\n    failing: never\n",
		want: "scangate.yaml:2:5: failing: never wants a reason"},
	{name: "a place without a glob", text: "paths: [{match: [], failing: note}]\n",
		want: "scangate.yaml:1:17: want a list with something in it"},
	{name: "a place without a level", text: "paths: [{match: [a]}]\n", want: "scangate.yaml:1:9: want failing"},
	{name: "an empty list of scanners is not all scanners", text: "paths: [{match: [a], scanners: [], failing: note}]\n",
		want: "scangate.yaml:1:32: want a list with something in it"},
	{name: "an absolute glob", text: "paths: [{match: [/src/**], failing: note}]\n",
		want: `scangate.yaml:1:18: "/src/**" can match nothing: paths begin below the workspace`},
	{name: "a broken glob", text: "paths: [{match: ['a[b'], failing: note}]\n", decoder: true,
		want: `scangate.yaml:1:18: "a[b" is no glob`},
	{name: "a duration without a unit", text: "limits: {timeout: 90}\n",
		want: "scangate.yaml:1:19: want a duration such as 90s or 10m, got the number 90"},
	{name: "a size in thousands", text: "limits: {memory: 2GB}\n",
		want: `scangate.yaml:1:18: want a size such as 512MiB or 2GiB, got "2GB"`},
	{name: "no files at all", text: "limits: {files: 0}\n",
		want: "scangate.yaml:1:17: want a whole number from 1 to 999999999, got the number 0"},
	{name: "an exemption without end", text: "exemptions:\n  - {scanner: a, path: p, reason: x}\n",
		want: "scangate.yaml:2:5: an exemption wants expires"},
	{name: "an exemption of a rule", text: "exemptions: [{scanner: a, rule: r, path: p, reason: x, expires: 2027-01-31}]",
		want: "scangate.yaml:1:27: unknown key \"rule\""},
	{name: "a suppression without end", text: "suppressions:\n  - {scanner: a, rule: r, path: p, reason: x}\n",
		want: "scangate.yaml:2:5: a suppression wants expires"},
	{name: "a suppression with a blank reason", text: "suppressions:\n  - {scanner: a, rule: r, path: p, reason: ' ', expires: 2027-01-31}\n",
		want: "scangate.yaml:2:44: want text, got none"},
	{name: "a day that is none", text: "suppressions: [{scanner: a, rule: r, path: p, reason: x, expires: 2027-02-30}]",
		want: "scangate.yaml:1:67: no such day: 2027-02-30"},
	{name: "a day with a time", text: "suppressions: [{scanner: a, rule: r, path: p, reason: x, expires: 2027-01-31T00:00:00Z}]",
		want: "scangate.yaml:1:67: want a day such as 2027-01-31, got the date 2027-01-31T00:00:00Z"},
	{name: "half a fingerprint", text: "suppressions: [{scanner: a, rule: r, path: p, fingerprint: abc, reason: x, expires: 2027-01-31}]",
		want: `scangate.yaml:1:60: want 64 hexadecimal digits, got "abc"`},
	{name: "another schema", text: "schema: scangate.policy/v2\n",
		want: `scangate.yaml:1:9: want scangate.policy/v1, got "scangate.policy/v2" (did you mean "scangate.policy/v1"?)`},
	{name: "a second document", text: "failing: error\n---\nfailing: note\n", decoder: true,
		want: "scangate.yaml:2:1: a second document: one is allowed"},
	{name: "an alias", text: "scanners: {a: &x {}, b: *x}\n", decoder: true,
		want: "scangate.yaml:1:15: an anchor (&x): write the value out where it is used"},
	{name: "a tag", text: "failing: !!binary ZXJyb3I=\n", decoder: true, want: "scangate.yaml:1:10: a tag (!!binary): not allowed"},
	{name: "a merge key", text: "scanners: {a: {<<: {enabled: false}}}\n",
		want: "scangate.yaml:1:16: want a key of text, got \"<<\""},
	{name: "a key with an escape in it", text: "\"fail\\u001b[31ming\": error\n", want: `scangate.yaml:1:1: unknown key "fail\x1b[31ming"`},
	{name: "a tab", text: "failing:\n\terror\n", decoder: true,
		want: "scangate.yaml:2:1: not YAML: found character that cannot start any token"},
	{name: "more than a mebibyte", text: strings.Repeat("#", MaxBytes+1), decoder: true, want: "scangate.yaml:1:1: larger than 1048576 bytes"},
}

func TestParse(t *testing.T) {
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			_, err := Parse("scangate.yaml", []byte(d.text))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != d.want {
				t.Errorf("\n got %s\nwant %s", got, d.want)
			}
		})
	}
}

func TestTheSchemaAgreesWithTheDecoder(t *testing.T) {
	schema := compile(t)
	for _, d := range documents {
		if d.decoder {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			var n yaml.Node
			var v any
			if err := yaml.Unmarshal([]byte(d.text), &n); err != nil {
				t.Fatal(err)
			}
			if len(n.Content) > 0 {
				v = plainValue(n.Content[0])
			}
			if err := schema.Validate(v); (err == nil) != (d.want == "") {
				t.Errorf("schema says %v, decoder says %q", err, d.want)
			}
		})
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open("../../docs/schema/policy.schema.json")
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
	if err := c.AddResource("policy.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plainValue is what an editor's YAML reader hands to a JSON Schema: days stay text.
func plainValue(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plainValue(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, plainValue(c))
		}
		return l
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int":
		return json.Number(n.Value)
	}
	return n.Value
}

func TestParseReadsEverything(t *testing.T) {
	p, err := Parse("scangate.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if p.Failing != FromWarning || p.Isolation.Cgroups != Must || p.Scanner("semgrep").Enabled || *p.Scanner("gitleaks").Required ||
		!*p.Scanner("bandit").Required || p.Scanner("bandit").Failing != FromNote || !p.Scanner("unnamed").Enabled {
		t.Errorf("read %+v", p)
	}
	want := Limits{Timeout: 10 * time.Minute, Memory: 2 << 30, Stdout: 64 << 20, Files: 200000, FileBytes: 100 << 20}
	if p.Limits != want {
		t.Errorf("limits %+v, want %+v", p.Limits, want)
	}
	if s := p.Suppressions[0]; s.Line != 7 || s.Expires != "2027-01-31" || s.Path != "src/run.py" {
		t.Errorf("suppression %+v", s)
	}
}

func TestCheckNamesTheScannerAndItsPlace(t *testing.T) {
	p, err := Parse("scangate.yaml", []byte(strings.Replace(whole, "  semgrep:", "  semgerp:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	err = p.Check([]string{"bandit", "gitleaks", "semgrep"})
	if err == nil || err.Error() != `scangate.yaml:6:3: unknown scanner "semgerp" (did you mean "semgrep"?)` {
		t.Errorf("got %v", err)
	}
}

func TestDigest(t *testing.T) {
	digests := func(text string) (string, string) {
		p, err := Parse("x", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest(), p.SuppressionsDigest()
	}
	plain, _ := digests("")
	for name, text := range map[string]string{
		"comments":             "# hello\n",
		"defaults written out": "schema: scangate.policy/v1\nfailing: error\nscanners: {a: {enabled: true}}\nisolation: {cgroups: bestEffort}\n",
		"suppressions":         "suppressions: [{scanner: a, rule: r, path: p, reason: x, expires: 2027-01-31}]\n",
	} {
		if got, _ := digests(text); got != plain {
			t.Errorf("%s change the digest of the policy", name)
		}
	}
	for _, text := range []string{"failing: note", "scanners: {a: {enabled: false}}", "scanners: {a: {required: false}}", "limits: {files: 3}", "isolation: {cgroups: must}"} {
		if got, _ := digests(text); got == plain {
			t.Errorf("%q does not change the digest", text)
		}
	}
	const a, b = "{scanner: a, rule: r, path: p, reason: x, expires: 2027-01-31}", "{scanner: b, rule: r, path: p, reason: x, expires: 2027-01-31}"
	_, ab := digests("suppressions: [" + a + ", " + b + "]")
	_, ba := digests("suppressions: [" + b + ", " + a + "]")
	_, justA := digests("suppressions: [" + a + "]")
	if ab != ba || ab == justA || justA == "" {
		t.Errorf("suppressions: %s, %s, %s", ab, ba, justA)
	}
}

func TestFailingFor(t *testing.T) {
	p, err := Parse("x", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		f    finding.Finding
		want Failing
	}{
		{"the policy's level", finding.Finding{Scanner: "gitleaks", Path: "a.go"}, FromWarning},
		{"the scanner's level before the policy's", finding.Finding{Scanner: "bandit", Path: "a.py"}, FromNote},
		{"the place before the scanner", finding.Finding{Scanner: "bandit", Rule: "B101", Path: "testdata/x/a.py"}, Never},
		{"a place for one rule leaves the others", finding.Finding{Scanner: "bandit", Rule: "B102", Path: "testdata/x/a.py"}, FromNote},
		{"a name that reads as a glob", finding.Finding{Scanner: "bandit", Path: "app/[id]/page.tsx"}, FromError},
		{"two stars match none", finding.Finding{Scanner: "semgrep", Rule: "B101", Path: "x_test.go"}, Never},
	} {
		if got := p.FailingFor(c.f); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if !Failing("error").Fails(finding.Level("critical")) {
		t.Error("a level nobody knows is let by")
	}
}

func FuzzParse(f *testing.F) {
	for _, d := range documents {
		if len(d.text) < 4096 {
			f.Add([]byte(d.text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("scangate.yaml", data)
		if err != nil {
			if s := err.Error(); !strings.HasPrefix(s, "scangate.yaml:") || strings.ContainsAny(s, "\n\r\x1b\x00") {
				t.Errorf("not one clear line: %q", s)
			}
			return
		}
		again, err := Parse("scangate.yaml", data)
		if err != nil || again.Digest() != p.Digest() || again.SuppressionsDigest() != p.SuppressionsDigest() {
			t.Errorf("read again: %v", err)
		}
	})
}

func TestTheExampleInTheReferenceIsGood(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("no example in docs/reference.md")
	}
	p, err := Parse("scangate.yaml", []byte(example))
	if err != nil || len(p.Suppressions) != 1 {
		t.Errorf("%v, %+v", err, p)
	}
}
