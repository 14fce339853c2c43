//! The agent's memory: every command it accepted and has not been told to forget, in a small database beside it.
//!
//! ```text
//! accepted ──▶ called ──▶ started (UPID) ──▶ finished ──▶ acknowledged ──▶ pruned
//!                 ▲            │ a step of several
//!                 └────────────┘
//! ```
//! Each arrow is a commit that is on disk before the next thing happens. `called` is written before Proxmox is called, so that after a
//! crash it is known what may have been started and must be looked up. Acknowledged entries stay for a day: a repetition that was on
//! its way while the acknowledgement came is answered instead of run. Passwords, tokens and SSH keys are never written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message;
use proto::agent::v1::{CommandResult, RunCommand, run_command::Kind};
use redb::{Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, ReadableTable, StorageError, TableDefinition};
use uuid::Uuid;

use crate::clock::now_ms;
use crate::files;
use crate::proxmox::Upid;

const FILE: &str = "ledger.redb";
const COMMANDS: TableDefinition<u128, &[u8]> = TableDefinition::new("commands");
const META: TableDefinition<&str, i64> = TableDefinition::new("meta");
/// When the ledger was begun, by the host's clock, Unix milliseconds: it knows nothing of what was done before.
const BORN: &str = "born_ms";
/// The database keeps pages in memory up to this.
const CACHE_BYTES_MAX: usize = 1 << 20;
/// With less free space than this no command is accepted: what runs must still be able to write its end.
pub(crate) const FREE_MIB_MIN: u64 = 16;

/// One command, as far as it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The command's id.
    pub id: Uuid,
    /// Whose claim is answered: the highest that was heard.
    pub epoch: u64,
    /// The pod.
    pub pod_id: Uuid,
    /// The VM.
    pub vmid: u32,
    /// What was asked for, without secrets.
    pub command: Public,
    /// When it was accepted, by the host's clock.
    pub accepted_ms: i64,
    /// When it is given up, by the host's clock.
    pub deadline_ms: i64,
    /// How far it has come.
    pub state: State,
    /// Its pod was declared lost here: it is only ended, also after a restart.
    pub fenced: bool,
}

/// How far a command has come.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Written down; Proxmox was not called, or the last step ended well and the next was not begun.
    Accepted,
    /// Proxmox is being called: something may have been started.
    Called {
        /// When, by the host's clock.
        at_ms: i64,
    },
    /// A Proxmox task runs or ran.
    Started {
        /// Which.
        upid: Upid,
        /// It is not the last one of this command.
        step: bool,
        /// When Proxmox was called, by the host's clock.
        called_ms: i64,
    },
    /// It is over and the control plane does not know yet.
    Finished(Box<CommandResult>),
    /// It is over and the control plane knows.
    Acknowledged {
        /// Since when, by the host's clock.
        at_ms: i64,
        /// What came of it.
        result: Box<CommandResult>,
    },
}

impl Entry {
    /// Whether work is left to do.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Accepted | State::Called { .. } | State::Started { .. })
    }

    /// What came of it, once it is over.
    pub fn result(&self) -> Option<&CommandResult> {
        match &self.state {
            State::Finished(result) | State::Acknowledged { result, .. } => Some(result),
            State::Accepted | State::Called { .. } | State::Started { .. } => None,
        }
    }
}

/// A command's parameters without secrets: enough to find and follow what it started, not always enough to begin it again.
#[derive(Clone, PartialEq)]
pub struct Public(RunCommand);

impl Public {
    /// Leaves the secrets out.
    pub fn of(command: &RunCommand) -> Self {
        let mut command = command.clone();
        match &mut command.kind {
            Some(Kind::Configure(configure) | Kind::ConfigureExactly(configure)) => {
                configure.password.clear();
                configure.ssh_keys.clear();
            }
            Some(Kind::SetPassword(set)) => set.password.clear(),
            Some(Kind::RemoteMigrate(remote)) => remote.target_token.clear(),
            _ => {}
        }
        Self(command)
    }

    /// The parameters.
    pub fn command(&self) -> &RunCommand {
        &self.0
    }
}

impl std::fmt::Debug for Public {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::convert::kind_name(&self.0))
    }
}

/// An entry as it is on disk. Fields are only added.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(message, optional, tag = "1")]
    command: Option<RunCommand>,
    #[prost(uint64, tag = "2")]
    epoch: u64,
    #[prost(int64, tag = "3")]
    accepted_ms: i64,
    #[prost(int64, tag = "4")]
    deadline_ms: i64,
    #[prost(int64, tag = "5")]
    called_ms: i64,
    #[prost(string, tag = "6")]
    upid: String,
    #[prost(bool, tag = "7")]
    step: bool,
    #[prost(message, optional, tag = "8")]
    result: Option<CommandResult>,
    #[prost(int64, tag = "9")]
    acknowledged_ms: i64,
    #[prost(bool, tag = "10")]
    fenced: bool,
}

impl Record {
    fn of(entry: &Entry) -> Self {
        let mut record = Self {
            command: Some(entry.command.0.clone()),
            epoch: entry.epoch,
            accepted_ms: entry.accepted_ms,
            deadline_ms: entry.deadline_ms,
            fenced: entry.fenced,
            ..Self::default()
        };
        match &entry.state {
            State::Accepted => {}
            State::Called { at_ms } => record.called_ms = *at_ms,
            State::Started { upid, step, called_ms } => {
                record.called_ms = *called_ms;
                upid.as_str().clone_into(&mut record.upid);
                record.step = *step;
            }
            State::Finished(result) => record.result = Some((**result).clone()),
            State::Acknowledged { at_ms, result } => {
                record.acknowledged_ms = *at_ms;
                record.result = Some((**result).clone());
            }
        }
        record
    }

    fn into_entry(self, id: Uuid) -> Result<Entry, String> {
        let command = self.command.ok_or("a command without content")?;
        let pod_id = Uuid::parse_str(&command.pod_id).map_err(|e| format!("a command's pod: {e}"))?;
        let state = match (self.result, self.upid.as_str(), self.called_ms) {
            (Some(result), ..) if self.acknowledged_ms != 0 => {
                State::Acknowledged { at_ms: self.acknowledged_ms, result: Box::new(result) }
            }
            (Some(result), ..) => State::Finished(Box::new(result)),
            (None, "", 0) => State::Accepted,
            (None, "", at_ms) => State::Called { at_ms },
            (None, upid, called_ms) => {
                State::Started { upid: upid.parse().map_err(|e| format!("{e}"))?, step: self.step, called_ms }
            }
        };
        Ok(Entry {
            id,
            epoch: self.epoch,
            pod_id,
            vmid: command.vmid,
            command: Public(command),
            accepted_ms: self.accepted_ms,
            deadline_ms: self.deadline_ms,
            state,
            fenced: self.fenced,
        })
    }
}

/// Why the ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the ledger {0} is in use: another mpanel-agent runs with this state directory")]
    InUse(PathBuf),
    /// What is in it cannot be read.
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    /// The disk refuses.
    #[error("the ledger cannot be opened: {0}")]
    Unusable(String),
}

/// The database. All methods wait for the disk: call them where blocking is allowed, or through [`Ledger::write`] and its like.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    database: Mutex<Option<Database>>,
    error: Mutex<Option<String>>,
    born_ms: AtomicI64,
}

/// What was found when the ledger was opened.
#[derive(Debug, Default)]
pub struct Opened {
    /// All that it holds.
    pub entries: Vec<Entry>,
    /// Where a damaged ledger was put, when a new one had to be begun.
    pub set_aside: Option<PathBuf>,
}

impl Ledger {
    /// Opens the ledger in this directory, or begins one. A damaged one is put aside under another name and a new one begun. Where the
    /// disk refuses, the ledger is there, accepts nothing and says why: see [`Self::error`] and [`Self::revive`].
    ///
    /// # Errors
    /// Only when another process has it.
    pub async fn open(directory: &Path) -> Result<(Self, Opened), OpenError> {
        let inner = Inner {
            directory: directory.to_owned(),
            database: Mutex::new(None),
            error: Mutex::new(None),
            born_ms: AtomicI64::new(0),
        };
        let ledger = Self(Arc::new(inner));
        let opened = match ledger.blocking(Inner::open).await {
            Ok(opened) => opened,
            Err(error @ OpenError::InUse(_)) => return Err(error),
            Err(error) => {
                ledger.0.note(Some(error.to_string()));
                Opened::default()
            }
        };
        Ok((ledger, opened))
    }

    /// Writes an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn write(&self, entry: Entry) -> Result<(), String> {
        self.blocking(move |inner| inner.commit(&[entry], &[])).await
    }

    /// Removes entries.
    ///
    /// # Errors
    /// Why they are still there.
    pub async fn remove(&self, ids: Vec<Uuid>) -> Result<(), String> {
        self.blocking(move |inner| inner.commit(&[], &ids)).await
    }

    /// When this ledger was begun, by the host's clock, Unix milliseconds. What was done before it may have been forgotten, whether an
    /// earlier ledger was damaged, removed, or there was none.
    pub fn born_ms(&self) -> i64 {
        self.0.born_ms.load(Ordering::Relaxed)
    }

    /// Why no command can be accepted; `None` when the ledger is well.
    pub fn error(&self) -> Option<String> {
        if let Some(error) = self.0.error.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Some(error);
        }
        match self.free_mib() {
            Ok(free) if free < FREE_MIB_MIN => {
                Some(format!("only {free} MiB are free in {}; {FREE_MIB_MIN} are needed", self.0.directory.display()))
            }
            Ok(_) => None,
            Err(error) => Some(error),
        }
    }

    /// Tries a ledger that failed once more and writes all that is `known` into it before it counts as well: the file may be a new one.
    /// Returns its entries when it could not be opened before, or was lost, and now can.
    pub async fn revive(&self, known: Vec<Entry>) -> Option<Opened> {
        self.blocking(move |inner| {
            inner.error()?;
            match inner.reopen(&known) {
                Ok(opened) => {
                    inner.note(None);
                    opened
                }
                Err(error) => {
                    inner.note(Some(error.to_string()));
                    None
                }
            }
        })
        .await
    }

    /// Free space where the ledger is.
    ///
    /// # Errors
    /// When the file system does not tell.
    pub fn free_mib(&self) -> Result<u64, String> {
        free_mib(&self.0.directory)
    }

    async fn blocking<T: Send + 'static + FromPanic>(&self, work: impl FnOnce(&Inner) -> T + Send + 'static) -> T {
        let inner = self.0.clone();
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(value) => value,
            Err(error) => T::from_panic(&error.to_string()),
        }
    }
}

/// Free space in the file system of a directory, as far as an ordinary user may take it.
///
/// # Errors
/// When the file system does not tell.
pub fn free_mib(directory: &Path) -> Result<u64, String> {
    let stat = rustix::fs::statvfs(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize)) >> 20)
}

/// What to say when the database itself fails badly: it panics on some damage.
trait FromPanic {
    fn from_panic(text: &str) -> Self;
}

impl<T> FromPanic for Result<T, String> {
    fn from_panic(text: &str) -> Self {
        Err(format!("the ledger's database failed: {text}"))
    }
}

impl<T> FromPanic for Result<T, OpenError> {
    fn from_panic(text: &str) -> Self {
        Err(OpenError::Unusable(text.to_owned()))
    }
}

impl<T> FromPanic for Option<T> {
    fn from_panic(_: &str) -> Self {
        None
    }
}

impl Inner {
    fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, error: Option<String>) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn open(&self) -> Result<Opened, OpenError> {
        let path = self.path();
        let load = || std::panic::catch_unwind(|| load(&path)).unwrap_or_else(|_| damaged("its structure is broken"));
        let (database, held, set_aside) = match load() {
            Ok((database, held)) => (database, held, None),
            Err(OpenError::Damaged(cause)) => {
                let aside = self.directory.join(format!("{FILE}.damaged-{}", now_ms()));
                fs::rename(&path, &aside)
                    .map_err(|e| OpenError::Unusable(format!("{cause}; putting it aside: {e}")))?;
                tracing::error!(aside = %aside.display(), %cause, "the ledger was damaged; it was put aside and a new one begun");
                let (database, held) = load()?;
                (database, held, Some(aside))
            }
            Err(error) => return Err(error),
        };
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = Some(database);
        self.born_ms.store(held.born_ms, Ordering::Relaxed);
        Ok(Opened { entries: held.entries, set_aside })
    }

    /// After an error on the disk a database answers nothing more until it is opened anew.
    fn reopen(&self, known: &[Entry]) -> Result<Option<Opened>, OpenError> {
        let had = self.database.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
        let opened = self.open()?;
        self.commit(known, &[]).map_err(OpenError::Unusable)?;
        // What a ledger holds that was open before is known already.
        Ok(if had && opened.set_aside.is_none() { None } else { Some(opened) })
    }

    fn commit(&self, put: &[Entry], remove: &[Uuid]) -> Result<(), String> {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match database.as_ref() {
            None => Err(self.error().unwrap_or_else(|| "the ledger is not open".to_owned())),
            Some(database) => commit(database, put, remove).map_err(|error| {
                let text = || format!("{} cannot be written: {error}", self.path().display());
                match error {
                    // Of what it could not do before: that is the cause to tell.
                    redb::Error::PreviousIo => self.error().unwrap_or_else(text),
                    _ => text(),
                }
            }),
        };
        if let Err(error) = &outcome {
            self.note(Some(error.clone()));
        }
        outcome
    }
}

fn damaged<T>(cause: &str) -> Result<T, OpenError> {
    Err(OpenError::Damaged(cause.to_owned()))
}

fn commit(database: &Database, put: &[Entry], remove: &[Uuid]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(COMMANDS)?;
        for entry in put {
            table.insert(entry.id.as_u128(), Record::of(entry).encode_to_vec().as_slice())?;
        }
        for id in remove {
            table.remove(id.as_u128())?;
        }
    }
    // redb's default durability: on disk when this returns.
    transaction.commit()?;
    Ok(())
}

/// What a ledger holds.
struct Held {
    entries: Vec<Entry>,
    born_ms: i64,
}

fn load(path: &Path) -> Result<(Database, Held), OpenError> {
    let unusable = |cause: String| OpenError::Unusable(format!("{}: {cause}", path.display()));
    let file = files::open_private(path).map_err(|e| unusable(e.to_string()))?;
    let database =
        Database::builder().set_cache_size(CACHE_BYTES_MAX).create_file(file).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path.to_owned()),
            DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof => OpenError::Damaged(error.to_string()),
                _ => unusable(error.to_string()),
            },
            other => OpenError::Damaged(other.to_string()),
        })?;
    let entries = read_all(&database).map_err(OpenError::Damaged)?;
    let born_ms = match born(&database).map_err(|e| OpenError::Damaged(e.to_string()))? {
        Some(born_ms) => born_ms,
        None => begin(&database).map_err(|e| unusable(e.to_string()))?,
    };
    Ok((database, Held { entries, born_ms }))
}

fn born(database: &Database) -> Result<Option<i64>, redb::Error> {
    let transaction = database.begin_read()?;
    match transaction.open_table(META) {
        Ok(table) => Ok(table.get(BORN)?.map(|born_ms| born_ms.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes down that this ledger begins now.
fn begin(database: &Database) -> Result<i64, redb::Error> {
    let born_ms = now_ms();
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(BORN, born_ms)?;
    transaction.commit()?;
    Ok(born_ms)
}

/// Reads the ledger in this directory and changes nothing: not a damaged one, and not one that a running agent has.
/// `None` when there is none yet.
///
/// # Errors
/// When it is in use, is damaged, or cannot be read.
pub fn peek(directory: &Path) -> Result<Option<Vec<Entry>>, OpenError> {
    let path = directory.join(FILE);
    let unusable = |cause: String| OpenError::Unusable(format!("{}: {cause}", path.display()));
    if !path.try_exists().map_err(|e| unusable(e.to_string()))? {
        return Ok(None);
    }
    let direct = std::panic::catch_unwind(|| match ReadOnlyDatabase::open(&path) {
        Err(DatabaseError::DatabaseAlreadyOpen) => Err(OpenError::InUse(path.clone())),
        Ok(database) => read_all(&database).map_err(OpenError::Damaged),
        Err(error) => Err(OpenError::Damaged(error.to_string())),
    });
    match direct {
        Ok(Ok(entries)) => return Ok(Some(entries)),
        Ok(Err(error @ OpenError::InUse(_))) => return Err(error),
        Ok(Err(_)) | Err(_) => {}
    }
    // After a crash a ledger is mended as it is opened: whether it can be is tried on a copy.
    let copy = directory.join(format!("{FILE}.copy-{}", std::process::id()));
    let read =
        fs::read(&path).and_then(|bytes| files::write_private(&copy, &bytes)).map_err(|e| unusable(e.to_string()));
    let entries = read
        .and_then(|()| std::panic::catch_unwind(|| load(&copy)).unwrap_or_else(|_| damaged("its structure is broken")));
    match fs::remove_file(&copy) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(error.to_string())),
        Ok(()) | Err(_) => {}
    }
    entries.map(|(_, held)| Some(held.entries))
}

/// Puts the ledger in this directory aside under another name; the next one begins empty. `None` when there is none.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(directory: &Path, why: &str) -> Result<Option<PathBuf>, std::io::Error> {
    let aside = directory.join(format!("{FILE}.{why}-{}", now_ms()));
    match fs::rename(directory.join(FILE), &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_all(database: &impl ReadableDatabase) -> Result<Vec<Entry>, String> {
    let transaction = database.begin_read().map_err(|e| e.to_string())?;
    let table = match transaction.open_table(COMMANDS) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut entries = Vec::new();
    for row in table.iter().map_err(|e| e.to_string())? {
        let (key, value) = row.map_err(|e| e.to_string())?;
        let record = Record::decode(value.value()).map_err(|e| e.to_string())?;
        entries.push(record.into_entry(Uuid::from_u128(key.value()))?);
    }
    Ok(entries)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
