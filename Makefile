# Everything starts here; each target installs what it needs.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup demo test check clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing and compile; quick when all is there
	@sh scripts/setup.sh

demo: setup ## poison a small data set, train with and without a defense, show the difference
	@node bin/deconfound.js demo

test: setup ## the checks and all tests
	@status=0; npm run -s check || status=1; npm run -s test || status=1; \
	if [ $$status -ne 0 ]; then echo 'make test: a check or a test failed, see above' >&2; fi; exit $$status

check: setup ## format, lint, types, floors
	@npm run -s check

clean: ## remove node_modules and dist; data, runs and caches stay
	@rm -rf node_modules dist
