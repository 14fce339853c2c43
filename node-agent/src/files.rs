//! Files that only the agent may read, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Writes a file of mode 0600 so that after a crash there is either the old or the new one: to a temporary file beside it, fsync,
/// rename, fsync of the directory. Run by root, the file gets the directory's owner: enrolment is done by root, the daemon is not root.
pub fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = directory_of(path)?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".new-{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let outcome = write_synced(&temporary, text).and_then(|()| {
        adopt_owner(&temporary, directory)?;
        fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    });
    if outcome.is_err() {
        // The cause is what counts; the leftover is overwritten by the next try.
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

fn write_synced(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Opens a database file for reading and writing, making it with mode 0600.
pub fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    adopt_owner(path, directory_of(path)?)?;
    Ok(file)
}

/// Makes a directory of mode 0700 where there is none.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

fn adopt_owner(path: &Path, directory: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (file, owner) = (fs::metadata(path)?, fs::metadata(directory)?);
    if (file.uid(), file.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}

fn directory_of(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file")),
    }
}

/// Whether others than the owner may read the file: a secret in it is no secret then.
pub fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o007 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_replaced_whole_and_stays_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a temporary file was left behind");
        assert!(!is_open_to_others(&path).unwrap());
    }

    #[test]
    fn a_directory_that_is_missing_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(write_private(&directory.path().join("none/secret"), b"x").is_err());
    }
}
