package cli

import "golang.org/x/sys/unix"

// hostMemory is what all jobs may use together: three quarters of the machine's memory.
func hostMemory() (int64, error) {
	var i unix.Sysinfo_t
	if err := unix.Sysinfo(&i); err != nil {
		return 0, err
	}
	return int64(i.Totalram) * int64(i.Unit) / 4 * 3, nil
}
