#!/usr/bin/env bash
# crates.io lettre 0.11.23 (cargo 1.95, seen on 2026-11-27):
#
# `Address` accepts a domain literal (`it@[192.0.2.1]`) and a quoted local part with a blank, both valid by RFC 5321 4.1.2 and 4.1.3.
# `MessageBuilder::to` accepts the address too. `MessageBuilder::body` then refuses the whole message with "missing destination
# address, invalid envelope", although another recipient is an ordinary one: it takes the envelope from the header `To` that it has written,
# and its parser of that header does not know these forms. The same message is built when the envelope is given explicitly.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2024"

[dependencies]
lettre = { version = "=0.11.23", default-features = false, features = ["builder"] }
TOML
cat > src/main.rs <<'RUST'
use lettre::{Address, Message, address::Envelope};

fn main() {
    let ordinary: Address = "noor@lumen.example".parse().unwrap();
    for text in ["it@lumen.example", "it@[192.0.2.1]", "\"noor vale\"@lumen.example"] {
        let address: Address = text.parse().unwrap();
        let builder = || {
            Message::builder()
                .from("rosterd@sender.example".parse().unwrap())
                .to(ordinary.clone().into())
                .to(address.clone().into())
        };
        let derived = match builder().body(String::from("text")) {
            Ok(message) => format!("{} recipients", message.envelope().to().len()),
            Err(error) => error.to_string(),
        };
        let envelope = Envelope::new(None, vec![ordinary.clone(), address.clone()]).unwrap();
        let explicit = builder().envelope(envelope).body(String::from("text")).unwrap();
        println!("{text}: {derived}; {} recipients with an explicit envelope", explicit.envelope().to().len());
    }
}
RUST
cargo run --quiet > seen

diff - seen <<'EXPECTED' && echo "unchanged" && cat seen
it@lumen.example: 2 recipients; 2 recipients with an explicit envelope
it@[192.0.2.1]: missing destination address, invalid envelope; 2 recipients with an explicit envelope
"noor vale"@lumen.example: missing destination address, invalid envelope; 2 recipients with an explicit envelope
EXPECTED
