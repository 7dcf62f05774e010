//! Writes mails as `.eml` files, for trials or for another program. After a crash a file is complete or missing.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::MailFailure;
use crate::runtime::private_files;

/// Writes a temporary file and renames it: a crash leaves no partial mail, and a repetition replaces the file.
pub(super) fn write(directory: &Path, file_name: &str, bytes: &[u8]) -> Result<(), MailFailure> {
    let beside = directory.join(format!(".{file_name}.part"));
    let put = || -> io::Result<()> {
        fs::create_dir_all(directory)?;
        // A temporary file from before a crash may have other permissions.
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
