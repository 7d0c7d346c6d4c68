# Everything that people and CI do with the source. `make demo` is the place to start.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GO      := go
TOOL    := $(GO) tool -modfile=tools/go.mod

.PHONY: build demo test unit busy fuzz longrun bench-data bench check fmt clean

build: ## bin/nvrfs
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/nvrfs ./cmd/nvrfs

demo: ## record a built-in camera and mount its footage at ./demo/mnt
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory build
	@exec bin/nvrfs demo

test: ## every test, with the race detector; installs what the tests need, where it may
	@tools/deps.sh test
	$(GO) test -race -timeout 60m $$($(GO) list ./... | grep -v -e '/integration$$' -e '/recorder/rtsp$$')
	$(GO) test -race -p 1 -timeout 60m ./recorder/rtsp ./integration # in real time: each has the machine to itself
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 9m ./... # each benchmark runs

unit: ## the tests that need nothing but Go
	$(GO) test $$($(GO) list ./... | grep -v /integration)

busy: ## every test, beside eight loops that take all processors: no deadline may decide
	@tools/deps.sh test
	@for n in 1 2 3 4 5 6 7 8; do sh -c 'while :; do :; done' & loops="$$loops $$!"; done; \
	trap 'kill $$loops' EXIT; trap 'exit 130' INT TERM; \
	$(GO) test -count 1 -timeout 120m ./...

FUZZTIME := 20s
fuzz: ## every fuzz test for FUZZTIME
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$pkg; \
	  done; \
	done

LONGDAYS := 90
longrun: ## LONGDAYS days of 8 cameras by a simulated clock, in minutes: does anything grow?
	NVRFS_LONG_DAYS=$(LONGDAYS) $(GO) test -run '^TestLongRun$$' -count 1 -timeout 30m -v ./recorder

BENCH_DATA := /var/tmp/nvrfs-bench
bench-data: build ## the archives that make bench measures with: up to 65 GB in BENCH_DATA
	@tools/deps.sh bench
	$(GO) run ./bench/data -dir $(BENCH_DATA) -nvrfs bin/nvrfs

BENCH := .
bench: ## every measurement, then one table of goals and results; BENCH chooses some
	@tools/deps.sh bench
	NVRFS_BENCH_DATA=$(BENCH_DATA) $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 120m ./... | tee bench.txt
	@$(GO) run ./bench/table bench.txt

check: ## formatting, vet, staticcheck, tidy
	@tools/deps.sh demo
	@test -z "$$($(TOOL) gofumpt -l .)" || { echo "not formatted; run: make fmt"; $(TOOL) gofumpt -d .; exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff

fmt:
	$(TOOL) gofumpt -w .

clean:
	rm -rf bin
