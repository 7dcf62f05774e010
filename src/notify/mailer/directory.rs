//! Mails as files, for trials and for whoever picks them up: `.eml`, whole or not there at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::MailFailure;
use crate::runtime::private_files;

/// Written beside, then renamed: a crash leaves no half mail, and a repeat replaces what it repeats.
pub(super) fn write(directory: &Path, file_name: &str, bytes: &[u8]) -> Result<(), MailFailure> {
    let beside = directory.join(format!(".{file_name}.part"));
    let put = || -> io::Result<()> {
        fs::create_dir_all(directory)?;
        // A part that a crash has left may have another mode.
        drop(fs::remove_file(&beside));
        let mut file = private_files::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, directory.join(file_name))
    };
    put().map_err(|error| failed(directory, &error))
}

pub(super) fn check(directory: &Path) -> Result<(), MailFailure> {
    let probe = directory.join(format!(".rosterd-check-{}", std::process::id()));
    fs::create_dir_all(directory)
        .and_then(|()| File::create(&probe))
        .and_then(|_| fs::remove_file(&probe))
        .map_err(|error| failed(directory, &error))
}

fn failed(directory: &Path, error: &io::Error) -> MailFailure {
    MailFailure::new(format!(
        "{} cannot be written: {error}; make it a directory of this user",
        directory.display()
    ))
}
