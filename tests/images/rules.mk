# Images without registry or daemon: one for each program that has a manifests/images/PROGRAM.Dockerfile.
# The cluster of the tests loads what is in build/images.

# One that has no program of its name has the agent, with other programs beside it.
IMAGE_FILES = $(patsubst manifests/images/%.Dockerfile,$(BUILD)/images/%.tar,$(wildcard manifests/images/*.Dockerfile))
PROGRAM_IMAGES = $(filter $(PROGRAMS:$(BUILD)/%=$(BUILD)/images/%.tar),$(IMAGE_FILES))
OTHER_IMAGES = $(filter-out $(PROGRAM_IMAGES),$(IMAGE_FILES))
# images that mention no machine: the same commit gives the same bytes in any folder
CFLAGS_ALL += -fdebug-prefix-map=$(CURDIR)=.

.PHONY: images check-images
images: $(PROGRAM_IMAGES:$(BUILD)/images/%.tar=$(BUILD)/%) ## OCI archives build/images/PROGRAM.tar, for `ctr images import` or `docker load`
	@tests/install.sh "make images" python3 binutils libc-bin ca-certificates debian-archive-keyring postgresql-client-15 mariadb-client redis-tools
	@$(MAKE) --no-print-directory --silent $(IMAGE_FILES)
	@stat --printf='%n: %s bytes\n' $(IMAGE_FILES)

$(PROGRAM_IMAGES): $(BUILD)/images/%.tar: $(BUILD)/%
$(OTHER_IMAGES): $(BUILD)/granary-agent
$(IMAGE_FILES): $(BUILD)/images/%.tar: manifests/images/%.Dockerfile manifests/images/image.py manifests/images/oci.py \
		tests/cluster/tools.py
	@PYTHONDONTWRITEBYTECODE=1 manifests/images/image.py build $(@D) $(BUILD)/$*

check-images: images ## what is in the images, and that Dockerfiles and `make images` can not differ
	@PYTHONDONTWRITEBYTECODE=1 GRANARY_IMAGES="$(IMAGE_FILES)" /usr/bin/python3 tests/images/run.py $(TESTS)

# Not in CI: each of them installs a compiler in a Debian of its own.
.PHONY: check-dockerfiles
check-dockerfiles: images ## the Dockerfiles, built by buildah, make what `make images` makes of the same commit
	@[ -z "$$(git status --porcelain)" ] || { echo "commit first: a clone is built"; exit 1; }
	@tests/install.sh "build Dockerfiles" buildah debootstrap git
	@PYTHONDONTWRITEBYTECODE=1 tests/images/dockerfiles.py $(TESTS)
