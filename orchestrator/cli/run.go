package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/orchestrator"
	"github.com/scangate/scangate/orchestrator/report"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
	"github.com/scangate/scangate/scanners/all"
)

// The files at a workspace's root.
const (
	policyFile = "scangate.yaml"
	lockFile   = "scangate.lock"
)

// scanFlags are what run, plan and verify have in common.
type scanFlags struct {
	policy, lock string
	scanners     []string
	jobs         int
	asOf         string
	engine       string // of run and verify
}

func (f *scanFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.policy, "policy", "", "read the policy from `FILE` (default: scangate.yaml in DIR, else the default policy)")
	c.Flags().StringVar(&f.lock, "lock", "", "read the lock from `FILE` (default: scangate.lock in DIR, else the lock built in)")
	c.Flags().StringSliceVar(&f.scanners, "scanner", nil, "run the scanner `NAME` only, repeatable; the result says so and is not the gate")
	c.Flags().StringVar(&f.asOf, "as-of", "", "judge expiries by `DATE`, YYYY-MM-DD (default: today, UTC)")
	c.Flags().IntVar(&f.jobs, "jobs", runtime.NumCPU(), "let all scanners use `N` cores together")
	complete(c, "scanner", scannerNames())
}

func (f *scanFlags) addEngine(c *cobra.Command) {
	c.Flags().StringVar(&f.engine, "engine", "auto", "run containers with `ENGINE`: auto, docker or embedded")
	complete(c, "engine", []string{"auto", "docker", "embedded"})
}

// complete has the shell offer a flag's values.
func complete(c *cobra.Command, flag string, values []string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag, or it is completed already
	}
}

func scannerNames() []string {
	var names []string
	for _, s := range all.Catalogue {
		names = append(names, s.Name)
	}
	return names
}

func (e env) runCommand() *cobra.Command {
	var f scanFlags
	var format, record, color string
	var outs []string
	c := &cobra.Command{
		Use:   "run [DIR]",
		Short: "Scan a workspace and print the verdict (the default command)",
		Long: `Scan the workspace DIR (default: the current folder) and print the verdict.

The report goes to stdout and nothing else; progress and faults go to stderr, whose last line is
"scangate: verdict=VERDICT exit=STATUS result=sha256:DIGEST". Nothing is written into DIR unless --out or --record say so.

Exit status:
  0    pass: every required scanner showed that it looked, and nothing is at or over the failing level
  1    fail: findings at or over the failing level
  2    could not start, or could not write a report: usage, policy, lock, no engine
  3    incomplete: a scanner could not look; what the others found is printed all the same
  130  interrupted`,
		Example: `  scangate run
  scangate run . --format json --record record.json >result.json
  scangate run . --out sarif=scangate.sarif --engine embedded`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			writers, err := e.outputs(format, color, outs)
			if err != nil {
				return err
			}
			req, err := f.request(dirArg(args))
			if err != nil {
				return err
			}
			rep, rec, err := e.scan(c.Context(), req, f)
			if err != nil {
				return err
			}
			if record != "" {
				writers = append(writers, writer{func(w io.Writer, _ report.Report) error { return rec.JSON(w) }, record})
			}
			return e.publish(rep, writers)
		},
	}
	f.add(c)
	f.addEngine(c)
	c.Flags().StringVar(&format, "format", "", "print the report as `FORMAT`: human, agent, json or sarif (default: human on a terminal, else agent)")
	c.Flags().StringArrayVar(&outs, "out", nil, "also write the report as `FORMAT=FILE`, repeatable")
	c.Flags().StringVar(&record, "record", "", "write what varies from run to run (durations, engine, isolation) to `FILE`")
	c.Flags().StringVar(&color, "color", "auto", "colour the human format: `WHEN` is auto, always or never")
	complete(c, "format", formats)
	complete(c, "color", colors)
	return c
}

// request reads policy and lock and picks the scanners.
func (f scanFlags) request(dir string) (orchestrator.Request, error) {
	none := orchestrator.Request{}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return none, err
	}
	if info, err := os.Stat(dir); err != nil {
		return none, fmt.Errorf("open workspace: %w", err)
	} else if !info.IsDir() {
		return none, fmt.Errorf("open workspace: %s is not a folder", dir)
	}
	r := orchestrator.Request{Dir: dir, Jobs: f.jobs, Platform: "linux/" + runtime.GOARCH, Scanners: all.Catalogue}
	if r.Jobs < 1 {
		return none, fmt.Errorf("--jobs %d: want 1 or more", f.jobs)
	}
	if r.Policy, err = readPolicy(f.policy, dir); err != nil {
		return none, err
	}
	r.Names = scannerNames()
	if err := r.Policy.Check(r.Names); err != nil {
		return none, err
	}
	if r.Lock, err = readLock(f.lock, dir); err != nil {
		return none, err
	}
	// What an adapter expects of its tool's arguments and output is of the version that the lock was made with.
	if r.Lock.Adapters != scanners.Version {
		return none, hinted{fmt.Errorf("lock made for adapters %s: this release has %s", r.Lock.Adapters, scanners.Version),
			`"scangate images build --write scangate.lock" makes it anew`}
	}
	today := time.Now().UTC().Format(time.DateOnly)
	if f.asOf != "" {
		today = f.asOf
	}
	if r.AsOf, err = time.Parse(time.DateOnly, today); err != nil {
		return none, fmt.Errorf("--as-of %s: want YYYY-MM-DD", f.asOf)
	}
	if len(f.scanners) > 0 {
		r.Restricted = slices.Compact(slices.Sorted(slices.Values(f.scanners)))
		r.Scanners = nil
		for _, name := range r.Restricted {
			i := slices.IndexFunc(all.Catalogue, func(s scanners.Scanner) bool { return s.Name == name })
			if i < 0 {
				return none, hinted{fmt.Errorf("--scanner %s: no such scanner", name), `"scangate scanners" lists them`}
			}
			r.Scanners = append(r.Scanners, all.Catalogue[i])
		}
	}
	return r, nil
}

// readPolicy reads the named file, or the workspace's, or takes the default policy. A file named by hand must be there.
func readPolicy(named, dir string) (*policy.Policy, error) {
	b, name, err := readNamedOr(named, filepath.Join(dir, policyFile))
	if err != nil || b == nil {
		return policy.Default(), err
	}
	return policy.Parse(name, b)
}

func readLock(named, dir string) (images.Lock, error) {
	b, name, err := readNamedOr(named, filepath.Join(dir, lockFile))
	if err != nil {
		return images.Lock{}, err
	}
	if b == nil {
		return images.Builtin()
	}
	lock, err := images.DecodeLock(b)
	if err != nil {
		return images.Lock{}, fmt.Errorf("%s: %w", name, err)
	}
	return lock, nil
}

func readNamedOr(named, usual string) ([]byte, string, error) {
	if named != "" {
		b, err := os.ReadFile(named)
		return b, named, err
	}
	b, err := readWorkspaceFile(usual)
	return b, filepath.Base(usual), err
}

func dirArg(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// scan opens what a scan needs and runs it.
func (e env) scan(ctx context.Context, r orchestrator.Request, f scanFlags) (report.Report, orchestrator.Record, error) {
	p := newProgress(e.stderr)
	defer p.end()
	t, err := e.tools(ctx, r.Dir, f.engine, p)
	if err != nil {
		return report.Report{}, orchestrator.Record{}, err
	}
	defer func() {
		if err := t.Engine.Close(); err != nil { // the result stands; the next run's sweep removes what is left
			p.line("clean up: %s", report.Line(err.Error()))
		}
	}()
	rep, rec, err := orchestrator.Scan(ctx, r, t)
	if err == nil && !isTerminal(e.stdout) { // there the report itself tells
		tellFaults(rep.Decision.Results, p)
	}
	return rep, rec, err
}

// tellFaults says what was seen of the scanners that could not look: a report for programs only has the fixed sentence
// for each code, because what was seen differs from run to run. What keeps an image away was said when it was wanted.
func tellFaults(results []scanners.Result, p *progress) {
	for _, r := range results {
		for _, why := range r.Reasons {
			if r.Status == scanners.Broken && why.Detail != "" && why.Code != scanners.NoImage {
				p.line("%s: %s: %s", r.Scanner, why.Code, report.Line(why.Detail))
			}
		}
	}
}
