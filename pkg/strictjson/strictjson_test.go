package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type report struct {
	Results []struct {
		Rule string `json:"rule"`
	} `json:"results" strict:"required"`
	Files map[string]struct {
		Lines int `json:"lines"`
	} `json:"files"`
	Raw json.RawMessage `json:"raw"`
}

func TestDecode(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	for _, row := range []struct {
		name, text string
		want       string // part of the error; "" is success
	}{
		{"a plain report", `{"results":[{"rule":"X"}],"other":{"a":1}}`, ""},
		{"an empty list of results", `{"results":[]}`, ""},
		{"a byte order mark is accepted", "\ufeff{\"results\":[]}", ""},
		{"space after the document is accepted", "{\"results\":[]} \n", ""},
		{"map keys may differ by case alone", `{"results":[],"files":{"a.py":{"lines":1},"A.py":{"lines":2}}}`, ""},
		{"a number too large for a float that nobody reads", `{"results":[],"other":1e400}`, ""},
		{"a name twice", `{"results":[{"rule":"X"}],"results":[]}`, "twice"},
		{"a name twice, once escaped", `{"results":[{"rule":"X"}],"result\u0073":[]}`, "twice"},
		{"a name in other case beside the right one", `{"results":[{"rule":"X"}],"RESULTS":[]}`, "other case"},
		{"a name in other case alone", `{"Results":[]}`, "other case"},
		{"a long s for an s", "{\"results\":[{\"rule\":\"X\"}],\"re\u017fults\":[]}", "other case"},
		{"a name twice where nobody reads", `{"results":[],"other":[{"a":1,"a":2}]}`, "twice"},
		{"a name twice in a raw value", `{"results":[],"raw":{"a":1,"a":2}}`, "twice"},
		{"a map key twice", `{"results":[],"files":{"a.py":{"lines":1},"a.py":{"lines":2}}}`, "twice"},
		{"other case inside a map's value", `{"results":[],"files":{"a.py":{"Lines":1}}}`, "other case"},
		{"other case inside a list", `{"results":[{"Rule":"X"}]}`, "other case"},
		{"no document", ``, "unexpected EOF"},
		{"space only", " \n", "unexpected EOF"},
		{"null", `null`, "is null"},
		{"an empty object", `{}`, `"results" is missing`},
		{"required is null", `{"results":null}`, `"results" is missing or null`},
		{"required of another type", `{"results":{}}`, "cannot unmarshal"},
		{"a list", `[]`, "cannot unmarshal"},
		{"two documents", `{"results":[]}` + "\n" + `{"results":[{"rule":"X"}]}`, "after top-level value"},
		{"text after the document", `{"results":[]} PANIC: out of memory`, "after top-level value"},
		{"a NUL after the document", "{\"results\":[]}\x00", "after top-level value"},
		{"null in a list of objects", `{"results":[null]}`, "null in a list"},
		{"null in a map of objects", `{"results":[],"files":{"a.py":null}}`, "null in a map"},
		{"cut", `{"results":[{"rule":"X"}`, "unexpected EOF"},
		{"not UTF-8", "{\"results\":[{\"rule\":\"\xff\"}]}", "UTF-8"},
		{"as deep as may be", `{"results":[],"other":` + deep[1:len(deep)-1] + `}`, ""},
		{"deeper than may be", `{"results":[],"other":` + deep + `}`, "deeper"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var r report
			err := Decode([]byte(row.text), &r)
			switch {
			case row.want == "" && err != nil:
				t.Fatal(err)
			case row.want != "" && err == nil:
				t.Fatalf("accepted as %+v", r)
			case row.want != "" && !strings.Contains(err.Error(), row.want):
				t.Fatalf("error %q, want %q in it", err, row.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"results":[{"rule":"X"}],"files":{"a":{"lines":1}}}`))
	f.Add([]byte(`{"results":[],"RESULTS":[]}`))
	f.Add([]byte("\ufeff[1,{\"a\":null}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, loose report
		if Decode(data, &strict) != nil {
			return
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(string(data), "\ufeff")), &loose); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if !reflect.DeepEqual(strict, loose) {
			t.Fatalf("decoded %+v, encoding/json %+v", strict, loose)
		}
		if strict.Results == nil {
			t.Fatal("accepted without results")
		}
	})
}
