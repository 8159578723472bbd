# Postern's targets; `make help` lists them. Everything that is fetched or made
# goes to build/ and tools/node_modules/, both outside version control.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO ?= go
ENVOY_VERSIONS := 1.40.0 1.39.3 1.36.4
KEYCLOAK_VERSION := 26.4.0

envoys := $(ENVOY_VERSIONS:%=build/tools/envoy/%/envoy)
keycloak := build/tools/keycloak-$(KEYCLOAK_VERSION)/version.txt
npm := tools/node_modules/.package-lock.json

-include build.mk run.mk image.mk

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

## Set-up: each part is a file target, so that it is fetched once.

.PHONY: setup debian-packages
setup: debian-packages $(envoys) $(keycloak) $(npm) ## Fetch what building and testing need

debian-packages:
	@tools/need.sh chromium chromium
	@tools/need.sh h2load nghttp2-client
	@tools/need-service.sh redis-server redis-server webdis webdis nginx nginx promtool prometheus

$(envoys): build/tools/envoy/%/envoy: | tools/sha256sums
	tools/install-envoy.sh $* $@

$(keycloak): | tools/sha256sums
	tools/install-keycloak.sh $(KEYCLOAK_VERSION) $(@D)

$(npm): tools/package.json tools/package-lock.json
	tools/install-npm.sh
	@touch $@

## Checks and tests.

.PHONY: test check fmt-check vet unit conversations e2e soak clean
test: ## Everything that must pass before a change lands, set-up included
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory build
	@$(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory --keep-going --jobs=2 e2e unit # much of e2e is waiting

check: fmt-check vet ## Formatting and go vet

fmt-check:
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l); \
	if [ -n "$$unformatted" ]; then printf 'run gofmt -w on:\n%s\n' "$$unformatted" >&2; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags soak ./...
	cd tools/manifests && $(GO) vet ./...

unit: build setup ## Unit tests, and the conversations through every driver
	$(GO) test -count=1 -timeout 15m $$($(GO) list ./... | grep -v '/e2e$$')
	cd tools/manifests && $(GO) test -count=1 -timeout 10m ./...

conversations: build setup ## The txtar conversations alone, through every driver
	$(GO) test -count=1 -timeout 10m -run Conversation ./...

e2e: build setup ## Tests on real Envoy, Keycloak, oidc-provider and Chromium
	$(GO) test -count=1 -timeout 24m ./e2e/...

FUZZTIME ?= 10m
RULES_FUZZTIME ?= 1h
soak: build setup ## The long runs: load and memory, then FUZZTIME (10m) of each fuzz target, RULES_FUZZTIME (1h) of the rules'
	$(GO) test -count=1 -timeout 4h -tags soak -run Soak -v ./e2e
	@git grep -l '^func Fuzz' -- '*_test.go' | while read -r file; do \
	  grep -o '^func Fuzz[A-Za-z0-9]*' "$$file" | sed 's/^func //' | while read -r target; do \
	    time=$(FUZZTIME); [ "$$target" != FuzzRules ] || time=$(RULES_FUZZTIME); \
	    echo "$$file $$target $$time"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime "$$time" "./$$(dirname "$$file")"; done; done

clean: ## Remove what was built; fetched tools stay
	find build -mindepth 1 -maxdepth 1 ! -name tools -exec rm -rf {} +
