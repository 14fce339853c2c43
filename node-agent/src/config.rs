//! The agent's settings: defaults, then a TOML file, then the environment, then the command line. An unknown key is refused by name.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};
use url::Url;

use crate::error::{Error, Result};
use crate::files;
use crate::proxmox::{ApiToken, Fingerprint, PveConfig, Trust};

/// Where the settings are, unless told otherwise.
pub const DEFAULT_PATH: &str = "/etc/mpanel-agent/agent.toml";
/// All settings with their defaults and what they mean.
pub const ANNOTATED: &str = include_str!("../../deploy/agent.toml");

const ENV_PREFIX: &str = "MPANEL_AGENT_";
/// The environment variable that names the file.
pub const ENV_PATH: &str = "MPANEL_AGENT_CONFIG";

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The daemon itself.
    pub agent: AgentSection,
    /// How the control plane is reached.
    pub control_plane: ControlPlaneSection,
    /// How Proxmox is reached.
    pub proxmox: ProxmoxSection,
    /// What is logged and how.
    pub log: LogSection,
}

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentSection {
    /// Where identity and ledger are kept.
    pub state_dir: PathBuf,
    /// Commands worked on at once.
    pub commands_at_once: usize,
    /// Commands open before further ones are refused.
    pub commands_open_max: usize,
}

/// How the control plane is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlPlaneSection {
    /// Its URL; empty: as at enrolment.
    pub url: String,
    /// Seconds to connect, TLS included.
    pub connect_timeout_s: u64,
    /// Seconds of silence before a ping.
    pub keepalive_interval_s: u64,
    /// Seconds that the ping's answer may take.
    pub keepalive_timeout_s: u64,
    /// The first wait after a lost session, in milliseconds.
    pub reconnect_first_ms: u64,
    /// The longest wait, in seconds.
    pub reconnect_max_s: u64,
}

/// How Proxmox is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxmoxSection {
    /// Its API.
    pub url: String,
    /// The node's name; empty: the node that answers.
    pub node: String,
    /// The file with the API token.
    pub token_file: PathBuf,
    /// SHA-256 of the certificate; empty: not pinned.
    pub fingerprint: String,
    /// PEM file with the authority; empty: the system's.
    pub ca_file: PathBuf,
    /// Seconds that a call may take.
    pub call_timeout_s: u64,
    /// Calls under way at once.
    pub calls_at_once: usize,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// Level, also by module.
    pub filter: String,
    /// For people or machines.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for AgentSection {
    fn default() -> Self {
        Self { state_dir: PathBuf::from("/var/lib/mpanel-agent"), commands_at_once: 16, commands_open_max: 512 }
    }
}

impl Default for ControlPlaneSection {
    fn default() -> Self {
        Self {
            url: String::new(),
            connect_timeout_s: 10,
            keepalive_interval_s: 15,
            keepalive_timeout_s: 10,
            reconnect_first_ms: 500,
            reconnect_max_s: 60,
        }
    }
}

impl Default for ProxmoxSection {
    fn default() -> Self {
        Self {
            url: "https://127.0.0.1:8006".to_owned(),
            node: String::new(),
            token_file: PathBuf::from("/etc/mpanel-agent/pve-token"),
            fingerprint: String::new(),
            ca_file: PathBuf::new(),
            call_timeout_s: 30,
            calls_at_once: 8,
        }
    }
}

impl Default for LogSection {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

impl Config {
    /// Reads the settings: `path` or the usual file (which may be missing), the environment, then `settings` of the form
    /// `section.key=value`.
    ///
    /// # Errors
    /// Names the key and the cure when a setting is unknown, of the wrong type or out of range, or a file cannot be read.
    pub fn load(path: Option<&Path>, settings: &[String]) -> Result<Self> {
        let named = path.map(Path::to_path_buf).or_else(|| env::var_os(ENV_PATH).map(PathBuf::from));
        let file = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_PATH));
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => String::new(),
            Err(error) => {
                return Err(Error::Config(format!("cannot read the configuration {}: {error}", file.display())));
            }
        };
        let environment = env::vars().filter(|(name, _)| name.starts_with(ENV_PREFIX) && name != ENV_PATH);
        Self::assemble(&text, &file.display().to_string(), environment, settings)
    }

    fn assemble(
        text: &str,
        origin: &str,
        environment: impl Iterator<Item = (String, String)>,
        settings: &[String],
    ) -> Result<Self> {
        let bad = |error: &dyn std::fmt::Display| Error::Config(format!("{origin}: {error}"));
        // Read once by itself, because only so does an error tell the line.
        toml::from_str::<Self>(text).map_err(|e| bad(&e))?;
        let mut table: Table = toml::from_str(text).map_err(|e| bad(&e))?;
        let known = known_keys()?;
        for (name, value) in environment {
            let lower = name[ENV_PREFIX.len()..].to_lowercase();
            let key = known.iter().find(|(section, key, _)| lower == format!("{section}_{key}"));
            let (section, key, example) = key.ok_or_else(|| {
                Error::Config(format!(
                    "the environment variable {name} names no setting; `mpanel-agent config` lists them"
                ))
            })?;
            set(&mut table, section, key, typed(&name, example, &value)?)?;
        }
        for setting in settings {
            let (name, value) = setting.split_once('=').ok_or_else(|| {
                Error::Config(format!("--set takes SECTION.KEY=VALUE, such as log.filter=debug, not {setting:?}"))
            })?;
            let key = known.iter().find(|(section, key, _)| name == format!("{section}.{key}"));
            let (section, key, example) = key.ok_or_else(|| {
                Error::Config(format!("--set {name}: there is no such setting; `mpanel-agent config` lists them"))
            })?;
            set(&mut table, section, key, typed(name, example, value)?)?;
        }
        let config: Self = Value::Table(table).try_into().map_err(|e| Error::Config(format!("the settings: {e}")))?;
        config.validated()
    }

    fn validated(self) -> Result<Self> {
        let ControlPlaneSection { connect_timeout_s, keepalive_interval_s, keepalive_timeout_s, .. } =
            self.control_plane;
        let (first, last) = (self.control_plane.reconnect_first_ms, self.control_plane.reconnect_max_s);
        let ranges = [
            ("agent.commands_at_once", self.agent.commands_at_once as u64, 1, 256),
            ("agent.commands_open_max", self.agent.commands_open_max as u64, 1, 10_000),
            ("control_plane.connect_timeout_s", connect_timeout_s, 1, 300),
            ("control_plane.keepalive_interval_s", keepalive_interval_s, 1, 3_600),
            ("control_plane.keepalive_timeout_s", keepalive_timeout_s, 1, 300),
            ("control_plane.reconnect_first_ms", first, 10, 60_000),
            ("control_plane.reconnect_max_s", last, 1, 3_600),
            ("proxmox.call_timeout_s", self.proxmox.call_timeout_s, 1, 600),
            ("proxmox.calls_at_once", self.proxmox.calls_at_once as u64, 1, 256),
        ];
        let mut wrong: Vec<String> = ranges
            .into_iter()
            .filter(|(_, value, least, most)| value < least || value > most)
            .map(|(name, value, least, most)| format!("{name} must be between {least} and {most}, not {value}"))
            .collect();
        if !self.control_plane.url.is_empty()
            && let Err(error) = control_plane_url(&self.control_plane.url)
        {
            wrong.push(format!("control_plane.url: {error}"));
        }
        if !self.proxmox.fingerprint.is_empty() && !self.proxmox.ca_file.as_os_str().is_empty() {
            wrong.push("proxmox.fingerprint and proxmox.ca_file: set one of them, not both".to_owned());
        }
        if wrong.is_empty() { Ok(self) } else { Err(Error::Config(wrong.join("\n"))) }
    }
}

/// Every section and key there is, with its default, which tells the type.
fn known_keys() -> Result<Vec<(String, String, Value)>> {
    let table: Table = toml::from_str(ANNOTATED).map_err(|e| Error::Config(format!("the built-in defaults: {e}")))?;
    let mut keys = Vec::new();
    for (section, content) in table {
        if let Value::Table(content) = content {
            keys.extend(content.into_iter().map(|(key, value)| (section.clone(), key, value)));
        }
    }
    Ok(keys)
}

fn typed(name: &str, example: &Value, text: &str) -> Result<Value> {
    match example {
        Value::Integer(_) => text
            .parse()
            .map(Value::Integer)
            .map_err(|_| Error::Config(format!("{name} must be a whole number, not {text:?}"))),
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn set(table: &mut Table, section: &str, key: &str, value: Value) -> Result<()> {
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(content) = entry else {
        return Err(Error::Config(format!("{section} must be a section: [{section}]")));
    };
    content.insert(key.to_owned(), value);
    Ok(())
}

/// Checks a control plane's URL: `https`, a host, nothing behind it.
///
/// # Errors
/// In words that name the cure.
pub fn control_plane_url(text: &str) -> Result<Url> {
    let bad =
        |cause: &str| Error::Config(format!("{text:?} {cause}; it must look like https://mpanel.example.net:8443"));
    let url = Url::parse(text).map_err(|e| bad(&format!("is no URL ({e})")))?;
    if url.scheme() != "https" {
        return Err(bad("is not https"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("names no host"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || !url.username().is_empty() {
        return Err(bad("has more than a host and a port"));
    }
    Ok(url)
}

impl ProxmoxSection {
    /// What the hypervisor is made with; reads the token's file.
    ///
    /// # Errors
    /// Names the setting and the cure.
    pub fn resolve(&self) -> Result<PveConfig> {
        let bad = |key: &str, cause: &dyn std::fmt::Display| Error::Config(format!("proxmox.{key}: {cause}"));
        let url = Url::parse(&self.url).map_err(|e| bad("url", &format!("{:?} is no URL: {e}", self.url)))?;
        let file = self.token_file.display();
        let text = fs::read_to_string(&self.token_file).map_err(|e| {
            let cure = "put the API token in it, as USER@REALM!TOKENID=SECRET, readable for the agent's user only";
            bad("token_file", &format!("cannot read {file}: {e}; {cure}"))
        })?;
        if files::is_open_to_others(&self.token_file).map_err(|e| bad("token_file", &format!("{file}: {e}")))? {
            return Err(bad("token_file", &format!("everybody on this host may read {file}; run: chmod o= {file}")));
        }
        let token: ApiToken = text.parse().map_err(|e| bad("token_file", &format!("{file}: {e}")))?;
        let trust = if !self.fingerprint.is_empty() {
            let pinned: Fingerprint = self.fingerprint.parse().map_err(|e| bad("fingerprint", &e))?;
            Trust::Fingerprint(pinned)
        } else if self.ca_file.as_os_str().is_empty() {
            Trust::System
        } else {
            Trust::CaFile(self.ca_file.clone())
        };
        let mut config = PveConfig::new(url, token, trust);
        config.node = Some(self.node.clone()).filter(|node| !node.is_empty());
        config.call_timeout = Duration::from_secs(self.call_timeout_s);
        config.calls_max = self.calls_at_once;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assemble(text: &str, environment: &[(&str, &str)], settings: &[&str]) -> Result<Config> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        Config::assemble(text, "agent.toml", environment, &settings)
    }

    fn check_refused(text: &str, environment: &[(&str, &str)], settings: &[&str], word: &str) {
        let error = assemble(text, environment, settings).unwrap_err().to_string();
        assert!(error.contains(word), "{error:?} does not name {word:?}");
    }

    #[test]
    fn the_annotated_file_is_the_defaults() {
        assert_eq!(toml::from_str::<Config>(ANNOTATED).unwrap(), Config::default());
        assert_eq!(assemble(ANNOTATED, &[], &[]).unwrap(), Config::default());
    }

    #[test]
    fn the_later_source_wins() {
        let file = "[log]\nfilter = 'warn'\n[proxmox]\nurl = 'https://a:1'\nnode = 'file'";
        let config = assemble(
            file,
            &[("MPANEL_AGENT_PROXMOX_URL", "https://b:1"), ("MPANEL_AGENT_AGENT_COMMANDS_AT_ONCE", "3")],
            &["proxmox.url=https://c:1"],
        )
        .unwrap();
        assert_eq!((config.log.filter.as_str(), config.proxmox.node.as_str()), ("warn", "file"));
        assert_eq!((config.proxmox.url.as_str(), config.agent.commands_at_once), ("https://c:1", 3));
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_refused_by_name() {
        check_refused("[proxmox]\nurll = 'x'", &[], &[], "urll");
        check_refused("[proxmocks]\n", &[], &[], "proxmocks");
        check_refused("", &[("MPANEL_AGENT_PROXMOX_URLL", "x")], &[], "MPANEL_AGENT_PROXMOX_URLL");
        check_refused("", &[("MPANEL_AGENT_PROXMOX_CALLS_AT_ONCE", "x")], &[], "whole number");
        check_refused("", &[], &["proxmox.urll=x"], "proxmox.urll");
        check_refused("", &[], &["proxmox.url"], "SECTION.KEY=VALUE");
        check_refused("[agent]\ncommands_at_once = 0", &[], &[], "agent.commands_at_once");
        check_refused("[log]\nformat = 'xml'", &[], &[], "xml");
        check_refused("[control_plane]\nurl = 'http://cp:1'", &[], &[], "https");
        check_refused("[proxmox]\nfingerprint='a'\nca_file='b'", &[], &[], "not both");
        check_refused("[agent", &[], &[], "agent.toml");
    }
}
