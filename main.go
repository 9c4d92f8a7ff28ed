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
	code := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
