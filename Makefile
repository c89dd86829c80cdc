# make demo     a synthetic ECG through a bundle: verdicts, a picture, a page; with its own small environment
# make test     every check, with its own development environment
# make gate     every bundle in models/ against its budget and what it cost before
# make check    the same, and the heavy cross-checks (TensorFlow)
# make wheels   what is published, in dist/: the source distribution and a wheel for each platform
# make core     the C core, beside device_sim
# make models   every bundle of models/models.toml: calibrated and compared where that is stale, then written
# make clean    what these made, environments included

VENV := .venv
DEMO_VENV := .venv-demo
WHEEL_VENV := .venv-wheels
PYTHONS := python3.11 python3.12 python3.13 python3
EXTRAS := cluster,dev,export,litert,mcu,onnx,records,report,serve,tflite,tflm,train
KEYS := pyproject.toml constraints.txt setup.py
CC_FOUND = $(shell command -v $${CC:-cc} || command -v gcc || command -v clang)
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# Python 3.11 is the reference. A name that is found but does not start (a version manager's shim) does not count.
define find_python
for name in $(PYTHONS); do \
    if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
    then echo $$name; exit 0; fi; \
done; \
echo 'wristlead: needs Python 3.11 (or 3.12, 3.13), found none: `apt install python3.11 python3.11-venv`' >&2; exit 1
endef

# $(1) folder, $(2) extras. A second run finds the stamp and installs nothing. The build uses the environment's own
# setuptools, pinned like the rest.
define make_environment
@set -e; \
key=$$(cat $(KEYS) | cksum | tr ' ' -)-$(subst $(comma),-,$(2)); \
stamp=$(1)/.wristlead-$$key; \
if [ ! -x $(1)/bin/python ] || [ ! -e $$stamp ]; then \
    python=$$($(find_python)); \
    $$python -c 'import venv, ensurepip' 2>/dev/null || { \
        version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
        echo "wristlead: Python $$version has no venv module: \`apt install python$$version-venv\`" >&2; exit 1; }; \
    echo "wristlead: making $(1) with $$($$python --version)"; \
    [ -x $(1)/bin/python ] || $$python -m venv $(1); \
    $(if $(CC_FOUND),,echo 'wristlead: no C compiler here, the core is built with ziglang'; )\
    { $(1)/bin/python -m pip install -c constraints.txt setuptools $(if $(CC_FOUND),,ziglang) && \
      $(1)/bin/python -m pip install -c constraints.txt --no-build-isolation -e '.[$(2)]'; \
    } >$(1)/install.log 2>&1 || { \
        cat $(1)/install.log >&2; \
        echo "wristlead: $(1) could not be made; pip's reason is above and in $(1)/install.log" >&2; exit 1; }; \
    rm -f $(1)/.wristlead-*-$(subst $(comma),-,$(2)); touch $$stamp; \
fi
endef
comma := ,

# $(1) what it is called, $(2) the command
define step
@echo "== $(1)"; { $(2); } || { echo "wristlead: make test FAILED at: $(1)" >&2; exit 1; }
endef

.PHONY: demo test gate check wheels core models clean environment

demo:
	$(call make_environment,$(DEMO_VENV),report)
	@$(DEMO_VENV)/bin/python setup.py --quiet build_core
	$(DEMO_VENV)/bin/wristlead run models/quality-tiny --synthetic --seconds 30 --picture demo.png --report demo.html

environment:
	$(call make_environment,$(VENV),$(EXTRAS))

core: environment
	@$(VENV)/bin/python setup.py --quiet build_core

wheels:
	$(call make_environment,$(WHEEL_VENV),mcu)
	@$(WHEEL_VENV)/bin/python setup.py --quiet wheels --dist-dir dist
	@ls dist

models: core
	@if [ -n "$$WRISTLEAD_DATA" ]; then \
	    $(VENV)/bin/wristlead calibrate --stale && $(VENV)/bin/wristlead compare --stale; \
	else echo 'wristlead: WRISTLEAD_DATA is unset: bundles are written from what is committed'; fi
	$(VENV)/bin/wristlead export

test: environment
	@command -v $${CC:-cc} >/dev/null || { \
	    echo 'wristlead: the C tests need a compiler with sanitizers: `apt install gcc libc6-dev`' >&2; exit 1; }
	@mkdir -p build
	$(call step,build of the core,$(VENV)/bin/python setup.py --quiet build_core)
	$(call step,C tests under the sanitizers,$(MAKE) --no-print-directory -C firmware test)
	$(call step,generated tables are the committed ones,$(VENV)/bin/python -m firmware.tables --check)
	$(call step,pytest,$(VENV)/bin/python -m pytest -q --junitxml=build/pytest.xml)
	$(call step,every bundle keeps its budget,$(MAKE) --no-print-directory gate)
	$(call step,ruff check,$(VENV)/bin/ruff check .)
	$(call step,ruff format --check,$(VENV)/bin/ruff format --check .)
	$(call step,mypy --strict,$(VENV)/bin/mypy)
	@echo "wristlead: make test passed"

# A bundle without a baseline is held against its budget alone. Accuracy is measured anew where the recordings are,
# network by network.
gate: environment
	@set -e; for manifest in models/*/manifest.json; do \
	    name=$$(basename $$(dirname $$manifest)); more=; \
	    [ ! -e budgets/$$name.json ] || more="--baseline budgets/$$name.json"; \
	    for weights in $$(ls models/$$name/weights.bin models/$$name/*/weights.bin 2>/dev/null); do \
	        [ -n "$$WRISTLEAD_DATA" ] || continue; \
	        part=$$(dirname $$weights); out=build/measured/$$(echo $${part#models/} | tr / -).json; \
	        $(VENV)/bin/wristlead measure $$part --out $$out; \
	        more="$$more --measured $$out"; \
	    done; \
	    $(VENV)/bin/wristlead gate models/$$name --budget budgets/$$name.toml $$more; \
	done

check: test
	$(call make_environment,$(VENV),$(EXTRAS)$(comma)check)
	$(call step,heavy cross-checks,$(VENV)/bin/python -m pytest -q -m heavy || \
	    { [ $$? -eq 5 ] && echo "wristlead: no test is marked heavy yet"; })

clean:
	rm -rf $(DEMO_VENV) $(WHEEL_VENV) $(VENV) build dist demo.png demo.html device_sim/libwristlead.so
	$(MAKE) -C firmware clean
