package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// patience bounds the question whether a socket answers: a socket nobody serves hangs.
const patience = 5 * time.Second

// Tried is a place where no engine answered, and why.
type Tried struct {
	Host string
	Err  error
}

// AbsentError says that no Docker-compatible engine answers.
type AbsentError struct{ Tried []Tried }

func (e *AbsentError) Error() string {
	var b strings.Builder
	b.WriteString("no Docker-compatible engine answers")
	for i, t := range e.Tried {
		fmt.Fprintf(&b, "%s%s: %v", map[bool]string{true: ": ", false: "; "}[i == 0], t.Host, t.Err)
	}
	return b.String()
}

// hosts are the places to look at, in order: what the caller says, what DOCKER_HOST says, the usual sockets.
func hosts(host string, env func(string) string) []string {
	if host == "" {
		host = env(client.EnvOverrideHost)
	}
	if host != "" {
		return []string{host}
	}
	list := []string{"unix:///var/run/docker.sock"}
	if dir := env("XDG_RUNTIME_DIR"); dir != "" {
		list = append(list, "unix://"+filepath.Join(dir, "podman/podman.sock"))
	}
	if home := env("HOME"); home != "" {
		list = append(list,
			"unix://"+filepath.Join(home, ".colima/default/docker.sock"),
			"unix://"+filepath.Join(home, ".docker/run/docker.sock"))
	}
	return list
}

// connect gives a client of the first host that answers, with its API version negotiated.
func connect(ctx context.Context, host string) (*client.Client, error) {
	var absent AbsentError
	for _, h := range hosts(host, os.Getenv) {
		api, err := dial(ctx, h)
		if err == nil {
			return api, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		absent.Tried = append(absent.Tried, Tried{h, err})
	}
	return nil, &absent
}

func dial(ctx context.Context, host string) (*client.Client, error) {
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return nil, errors.New("only unix:// is supported, because jobs mount folders of this machine")
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err.(*os.PathError).Err
	}
	api, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation(), client.WithUserAgent("scangate"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ping, err := api.Ping(ctx)
	if err != nil {
		return nil, errors.Join(err, api.Close())
	}
	api.NegotiateAPIVersionPing(ping)
	return api, nil
}
