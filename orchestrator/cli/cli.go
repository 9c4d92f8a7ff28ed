// Package cli is the command: flags, streams and exit status, and the only printer. Reports go to stdout; the rest goes
// to stderr after "scangate: ", lower case, no full stop.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scangate/scangate/orchestrator/engine"
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
	root.SetArgs(defaultToRun(root, args))
	err := root.ExecuteContext(ctx)
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
	fmt.Fprintln(e.stderr, "scangate:", oneLine(err.Error()))
	var h hinted
	if errors.As(err, &h) {
		fmt.Fprintln(e.stderr, "hint:", h.hint)
	}
	return exitCannotStart
}

func (e env) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "scangate",
		Short:         "One deterministic security gate for people, coding agents and CI",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.AddCommand(e.runCommand(), e.planCommand(), e.verifyCommand(), e.diffCommand(), e.imagesCommand(),
		e.scannersCommand(), e.doctorCommand(), e.versionCommand())
	return root
}

// defaultToRun puts "run" before arguments that name no command: "scangate ." is "scangate run .".
func defaultToRun(root *cobra.Command, args []string) []string {
	if len(args) == 0 {
		return []string{"run"}
	}
	switch args[0] {
	case "help", "completion", "-h", "--help", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
		return args
	}
	for _, c := range root.Commands() {
		if c.Name() == args[0] {
			return args
		}
	}
	return append([]string{"run"}, args...)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
