# Nothing but short calls; what they do stands in dev/.
.PHONY: demo test test-all check bench chaos fuzz simulate mutations servers stop

demo:          ## install, build, start real servers, migrate a live database, leave the page open
	dev/demo

test: check    ## everything that CI runs
	dev/test

test-all: test ## and the main job from every version of a source
	dev/test -p whimbrel --test e2e source_versions -- --ignored

check:         ## format, lints, dependencies, licences, links, file length, names
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	dev/check

bench:         ## speed, memory and lag beside peers, about 20 minutes; see bench/README.md
	bench/run

chaos:         ## ROUNDS (100) of faults at random moments on real servers
	dev/chaos $(or $(ROUNDS),100)

fuzz:          ## fuzz every target for MINUTES (1) each
	dev/fuzz $(or $(MINUTES),1)

simulate:      ## run SEEDS (10000) schedules of the simulation from FROM (1) on; see docs/dev/simulation.md
	cargo run --quiet --locked -p whimbrel-simulation --bin simulate -- $(or $(FROM),1) $(or $(SEEDS),10000)

mutations:     ## try the simulation with each deliberate bug, up to SEEDS (6000) schedules; see docs/dev/simulation.md
	cargo run --quiet --locked -p whimbrel-simulation --features mutations --bin mutations -- $(or $(SEEDS),6000)

servers:       ## start the servers of the tests
	dev/servers up $$(dev/servers list)

stop:          ## stop them, and what the demo left running
	dev/demo stop
	dev/servers down
