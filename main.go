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
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		// The second ends the program at once, as if nobody had listened: none is lost, however soon it comes.
		second := <-signals
		signal.Reset(second)
		_ = syscall.Kill(syscall.Getpid(), second.(syscall.Signal))
	}()
	// Else a reader of stdout that leaves early kills the program, os/signal; so the write fails.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
