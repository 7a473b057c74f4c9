# Everything that one does with this project, in one place. `make help` lists it.
# What a target needs is installed by the target itself: Debian packages by apt, Python packages into .venv by pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The lab and its guests; libvirt-python is built against libvirt-dev.
DEBIAN_PACKAGES := libvirt-daemon-system libvirt-clients libvirt-dev qemu-system-x86 qemu-utils iproute2 s6 iptables \
	busybox-static linux-image-cloud-amd64 qemu-guest-agent cpio kmod fence-agents gcc binutils pkg-config \
	python3-dev python3-venv iputils-ping procps openipmi ipmitool etcd-server etcd-client strace spin tini virtinst \
	samba smbclient resource-agents apache2-bin systemd dbus-daemon prometheus chromium libnss3-tools novnc openssl

.PHONY: help install demo test check style types contracts core scenarios seeds models mutations soak lab-tests bench clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(STAMP) packages ## install what is missing, for everything below
	@:

.PHONY: packages
packages:
	@DEBIAN_PACKAGES="$(DEBIAN_PACKAGES)" sh packaging/install-packages

$(STAMP): pyproject.toml constraints.txt | packages
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Outlast needs Python 3.11 or newer; $(PYTHON) is older. Use: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: install ## three nodes on this machine, real VMs, a VM fails, a node dies, everything runs again (KEEP=1: leave it up)
	@$(BIN)/outlast lab demo $(if $(KEEP),--keep,)

test: install ## everything: style, types, import contracts, core, contracts, scenarios, seeds, lab
	@sh packaging/run-tests

check: style types contracts ## the quick ones: style, types, import contracts

style: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --no-cache .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

core: $(STAMP) ## the examples of the core, in seconds
	$(BIN)/pytest -q tests/core

scenarios: $(STAMP) ## the stories in tests/scenarios, played by the simulator
	$(BIN)/pytest -q tests/scenarios

seeds: $(STAMP) ## random faults in the simulator (SEEDS=n, FROM=s)
	$(BIN)/outlast sim seeds $(or $(SEEDS),200) --from $(or $(FROM),1)

models: install ## the formal models, every state of them, and what breaks them
	$(BIN)/pytest -q tests/models

mutations: $(STAMP) ## each rule of safety broken on purpose: who notices? (SEEDS=n: after how many seeds, too)
	$(BIN)/python tests/mutations/run.py --seeds $(or $(SEEDS),0)

soak: install ## random faults on a real lab with etcd, and seeds beside it (MINUTES=n, SEED=s, OPTIONS="--nodes 2 --witness", SEEDS=no), root
	@BIN=$(BIN) MINUTES=$(or $(MINUTES),15) SEED=$(SEED) SEEDS=$(SEEDS) sh packaging/soak $(OPTIONS)

lab-tests: install ## real nodes, libvirt and QEMU (root)
	$(BIN)/pytest -q -m lab tests

bench: install ## the numbers, one JSON line each (root; nothing else should run meanwhile)
	@for file in bench/*.py; do $(BIN)/python $$file || exit 1; done

clean: ## the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build
