package assemble

import (
	"archive/zip"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// pythonVersion is that of the interpreter in images that have one. Wheels are chosen for it.
const pythonVersion = "3.11"

// fetchWheels asks pip for all files in one go. The requirement's hash leaves pip no choice among a version's files.
func (b *builder) fetchWheels(ctx context.Context, incoming string, wheels []Wheel) error {
	var requirements strings.Builder
	var platforms []string
	for _, w := range wheels {
		b.Log("fetch " + w.File)
		part := strings.Split(strings.TrimSuffix(w.File, ".whl"), "-")
		fmt.Fprintf(&requirements, "%s==%s --hash=sha256:%s\n", part[0], part[1], w.SHA256)
		platforms = append(platforms, strings.Split(part[len(part)-1], ".")...)
	}
	list := filepath.Join(incoming, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirements.String()), 0o600); err != nil {
		return fmt.Errorf("write pip requirements: %w", err)
	}
	args := []string{"-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir",
		"--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", incoming, "--requirement", list,
		"--python-version", pythonVersion, "--implementation", "cp", "--abi", "cp311", "--abi", "abi3", "--abi", "none"}
	slices.Sort(platforms)
	for _, p := range slices.Compact(platforms) {
		args = append(args, "--platform", p)
	}
	if _, err := command(ctx, incoming, nil, "python3", args...); err != nil {
		return fmt.Errorf("fetch wheels: %w", err)
	}
	for _, w := range wheels {
		if err := b.store.keep(filepath.Join(incoming, w.File), w.File, w.SHA256); err != nil {
			return fmt.Errorf("fetch wheels: %w", err)
		}
	}
	return nil
}

func (b *builder) layWheel(w Wheel) error {
	f, err := b.store.open(w.File, w.SHA256)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", w.File, err)
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return fmt.Errorf("read %s: %w", w.File, err)
	}
	placed := map[string]bool{}
	for _, member := range archive.File {
		if strings.HasSuffix(member.Name, "/") || anyMatch(w.Exclude, member.Name) {
			continue
		}
		from, to, err := w.place(member.Name)
		if err != nil {
			return fmt.Errorf("read %s: %w", w.File, err)
		}
		if to == "" {
			continue
		}
		placed[from] = true
		exec := member.Mode()&0o111 != 0 || strings.Contains(member.Name, ".data/scripts/")
		if err := b.layMember(member, to, exec); err != nil {
			return fmt.Errorf("read %s: %w", w.File, err)
		}
	}
	for from := range w.Extract {
		if !placed[from] {
			return fmt.Errorf("read %s: no member %s", w.File, from)
		}
	}
	return nil
}

func (b *builder) layMember(member *zip.File, to string, exec bool) error {
	content, err := member.Open()
	if err != nil {
		return fmt.Errorf("open %s: %w", member.Name, err)
	}
	defer content.Close()
	return b.tree.file(to, exec, content)
}

// place says where a member goes, and by which line of Extract; "" is nowhere.
func (w *Wheel) place(member string) (from, to string, err error) {
	if w.Install != "" {
		to, err := installed(member)
		if to == "" || err != nil {
			return "", "", err
		}
		return "", path.Join(w.Install, to), nil
	}
	if to, ok := w.Extract[member]; ok {
		return member, to, nil
	}
	for from, to := range w.Extract {
		if rest, ok := strings.CutPrefix(member, from); ok && strings.HasSuffix(from, "/") {
			return from, path.Join(to, rest), nil
		}
	}
	return "", "", nil
}

// installed is a member's path below site-packages (PyPA binary distribution format, "The .data directory").
// Left out: entry points and headers, which nothing in an image uses, and the RECORD, which speaks of them.
func installed(member string) (string, error) {
	first, rest, _ := strings.Cut(member, "/")
	if strings.HasSuffix(first, ".dist-info") && rest == "RECORD" {
		return "", nil
	}
	if !strings.HasSuffix(first, ".data") {
		return member, nil
	}
	scheme, rest, _ := strings.Cut(rest, "/")
	switch scheme {
	case "purelib", "platlib":
		return rest, nil
	case "scripts", "headers":
		return "", nil
	}
	return "", fmt.Errorf("%s goes to the prefix, not to site-packages", member)
}
