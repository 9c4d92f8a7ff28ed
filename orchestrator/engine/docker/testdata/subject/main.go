// Command subject is the program in the image of the tests: each mode does one thing that a job may try.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	modes := map[string]func(args []string){
		"exit":   func(a []string) { n, _ := strconv.Atoi(a[0]); os.Exit(n) },
		"print":  func(a []string) { fmt.Fprint(os.Stdout, a[0]); fmt.Fprint(os.Stderr, a[1]) },
		"env":    func([]string) { fmt.Print(strings.Join(os.Environ(), "\n")) },
		"where":  where,
		"sleep":  func([]string) { signal.Ignore(syscall.SIGTERM, syscall.SIGINT); time.Sleep(time.Hour) },
		"write":  write,
		"dial":   dial,
		"hog":    hog,
		"hoggee": func([]string) { exec.Command(os.Args[0], "hog").Run(); fmt.Print("{}") },
		"forks":  forks,
		"flood":  flood,
		"read":   func(a []string) { b, err := os.ReadFile(a[0]); fmt.Print(string(b), err) },
		"list":   list,
	}
	mode, ok := modes[os.Args[1]]
	if !ok {
		os.Exit(99)
	}
	mode(os.Args[2:])
}

func where([]string) {
	dir, err := os.Getwd()
	host, err2 := os.Hostname()
	fmt.Println(dir, err, host, err2, os.Getuid(), os.Getgid())
}

// write prints the paths at which a file could be made or written.
func write(paths []string) {
	for _, p := range paths {
		if f, err := os.OpenFile(p, os.O_WRONLY|os.O_CREATE, 0o600); err == nil {
			_, err = f.WriteString("x")
			if f.Close() == nil && err == nil {
				fmt.Println(p)
			}
		}
	}
}

// dial prints the addresses that answered, or that at least could be routed to.
func dial(addresses []string) {
	for _, a := range addresses {
		network, address, _ := strings.Cut(a, ":")
		c, err := net.DialTimeout(network, address, time.Second)
		if err == nil {
			c.Close()
			fmt.Println(a)
		}
	}
}

func hog([]string) {
	var kept [][]byte
	for {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
}

// forks prints how many children could be started at once.
func forks([]string) {
	var n int
	for ; n < 10000; n++ {
		c := exec.Command(os.Args[0], "sleep")
		if err := c.Start(); err != nil {
			break
		}
	}
	fmt.Print(n)
}

func flood([]string) {
	b := make([]byte, 1<<20)
	for range 1 << 10 {
		os.Stdout.Write(b)
	}
}

func list(dirs []string) {
	for _, d := range dirs {
		entries, err := os.ReadDir(d)
		fmt.Println(d, err)
		for _, e := range entries {
			fmt.Println(" ", e.Name())
		}
	}
}
