//! The configuration: a TOML file, overridden by the environment. `deploy/mpanel.toml` is its annotated default.

mod http;
mod pods;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

pub use crate::clock::parse_duration;
use crate::domain::backups::service::Limits;
use crate::domain::drift::Policy;
use crate::domain::jobs::Pace;
use crate::domain::{mail, oidc, users, webhooks};
use crate::error::{Error, FieldError, Result};
use crate::grpc;

pub use self::http::Http;
pub use pods::{Consoles, Media};

/// The annotated default configuration, as `mpanel config` prints it.
pub const ANNOTATED: &str = include_str!("../../deploy/mpanel.toml");

/// Read when no file is named, if it exists.
pub const DEFAULT_FILE: &str = "/etc/mpanel/mpanel.toml";

/// `MPANEL__HTTP__LISTEN` overrides `[http] listen`.
const ENVIRONMENT_PREFIX: &str = "MPANEL__";

/// Overrides `[people] platform_owner_email`.
const PLATFORM_OWNER: &str = "PLATFORM_OWNER_EMAIL";

/// Where things lie that have no place beside an SQLite file.
const STATE_DIRECTORY: &str = "/var/lib/mpanel";

/// All of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long requests and agents' sessions may take to end when the process is told to stop.
    #[serde(deserialize_with = "duration")]
    pub shutdown_grace: Duration,
    /// `[database]`
    pub database: Database,
    /// `[secrets]`
    pub secrets: Secrets,
    /// `[http]`
    pub http: Http,
    /// `[people]`
    pub people: users::Config,
    /// `[agents]`
    pub agents: grpc::Config,
    /// `[jobs]`
    pub jobs: Jobs,
    /// `[snapshots]`
    pub snapshots: Snapshots,
    /// `[moves]`
    pub moves: Moves,
    /// `[backups]`
    pub backups: Backups,
    /// `[consoles]`
    pub consoles: Consoles,
    /// `[media]`
    pub media: Media,
    /// `[drift]`
    pub drift: Drift,
    /// `[webhooks]`
    pub webhooks: webhooks::Config,
    /// `[mail]`
    pub mail: mail::Config,
    /// `[[oidc]]`, each a provider.
    pub oidc: Vec<oidc::Config>,
    /// `[log]`
    pub log: Log,
}

/// `[database]`: where everything is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:///path/to/file.db` or `postgres://user:password@host/name`.
    pub url: String,
}

/// `[secrets]`: the key under which secrets in the database are sealed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// The file with the key; made when it does not exist. `None`: `secret.key` beside the database.
    pub key_file: Option<PathBuf>,
}

/// `[jobs]`: how the engine is paced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jobs {
    /// A claim that is not renewed for so long is anybody's.
    #[serde(deserialize_with = "duration")]
    pub lease: Duration,
    /// The wait before the second try of a step; it doubles up to `retry_max`.
    #[serde(deserialize_with = "duration")]
    pub retry_first: Duration,
    /// The longest wait between two tries.
    #[serde(deserialize_with = "duration")]
    pub retry_max: Duration,
    /// How many jobs one claim takes.
    pub claim_batch: u32,
    /// How many commands may be out at one agent.
    pub per_server: u32,
    /// How many jobs of one tenant may run at once.
    pub per_tenant: u32,
    /// How many orders that copy disks may strain one storage at once.
    pub per_storage: u32,
}

/// `[snapshots]`: snapshots of pods' VMs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Snapshots {
    /// The most that one pod may have.
    pub per_pod: u32,
}

/// `[moves]`: how pods are moved between servers, one by one or by a drain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Moves {
    /// What one move may use of the network, in MiB/s; 0: Proxmox's own limit.
    pub bandwidth_mibps: u64,
    /// How many pods a drain moves off its server at once.
    pub at_once: u32,
    /// How many of a drain's pods go to the same server at once.
    pub per_target: u32,
    /// How often a drain tries to move a pod, each time to another server, before it is a blocker.
    pub tries_max: u32,
}

/// `[backups]`: backups of pods.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backups {
    /// The most that one pod may have.
    pub per_pod: u32,
    /// How long those of a destroyed pod that are not protected are kept.
    #[serde(deserialize_with = "duration")]
    pub after_destroy: Duration,
}

/// `[drift]`: what hosts show against what is wanted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// How long a difference has to last before it counts.
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
    /// Start and stop pods by itself as they are wanted.
    pub heal_power: bool,
    /// Set pods' network cards and firewalls again by itself as they are wanted.
    pub heal_network: bool,
    /// How often that is tried for one difference.
    pub heal_tries: u32,
}

/// `[log]`: what is logged, on standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`, or by module: `info,control_plane::http=debug`.
    pub filter: String,
    /// For people or for programs.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shutdown_grace: Duration::from_secs(20),
            database: Database::default(),
            secrets: Secrets::default(),
            http: Http::default(),
            people: users::Config::default(),
            agents: grpc::Config::default(),
            jobs: Jobs::default(),
            media: Media::default(),
            drift: Drift::default(),
            snapshots: Snapshots::default(),
            moves: Moves::default(),
            backups: Backups::default(),
            consoles: Consoles::default(),
            webhooks: webhooks::Config::default(),
            mail: mail::Config::default(),
            oidc: Vec::new(),
            log: Log::default(),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: format!("sqlite://{STATE_DIRECTORY}/mpanel.db") }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        let Pace { lease, retry_first, retry_max, claim_batch, per_server, per_tenant, per_storage } = Pace::default();
        Self { lease, retry_first, retry_max, claim_batch, per_server, per_tenant, per_storage }
    }
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { per_pod: 8 }
    }
}

impl Default for Moves {
    fn default() -> Self {
        Self { bandwidth_mibps: 0, at_once: 4, per_target: 2, tries_max: 3 }
    }
}

impl Default for Backups {
    fn default() -> Self {
        Self { per_pod: 64, after_destroy: Duration::from_hours(30 * 24) }
    }
}

impl Default for Drift {
    fn default() -> Self {
        let Policy { grace, heal_power, heal_network, heal_tries } = Policy::default();
        Self { grace, heal_power, heal_network, heal_tries }
    }
}

impl Drift {
    /// As the slice wants it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let Self { grace, heal_power, heal_network, heal_tries } = *self;
        Policy { grace, heal_power, heal_network, heal_tries }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Jobs {
    /// As the engine wants it.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let Self { lease, retry_first, retry_max, claim_batch, per_server, per_tenant, per_storage } = *self;
        Pace { lease, retry_first, retry_max, claim_batch, per_server, per_tenant, per_storage }
    }
}

impl Backups {
    /// As the slice wants it.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let Self { per_pod, after_destroy } = *self;
        Limits { per_pod, after_destroy }
    }
}

impl Config {
    /// Reads `file`, or the default one if there is one, then what the environment overrides, and checks all of it.
    pub fn load(file: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let default = Path::new(DEFAULT_FILE);
        let file = file.or_else(|| default.exists().then_some(default));
        let text = match file {
            None => String::new(),
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| Error::invalid(file.display().to_string(), format!("cannot be read: {error}")))?,
        };
        let name = file.map_or_else(|| "the configuration".to_owned(), |file| file.display().to_string());
        let config = Self::parse(&name, &text, environment)?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(Error::Invalid(problems)) }
    }

    fn parse(name: &str, text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        // As text first, because only then can an error say which line.
        let mut config: Self = toml::from_str(text).map_err(|error| explain(name, text, &error))?;
        let mut table: toml::Table = toml::from_str(text).map_err(|error| explain(name, text, &error))?;
        let renamed = |(name, value): (String, String)| match name.as_str() {
            PLATFORM_OWNER => (format!("{ENVIRONMENT_PREFIX}PEOPLE__PLATFORM_OWNER_EMAIL"), value),
            _ => (name, value),
        };
        let environment = environment.into_iter().map(renamed);
        let mut overrides: Vec<_> = environment.filter(|(k, _)| k.starts_with(ENVIRONMENT_PREFIX)).collect();
        overrides.sort();
        for (variable, value) in overrides {
            (config, table) = overridden(&table, &variable, &value)?;
        }
        Ok(config)
    }

    /// What is wrong with it, field by field.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut require = |ok: bool, field: &str, message: &str| {
            if !ok {
                problems.push(FieldError { field: field.to_owned(), message: message.to_owned() });
            }
        };
        let url = &self.database.url;
        require(
            ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme)),
            "database.url",
            "must start with sqlite: or postgres:, e.g. sqlite:///var/lib/mpanel/mpanel.db",
        );
        require(
            self.mail.host.is_none() || self.http.public_url.is_some(),
            "http.public_url",
            "must be set where [mail] is, because mails hold links to it",
        );
        let second = Duration::from_secs(1);
        let jobs = &self.jobs;
        require(jobs.lease >= second, "jobs.lease", "must be at least 1s");
        require(!jobs.retry_first.is_zero(), "jobs.retry_first", "must be more than zero");
        require(jobs.retry_first <= jobs.retry_max, "jobs.retry_max", "must be at least jobs.retry_first");
        require(jobs.claim_batch > 0, "jobs.claim_batch", "must be at least 1");
        require(jobs.per_server > 0, "jobs.per_server", "must be at least 1");
        require(jobs.per_tenant > 0, "jobs.per_tenant", "must be at least 1");
        require(jobs.per_storage > 0, "jobs.per_storage", "must be at least 1");
        require(self.snapshots.per_pod > 0, "snapshots.per_pod", "must be at least 1");
        let moves = &self.moves;
        require(moves.at_once > 0, "moves.at_once", "must be at least 1");
        require(moves.per_target > 0, "moves.per_target", "must be at least 1");
        require(moves.tries_max > 0, "moves.tries_max", "must be at least 1");
        require(self.consoles.per_server > 0, "consoles.per_server", "must be at least 1");
        require(self.consoles.per_tenant > 0, "consoles.per_tenant", "must be at least 1");
        require(self.consoles.idle >= second, "consoles.idle", "must be at least 1s");
        require(self.consoles.recheck >= second, "consoles.recheck", "must be at least 1s");
        require(self.consoles.idle <= self.consoles.longest, "consoles.longest", "must be at least consoles.idle");
        require(self.backups.per_pod > 0, "backups.per_pod", "must be at least 1");
        let filter = self.log.filter.parse::<tracing_subscriber::EnvFilter>();
        require(
            filter.is_ok(),
            "log.filter",
            "must be a level such as info, or by module: info,control_plane::http=debug",
        );
        problems.extend(self.http.problems());
        problems.extend(self.agents.problems());
        problems.extend(self.mail.problems());
        problems.extend(oidc::problems(&self.oidc, self.http.public_url.is_some()));
        problems
    }

    /// The file with the key under which secrets are sealed.
    #[must_use]
    pub fn secret_key_file(&self) -> PathBuf {
        self.secrets.key_file.clone().unwrap_or_else(|| self.state_directory().join("secret.key"))
    }

    /// The SQLite file's directory; with PostgreSQL `/var/lib/mpanel`.
    fn state_directory(&self) -> PathBuf {
        let sqlite = self.database.url.strip_prefix("sqlite:").map(|rest| rest.trim_start_matches("//"));
        let file = sqlite.map(|rest| Path::new(rest.split('?').next().unwrap_or(rest)));
        file.and_then(Path::parent).map_or_else(|| PathBuf::from(STATE_DIRECTORY), Path::to_path_buf)
    }
}

/// The table with one variable put into it: as text where the setting is a text, otherwise as a TOML value.
fn overridden(table: &toml::Table, variable: &str, value: &str) -> Result<(Config, toml::Table)> {
    let wrong = |message: String| Error::invalid(variable, message);
    let path = variable[ENVIRONMENT_PREFIX.len()..].to_ascii_lowercase();
    let text = put(table, &path, toml::Value::String(value.to_owned())).map_err(wrong)?;
    let first = match Config::deserialize(text.clone()) {
        Ok(config) => return Ok((config, text)),
        Err(error) => error,
    };
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok().and_then(|mut t| t.remove("value"));
    let Some(parsed) = parsed else { return Err(wrong(first.message().to_owned())) };
    let table = put(table, &path, parsed).map_err(wrong)?;
    match Config::deserialize(table.clone()) {
        Ok(config) => Ok((config, table)),
        Err(error) => Err(wrong(error.message().to_owned())),
    }
}

fn put(table: &toml::Table, path: &str, value: toml::Value) -> Result<toml::Table, String> {
    let mut table = table.clone();
    let mut names: Vec<_> = path.split("__").collect();
    let last = names.pop().unwrap_or_default();
    let mut inner = &mut table;
    for name in names {
        inner = inner
            .entry(name)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| format!("`{name}` is a setting and no section"))?;
    }
    inner.insert(last.to_owned(), value);
    Ok(table)
}

/// Says in which line of which file.
fn explain(name: &str, text: &str, error: &toml::de::Error) -> Error {
    let place = match error.span() {
        Some(span) => format!("{name}, line {}", text[..span.start.min(text.len())].matches('\n').count() + 1),
        None => name.to_owned(),
    };
    Error::invalid(place, error.message())
}

/// For `#[serde(deserialize_with)]`: `500ms`, `10s`, `5m`, `24h` or `7d`.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no duration: write 500ms, 10s, 5m, 24h or 7d")))
}

#[cfg(test)]
mod tests;
