package finding

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
)

const text = "import os\n\nos.system(cmd)\nif x:\n    os.system(cmd)\n\nos.system(other)\n"

func lines(text string) func(string, int) ([]byte, bool) {
	all := bytes.Split([]byte(text), []byte("\n"))
	return func(path string, n int) ([]byte, bool) {
		if path != "run.py" || n < 1 || n > len(all) {
			return nil, false
		}
		return all[n-1], true
	}
}

func at(line int) Finding {
	return Finding{Scanner: "bandit", Rule: "B605", Path: "run.py", StartLine: line, StartColumn: 1}
}

func prints(fs []Finding) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.Fingerprints[V1])
	}
	return out
}

func TestFingerprintIsAContract(t *testing.T) {
	const want = "26138db8532145012fe1a8419f35011383671439cfe1ddf57ac934aab9f90980"
	if got := Fingerprint(at(3), []byte("os.system(cmd)"), 0); got != want {
		t.Errorf("baselines in the world hold %s, got %s", want, got)
	}
}

func TestAFindingKeepsItsFingerprintWhenLinesAreInsertedAbove(t *testing.T) {
	before := []Finding{at(3), at(5), at(7)}
	after := []Finding{at(5), at(7), at(9)}
	Assign(before, lines(text))
	Assign(after, lines("# one\r\n# two\n"+text))
	if !reflect.DeepEqual(prints(before), prints(after)) {
		t.Errorf("before %v, after %v", prints(before), prints(after))
	}
	seen := map[string]bool{}
	for _, p := range prints(before) {
		seen[p] = true
	}
	if len(seen) != 3 {
		t.Errorf("three findings, %d fingerprints", len(seen))
	}
}

func TestAFindingKeepsItsFingerprintWhenItsLineIsIndented(t *testing.T) {
	if Fingerprint(at(3), []byte("\t  os.system(cmd) \r"), 0) != Fingerprint(at(9), []byte("os.system(cmd)"), 0) {
		t.Error("white space counts")
	}
}

func TestArrivalOrderDoesNotNumberOccurrences(t *testing.T) {
	want := []Finding{at(3), at(5), at(5), at(7), {Scanner: "bandit", Rule: "B605", Path: "gone.py", StartLine: 1}}
	want[2].StartColumn = 9
	Assign(want, lines(text))
	for range 20 {
		order := rand.Perm(len(want))
		got := make([]Finding, len(want))
		for i, j := range order {
			got[i] = want[j]
			got[i].Fingerprints = nil
		}
		Assign(got, lines(text))
		for i, j := range order {
			if got[i].Fingerprints[V1] != want[j].Fingerprints[V1] {
				t.Fatalf("order %v changes a fingerprint", order)
			}
		}
	}
}

func TestFieldsDoNotRunIntoEachOther(t *testing.T) {
	a := Finding{Scanner: "a", Rule: "bc", Path: "d"}
	b := Finding{Scanner: "ab", Rule: "c", Path: "d"}
	if Fingerprint(a, nil, 0) == Fingerprint(b, nil, 0) {
		t.Error("scanner and rule run together")
	}
	if Fingerprint(a, []byte("x1"), 0) == Fingerprint(a, []byte("x"), 10) {
		t.Error("text and occurrence run together")
	}
}

func TestAssignKeepsAVendorsFingerprints(t *testing.T) {
	fs := []Finding{{Path: "run.py", Fingerprints: map[string]string{"vendor/v1": "x"}}}
	Assign(fs, lines(text))
	if fs[0].Fingerprints["vendor/v1"] != "x" || fs[0].Fingerprints[V1] == "" {
		t.Errorf("got %v", fs[0].Fingerprints)
	}
}
