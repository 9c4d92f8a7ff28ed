package scanners

import (
	"os"
	"strings"
	"testing"
)

func TestEveryReasonIsInTheReference(t *testing.T) {
	text, err := os.ReadFile("../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, message := range messages {
		if !strings.Contains(string(text), "| `"+code+"` | ") {
			t.Errorf("docs/reference.md does not explain %q (%s)", code, message)
		}
	}
}
