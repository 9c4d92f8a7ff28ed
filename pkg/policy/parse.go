package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxBytes is the largest scangate.yaml that is read.
const MaxBytes = 1 << 20

// Parse reads a scangate.yaml. An empty one is the default policy. An error is one line that begins with
// "name:LINE:COL: ". Anchors, aliases, merge keys and tags are refused: a policy is to be read by eye.
func Parse(name string, data []byte) (*Policy, error) {
	p := Default()
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%s:1:1: larger than %d bytes", name, MaxBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return p, nil
	case err != nil:
		return nil, syntax(name, err)
	}
	switch err := decoder.Decode(&more); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, syntax(name, err)
	default:
		return nil, fmt.Errorf("%s:%d:%d: a second document: one is allowed", name, max(more.Line, 1), max(more.Column, 1))
	}
	r := reader{name: name, policy: p}
	root := doc.Content[0]
	if err := r.plain(root); err != nil {
		return nil, err
	}
	if root.ShortTag() == "!!null" {
		return p, nil
	}
	if err := r.document(root); err != nil {
		return nil, err
	}
	return p, nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// syntax turns go.yaml.in/yaml/v3's "yaml: line 3: …" into our form. The library gives no column.
func syntax(name string, err error) error {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), "1"
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, text = m[1], strings.TrimPrefix(text, "line "+m[1]+": ")
	}
	quoted := fmt.Sprintf("%q", text)
	return fmt.Errorf("%s:%s:1: not YAML: %s", name, line, quoted[1:len(quoted)-1])
}

// reader walks the nodes of one file.
type reader struct {
	name   string
	policy *Policy
}

func (r reader) place(n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", r.name, n.Line, n.Column) }

func (r reader) fail(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s: %s", r.place(n), fmt.Sprintf(format, args...))
}

// plain refuses, in the whole tree, what makes YAML say more than it shows.
func (r reader) plain(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return r.fail(n, "an alias (*%s): write the value out", quoteless(n.Value))
	case n.Anchor != "":
		return r.fail(n, "an anchor (&%s): write the value out where it is used", quoteless(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		return r.fail(n, "a tag (%s): not allowed", quoteless(n.Tag))
	}
	for _, child := range n.Content {
		if err := r.plain(child); err != nil {
			return err
		}
	}
	return nil
}

func quoteless(s string) string { return strings.Trim(fmt.Sprintf("%q", s), `"`) }

// key reads the value of one key.
type key struct {
	name string
	read func(*yaml.Node) error
}

// mapping calls the reader of each key that is there, in the order of the file.
func (r reader) mapping(n *yaml.Node, keys ...key) error {
	known := make([]string, len(keys))
	for i, k := range keys {
		known[i] = k.name
	}
	return r.entries(n, func(k, v *yaml.Node) error {
		for _, want := range keys {
			if want.name == k.Value {
				return want.read(v)
			}
		}
		return r.fail(k, "unknown key %q%s", k.Value, suggest(k.Value, known))
	})
}

func (r reader) entries(n *yaml.Node, each func(k, v *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return r.fail(n, "want keys and values, got %s", kind(n))
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.ShortTag() != "!!str" {
			return r.fail(k, "want a key of text, got %s", kind(k))
		}
		if line, ok := seen[k.Value]; ok {
			return r.fail(k, "key %q stands on line %d already", k.Value, line)
		}
		seen[k.Value] = k.Line
		if err := each(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (r reader) list(n *yaml.Node, each func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return r.fail(n, "want a list, got %s", kind(n))
	}
	for _, item := range n.Content {
		if err := each(item); err != nil {
			return err
		}
	}
	return nil
}

// kind names what a node is, for messages.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return fmt.Sprintf("the number %s", quoteless(n.Value))
	case "!!timestamp":
		return fmt.Sprintf("the date %s", quoteless(n.Value))
	}
	return fmt.Sprintf("%q", n.Value)
}

// suggest says which of known was meant, where one is near: "" or ` (did you mean "x"?)`.
func suggest(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(word, k, least); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the number of single edits from a to b, or bound where the lengths alone differ by as much.
func distance(a, b string, bound int) int {
	if max(len(a), len(b))-min(len(a), len(b)) >= bound {
		return bound
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
