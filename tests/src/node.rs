//! Programs of Node.js that tests start: a folder under `target/` for each, its packages installed once as its `package-lock.json` names
//! them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with all files of `tests/NAME` and the packages that they need.
///
/// # Panics
/// Where npm is missing or cannot install them.
#[must_use]
pub fn installed(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (source, target) = (tests.join(name), tests.parent().expect("the workspace").join("target"));
    let folder = target.join(format!("test-{name}"));
    fs::create_dir_all(&folder).expect("target/");
    // Every test is a process, and several may come here at once.
    let lock = File::create(target.join(format!("test-{name}.lock"))).expect("a lock");
    lock.lock().expect("the lock");
    for file in fs::read_dir(&source).expect("its folder") {
        let file = file.expect("a file");
        let (path, copy) = (file.path(), folder.join(file.file_name()));
        // Another test may be reading it: what is there already stays.
        if path.is_file() && fs::read(&path).expect("the file") != fs::read(&copy).unwrap_or_default() {
            fs::copy(&path, &copy).expect("a copy");
        }
    }
    let wanted = fs::read_to_string(source.join("package-lock.json")).expect("package-lock.json");
    let made_of = folder.join("made-of.json");
    if fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == wanted) {
        return folder;
    }
    let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output();
    let npm = npm.expect("npm runs: install nodejs and npm");
    assert!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
    fs::write(made_of, wanted).expect("made-of.json");
    folder
}
