package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
	engine       string
}

func (f *scanFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.policy, "policy", "", "policy `FILE` (default: scangate.yaml in DIR, else the default policy)")
	c.Flags().StringVar(&f.lock, "lock", "", "lock `FILE` (default: scangate.lock in DIR, else the lock built in)")
	c.Flags().StringSliceVar(&f.scanners, "scanner", nil, "run `NAME` only, repeatable; the result says so and is not the gate")
	c.Flags().StringVar(&f.asOf, "as-of", "", "`DATE` (YYYY-MM-DD) that expiries are judged by (default: today, UTC)")
	c.Flags().StringVar(&f.engine, "engine", "auto", "auto, docker or embedded")
	c.Flags().IntVar(&f.jobs, "jobs", runtime.NumCPU(), "cores that all scanners may use together")
}

func (e env) runCommand() *cobra.Command {
	var f scanFlags
	var format, record, color string
	var outs []string
	c := &cobra.Command{
		Use:   "run [DIR]",
		Short: "Scan a workspace and print the verdict (the default command)",
		Long: `Scan the workspace DIR (default: the current folder) and print the verdict.

Exit status: 0 pass, 1 fail, 2 could not start, 3 incomplete, 130 interrupted.`,
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
	c.Flags().StringVar(&format, "format", "", "human, agent, json or sarif (default: human on a terminal, else agent)")
	c.Flags().StringArrayVar(&outs, "out", nil, "also write `FORMAT=FILE`, repeatable")
	c.Flags().StringVar(&record, "record", "", "write the run record (durations, engine, isolation) to `FILE`")
	c.Flags().StringVar(&color, "color", "auto", "auto, always or never")
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
	for _, s := range all.Catalogue {
		r.Names = append(r.Names, s.Name)
	}
	if err := r.Policy.Check(r.Names); err != nil {
		return none, err
	}
	if r.Lock, err = readLock(f.lock, dir); err != nil {
		return none, err
	}
	today := time.Now().UTC().Format(time.DateOnly)
	if f.asOf != "" {
		today = f.asOf
	}
	if r.AsOf, err = time.Parse(time.DateOnly, today); err != nil {
		return none, fmt.Errorf("--as-of %s: want YYYY-MM-DD", f.asOf)
	}
	if len(f.scanners) > 0 {
		r.Restricted = slices.Sorted(slices.Values(f.scanners))
		r.Scanners = nil
		for _, name := range slices.Compact(r.Restricted) {
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
	// The workspace is not trusted: no link is followed, and a FIFO of that name must not hang the gate.
	info, err := os.Lstat(usual)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	} else if err != nil {
		return nil, "", err
	}
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("%s: not a regular file", filepath.Base(usual))
	}
	b, err := os.ReadFile(usual)
	if b == nil {
		b = []byte{}
	}
	return b, filepath.Base(usual), err
}

// writer prints a report to one place.
type writer struct {
	write func(io.Writer, report.Report) error
	file  string // "" is stdout
}

func (e env) outputs(format, color string, outs []string) ([]writer, error) {
	tty := isTerminal(e.stdout)
	if format == "" {
		format = "agent"
		if tty {
			format = "human"
		}
	}
	useColor := color == "always" || color == "auto" && tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	pick := func(name string, color bool, width int) (func(io.Writer, report.Report) error, error) {
		switch name {
		case "human":
			return func(w io.Writer, r report.Report) error {
				return r.Human(w, report.Options{Color: color, Width: width})
			}, nil
		case "agent":
			return func(w io.Writer, r report.Report) error { return r.Agent(w) }, nil
		case "json":
			return func(w io.Writer, r report.Report) error { return r.JSON(w) }, nil
		case "sarif":
			return func(w io.Writer, r report.Report) error { return r.SARIF(w) }, nil
		}
		return nil, fmt.Errorf("format %q: want human, agent, json or sarif", name)
	}
	write, err := pick(format, useColor, width(e.stdout))
	if err != nil {
		return nil, err
	}
	writers := []writer{{write: write}}
	for _, o := range outs {
		name, file, ok := strings.Cut(o, "=")
		if !ok || file == "" {
			return nil, fmt.Errorf("--out %s: want FORMAT=FILE", o)
		}
		write, err := pick(name, false, 0)
		if err != nil {
			return nil, err
		}
		writers = append(writers, writer{write, file})
	}
	return writers, nil
}

// publish writes the report everywhere, however many of the places fail, and ends with the contract line. A report that
// can't be written is no pass.
func (e env) publish(r report.Report, writers []writer) error {
	status := r.Decision.Verdict.Exit()
	var faults []error
	for _, w := range writers {
		var err error
		if w.file == "" {
			err = w.write(e.stdout, r)
		} else {
			err = writeFile(w.file, func(out io.Writer) error { return w.write(out, r) })
		}
		// Who has read the head of a report that is no pass has read enough: the verdict stays.
		if err != nil && (w.file != "" || status == exitOK || !errors.Is(err, syscall.EPIPE)) {
			faults = append(faults, fmt.Errorf("write report: %w", err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	digest, err := r.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "scangate: verdict=%s exit=%d result=%s\n", r.Decision.Verdict, status, digest)
	if status != exitOK {
		return exit(status)
	}
	return nil
}

func dirArg(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			return n
		}
	}
	return 100
}

// scan opens what a scan needs and runs it.
func (e env) scan(ctx context.Context, r orchestrator.Request, f scanFlags) (report.Report, orchestrator.Record, error) {
	p := newProgress(e.stderr)
	defer p.end()
	t, err := e.tools(ctx, r.Dir, f.engine, p)
	if err != nil {
		return report.Report{}, orchestrator.Record{}, err
	}
	defer t.Engine.Close()
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
