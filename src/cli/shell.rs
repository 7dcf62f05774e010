//! `completions` and `man`: files for shells and for `man`, from the definitions of the commands.

use std::process::ExitCode;

use clap::{Args, Command};

use super::{Failure, output::say};

#[derive(Args)]
pub struct Shell {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn completions(mut command: Command, of: &Shell) -> Result<ExitCode, Failure> {
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(of.shell, &mut command, name, &mut script);
    say(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}

/// One page with all commands.
pub(super) fn man(mut command: Command) -> Result<ExitCode, Failure> {
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for verb in command.get_subcommands() {
        section(verb, &mut page)?;
    }
    say(&String::from_utf8(page)?)?;
    Ok(ExitCode::SUCCESS)
}

/// A section for a command, and one for each command within it.
fn section(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    if command.is_hide_set() || command.get_name() == "help" {
        return Ok(());
    }
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    page.extend_from_slice(format!(".SH \"{name}\"\n").as_bytes());
    let man = clap_mangen::Man::new(command.clone());
    man.render_description_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_options_section(page)?;
    for verb in command.get_subcommands() {
        section(verb, page)?;
    }
    Ok(())
}
