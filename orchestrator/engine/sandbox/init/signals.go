//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// libcSignals are those that Go leaves to a C library and has no handler for.
var libcSignals = []uintptr{32, 34}

// Dispositions of signal(7).
const (
	sigDefault = 0
	sigIgnore  = 1
)

// holdSignals keeps every signal of the job from ending PID 1. The kernel drops what PID 1 has no handler for, but not
// where the main thread happens to block it and another does not. Go's own signals get a handler, since one that is
// ignored would stay ignored in the program; the others are ignored here and put back in the second stage.
func holdSignals() error {
	signal.Notify(make(chan os.Signal, 1))
	return dispose(sigIgnore)
}

func dispose(handler uintptr) error {
	for _, s := range libcSignals {
		action := [4]uintptr{handler} // struct sigaction of the kernel, of 32 bytes
		if _, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, s, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); e != 0 {
			return fmt.Errorf("set disposition of signal %d: %w", s, syscall.Errno(e))
		}
	}
	return nil
}
