package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

// The init's stdout is a sequence of frames: one byte of kind, four bytes of length (big endian), the payload. The
// trailer is the last frame.
const (
	frameStdout  = 1
	frameStderr  = 2
	frameFacts   = 3 // JSON of Facts, at most once
	frameTrailer = 4 // JSON of Trailer, exactly once

	maxFrame = 1 << 20
	maxSpec  = 4 << 20 // arguments and environment; Linux takes about 2 MiB of both
)

// WriteSpec tells the init its job. The caller keeps w open until the job has ended.
func WriteSpec(w io.Writer, s Spec) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write spec: %w", err)
	}
	if len(body) > maxSpec {
		return fmt.Errorf("write spec: %d bytes are more than %d", len(body), maxSpec)
	}
	if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
		return fmt.Errorf("write spec: %w", err)
	}
	return nil
}

// ReadSpec reads what WriteSpec wrote, and nothing after it.
func ReadSpec(r io.Reader) (Spec, error) {
	var s Spec
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return s, fmt.Errorf("read spec: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxSpec {
		return s, fmt.Errorf("read spec: %d bytes are more than %d", n, maxSpec)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return s, fmt.Errorf("read spec: %w", err)
	}
	if err := strict(body, &s); err != nil {
		return s, fmt.Errorf("read spec: %w", err)
	}
	return s, nil
}

// Stream is the init's side of its stdout. Its methods may be called from several goroutines.
type Stream struct {
	mu       sync.Mutex
	w        io.Writer
	out, err tally
}

// NewStream writes frames to w.
func NewStream(w io.Writer) *Stream {
	return &Stream{w: w, out: tally{sum: sha256.New()}, err: tally{sum: sha256.New()}}
}

// Stdout sends a piece of the program's standard output.
func (s *Stream) Stdout(p []byte) error { return s.output(frameStdout, &s.out, p) }

// Stderr sends a piece of the program's standard error.
func (s *Stream) Stderr(p []byte) error { return s.output(frameStderr, &s.err, p) }

// Facts sends the facts.
func (s *Stream) Facts(f Facts) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.document(frameFacts, f)
}

// Close sends the trailer, with the counts and digests of what was sent.
func (s *Stream) Close(t Trailer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.StdoutBytes, t.StdoutSHA256 = s.out.n, s.out.hex()
	t.StderrBytes, t.StderrSHA256 = s.err.n, s.err.hex()
	return s.document(frameTrailer, t)
}

func (s *Stream) output(kind byte, t *tally, p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		piece := p[:min(len(p), maxFrame)]
		p = p[len(piece):]
		t.add(piece)
		if err := s.frame(kind, piece); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stream) document(kind byte, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.frame(kind, body)
}

func (s *Stream) frame(kind byte, body []byte) error {
	if len(body) > maxFrame {
		return fmt.Errorf("write frame: %d bytes are more than %d", len(body), maxFrame)
	}
	head := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)))
	_, err := s.w.Write(append(head, body...))
	return err
}

// Collected is what came through the init's stdout.
type Collected struct {
	Stdout, Stderr []byte
	Facts          *Facts   // nil: none came
	Trailer        *Trailer // nil: the stream ended without it
}

// Collect reads the init's stdout until it ends. It gives what it has also with an error, and an error means that the
// output is not to be taken for a report: the stream was cut, is longer than the limits, or disagrees with its trailer.
// After an error the caller kills the job; nobody reads the rest.
func Collect(r io.Reader, l Limits) (Collected, error) {
	var c Collected
	var out, errs bytes.Buffer
	err := c.read(r, l, &out, &errs)
	c.Stdout, c.Stderr = out.Bytes(), errs.Bytes()
	if err != nil {
		return c, fmt.Errorf("read init's stream: %w", err)
	}
	if err := c.agree(); err != nil {
		return c, fmt.Errorf("read init's stream: %w", err)
	}
	return c, nil
}

func (c *Collected) read(r io.Reader, l Limits, out, errs *bytes.Buffer) error {
	for {
		var head [5]byte
		if _, err := io.ReadFull(r, head[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if c.Trailer != nil {
			return errors.New("more after the trailer")
		}
		n := int64(binary.BigEndian.Uint32(head[1:]))
		if n > maxFrame {
			return fmt.Errorf("a frame of %d bytes is more than %d", n, maxFrame)
		}
		switch head[0] {
		case frameStdout:
			if err := take(out, r, n, l.Stdout); err != nil {
				return fmt.Errorf("stdout: %w", err)
			}
		case frameStderr:
			if err := take(errs, r, n, l.Stderr); err != nil {
				return fmt.Errorf("stderr: %w", err)
			}
		case frameFacts:
			if c.Facts != nil {
				return errors.New("facts came twice")
			}
			c.Facts = new(Facts)
			if err := document(r, n, c.Facts); err != nil {
				return fmt.Errorf("facts: %w", err)
			}
		case frameTrailer:
			t := new(Trailer)
			if err := document(r, n, t); err != nil {
				return fmt.Errorf("trailer: %w", err)
			}
			c.Trailer = t
		default:
			return fmt.Errorf("a frame of unknown kind %d", head[0])
		}
	}
}

// agree checks the output against the trailer.
func (c *Collected) agree() error {
	if c.Trailer == nil {
		return errors.New("it ended without its trailer")
	}
	for _, x := range []struct {
		name string
		got  []byte
		n    int64
		sum  string
	}{
		{"stdout", c.Stdout, c.Trailer.StdoutBytes, c.Trailer.StdoutSHA256},
		{"stderr", c.Stderr, c.Trailer.StderrBytes, c.Trailer.StderrSHA256},
	} {
		if int64(len(x.got)) != x.n {
			return fmt.Errorf("%s has %d bytes, its trailer says %d", x.name, len(x.got), x.n)
		}
		if sum := sha256.Sum256(x.got); hex.EncodeToString(sum[:]) != x.sum {
			return fmt.Errorf("%s does not have the digest its trailer says", x.name)
		}
	}
	return nil
}

func take(b *bytes.Buffer, r io.Reader, n, limit int64) error {
	if int64(b.Len())+n > limit {
		return fmt.Errorf("more than its limit of %d bytes", limit)
	}
	_, err := io.CopyN(b, r, n)
	return cut(err)
}

func document(r io.Reader, n int64, v any) error {
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return cut(err)
	}
	return strict(body, v)
}

// cut says that an end inside a frame is no end of the stream.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func strict(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more after the document")
	}
	return nil
}

type tally struct {
	n   int64
	sum hash.Hash
}

func (t *tally) add(p []byte) {
	t.n += int64(len(p))
	t.sum.Write(p)
}

func (t *tally) hex() string { return hex.EncodeToString(t.sum.Sum(nil)) }
