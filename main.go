// Command scangate is one deterministic security gate for people, coding agents and CI.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/scangate/scangate/orchestrator/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends at once
	// Else a reader of stdout that leaves early kills the program, os/signal; so the write fails.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	code := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
