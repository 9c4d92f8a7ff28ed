package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/scangate/scangate/orchestrator/report"
	"github.com/scangate/scangate/pkg/strictjson"
)

// result is what verify and diff read of a result document.
type result struct {
	Schema   string            `json:"schema"`
	Version  string            `json:"version"`
	Verdict  string            `json:"verdict"`
	Inputs   map[string]any    `json:"inputs"`
	Parts    []part            `json:"scanners"`
	Findings []json.RawMessage `json:"findings"`
}

type part struct {
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Status   string          `json:"status"`
	Reasons  json.RawMessage `json:"reasons"`
	Image    json.RawMessage `json:"image"`
	Data     json.RawMessage `json:"data"`
	Job      string          `json:"job"`
	Evidence json.RawMessage `json:"evidence"`
}

func readResult(name string) (result, []byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return result{}, nil, err
	}
	var r result
	if err := strictjson.Decode(b, &r); err != nil {
		return result{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	if r.Schema != report.Schema {
		return result{}, nil, fmt.Errorf("%s: schema %q: want %s", name, r.Schema, report.Schema)
	}
	return r, b, nil
}

func (e env) verifyCommand() *cobra.Command {
	var f scanFlags
	c := &cobra.Command{
		Use:   "verify RESULT [DIR]",
		Short: "Run again what made a result document, on its day, and compare the bytes",
		Long: `Scan the workspace DIR (default: the current folder) again with the date and the scanners of the result document
RESULT, and compare the bytes.

Exit status: 0 the same bytes, 1 they differ (what differs is named), 2 could not start, 130 interrupted.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			old, want, err := readResult(args[0])
			if err != nil {
				return err
			}
			if day, ok := old.Inputs["asOf"].(string); ok && f.asOf == "" {
				f.asOf = day
			}
			if names, ok := old.Inputs["restricted"].([]any); ok && len(f.scanners) == 0 {
				for _, n := range names {
					f.scanners = append(f.scanners, fmt.Sprint(n))
				}
			}
			req, err := f.request(dirArg(args[1:]))
			if err != nil {
				return err
			}
			rep, _, err := e.scan(c.Context(), req, f)
			if err != nil {
				return err
			}
			var got bytes.Buffer
			if err := rep.JSON(&got); err != nil {
				return err
			}
			digest, err := rep.Digest()
			if err != nil {
				return err
			}
			if bytes.Equal(got.Bytes(), want) {
				fmt.Fprintf(e.stdout, "same result: %s\n", digest)
				return nil
			}
			var now result
			if err := strictjson.Decode(got.Bytes(), &now); err != nil {
				return err
			}
			e.printDifferences(old, now)
			return exit(exitDiffers)
		},
	}
	f.add(c)
	f.addEngine(c)
	return c
}

func (e env) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Name the inputs, scanners and findings in which two result documents differ",
		Long: `Name the inputs, scanners and findings in which two result documents differ, causes before effects.

Exit status: 0 the same bytes, 1 they differ, 2 one of them could not be read.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			a, rawA, err := readResult(args[0])
			if err != nil {
				return err
			}
			b, rawB, err := readResult(args[1])
			if err != nil {
				return err
			}
			if bytes.Equal(rawA, rawB) {
				fmt.Fprintln(e.stdout, "same result")
				return nil
			}
			e.printDifferences(a, b)
			return exit(exitDiffers)
		},
	}
}

// printDifferences names causes (inputs, images, data) before effects (status, evidence, findings).
func (e env) printDifferences(a, b result) {
	named := false
	say := func(what string, x, y any) {
		if fmt.Sprint(x) != fmt.Sprint(y) {
			named = true
			fmt.Fprintf(e.stdout, "%s: %s -> %s\n", what, shown(x), shown(y))
		}
	}
	say("version", a.Version, b.Version)
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a.Inputs)), maps.Keys(b.Inputs))
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		say("inputs."+k, a.Inputs[k], b.Inputs[k])
	}
	left, right := byName(a.Parts), byName(b.Parts)
	names := slices.AppendSeq(slices.Collect(maps.Keys(left)), maps.Keys(right))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		x, inA := left[name]
		y, inB := right[name]
		if inA != inB {
			say(name, presence(inA), presence(inB))
			continue
		}
		say(name+".version", x.Version, y.Version)
		say(name+".image", string(x.Image), string(y.Image))
		say(name+".data", string(x.Data), string(y.Data))
		say(name+".job", x.Job, y.Job)
		say(name+".status", x.Status, y.Status)
		say(name+".reasons", string(x.Reasons), string(y.Reasons))
		say(name+".evidence", string(x.Evidence), string(y.Evidence))
	}
	for _, f := range without(a.Findings, b.Findings) {
		say("findings", f, "none")
	}
	for _, f := range without(b.Findings, a.Findings) {
		say("findings", "none", f)
	}
	say("verdict", a.Verdict, b.Verdict)
	if !named {
		fmt.Fprintln(e.stdout, "the documents differ in what follows from these, or in how they are written")
	}
}

// shown is a value on one line: a document may be anybody's.
func shown(v any) string {
	if v == nil || v == "" {
		return "none"
	}
	return report.Line(fmt.Sprint(v))
}

func presence(there bool) string {
	if there {
		return "there"
	}
	return "not there"
}

func byName(parts []part) map[string]part {
	m := map[string]part{}
	for _, p := range parts {
		m[p.Name] = p
	}
	return m
}

// without lists what of a is not in b, as text.
func without(a, b []json.RawMessage) []string {
	count := map[string]int{}
	for _, f := range b {
		count[string(f)]++
	}
	var out []string
	for _, f := range a {
		if count[string(f)]--; count[string(f)] < 0 {
			out = append(out, string(f))
		}
	}
	return out
}
