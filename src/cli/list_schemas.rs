//! Each command that prints JSON has a JSON Schema in `docs/schemas/`. `tests/it/binary/schemas.rs` compares it with the output.

use std::{collections::BTreeSet, path::Path};

use clap::{Command, CommandFactory};

use super::Cli;

/// Commands whose JSON is one document with a schema of its own.
const ELSEWHERE: [&str; 1] = ["audit report"];

/// The commands with `--format json`.
fn commands(command: &Command, path: &str, found: &mut BTreeSet<String>) {
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name()).trim_start().to_owned();
        let formats = sub.get_arguments().filter(|argument| argument.get_id() == "format");
        let mut values = formats.flat_map(clap::Arg::get_possible_values);
        if values.any(|value| value.get_name() == "json") && !ELSEWHERE.contains(&path.as_str()) {
            found.insert(path.replace(' ', "-"));
        }
        commands(sub, &path, found);
    }
}

#[test]
fn each_command_that_prints_json_has_a_schema_and_each_schema_a_command() {
    let mut wanted = BTreeSet::new();
    commands(&Cli::command(), "", &mut wanted);
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let files = std::fs::read_dir(directory).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> =
        names.filter_map(|name| Some(name.strip_suffix(".schema.json")?.to_owned())).collect();
    assert_eq!(found, wanted);
}
