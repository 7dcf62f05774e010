# Commands for contributors. `just` lists them.

# List the commands
default:
    @just --list

# Show the main job with three invented tenants
demo:
    cargo run -- demo

# Run every test on SQLite and PostgreSQL; arguments are nextest's
test *arguments:
    tests/run {{ arguments }}

# Run the tests without PostgreSQL
test-sqlite *arguments:
    tests/run --sqlite-only {{ arguments }}

# Check format and lints
lint:
    cargo fmt --all --check
    cargo clippy --all-targets --features failpoints --locked -- -D warnings

# Check licences and advisories of all crates (needs cargo-deny)
deny:
    cargo deny check

# Build the documentation
doc:
    cargo doc --no-deps --document-private-items

# Check everything that a change must pass
ci:
    .ci/run

# Compare the speed with handlers written by hand
bench *arguments:
    benches/run {{ arguments }}

# Accept changed snapshots after looking at each (needs cargo-insta)
snapshots:
    cargo insta review
