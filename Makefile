# Two targets do all the set-up on a fresh machine: security-scan and test. The others are parts of them.
GO      ?= go
ENGINE  ?= auto
INITDIR := orchestrator/engine/sandbox/bin
OS      := $(shell $(GO) env GOOS)

# On Linux the embedded engine needs cgo (runc's libcontainer enters namespaces in C); the binary is static all the same.
ifeq ($(OS),linux)
BUILD := CGO_ENABLED=1 $(GO) build -trimpath -buildvcs=false -tags "netgo osusergo" -ldflags '-s -w -linkmode external -extldflags "-static"'
else
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w'
endif

.PHONY: security-scan test build init cc engine check

## security-scan: build bin/scangate, get every image it needs, scan this repository, print the verdict
security-scan: build
	$(GO) mod download
	bin/scangate run . --engine $(ENGINE) $(SCANGATE_ARGS)

## test: everything, on real engines and real scanners; installs a Docker engine only as root on an apt system with none
test: build check engine
	SCANGATE_E2E=1 SCANGATE_BIN=$(CURDIR)/bin/scangate TESTCONTAINERS_RYUK_DISABLED=true $(GO) test -count=1 -p 1 -tags e2e -timeout 40m ./...

build: cc init
	$(BUILD) -o bin/scangate .

# The init is PID 1 of every job on every engine, so it is built for the containers' system, not for this one.
init:
	@for arch in amd64 arm64; do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -tags scangateinit -trimpath -buildvcs=false -ldflags "-s -w -buildid=" \
	    -o $(INITDIR)/scangate-init-linux-$$arch ./orchestrator/engine/sandbox/init || exit 1; \
	done

check:
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./...

engine:
	@.ci/test-tools
	@.ci/docker-engine

cc:
	@.ci/c-compiler
