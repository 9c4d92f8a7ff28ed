//go:build !linux

package cli

// hostMemory is what all jobs may use together. Away from Linux they run in a virtual machine whose size is not ours to
// know; the engine refuses what does not fit.
func hostMemory() (int64, error) { return 8 << 30, nil }
