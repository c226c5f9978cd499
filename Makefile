# `make help` lists the targets. `make test` needs Go, a network for the modules,
# and a C compiler for the race detector.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# The targets share two cores, ports and a lint cache: one after the other.
.NOTPARALLEL:

# How often `make suite` runs, and how long `make fuzz` runs each target.
COUNT ?= 10
FUZZTIME ?= 30s
# How often `make benchcmp` and `make benchbase` run each benchmark.
BENCHCOUNT ?= 6
BASELINE := testdata/bench/baseline.txt
# How long `make chaos` begins new rounds.
CHAOS_DURATION ?= 30m
# The same for `make partitions`.
PARTITIONS_DURATION ?= 30m

# Every module but tools, which has no code.
MODULES := $(shell find . -name go.mod -not -path './tools/*' -not -path './.*/*' -not -path '*/testdata/*' \
	| sed -e 's|/go\.mod$$||' -e 's|^\./||' | sort)
EXAMPLES := $(filter _examples/%,$(MODULES))
GOLANGCI := go tool -modfile=$(CURDIR)/tools/go.mod golangci-lint

# Fails with the difference if there is one.
GOFIX := if [[ "$$(go help fix)" == *-diff* ]]; then go fix -diff ./...; \
	else echo "go fix: not checked, it has no -diff before Go 1.26"; fi

# The race detector needs cgo, which go switches off where there is no C compiler.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race,)

# Most tests wait more than they compute.
PARALLEL := -parallel 8

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: server
server: ## Find redis-server, or install it (Debian, Ubuntu) or say how
	@scripts/ensure-redis.sh

.PHONY: nats
nats: ## Find nats-server, or install it (Debian, Ubuntu) or say how
	@scripts/ensure-nats.sh

.PHONY: test
test: server nats examples ## Run all tests, with the race detector
	$(if $(RACE),,@echo "no cgo: testing without the race detector" >&2)
	go test -run 'Allocs$$' .
	cd tests/incumbent && go test $(RACE) -timeout 10m ./...
	cd tests/router && go test $(RACE) -timeout 10m ./...
	cd benchmarks && go test $(RACE) -timeout 10m ./...
	go test -run '^$$' -bench . -benchtime 1x -timeout 2m . ./internal/xstream
	go test -run TestReconnect -timeout 5m ./tests/universal
	$(MAKE) deployments
	go test $(RACE) -timeout 10m ./tests/failover
	go test $(RACE) $(PARALLEL) -timeout 25m $$(go list ./... | grep -v /tests/failover$$)

.PHONY: race
race: test ## The same as test

.PHONY: test-short
test-short: server ## Run the tests of the library without the universal suite
	go test $(RACE) $(PARALLEL) -short -timeout 10m . ./internal/...

.PHONY: suite
suite: server ## Run Watermill's universal suite COUNT times (COUNT=10)
	go test $(RACE) $(PARALLEL) -count=$(COUNT) -timeout 170m ./tests/universal/...

.PHONY: deployments
deployments: server ## Run two of its profiles on each deployment: a cluster, Sentinel, TLS, ...
	@for deployment in cluster sentinel tls acl resp2; do echo "==> $$deployment"; \
		REDISSTREAM_TEST_DEPLOYMENT=$$deployment \
		go test $(RACE) -parallel 16 -count=1 -timeout 5m -run 'TestPubSub$$/^(A|J)$$' ./tests/universal || exit; done

.PHONY: matrix
matrix: server ## Run it on all servers and deployments, and write the table in README.md
	go run ./tests/matrix -write README.md

.PHONY: stress
stress: server ## Run the universal suite with many more messages
	go test -tags stress -timeout 60m ./tests/universal/...

.PHONY: chaos
chaos: server ## Run random rounds of faults for CHAOS_DURATION (CHAOS_DURATION=30m)
	CHAOS_DURATION=$(CHAOS_DURATION) CHAOS_LOG=$${CHAOS_LOG:-$(CURDIR)/chaos.log} \
		go test -run 'TestChaos$$' -count=1 -timeout 0 -v ./tests/chaos

.PHONY: chaos-planted
chaos-planted: server ## Plant bugs, one at a time, and see each be found
	go test -tags planted -run TestPlantedBugs -count=1 -timeout 60m -v ./tests/chaos

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (FUZZTIME=30s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: server nats ## Compare with other libraries, and write the table in README.md
	cd benchmarks && go run . -write ../README.md

.PHONY: microbench
microbench: server ## Run the micro-benchmarks
	@scripts/microbench.sh

.PHONY: benchcmp
benchcmp: server ## Run them BENCHCOUNT times (BENCHCOUNT=6); fail if they allocate more than the baseline
	@scripts/benchcmp.sh $(BENCHCOUNT) $(BASELINE)

.PHONY: benchbase
benchbase: server ## Make what they do now the baseline
	@measured=$$(scripts/microbench.sh -count $(BENCHCOUNT)); echo "$$measured" >$(BASELINE)

.PHONY: cover
cover: server ## Write cover.out and print the coverage of the library
	go test $(PARALLEL) -timeout 25m -coverpkg=.,./internal/... -coverprofile=cover.out ./...
	@go tool cover -func=cover.out | tail -n 1

.PHONY: examples $(EXAMPLES)
examples: $(EXAMPLES) ## Vet, test and run every example, on the server that it brings along
$(EXAMPLES):
	cd $@ && go vet ./... && REDIS_URL= go test ./... && REDIS_URL= timeout 60 go run .

LINTS := $(MODULES:%=lint/%)
.PHONY: lint $(LINTS)
lint: $(LINTS) ## Check every module: vet, golangci-lint, go mod tidy, go fix
$(LINTS): lint/%:
	cd $* && go vet ./... && go vet -tags stress,planted ./...
	cd $* && go mod tidy -diff
	@cd $* && $(GOFIX)
	cd $* && $(GOLANGCI) run ./...

.PHONY: partitions
partitions: server ## Run random rounds of members that come, go and are cut off for PARTITIONS_DURATION (30m)
	PARTITIONS_DURATION=$(PARTITIONS_DURATION) PARTITIONS_LOG=$${PARTITIONS_LOG:-$(CURDIR)/partitions.log} \
		go test -run 'TestPartitions$$' -count=1 -timeout 0 -v ./tests/partitions

.PHONY: fmt
fmt: ## Format every module
	for module in $(MODULES); do (cd $$module && $(GOLANGCI) fmt ./...) || exit 1; done
