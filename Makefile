# make run    serve on http://127.0.0.1:5000      make check  ruff, mypy
# make test   every quick test                    make system whole installations under kills
# make soak   the long ones                       make bench  the figures of the README
PYTHON ?= python3
BIN = .venv/bin
BENCHMARKS = core end_to_end answers start scanlines depthlogs lock manners listing databases captions workers alike scale
.PHONY: run test system soak bench check lock

.venv/run: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test: .venv/run requirements-test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-test.txt
	touch $@

.venv/bench: .venv/test requirements-bench.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	-npm install --silent --prefix .venv/peers sharp@0.35
	-$(PYTHON) -m venv .venv/peers && .venv/peers/bin/pip install --quiet --disable-pip-version-check thumbor
	touch $@

run: .venv/run
	$(BIN)/python init_db.py
	exec $(BIN)/gunicorn wsgi:app

test: .venv/test
	$(BIN)/pytest -m "not soak and not system" -n 3 --dist loadscope

system: .venv/test
	$(BIN)/pytest -m "system and not soak" -n 3 --dist loadscope

soak: .venv/test
	$(BIN)/pytest -m soak; status=$$?; $(BIN)/python -m tests.crash.figures; exit $$status

bench: .venv/bench
	rm -f bench/$(if $(BENCH_TINY),tiny,results).json
	status=0; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || status=1; done; \
		$(BIN)/python -m benchmarks.results && exit $$status

# The tested versions with their hashes, for every platform; what the Dockerfile installs.
lock: .venv/test
	$(BIN)/pip freeze > .venv/tested.txt
	for extra in "" -scale -blip -heic -vips -wells -figures; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
		--python-version 3.11 --upgrade --constraint .venv/tested.txt --no-annotate requirements.txt $${extra:+requirements$$extra.txt} -o requirements$$extra.lock \
		|| exit 1; done

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
