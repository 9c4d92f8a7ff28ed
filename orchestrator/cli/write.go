package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeFile replaces the file as a whole, or not at all. A device or pipe is written to as it stands. A link is refused,
// so that no file is written but the one that was named.
func writeFile(name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	var err error
	switch kind, fault := kindOf(name); {
	case fault != nil:
		return fault
	case kind&(fs.ModeDevice|fs.ModeNamedPipe) != 0:
		err = writeInto(name, b.Bytes())
	case kind == 0:
		err = replaceFile(name, b.Bytes())
	default:
		err = errors.New("neither a file nor a device or pipe")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// kindOf is the type of what has that name, 0 for a file or nothing. A link counts as one where it leads to a file.
func kindOf(name string) (fs.FileMode, error) {
	at, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil || at.Mode()&fs.ModeSymlink == 0 {
		return mode(at), err
	}
	end, err := os.Stat(name) // such as /dev/fd/3
	if err != nil || end.Mode().IsRegular() {
		return fs.ModeSymlink, nil
	}
	return mode(end), nil
}

func mode(i fs.FileInfo) fs.FileMode {
	if i == nil {
		return 0
	}
	return i.Mode().Type()
}

func writeInto(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func replaceFile(name string, text []byte) error {
	t, err := os.CreateTemp(filepath.Dir(name), ".scangate-*")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name()) // fails after the rename, which is fine
	_, err = t.Write(text)
	if err := errors.Join(err, t.Chmod(0o644), t.Sync(), t.Close()); err != nil {
		return err
	}
	return os.Rename(t.Name(), name)
}
