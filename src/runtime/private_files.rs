//! Files with personal data: only this user may read them.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

const ONLY_THIS_USER: u32 = 0o600;

/// Creates or truncates a file. An existing file retains its mode.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(ONLY_THIS_USER).open(path)
}

/// Creates an empty file. Returns false when it exists; an existing file is not opened.
pub(crate) fn create_new(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).mode(ONLY_THIS_USER).open(path) {
        Ok(_closed) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    create(path)?.write_all(text.as_bytes())
}

pub(crate) fn create_directories(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_this_user_may_read_what_is_made() {
        let home = tempfile::tempdir().unwrap();
        let (written, empty, inner) =
            (home.path().join("written"), home.path().join("empty"), home.path().join("a/b"));

        write(&written, "a name").unwrap();
        assert!(create_new(&empty).unwrap());
        assert!(!create_new(&empty).unwrap());
        create_directories(&inner).unwrap();

        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&written), mode(&empty), mode(&inner)), (0o600, 0o600, 0o700));
    }
}
