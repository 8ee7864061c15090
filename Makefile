# Targets are explained by `make`. Variables that may be set: PREFIX and DESTDIR (install), SEED and
# TESTFLAGS (test), TORTURE, PUROFS_SEED and PUROFS_SOAK (torture), BENCH, BENCHFLAGS and ROUNDS
# (bench), FUZZTIME (fuzz), MUTANTS (mutants: parts of names).

PREFIX    ?= /usr/local
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
SEED      ?= $(shell date +%s)
SEED      := $(SEED)
BENCH     ?= .
ROUNDS    ?= 5
FUZZTIME  ?= 30s
TORTURE   ?= .
MUTANTS   ?=

BINDIR    := $(DESTDIR)$(PREFIX)/bin
SHAREDIR  := $(DESTDIR)$(PREFIX)/share

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@echo 'purofs: event logs as files. Targets:'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1 \t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: build
build: ## build bin/purofs
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/purofs ./cmd/purofs

.PHONY: install
install: build ## install the program and the shell completions under PREFIX (/usr/local)
	install -D -m 755 bin/purofs $(BINDIR)/purofs
	install -d $(SHAREDIR)/bash-completion/completions $(SHAREDIR)/zsh/site-functions \
		$(SHAREDIR)/fish/vendor_completions.d
	bin/purofs completion bash > $(SHAREDIR)/bash-completion/completions/purofs
	bin/purofs completion zsh > $(SHAREDIR)/zsh/site-functions/_purofs
	bin/purofs completion fish > $(SHAREDIR)/fish/vendor_completions.d/purofs.fish

.PHONY: deps
deps: ## install the Debian packages that mounts and tests need, if any is missing
	@.ci/deps

.PHONY: demo
demo: deps build ## watch it work, on the package database of this machine
	@PATH="$(CURDIR)/bin:$$PATH" .ci/demo

# The tests of mount_test take longest, so they come first, and beside others.
.PHONY: test
test: deps ## run every test with the race detector, real mounts included
	go vet ./...
	@echo 'to run these tests in the same order again: make test SEED=$(SEED)'
	go test -race -shuffle=$(SEED) -timeout 30m $(TESTFLAGS) ./mount_test ./...
	@echo 'on one processor, where goroutines take turns:'
	go test -cpu 1 -shuffle=$(SEED) -timeout 30m $(TESTFLAGS) \
		./engine ./engine/segment ./nodes/... ./fs/... ./cmd/...
	@echo 'once more, a hundred thousand states of the disk, which the race detector has no time for:'
	go test -shuffle=$(SEED) -timeout 30m $(TESTFLAGS) ./engine/faults
	@echo 'and every bit of a segment:'
	go test -timeout 30m -run '^TestEveryBitFlipped$$' $(TESTFLAGS) ./engine/segment

.PHONY: torture
torture: ## run the fault campaign at its big sizes, for hours; TORTURE=Kill narrows it
	@.ci/deps fio:fio
	PUROFS_TORTURE=1 PUROFS_RESULTS=$(CURDIR)/testing-results \
		go test -count=1 -p 1 -timeout 48h -v -run '$(TORTURE)' $(TESTFLAGS) ./...

.PHONY: mutants
mutants: deps ## put faults into a copy of the tree, one by one, and see a test catch each
	@.ci/mutants $(MUTANTS)

.PHONY: lint
lint: ## check format, vet, staticcheck and the size of files and lines
	@.ci/lint

.PHONY: bench
bench: deps build ## run the benchmarks, and print how they stand against the goals
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 2h $(BENCHFLAGS) \
		$$(go list ./... | grep -v mount_test)
	@echo 'the engine beside other logs, the mount beside one that does nothing, $(ROUNDS) times:'
	cd engine/benchmarks && go test -c -o ../../bin/ .
	go test -c -o bin/ ./mount_test
	for round in $$(seq $(ROUNDS)); do \
		for side in engine/benchmarks mount_test; do \
			(cd $$side && PUROFS_TEST_PROGRAM=$(CURDIR)/bin/purofs \
				$(CURDIR)/bin/$${side##*/}.test -test.run '^$$' -test.bench '$(BENCH)' \
				-test.benchmem -test.benchtime 500ms) || echo "--- FAIL: round $$round"; \
		done; \
	done | tee bin/benchmarks.txt
	cd engine/benchmarks && go run ./cmd/ratios < ../../bin/benchmarks.txt

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (30s)
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
