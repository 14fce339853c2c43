//! The sign-in of `mpanel login`: kept in a file that only its owner can read, and refreshed when its access token is about to end.
//! Several commands at once share it; a lock sees to it that one of them refreshes and the others use what it was given.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::{Failure, Result};
use crate::clock::{Clock, Ms};

/// What is left of an access token when it is exchanged.
const REFRESH_BEFORE: Duration = Duration::from_mins(1);

/// A sign-in as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Saved {
    /// Who signed in.
    pub email: String,
    access_token: String,
    access_expires_at: Ms,
    refresh_token: String,
}

impl Saved {
    /// What the API answered to a sign-in or a refresh of this person.
    pub fn of(email: &str, answer: &Value) -> Option<Self> {
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Some(Self {
            email: email.to_owned(),
            access_token: text("access_token")?,
            access_expires_at: Ms::from_rfc3339(answer["access_expires_at"].as_str()?)?,
            refresh_token: text("refresh_token")?,
        })
    }

    /// Its access token, unless that is about to end.
    pub fn fresh(&self) -> Option<&str> {
        let lasts = self.access_expires_at.since(Clock::system().now());
        (lasts > REFRESH_BEFORE).then_some(self.access_token.as_str())
    }

    /// Its access token, whatever this machine's clock makes of it.
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// For the next access token.
    pub fn refresh_token(&self) -> &str {
        &self.refresh_token
    }
}

/// All sign-ins, by the control plane's URL.
#[derive(Default, Serialize, Deserialize)]
struct All {
    sessions: BTreeMap<String, Saved>,
}

/// Where they are kept.
pub struct Store {
    file: PathBuf,
}

/// While this is held, no other command reads or writes them.
pub struct Locked<'a> {
    store: &'a Store,
    _lock: File,
}

impl Store {
    /// In `$XDG_STATE_HOME/mpanel`, otherwise `~/.local/state/mpanel`. `None`: there is no home to keep anything in.
    pub fn of_user() -> Option<Self> {
        let set = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")))?;
        Some(Self { file: state.join("mpanel/sessions.json") })
    }

    /// The sign-in to this control plane, if there is one.
    pub fn find(&self, url: &str) -> Result<Option<Saved>> {
        Ok(self.read()?.sessions.remove(url))
    }

    /// Waits until no other command holds them.
    pub fn lock(&self) -> Result<Locked<'_>> {
        let path = self.file.with_extension("lock");
        let folder = path.parent().unwrap_or(Path::new("/"));
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| failed(folder, &error))?;
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let lock = opened.map_err(|error| failed(&path, &error))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(&path, &error.into()))?;
        Ok(Locked { store: self, _lock: lock })
    }

    fn read(&self) -> Result<All> {
        let text = match fs::read(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(All::default()),
            Err(error) => return Err(failed(&self.file, &error)),
        };
        serde_json::from_slice(&text).map_err(|error| failed(&self.file, &error.into()))
    }
}

impl Locked<'_> {
    /// The sign-in to this control plane as it is now.
    pub fn find(&self, url: &str) -> Result<Option<Saved>> {
        self.store.find(url)
    }

    /// Keeps it, or forgets it.
    pub fn put(&self, url: &str, saved: Option<Saved>) -> Result<()> {
        let mut all = self.store.read()?;
        match saved {
            Some(saved) => all.sessions.insert(url.to_owned(), saved),
            None => all.sessions.remove(url),
        };
        let file = &self.store.file;
        let draft = file.with_extension("new");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&draft, &error)),
            _ => {}
        }
        let text = serde_json::to_vec_pretty(&all).map_err(|error| failed(file, &error.into()))?;
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut out| out.write_all(&text).and_then(|()| out.sync_all()))
            .and_then(|()| fs::rename(&draft, file));
        written.map_err(|error| failed(file, &error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Failed(format!("{}, where sign-ins are kept, cannot be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_sign_in_is_kept_for_its_owner_alone_and_by_its_url() {
        let folder = env::temp_dir().join(format!("mpanel-sessions-{}", uuid::Uuid::new_v4()));
        let store = Store { file: folder.join("mpanel/sessions.json") };
        assert!(store.find("http://a/").unwrap().is_none());
        let until = Clock::system().now().plus(Duration::from_mins(10)).to_rfc3339();
        let answer = json!({"access_token": "a", "access_expires_at": until, "refresh_token": "r"});
        let saved = Saved::of("ann@example.net", &answer).unwrap();
        store.lock().unwrap().put("http://a/", Some(saved)).unwrap();
        let found = store.find("http://a/").unwrap().unwrap();
        assert_eq!((found.email.as_str(), found.fresh(), found.refresh_token()), ("ann@example.net", Some("a"), "r"));
        assert!(store.find("http://b/").unwrap().is_none());
        assert_eq!(fs::metadata(&store.file).unwrap().permissions().mode() & 0o777, 0o600);
        store.lock().unwrap().put("http://a/", None).unwrap();
        assert!(store.find("http://a/").unwrap().is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
