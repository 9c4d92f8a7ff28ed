// Command gen writes the compiled filters as Go files into the folder it is given.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/scangate/scangate/orchestrator/engine/sandbox/seccomp"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gen FOLDER")
	}
	for _, goarch := range []string{"amd64", "arm64"} {
		src, err := seccomp.Source(goarch)
		if err != nil {
			log.Fatal(err)
		}
		file := filepath.Join(os.Args[1], fmt.Sprintf("filter_linux_%s.go", goarch))
		if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, src) {
			continue
		}
		if err := os.WriteFile(file, src, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
