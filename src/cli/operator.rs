//! Arguments that all verbs of operators share: who acts, and whether the command asks first.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use super::{Failure, Misuse};

/// Who acts.
#[derive(Args)]
pub(super) struct By {
    /// Name of the operator for the record; default: the login name
    #[arg(long, env = "ROSTERD_BY", hide_env_values = true, value_name = "NAME")]
    by: Option<String>,
}

impl By {
    /// The name for the record. Records without a name are not made.
    pub(super) fn name(&self) -> Result<String, Failure> {
        let unknown =
            "the login name is not known here, and the record needs a name: add --by NAME, or set ROSTERD_BY";
        Ok(self.known_name().ok_or_else(|| Misuse(unknown.to_owned()))?)
    }

    /// The name, or `unknown`: for commands that scripts run and that change nobody's access.
    pub(super) fn name_or_unknown(&self) -> String {
        self.known_name().unwrap_or_else(|| "unknown".to_owned())
    }

    /// The name, if it is known.
    pub(super) fn known_name(&self) -> Option<String> {
        let login = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let name = self.by.clone().or_else(login)?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }
}

/// Whether the command asks before it acts.
#[derive(Args)]
pub(super) struct Consent {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Do it only if it concerns exactly this number of people; does not ask
    #[arg(long, value_name = "N")]
    expect: Option<usize>,
}

impl Consent {
    /// The number of people that the operator expects.
    pub(super) fn expected(&self) -> Option<usize> {
        self.expect
    }

    /// Whether the operator has agreed on the command line.
    pub(super) fn is_given(&self) -> bool {
        self.yes || self.expect.is_some()
    }

    /// Asks on a terminal. A script must say `--yes`, or the number of people.
    pub(super) fn ask(&self, question: &str, people: usize) -> Result<(), Failure> {
        if self.is_given() {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(format!(
                "nothing was changed: this concerns {people} people. Add --expect {people}, or --yes for any number"
            )
            .into());
        }
        confirm(question)
    }
}

/// Asks on a terminal, and refuses any other answer than `yes`.
pub(super) fn confirm(question: &str) -> Result<(), Failure> {
    match is_confirmed(question, io::stdin().lock(), io::stderr())? {
        true => Ok(()),
        false => Err("nothing was changed".into()),
    }
}

/// Writes the question and reads one line. Only `yes` confirms; the end of the input does not.
fn is_confirmed(question: &str, mut answers: impl BufRead, mut out: impl Write) -> io::Result<bool> {
    write!(out, "{question} Write yes to go on: ")?;
    out.flush()?;
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_word_confirms() {
        for (answer, confirmed) in [
            ("yes\n", true),
            (" yes \r\n", true),
            ("yes", true),
            ("y\n", false),
            ("no\nyes\n", false),
            ("", false),
        ] {
            let mut asked = Vec::new();
            let is = is_confirmed("Move it?", answer.as_bytes(), &mut asked).unwrap();
            assert_eq!(
                (is, asked.as_slice()),
                (confirmed, &b"Move it? Write yes to go on: "[..]),
                "{answer:?}"
            );
        }
    }
}
