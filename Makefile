# Everything a person needs, in one word each. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR):$(CURDIR)/shared:$(CURDIR)/extension
# Trust what this machine trusts, where it keeps a list: behind a company's proxy the built-in lists do not do.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= 1
export NODE_USE_SYSTEM_CA ?= 1
endif
PYTHON ?= python3
UV := $(shell sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)

.PHONY: help install deploy demo up down status url worker test test-code test-stack test-worker test-bridge test-release test-extension test-page page pictures extension coverage check audit fix bench bench-worker chaos fuzz lock openapi permissions costs capabilities reliability wheels clean

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: .venv/installed node_modules/installed web/node_modules/installed ## install everything into .venv and node_modules

.venv/installed: requirements.lock pyproject.toml cli/pyproject.toml cli/hatch_build.py
	@echo "Installing Python packages into .venv ..." >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Darkroom needs Python 3.11 or newer; this is $$($(PYTHON) --version). Say which one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	@.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
# It has a file in common with aws-cdk-cloud-assembly-schema (other types under the same name). Of the two, whichever uv
# wrote last would be there, now this one and now the other: so aws-cdk-lib is written once more.
	@.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes --reinstall-package aws-cdk-lib requirements.lock
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable ./cli
	@touch $@

node_modules/installed: package-lock.json .venv/installed
	@echo "Installing the CDK CLI into node_modules ..." >&2
	@npm ci --silent --no-audit --no-fund --no-update-notifier
	@touch $@

web/node_modules/installed: web/package-lock.json web/.npmrc .venv/installed
	@echo "Installing the packages of the page into web/node_modules ..." >&2
	@cd web && npm ci --silent --no-audit --no-fund --no-update-notifier
	@touch $@

# What the worker paints with: make up ENGINE=diffusers MODELS=<a WebUI's models folder>
ENGINE ?= preview
export DARKROOM_ENGINE := $(ENGINE)
export DARKROOM_MODELS := $(MODELS)
PAINTER := $(if $(filter diffusers,$(ENGINE)),.venv-worker/installed)

demo: install $(PAINTER) ## run three jobs from picture to history on this machine
	@python -m local demo

up: install $(PAINTER) ## start the local stack and keep it running
	@python -m local up

down: .venv/installed ## stop the local stack; its state stays under .darkroom
	@python -m local down

status: .venv/installed ## tell whether the local stack runs, and where
	@python -m local status

url: .venv/installed ## print the address of the running API
	@python -m local url

# `make up` and a deploy do this by themselves.
page: install ## build the page for browsers (.build/page)
	@python -m layers.page

# More settings for once: make deploy STAGE=dev ARGS="-c waf=true". It goes through make because the lines at the top say
# whom uv and npm may trust.
deploy: install ## deploy a stage to AWS (STAGE=dev), and remove old versions of its functions
	@test -n "$(STAGE)" || { echo "Say which stage of cdk.json: make deploy STAGE=dev"; exit 1; }
	@python -m infra.stage deploy $(STAGE) $(ARGS)

# BASE=ray builds it for AWS's other container, ENGINE=preview without what paints.
worker: install ## build the worker's package into dist/worker, which a deploy then takes to SageMaker
	@python -m layers.worker --engine $(if $(filter file,$(origin ENGINE)),diffusers,$(ENGINE)) --base $(or $(BASE),pytorch)

# The e2e tests share one running stack, so they come one after the other; they mostly wait, so all others run beside.
test: install ## run every test (ten minutes)
	@echo "All tests run, those of the running stack beside the others. What they say is printed when they are done."
	@$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target test-code test-stack

# What `make test` leaves to the targets below, so that it stays at ten minutes.
WITH_BROWSER := tests/page
WITH_WORKER := tests/painted tests/conformance tests/contract/test_worker_package.py tests/e2e/test_worker_package.py
WITH_BRIDGE := tests/integration/test_extras.py tests/e2e/test_bridge.py tests/e2e/test_bridge_clients.py
WITH_RELEASE := tests/release

# The engine `diffusers`, on the CPU. One thread a process: with more, two busy cores are many times slower.
test-worker: .venv-worker/installed ## test the engine that paints with real models, the package and the check of workers
	@OMP_NUM_THREADS=1 .venv-worker/bin/python -m pytest -n 2 tests/worker $(ARGS)
	@OMP_NUM_THREADS=1 python -m pytest $(WITH_WORKER)

# uv does not read pip's settings, so the folder that pip would look for torch in is handed on.
.venv-worker/installed: worker/requirements.lock worker/torch.txt .venv/installed
	@echo "Installing torch and the packages of the worker into .venv-worker ..." >&2
	@test -x .venv-worker/bin/python || $(PYTHON) -m venv --without-pip .venv-worker || { rm -rf .venv-worker; exit 1; }
	@uv pip sync --quiet --compile-bytecode --python .venv-worker/bin/python --require-hashes worker/requirements.lock
	@uv pip install --quiet --compile-bytecode --python .venv-worker/bin/python $(addprefix --find-links ,$(PIP_FIND_LINKS)) -r worker/torch.txt
	@touch $@

test-bridge: install ## test the bridge on the local stack, with clients of the WebUI and fifty at once, and what the extras install
	@python -m pytest $(WITH_BRIDGE)

# It deploys some eight times, one after the other.
test-release: install ## test a release under the head and over it, the role that deploys, the way out, and the docs that deploy
	@python -m pytest $(WITH_RELEASE)

# The panel in the WebUI, in a browser: Gradio 3 as AUTOMATIC1111 has it, Gradio 4 as Forge has it. Both run on Python
# 3.10 and 3.11 only. WEBUI_PYTHON names one; else the first that is found is taken.
WEBUI_PYTHON ?= $(or $(firstword $(foreach name,python3.11 python3.10 python3,$(shell command -v $(name) >/dev/null && $(name) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' 2>/dev/null && command -v $(name)))),$(shell .venv/bin/uv python find '>=3.10,<3.12' 2>/dev/null))
CHROMIUM := $(or $(DARKROOM_CHROMIUM),$(firstword $(foreach name,chromium chromium-browser google-chrome google-chrome-stable,$(shell command -v $(name)))))
WEBUIS := $(if $(WEBUI_PYTHON),.venv-webui-3/installed .venv-webui-4/installed)

test-extension: .venv/installed $(WEBUIS) ## test the panel in the WebUI, in environments and a browser of its own
ifeq ($(CHROMIUM),)
	@echo "SKIPPED: make test-extension needs Chromium, and there is none. Install it (Debian: apt-get install chromium), or name it in DARKROOM_CHROMIUM." >&2
else ifeq ($(WEBUIS),)
	@echo "SKIPPED: make test-extension needs Python 3.10 or 3.11, and there is none. Name one: make WEBUI_PYTHON=/path/to/python3.11 test-extension" >&2
else
	@python -m tests.extension.both $(ARGS)
endif

.venv-webui-%/installed: tests/extension/environments/gradio%.lock .venv/installed
	@echo "Installing Gradio $* and a WebUI's packages into .venv-webui-$* ..." >&2
	@test -x .venv-webui-$*/bin/python || uv venv --quiet --python $(WEBUI_PYTHON) .venv-webui-$* || { rm -rf .venv-webui-$*; exit 1; }
	@uv pip sync --quiet --compile-bytecode --python .venv-webui-$*/bin/python --require-hashes $<
	@touch $@

# The page for browsers: its types, its own tests, and stories in a browser against one local stack.
test-page: install ## test the page for browsers, in a browser
	@cd web && npm run --silent check
ifeq ($(CHROMIUM),)
	@echo "SKIPPED: the stories of make test-page need Chromium, and there is none. Install it (Debian: apt-get install chromium), or name it in DARKROOM_CHROMIUM." >&2
else
	@python -m pytest tests/page $(ARGS)
endif

pictures: install ## take the pictures of the page for docs/pictures, in a browser
	@python -m tests.page.pictures

extension: ## pack the extension for the WebUI with its client into dist/
	@$(PYTHON) -m extension.pack dist/sd-webui-darkroom.zip
	@ls dist/sd-webui-darkroom.zip

test-code:
	@python -m pytest -n 2 --ignore=tests/e2e $(addprefix --ignore=,$(WITH_WORKER) $(WITH_BRIDGE) $(WITH_BROWSER) $(WITH_RELEASE))

test-stack:
	@python -m pytest tests/e2e $(addprefix --ignore=,$(WITH_WORKER) $(WITH_BRIDGE))

coverage: install ## run every test but the end-to-end ones, and print the lines that no test ran
	@python -m pytest -n 2 --ignore=tests/e2e $(addprefix --ignore=,$(WITH_WORKER) $(WITH_BRIDGE) $(WITH_BROWSER) $(WITH_RELEASE)) --cov --cov-report=term-missing

# cfn-lint and cdk-nag look at the synthesized templates in tests/infra.
check: install ## format, lint, types, imports, licences, then every test (templates are linted there)
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	@python -m layers.supply licences
	$(MAKE) --no-print-directory test

audit: install ## ask the package registry for known vulnerabilities of what is shipped and used
	@python -m layers.supply audit

fix: install ## format and mend what can be mended
	ruff format .
	ruff check --fix .

bench: install ## count AWS calls, what pages of the history and the writes of a job cost, what sleeping and waking cost, and time imports and `darkroom --help`
	@python -m bench.calls
	@python -m bench.history
	@python -m bench.writes
	@python -m bench.sleep
	@python -m bench.cli
	@python -m bench.imports

bench-worker: .venv-worker/installed ## time the engine that paints against plain diffusers (ARGS=--tiny without a GPU)
	@.venv-worker/bin/python -m bench.worker $(ARGS)

chaos: install ## break the local stack while it works, and count what got lost (JOBS=10000 for the long run)
	@python -m bench.chaos --jobs $(or $(JOBS),2000)

fuzz: install ## send thousands of odd requests to the running stack (about ten minutes)
	@python -m bench.fuzz

permissions: install ## write docs/permissions.md anew from the templates
	@python -m infra.permissions_page > docs/permissions.md

costs: install ## write docs/costs.md anew from the templates and infra/prices.json
	@python -m infra.costs > docs/costs.md

openapi: install ## write docs/openapi.json anew from the handlers
	@python -m functions.openapi > docs/openapi.json

capabilities: install ## write what the engines take, and the WebUI's tables, into the copies of command line and bridge
	@python -m darkroom.engines > cli/src/darkroom_cli/engines.json
	@python -m darkroom.webui > bridge/src/darkroom_bridge/webui.json

reliability: install ## break every AWS call once, and write what becomes of it into tests/integration/snapshots/faults.md
	@python -m tests.support.fault_table

wheels: install ## build the wheels of client and command line into dist/
	@for package in client cli; do uv build --quiet --wheel --no-build-isolation --python .venv/bin/python --out-dir dist ./$$package; done
	@ls dist/*.whl

# AWS's containers have torch, with all that torch itself needs.
IN_THE_CONTAINER := torch torchvision timm jinja2 markupsafe networkx setuptools sympy mpmath
lock: .venv/installed ## resolve all packages anew
	uv pip compile -q --upgrade pyproject.toml cli/pyproject.toml --extra worker --extra bridge --group infra --group local --group worker --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements.lock
	uv pip compile -q pyproject.toml -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o layers/dependencies/requirements.txt
	uv pip compile -q --group painting --group painting-tests -c requirements.lock --override worker/overrides.txt $(foreach package,torch torchvision timm,--no-emit-package $(package)) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o worker/requirements.lock
	uv pip compile -q --group preview -c worker/requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o layers/worker/preview.txt
	uv pip compile -q --group painting -c worker/requirements.lock --override worker/overrides.txt $(foreach package,$(IN_THE_CONTAINER),--no-emit-package $(package)) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o layers/worker/diffusers.txt
	for gradio in gradio3 gradio4; do uv pip compile -q --upgrade tests/extension/environments/$$gradio.txt --universal --python-version 3.10 --generate-hashes --no-header --no-annotate -o tests/extension/environments/$$gradio.lock; done

clean: down ## stop the stack and remove all it left, but not .venv
	rm -rf .darkroom .build cdk.out dist
