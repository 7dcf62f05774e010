//! `completions` and `man`: files for shells and for `man`, from the definitions of the commands.

use std::process::ExitCode;

use clap::{Args, Command};
use clap_mangen::Man;

use super::{Failure, output::print_text};

#[derive(Args)]
pub struct Shell {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn completions(mut command: Command, of: &Shell) -> Result<ExitCode, Failure> {
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(of.shell, &mut command, name, &mut script);
    print_text(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}

/// One page with a section for each command.
pub(super) fn man(mut command: Command) -> Result<ExitCode, Failure> {
    command = command.disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_options_section(&mut page)?;
    command.get_subcommands().try_for_each(|verb| section(verb, &mut page))?;
    man.render_version_section(&mut page)?;
    print_text(&String::from_utf8(page)?)?;
    Ok(ExitCode::SUCCESS)
}

/// A section for a command, and one for each command within it.
fn section(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    let mut body = Vec::new();
    let man = Man::new(command.clone());
    man.render_description_section(&mut body)?;
    man.render_synopsis_section(&mut body)?;
    man.render_options_section(&mut body)?;
    // Below the command, the usual sections are parts of it.
    let body = String::from_utf8_lossy(&body).replace("\n.SH ", "\n.SS ");
    let body = body.strip_prefix(".SH ").map_or(body.clone(), |rest| format!(".SS {rest}"));
    page.extend_from_slice(format!(".SH \"{name}\"\n{body}").as_bytes());
    command.get_subcommands().try_for_each(|verb| section(verb, page))
}
