package sarif

import (
	"strings"
	"testing"

	"github.com/scangate/scangate/pkg/finding"
)

var opts = Options{Tool: "tool", Root: "/workspace"}

// doc is a log whose one run has the given members after its tool.
func doc(rules, members string) string {
	return `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"tool","rules":[` + rules + `]}},` + members + `}]}`
}

func results(rs ...string) string { return `"results":[` + strings.Join(rs, ",") + `]` }

func at(uri string) string {
	return `"locations":[{"physicalLocation":{"artifactLocation":{"uri":"` + uri + `"},"region":{"startLine":3,"startColumn":2}}}]`
}

func plain(more string) string {
	return `{"message":{"text":"bad"},` + at("a.py") + `,` + more + `}`
}

func TestRead(t *testing.T) {
	for _, row := range []struct {
		name, log string
		want      finding.Finding
	}{
		{"the result's own level wins", doc(`{"id":"R","defaultConfiguration":{"level":"note"}}`, results(plain(`"ruleId":"R","level":"error"`))),
			finding.Finding{Rule: "R", Level: finding.Error}},
		{"else the rule's", doc(`{"id":"R","defaultConfiguration":{"level":"note"}}`, results(plain(`"ruleId":"R"`))),
			finding.Finding{Rule: "R", Level: finding.Note}},
		{"else warning", doc(``, results(plain(`"ruleId":"R"`))), finding.Finding{Rule: "R", Level: finding.Warning}},
		{"a rule by index", doc(`{"id":"Q"},{"id":"R","helpUri":"https://h"}`, results(plain(`"ruleIndex":1`))),
			finding.Finding{Rule: "R", Level: finding.Warning, Help: "https://h"}},
		{"a rule by reference", doc(`{"id":"R"}`, results(plain(`"rule":{"id":"R"}`))), finding.Finding{Rule: "R", Level: finding.Warning}},
		{"a rule below a rule", doc(`{"id":"R","defaultConfiguration":{"level":"error"}}`, results(plain(`"ruleId":"R/1","ruleIndex":0`))),
			finding.Finding{Rule: "R/1", Level: finding.Error}},
		{"index -1 is no index", doc(`{"id":"R"}`, results(plain(`"ruleId":"R","ruleIndex":-1`))), finding.Finding{Rule: "R", Level: finding.Warning}},
		{"a suppressed result is a result", doc(``, results(plain(`"ruleId":"R","suppressions":[{"kind":"inSource"}]`))),
			finding.Finding{Rule: "R", Level: finding.Warning}},
		{"a fix", doc(``, results(plain(`"ruleId":"R","fixes":[{"description":{"text":"do so"}}]`))),
			finding.Finding{Rule: "R", Level: finding.Warning, Fix: "do so"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			fs, err := Read([]byte(row.log), opts)
			if err != nil {
				t.Fatal(err)
			}
			row.want.Path, row.want.Message, row.want.StartLine, row.want.StartColumn = "a.py", "bad", 3, 2
			if len(fs) != 1 || finding.Compare(fs[0], row.want) != 0 {
				t.Fatalf("got %+v, want %+v", fs, row.want)
			}
		})
	}
}

func TestReadMessage(t *testing.T) {
	rule := `{"id":"R","messageStrings":{"m":{"text":"{0} is not {1}, {{0}}"}}}`
	res := `{"ruleId":"R","message":{"id":"m","arguments":["a{1}","b"]},` + at("a.py") + `}`
	fs, err := Read([]byte(doc(rule, results(res))), opts)
	if err != nil || len(fs) != 1 || fs[0].Message != "a{1} is not b, {0}" {
		t.Fatalf("%+v, %v", fs, err)
	}
}

func TestReadPath(t *testing.T) {
	for _, row := range []struct {
		name, uri string
		opts      Options
		want      string // "" is an error
	}{
		{"a file URI", "file:///workspace/x/a.py", opts, "x/a.py"},
		{"an absolute path", "/workspace/a.py", opts, "a.py"},
		{"a relative path", "x/a.py", opts, "x/a.py"},
		{"a path relative to the working folder", "../a.py", Options{Tool: "tool", Root: "/workspace", Dir: "x"}, "a.py"},
		{"percent-encoding", "file:///workspace/a%20b%23c%2520.py", opts, "a b#c%20.py"},
		{"a plain path where the tool writes such", "/workspace/a b#c%20.py", Options{Tool: "tool", Root: "/workspace", Paths: true}, "a b#c%20.py"},
		{"another folder", "/etc/passwd", opts, ""},
		{"a folder with the same beginning", "/workspace2/a.py", opts, ""},
		{"out of the workspace", "x/../../etc/passwd", opts, ""},
		{"out of it in disguise", "%2e%2e/etc/passwd", opts, ""},
		{"the workspace itself", "file:///workspace", opts, ""},
		{"another host", "file://evil/workspace/a.py", opts, ""},
		{"another scheme", "https://workspace/a.py", opts, ""},
		{"a fragment", "a.py#x", opts, ""},
		{"a query", "a.py?x", opts, ""},
		{"broken percent-encoding", "a%zz.py", opts, ""},
		{"a NUL", "a%00.py", opts, ""},
		{"nothing", "", opts, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			fs, err := Read([]byte(doc(``, results(`{"ruleId":"R","message":{"text":"bad"},`+at(row.uri)+`}`))), row.opts)
			if row.want == "" {
				if err == nil {
					t.Fatalf("read as %q", fs[0].Path)
				}
				return
			}
			if err != nil || fs[0].Path != row.want {
				t.Fatalf("%+v, %v, want %q", fs, err, row.want)
			}
		})
	}
}

func TestReadPathByBase(t *testing.T) {
	loc := func(l string) string {
		return results(`{"ruleId":"R","message":{"text":"bad"},"locations":[{"physicalLocation":{"artifactLocation":` + l + `}}]}`)
	}
	bases := `"originalUriBaseIds":{"TOP":{"uri":"file:///workspace/"},"SUB":{"uri":"sub/","uriBaseId":"TOP"},"LOOP":{"uri":"x/","uriBaseId":"LOOP"}},`
	for _, row := range []struct{ name, log, want string }{
		{"a base that is not defined", loc(`{"uri":"a.py","uriBaseId":"%SRCROOT%"}`), "a.py"},
		{"a base on a base", bases + loc(`{"uri":"a.py","uriBaseId":"SUB"}`), "sub/a.py"},
		{"an artifact by index", `"artifacts":[{"location":{"uri":"b.py"}}],` + loc(`{"index":0}`), "b.py"},
		{"a base that stands for itself", bases + loc(`{"uri":"a.py","uriBaseId":"LOOP"}`), ""},
		{"an artifact that is not there", `"artifacts":[],` + loc(`{"index":0}`), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			fs, err := Read([]byte(doc(``, row.log)), opts)
			if row.want == "" {
				if err == nil {
					t.Fatalf("read as %+v", fs)
				}
				return
			}
			if err != nil || fs[0].Path != row.want {
				t.Fatalf("%+v, %v, want %q", fs, err, row.want)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	good := plain(`"ruleId":"R"`)
	for _, row := range []struct{ name, log string }{
		{"no document", ``},
		{"null", `null`},
		{"an empty object", `{}`},
		{"another version", strings.Replace(doc(``, results()), "2.1.0", "2.0.0", 1)},
		{"no runs", `{"version":"2.1.0","runs":[]}`},
		{"runs null", `{"version":"2.1.0","runs":null}`},
		{"a run null", `{"version":"2.1.0","runs":[null]}`},
		{"no results", doc(``, `"artifacts":[]`)},
		{"results null", doc(``, `"results":null`)},
		{"results twice", doc(``, results(good)+`,"results":[]`)},
		{"results in other case", doc(``, results(good)+`,"RESULTS":[]`)},
		{"two documents", doc(``, results()) + doc(``, results(good))},
		{"another tool", strings.Replace(doc(``, results()), `"tool","rules"`, `"other","rules"`, 1)},
		{"an execution that failed", doc(``, `"invocations":[{"executionSuccessful":false}],`+results())},
		{"an execution that does not say", doc(``, `"invocations":[{}],`+results())},
		{"an error while running", doc(``, `"invocations":[{"executionSuccessful":true,"toolExecutionNotifications":[{"level":"error","message":{"text":"x"}}]}],`+results())},
		{"an error of configuration", doc(``, `"invocations":[{"executionSuccessful":true,"toolConfigurationNotifications":[{"level":"error","message":{"text":"x"}}]}],`+results())},
		{"a rule that is not there", doc(`{"id":"R"}`, results(plain(`"ruleIndex":1`)))},
		{"a rule with the index of another", doc(`{"id":"Q"}`, results(plain(`"ruleId":"R","ruleIndex":0`)))},
		{"a result without rule", doc(``, results(plain(`"kind":"fail"`)))},
		{"a result without message", doc(``, results(`{"ruleId":"R","message":{},`+at("a.py")+`}`))},
		{"a result without place", doc(``, results(`{"ruleId":"R","message":{"text":"x"}}`))},
		{"an unknown level", doc(``, results(plain(`"ruleId":"R","level":"fatal"`)))},
		{"a line below zero", strings.Replace(doc(``, results(good)), `"startLine":3`, `"startLine":-3`, 1)},
		{"a line that is no integer", strings.Replace(doc(``, results(good)), `"startLine":3`, `"startLine":3.5`, 1)},
	} {
		t.Run(row.name, func(t *testing.T) {
			if fs, err := Read([]byte(row.log), opts); err == nil {
				t.Fatalf("read as %+v", fs)
			}
		})
	}
}

func TestReadLeavesOutWhatDidNotFail(t *testing.T) {
	log := doc(``, results(plain(`"ruleId":"R","kind":"pass"`), plain(`"ruleId":"R","level":"none"`)))
	if fs, err := Read([]byte(log), opts); err != nil || len(fs) != 0 {
		t.Fatalf("%+v, %v", fs, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(doc(`{"id":"R"}`, results(plain(`"ruleId":"R","level":"error"`)))))
	f.Add([]byte(doc(``, `"originalUriBaseIds":{"A":{"uri":"x/","uriBaseId":"A"}},"artifacts":[{"location":{"uri":"b"}}],`+results())))
	f.Add([]byte(doc(`{"id":"R","messageStrings":{"m":{"text":"{0}"}}}`, results(`{"ruleIndex":0,"message":{"id":"m","arguments":["a"]},`+at("%61")+`}`))))
	f.Fuzz(func(t *testing.T, data []byte) {
		fs, err := Read(data, opts)
		if err != nil {
			return
		}
		for _, x := range fs {
			if x.Rule == "" || x.Message == "" || !x.Level.Valid() || x.Path == "" || strings.HasPrefix(x.Path, "/") ||
				strings.HasPrefix(x.Path+"/", "../") {
				t.Fatalf("%+v", x)
			}
		}
	})
}
