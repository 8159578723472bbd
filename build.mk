# Building postern.wasm, and measuring it.
#
# Go's output lacks nothing but hosts: wasm-merge binds the WASI calls that
# Envoy 1.33 to 1.38 cannot answer to tools/wasi-stub, so that one file runs on
# all. The result is the same, bit for bit, wherever it is built from one tree
# with one version of Go.

wasm-features := --enable-bulk-memory --enable-mutable-globals --enable-nontrapping-float-to-int --enable-sign-ext
# What is compiled into the module, and what is embedded in it: not the rooms of
# the command and of the tests beside them.
wasm-sources := $(shell GOOS=wasip1 GOARCH=wasm $(GO) list -deps -f '{{if not .Standard}}{{$$d := .Dir}}{{range .GoFiles}}{{$$d}}/{{.}} {{end}}{{range .EmbedFiles}}{{$$d}}/{{.}} {{end}}{{end}}' ./filter) go.mod go.sum

.PHONY: build
build: build/postern.wasm ## Build build/postern.wasm

# The module is built from go.mod with one difference: tools/pretty stands in
# for a dependency of a dependency that it has no use for.
build/wasm.mod: go.mod go.sum tools/pretty/pretty.go
	@mkdir -p $(@D)
	{ cat go.mod; printf '\nreplace github.com/tidwall/pretty => ./tools/pretty\n'; } > $@
	cp go.sum build/wasm.sum

# Each file is moved into place when it is whole: several may build at once.
build/postern-go.wasm: $(wasm-sources) build/wasm.mod
	@mkdir -p $(@D)
	CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm $(GO) build -trimpath -buildvcs=false -buildmode=c-shared -modfile build/wasm.mod -o $@.$$$$ ./filter && mv $@.$$$$ $@

# Envoy compiles the whole file at each start, so its size is paid for there:
# -Oz takes a minute, and a tenth off both. It changes nothing about the cost of
# a request. While working on the module, `make build OPTIMIZE=-O1` is quicker.
# tools/pack then packs the data, of which Go's linker makes a hundred thousand
# pieces: a quarter off the file, and unpacked when the module is instantiated.
OPTIMIZE ?= -Oz
wasm-passes := --remove-exports=poll_oneoff --remove-exports=path_filestat_get $(OPTIMIZE)

build/postern.wasm: build/postern-go.wasm tools/wasi-stub/wasi_stub.wat $(wildcard tools/pack/*.go) build.mk $(npm)
	@echo 'Making the module small: $(OPTIMIZE) takes one to three minutes.'
	@tools/node_modules/.bin/wasm-merge -g $(wasm-features) build/postern-go.wasm postern \
	  tools/wasi-stub/wasi_stub.wat wasi_snapshot_preview1 -o $@.$$$$.merged && \
	tools/node_modules/.bin/wasm-opt -g $(wasm-features) $(wasm-passes) $@.$$$$.merged -o $@.$$$$.opt && \
	$(GO) run ./tools/pack $@.$$$$.opt $@.$$$$ && \
	rm $@.$$$$.merged $@.$$$$.opt && mv $@.$$$$ $@

.PHONY: bench
bench: build build/bench/logonly.wasm build/tools/envoy/1.40.0/envoy debian-packages ## Measure what a request, a start and a worker cost
	$(GO) run ./bench

build/bench/logonly.wasm: $(wasm-sources) bench/testdata/logonly/main.go
	@mkdir -p $(@D)
	CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm $(GO) build -trimpath -buildvcs=false -buildmode=c-shared -o $@ ./bench/testdata/logonly
