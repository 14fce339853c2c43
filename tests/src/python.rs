//! Programs in Python that tests start: a virtual environment under `target/`, made once with what `tests/requirements.txt` names.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of the environment, which is made if it is not there yet.
///
/// # Panics
/// Where it can neither be found nor made.
#[must_use]
pub fn python() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = tests.parent().expect("the workspace").join("target");
    let (wanted, folder) = (tests.join("requirements.txt"), target.join("test-python"));
    let requirements = fs::read_to_string(&wanted).expect("requirements.txt");
    let (python, made_of) = (folder.join("bin/python"), folder.join("made-of.txt"));
    fs::create_dir_all(&target).expect("target/");
    // Every test is a process, and several may come here at once.
    let lock = File::create(target.join("test-python.lock")).expect("a lock");
    lock.lock().expect("the lock");
    if fs::read_to_string(&made_of).is_ok_and(|made_of| made_of == requirements) {
        return python;
    }
    let run = |program: &Path, args: &[&str]| {
        let name = program.display();
        let done = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(done.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    run(Path::new("python3"), &["-m", "venv", "--clear", folder.to_str().expect("a path")]);
    run(&python, &["-m", "pip", "install", "--quiet", "--no-deps", "-r", wanted.to_str().expect("a path")]);
    fs::write(&made_of, requirements).expect("made-of.txt");
    python
}
