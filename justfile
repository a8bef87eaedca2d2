# Everyday commands; `just` lists them.

default:
    @just --list

# Everything CI checks without other tools than Rust.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test --workspace

# The main job, end to end.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Writes the Rust code of the contract anew after a change of the protobuf sources.
proto:
    ROOTSTOCK_REGENERATE=1 cargo test -p rootstock-proto checked_in_code

# Lints the contract.
proto-lint:
    cd proto && buf lint

# Lints and renders the chart.
helm:
    helm lint --strict helm/rootstock
    helm template rootstock helm/rootstock > /dev/null
