//go:build linux && (amd64 || arm64)

// Command init is PID 1 of every job. It reads a sandbox.Spec from its stdin, starts itself again as the second stage,
// which gives up what is left to give up and becomes the program, and sends the program's output, the facts of the
// sandbox and a trailer through its stdout. Its stdin is the lifeline: when it closes, everything is killed.
//
// It is static, needs nothing of the image, and has no capability.
package main

import (
	"fmt"
	"os"
	"runtime"
)

const stageTwo = "stage-two"

// The second stage changes its thread and then becomes the program: that has to be the main thread.
func init() { runtime.LockOSThread() }

func main() {
	var err error
	switch {
	case len(os.Args) == 1:
		err = supervise()
	case len(os.Args) == 2 && os.Args[1] == stageTwo:
		err = become()
	case len(os.Args) == 2 && os.Args[1] == "probe":
		err = probe(os.Stdout)
	default:
		err = fmt.Errorf("usage: %s [probe]", os.Args[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scangate init:", err)
		os.Exit(1)
	}
}
