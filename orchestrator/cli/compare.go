package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

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
	Status   string          `json:"status"`
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
	if r.Schema != "scangate.result/v1" {
		return result{}, nil, fmt.Errorf("%s: schema %q: want scangate.result/v1", name, r.Schema)
	}
	return r, b, nil
}

func (e env) verifyCommand() *cobra.Command {
	var f scanFlags
	c := &cobra.Command{
		Use:   "verify RESULT [DIR]",
		Short: "Run again what made a result document, on its day, and compare the bytes",
		Args:  cobra.RangeArgs(1, 2),
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
	return c
}

func (e env) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff A B",
		Short: "Name the inputs and scanners in which two result documents differ",
		Args:  cobra.ExactArgs(2),
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
	say := func(what string, x, y any) {
		if fmt.Sprint(x) != fmt.Sprint(y) {
			fmt.Fprintf(e.stdout, "%s: %v -> %v\n", what, x, y)
		}
	}
	say("version", a.Version, b.Version)
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a.Inputs)), maps.Keys(b.Inputs))
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		say("inputs."+k, a.Inputs[k], b.Inputs[k])
	}
	left := map[string]part{}
	for _, x := range a.Parts {
		left[x.Name] = x
	}
	for _, y := range b.Parts {
		x, ok := left[y.Name]
		if !ok {
			fmt.Fprintf(e.stdout, "%s: only in the second\n", y.Name)
			continue
		}
		delete(left, y.Name)
		say(y.Name+".image", string(x.Image), string(y.Image))
		say(y.Name+".data", string(x.Data), string(y.Data))
		say(y.Name+".job", x.Job, y.Job)
		say(y.Name+".status", x.Status, y.Status)
		say(y.Name+".evidence", string(x.Evidence), string(y.Evidence))
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		fmt.Fprintf(e.stdout, "%s: only in the first\n", name)
	}
	say("findings", len(a.Findings), len(b.Findings))
	say("verdict", a.Verdict, b.Verdict)
}
