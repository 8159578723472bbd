# The image, and what goes along with the module: its hash, and the list of what
# it is made of. Nothing here needs a network.

# The revision is asked of git, since the command may be built without it.
image-flags = --module build/postern.wasm --revision "$$(git rev-parse HEAD 2>/dev/null)$$(git diff --quiet HEAD 2>/dev/null || echo -dirty)"

.PHONY: image
image: build/postern.wasm.sha256 build/postern.cdx.json cli ## Make the OCI image: build/image, a layout, and build/image.tar
	build/postern push oci:build/image $(image-flags)
	@build/postern push oci-archive:build/image.tar $(image-flags) > /dev/null

build/postern.wasm.sha256: build/postern.wasm
	cd $(@D) && sha256sum postern.wasm > $(@F)

build/postern.cdx.json: build/postern.wasm $(wildcard internal/image/gensbom/*.go)
	$(GO) run ./internal/image/gensbom -module build/postern.wasm -modfile build/wasm.mod -o $@.$$$$ && mv $@.$$$$ $@
