# The commands of this repository, one line each; `just` lists them.

default:
    @just --list

# Get what the tests need and run all of them; `just test name` only those whose names contain it
test *name:
    cargo xtask test {{ if name == "" { "" } else { "--filter " + quote(name) } }}

# The rules that no compiler holds
tidy:
    cargo xtask tidy

# Write docs/reliability.md and the README's promises from the fault table and the tests
reliability:
    cargo xtask reliability

# Many trials of an agent that does nothing; fails if memory, descriptors or threads grow
soak trials="20000":
    cargo xtask soak {{ trials }}

# A rate and its ratio to the limit of this machine: `just bench trials`, `journal`, `archive`
bench name:
    cargo xtask bench {{ name }}

fmt:
    cargo fmt --all

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The documentation of all crates
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# The runner in N worlds drawn from seeds, optimised; a seed that fails is named
simulate count="1000000" first="1":
    HARNESS_SIM_SEEDS={{count}} HARNESS_SIM_FIRST={{first}} RUST_BACKTRACE=0 cargo test --release -p harness --lib sim::k6_v10_x1_every_promise_holds_in_every_world -- --nocapture

# The first run of the README
quickstart:
    cargo run -- run configs/quickstart.yaml

# Look for inputs that break a parser, with libFuzzer: `just fuzz spec 60`. Needs a nightly compiler and cargo-fuzz
fuzz target seconds="60":
    mkdir -p fuzz/corpus/{{ target }}
    cargo +nightly fuzz run {{ target }} fuzz/corpus/{{ target }} crates/fuzz-targets/corpus/{{ target }} -- -max_total_time={{ seconds }} -timeout=10 -rss_limit_mb=4096

# Licences, sources and banned crates; needs cargo-deny
deny:
    cargo deny check

# Everything that decides whether a change lands
ci:
    bash .ci/run
