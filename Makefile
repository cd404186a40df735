# `make` prints the targets. Needs Go, a C compiler (for the race detector) and git, and for web/ Node.js with npm.
# What gets built goes to bin/, .out/ and web/*/dist/, which git ignores, and npm's packages to web/node_modules/ and
# site/node_modules/.

.DEFAULT_GOAL = help

FUZZTIME    ?= 30s
CUTS        ?= 2000
KILLS       ?= 5
ROUNDS      ?= 2
CLIENTS     ?= 20
SEED        ?= 0
SECONDS     ?= 120
CONNS       ?= 5000
HOLD        ?= 1m
COUNT       ?= 6
ADDR        ?= localhost:8080
MIN_COVERAGE = 85

# The releases of Go that are supported: the two latest. The go lines of all modules name the older one.
GO_RELEASES = go1.26.8 go1.27.4

# What others build on, each after what it requires; tools/release has the same list, and tests it.
PUBLISHED = . ext/connect ext/grpc ext/otel ext/cluster ext/cluster/natsbus cmd/parley

# A pinned tool. Its first use builds it, which takes minutes; later uses come from Go's build cache. It is built outside
# the workspace of go.work, which allows no -modfile, and runs inside, where modules find each other.
tool = $$(GOWORK=off go tool -modfile=$(CURDIR)/tools/go.mod -n $(1))

# Every module of the repository except tools/, which has no packages. Folders named testdata hold cases, not modules.
MODULES := $(filter-out ./tools, $(patsubst %/go.mod, %, $(sort $(shell find . -name go.mod \
	-not -path '*/.*' -not -path '*/testdata/*' -not -path '*/node_modules/*'))))
PACKAGES = $(MODULES:%=%/...)

# Folders apart from the top that have stubs of their own generated.
STUBS := $(patsubst ./%/buf.gen.yaml, %, $(sort $(shell find ./* -mindepth 1 -name buf.gen.yaml -not -path '*/node_modules/*')))

# What web/package-lock.json says, and nothing else. By web/.npmrc, no package runs a script of its own.
NPM = web/node_modules/.package-lock.json
$(NPM): web/package-lock.json
	cd web && npm ci

SITE = site/node_modules/.package-lock.json
$(SITE): site/package-lock.json
	cd site && npm ci

PROTOS = $(sort $(patsubst proto/%, %, $(shell find proto -name '*.proto')))

.PHONY: help parley demo chat test test-python lint generate check fuzz chaos soak deploy cluster proxies e2e crowd attack interop conformance site site-test picture bench bench-quick bench-browser bench-wan bench-cluster bench-micro clean plugins
.PHONY: check-generated check-tidy check-format check-proto check-text check-words check-web chromium firefox webkit nginx haproxy caddy python
.PHONY: tidy release release-check check-systems check-releases check-api

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

parley: ## build the command parley into bin/
	@mkdir -p bin
	cd cmd/parley && go build -o $(CURDIR)/bin/parley .

demo: plugins ## generate stubs from an example's .proto and watch them make every kind of call
	rm -rf .out/demo
	go run -C tools/stubgen . -I $(CURDIR)/proto --out $(CURDIR)/.out/demo/gen --opt paths=source_relative \
		--plugin go=$(CURDIR)/bin/protoc-gen-go --plugin go-parley=$(CURDIR)/bin/protoc-gen-go-parley $(PROTOS)
	@diff -r .out/demo/gen gen || { echo 'gen/, which the demo is compiled with, is out of date: make generate'; exit 1; }
	go run ./examples/demo

chat: ## serve the chat, for browsers and terminals, on ADDR (localhost:8080), and print its address; NODES=3 runs three servers, NATS and nginx
	@mkdir -p bin
	go build -o bin/ ./examples/chat$(if $(NODES),/servers)
	@exec bin/$(if $(NODES),servers -nodes $(NODES),chat server) -addr $(ADDR)

# The tests of rpc and transport take longest, and so begin first. Those of TIMED modules look at rates and times: no other
# module's tests run beside them.
TIMED = ./bench/... ./tests/cluster/...
test: $(NPM) chromium firefox webkit nginx ## run all tests with the race detector, and measure what they cover; the browser's in Chromium, Firefox and WebKit
	@mkdir -p .out
	go test -race -timeout 8m -coverprofile=.out/cover.out ./rpc ./transport ./...
	go test -race -timeout 8m $(filter-out ./... $(TIMED),$(PACKAGES))
	go test -race -timeout 8m -p 1 $(TIMED)
	@set -e; for floor in internal/frame transport rpc; do \
		awk -v floor=$$floor -v min=$(MIN_COVERAGE) -f tools/coverage.awk .out/cover.out; done
	cd web && npm test --silent
	cd web && npm run --silent e2e
	$(MAKE) --no-print-directory test-python

test-python: python ## check the types and the generated files of the Python client, and run its tests; installs what it needs from Debian if it is missing
	@mkdir -p .out/python
	go build -o .out/python/ ./python/testserver ./examples/ping ./examples/reverse
	cd examples/chat && go build -o $(CURDIR)/.out/python/ .
	python/run-tests.sh

lint: ## run the linters, the arrows between packages included
	$(call tool,golangci-lint) run --config .golangci.yml $(PACKAGES)

generate: plugins $(NPM) ## generate gen/ from proto/, that of the other folders, and the page of the chat
	$(call tool,buf) generate
	@set -e; for d in $(STUBS); do echo "buf generate in $$d"; (cd $$d && $(call tool,buf) generate); done
	cd web && npm run --silent chat

tidy: ## write the go.mod and go.sum of every module as they have to be
	go run -C tools/release . tidy -w

# The tests with the other release of Go often wait: all other checks run beside them.
CHECKS = lint check-generated check-tidy check-format check-proto check-text check-words check-web check-systems check-api
check: ## everything but the tests that must hold before a commit
	@mkdir -p .out; $(MAKE) --no-print-directory check-releases >.out/releases.log 2>&1 & releases=$$!; bad=0; \
		$(MAKE) --no-print-directory $(CHECKS) || bad=1; wait $$releases || bad=1; cat .out/releases.log; exit $$bad

fuzz: ## run every fuzz target for FUZZTIME (30s) each
	@set -e; for m in $(MODULES); do (cd $$m && $(CURDIR)/tools/fuzz.sh $(FUZZTIME)); done

chaos: ## break CUTS (2000) links under load and kill KILLS (5) servers: no message lost, twice or out of order; SEED repeats
	go run ./tests/chaos -cuts $(CUTS) -kills $(KILLS) -seed $(SEED)

soak: ## have connections come and go for SECONDS (120): memory and goroutines at the end equal the start
	go run ./tests/soak -seconds $(SECONDS) -seed $(SEED)

proxies: nginx haproxy caddy ## reload, restart and end nginx, HAProxy and Caddy under load: no call fails; SHORT=1 does each once; installs them from Debian if they are missing
	export PATH="$$PATH:/usr/sbin"; go run ./tests/proxies -seed $(SEED) $(if $(SHORT),-short)

deploy: $(NPM) nginx ## restart three servers ROUNDS (2) times under load of CLIENTS (20) in Go, and some in Node.js: no call fails; SHORT=1 takes a minute
	go run ./tests/deploy $(if $(SHORT),-short,-rounds $(ROUNDS) -clients $(CLIENTS)) -seed $(SEED)

cluster: CUTS = 300
cluster: nginx haproxy ## break a cluster of three servers, NATS and nginx in nine ways under load, CUTS (300) links among them, and with HAProxy in three; SHORT=1 takes 100 s
	export PATH="$$PATH:/usr/sbin"; cd tests/cluster && go run . $(if $(SHORT),-short,-cuts $(CUTS)) -seed $(SEED)
	export PATH="$$PATH:/usr/sbin"; cd tests/cluster && go run . -balancer haproxy $(if $(SHORT),-short -run 'cut',-cuts $(CUTS) -run 'cut|killed|deploy') -seed $(SEED)

e2e: $(NPM) chromium firefox webkit nginx ## drive Chromium, Firefox and WebKit through the TypeScript client's tests, and the chat on several servers; ENGINES=firefox runs one; installs them and nginx from Debian if they are missing
	cd web && npm run --silent e2e

crowd: ## open CONNS (5000) connections at once, with a call each: all alive after HOLD (1m)
	go run ./tests/crowd -conns $(CONNS) -hold $(HOLD)

attack: ## attack a server in many ways, with figures; fails where a client that behaves well waits over 3 times as long; SHORT=1 takes 90 s, and judges only memory and refusals
	go run ./tests/attack $(if $(SHORT),-short)

interop: ## run gRPC's own interoperability tests over parley, in four arrangements, and Connect's conformance tests over ext/connect
	cd tests/interop && go run .
	cd tests/connect && go run .

conformance: $(NPM) python chromium firefox webkit ## check the implementations of the protocol here by the conformance kit, the TypeScript client in three browsers too: cases from a peer that speaks WebSockets by hand
	go run ./tests/conformance/all

site: $(SITE) ## build the documentation's site into .out/site/
	cd site && npm run --silent build

site-test: site chromium ## open every page of the documentation's site in Chromium, and follow every link in it
	cd site && npm test --silent

picture: $(SITE) chromium ## take the picture of the chat that README.md shows
	cd site && npm run --silent picture

bench: ## measure parley beside its peers, at most 15 minutes; writes docs/benchmarks.md, its charts and its raw figures
	@mkdir -p .out
	cd bench && go build -o $(CURDIR)/.out/bench . && $(CURDIR)/.out/bench -limit 15m -out $(CURDIR)/docs

bench-browser: $(NPM) chromium firefox webkit ## measure parley in Chromium, Firefox and WebKitGTK beside connect-web, at most 8 minutes; writes docs/benchmarks-browser.md
	cd web && npm run --silent speed -- --out $(CURDIR)/docs

bench-wan: $(NPM) chromium ## measure parley beside its peers over paths with a round trip and a rate, at most 12 minutes; writes docs/benchmarks-wan.md; SHORT=1 takes a minute, and writes nothing
	@mkdir -p .out
	cd web && npm run --silent wan
	cd bench && go build -o $(CURDIR)/.out/bench-wan ./wan && $(CURDIR)/.out/bench-wan -scripts $(CURDIR)/web/speed/dist/wan \
		$(if $(SHORT),-paths 30ms-1gbit -for 200ms,-rounds 3 -for 1.2s -limit 12m -out $(CURDIR)/docs)

bench-cluster: ## measure several servers as one, at most 4 minutes; writes docs/benchmarks-cluster.md; SHORT=1 takes half a minute, and writes nothing
	@mkdir -p .out
	cd bench && go build -o $(CURDIR)/.out/bench-cluster ./cluster && $(CURDIR)/.out/bench-cluster \
		$(if $(SHORT),-rounds 1 -time 300ms -clients 1000,-out $(CURDIR)/docs)

bench-quick: ## print the ratio to grpc-go of a few workloads, in at most 50 s
	@mkdir -p .out
	@cd bench && go build -o $(CURDIR)/.out/bench . && $(CURDIR)/.out/bench -quick

bench-micro: ## run the packages' own benchmarks, COUNT (6) times
	@mkdir -p .out
	go test -run '^$$' -bench . -benchmem -count $(COUNT) ./... >.out/bench.txt || (cat .out/bench.txt; exit 1)
	$(call tool,benchstat) .out/bench.txt

release: ## make the commit and the tags of VERSION (v0.1.0), as RELEASE.md says; pushes nothing
	go run -C tools/release . prepare $(VERSION)

release-check: ## prove in a temporary clone that the next release can be installed by version
	go run -C tools/release . check

clean: ## remove what was built
	rm -rf bin .out

plugins:
	@mkdir -p bin
	go build -o bin/ google.golang.org/protobuf/cmd/protoc-gen-go ./codegen/protoc-gen-go-parley

chromium:
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

firefox:
	@command -v firefox-esr >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends firefox-esr >/dev/null; }

# WebKitGTK's browser, what drives it, and the display that it needs.
webkit:
	@{ command -v WebKitWebDriver Xvfb && ls /usr/lib/*/webkit2gtk-4.1/MiniBrowser; } >/dev/null 2>&1 || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		libwebkit2gtk-4.1-0 webkit2gtk-driver xvfb >/dev/null; }

nginx haproxy caddy:
	@command -v $@ >/dev/null || test -x /usr/sbin/$@ || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $(if $(filter nginx,$@),nginx-light,$@) >/dev/null; }

python:
	@{ /usr/bin/python3 -c 'import google.protobuf, pip, setuptools, websocket, websockets, wheel' && command -v mypy protoc; } >/dev/null 2>&1 || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		mypy protobuf-compiler python3-pip python3-protobuf python3-setuptools python3-websocket python3-websockets \
		python3-wheel >/dev/null; }

# gen/ must be what the .proto files give, and committed as a whole.
check-generated: plugins $(NPM)
	rm -rf .out/check && mkdir -p .out/check
	$(call tool,buf) generate --output .out/check
	@diff -r .out/check/gen gen || { echo 'gen/ is out of date: make generate'; exit 1; }
	@set -e; for d in $(STUBS); do echo "buf generate in $$d"; \
		(cd $$d && $(call tool,buf) generate --output $(CURDIR)/.out/check/$$d); \
		diff -r .out/check/$$d/gen $$d/gen || { echo "$$d/gen/ is out of date: make generate"; exit 1; }; done
	cd web && CHAT_OUT=$(CURDIR)/.out/check/chat npm run --silent chat
	@diff -rq .out/check/chat examples/chat/page/built || { echo 'examples/chat/page/built/ is out of date: make generate'; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard gen examples/chat/page $(STUBS:%=%/gen))" || { echo 'gen/ has files that are not in git'; exit 1; }

# The linter, the types, and the packages as others get them; the linter for the site's code too.
check-web: $(NPM)
	cd web && npm run --silent lint && npm run --silent types && npm run --silent package
	cd site && ../web/node_modules/.bin/biome ci --error-on-warnings *.js test .vitepress/config.js .vitepress/theme biome.json

# In go mod tidy, which knows nothing of go.work, modules of the repository are replaced by their folders.
check-tidy:
	go run -C tools/release . tidy

# The published modules compile for these systems too, tests included.
check-systems:
	GOOS=darwin go vet $(PUBLISHED:%=./%/...)
	GOOS=windows go vet $(PUBLISHED:%=./%/...)

# `make test` uses the installed release of Go. With the other one, the published modules compile, and the core passes.
check-releases:
	@set -e; here=$$(go env GOVERSION); for release in $(GO_RELEASES); do \
		case $$here in $${release%.*}*) continue;; esac; export GOTOOLCHAIN=$$release; \
		echo "with $$release"; go vet $(PUBLISHED:%=./%/...); \
		go test -timeout 8m ./rpc/... ./transport/... ./tests/compat/...; done

# What the last release promised, in exported names and in generated code.
check-api:
	go run -C tools/release . api

check-format:
	@files=$$(git ls-files '*.go' | xargs gofmt -l); test -z "$$files" || { echo "not formatted by gofmt: $$files"; exit 1; }

# Breaking changes are measured against the last release, which is what others build on. Before the first one, and in
# a clone without tags, it is main: then a branch is checked, and main has nothing to keep. The old state is taken out
# of git here, not by buf, which cannot read a shallow clone.
check-proto: BASE = $(or $(AGAINST),$(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || \
	for ref in origin/main main HEAD; do git rev-parse -q --verify $$ref >/dev/null && echo $$ref && break; done))
check-proto:
	$(call tool,buf) lint
	$(call tool,buf) format --diff --exit-code
	@rm -rf .out/against && mkdir -p .out/against
	@if git cat-file -e $(BASE):proto 2>/dev/null; then \
		git archive $(BASE) buf.yaml proto | tar -x -C .out/against && echo "buf breaking against $(BASE)" && \
		$(call tool,buf) breaking --against .out/against; \
	else echo "no .proto in $(BASE): nothing can break"; fi

# What is committed must build anywhere: it names no package registry and no folder of somebody's machine.
HOSTS = (proxy|sum)\.golang\.org|goproxy\.(io|cn)|registry\.(npmjs|yarnpkg|npmmirror)|npm\.jsr\.io|pypi\.org|pythonhosted\.org
PATHS = (^|[^[:alnum:]_./-])/(home|Users|root|work|tmp)/
check-text:
	@git grep -nIE '$(HOSTS)|$(PATHS)' -- ':!*.sum'; test $$? -eq 1 || { echo 'a registry host or a path of one machine is named'; exit 1; }

# Comments and documents name who acts, and use the field's terms.
check-words:
	go run ./tests/words
