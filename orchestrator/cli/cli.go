// Package cli is the command: flags, streams and exit status, and the only printer. Reports go to stdout; the rest goes
// to stderr after "scangate: ", lower case, no full stop.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/report"
	"github.com/scangate/scangate/scanners"
)

// The exit status of every command. run adds 1 (fail) and 3 (incomplete), see gate.
const (
	exitOK          = 0
	exitDiffers     = 1 // verify and diff: not the same
	exitCannotStart = 2
	exitInterrupted = 130
)

// env is what a command touches beside its flags. Tests put their own engines in.
type env struct {
	stdout, stderr io.Writer
	engines        map[string]func(context.Context) (engine.Engine, error) // in place of the real ones, where set
}

// exit is an exit status that has been explained already.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// hinted is an error with a way out.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Main runs one command line and returns its exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return env{stdout: stdout, stderr: stderr}.main(ctx, args)
}

func (e env) main(ctx context.Context, args []string) int {
	root := e.root()
	args, err := defaultToRun(root, args)
	if err == nil {
		root.SetArgs(args)
		err = root.ExecuteContext(ctx)
	}
	var status exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		fmt.Fprintln(e.stderr, "scangate: interrupted")
		return exitInterrupted
	}
	fmt.Fprintln(e.stderr, "scangate:", report.Line(err.Error()))
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintln(e.stderr, "hint:", h.hint)
	}
	return exitCannotStart
}

func (e env) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "scangate",
		Short: "One deterministic security gate for people, coding agents and CI",
		Long: `One deterministic security gate for people, coding agents and CI.

Every vendor scanner runs in its own digest-pinned container over a read-only snapshot of the workspace; their results
merge into one reproducible verdict. Without a command, "scangate [DIR]" is "scangate run [DIR]".`,
		Version:       scanners.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("scangate {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return hinted{err, fmt.Sprintf("%q lists the flags", c.CommandPath()+" --help")}
	})
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.AddCommand(e.runCommand(), e.planCommand(), e.verifyCommand(), e.diffCommand(), e.imagesCommand(),
		e.scannersCommand(), e.doctorCommand(), e.versionCommand())
	for _, c := range root.Commands() {
		showUsage(c)
	}
	return root
}

// showUsage has a command that is given the wrong arguments say which it takes.
func showUsage(c *cobra.Command) {
	for _, sub := range c.Commands() {
		showUsage(sub)
	}
	check := c.Args
	if check == nil {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return hinted{err, "usage: " + c.UseLine()}
		}
		return nil
	}
}

// defaultToRun puts "run" before arguments that name no command: "scangate ." is "scangate run .". A word that is neither
// a command nor anything that is there is an error, which names the command that it resembles.
func defaultToRun(root *cobra.Command, args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{"run"}, nil
	}
	first := args[0]
	switch first {
	case "help", "completion", "-h", "--help", "-v", "--version", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return args, nil
	}
	for _, c := range root.Commands() {
		if c.Name() == first {
			return args, nil
		}
	}
	if _, err := os.Lstat(first); errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(first, "-") {
		hint := `"scangate --help" lists the commands`
		root.SuggestionsMinimumDistance = 2
		if near := root.SuggestionsFor(first); len(near) > 0 {
			hint = fmt.Sprintf("did you mean %q?", "scangate "+near[0])
		}
		return nil, hinted{fmt.Errorf("%q is neither a command nor a folder", first), hint}
	}
	return append([]string{"run"}, args...), nil
}
