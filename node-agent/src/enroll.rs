//! Enrolment: from a one-time token to an identity on this host.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{self, Config, control_plane_url};
use crate::error::{Error, Result};
use crate::files;
use crate::identity::IdentityStore;
use crate::ledger::{self, OpenError, State};
use crate::session::dial;
use crate::tls;

/// What `mpanel-agent enroll` is told.
#[derive(Debug, Clone, Args)]
pub struct Enrolment {
    /// The control plane's address for agents, such as https://mpanel.example.net:8443
    #[arg(long, value_name = "URL")]
    pub control_plane: String,
    /// The one-time token, as the control plane shows it; or set MPANEL_ENROLMENT_TOKEN, which no process list shows
    #[arg(long, value_name = "ID.SECRET", env = "MPANEL_ENROLMENT_TOKEN", hide_env_values = true)]
    pub token: String,
    /// SHA-256 of the control plane's authority, as the control plane shows it
    #[arg(long, value_name = "HEX")]
    pub ca_sha256: String,
    /// Where to keep identity and ledger; default: agent.state_dir of the configuration
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Let this host become another server than it was: its ledger is put aside, and what the server of before had begun here is
    /// reported to nobody. Stop the agent first
    #[arg(long)]
    pub replace_identity: bool,
    /// Write this into a new configuration file as proxmox.url
    #[arg(long, value_name = "URL")]
    pub pve_url: Option<String>,
    /// Likewise proxmox.node
    #[arg(long, value_name = "NAME")]
    pub pve_node: Option<String>,
    /// Likewise proxmox.token_file
    #[arg(long, value_name = "FILE")]
    pub pve_token_file: Option<PathBuf>,
    /// Likewise proxmox.fingerprint
    #[arg(long, value_name = "HEX", conflicts_with = "pve_ca_file")]
    pub pve_fingerprint: Option<String>,
    /// Likewise proxmox.ca_file
    #[arg(long, value_name = "FILE")]
    pub pve_ca_file: Option<PathBuf>,
}

/// What enrolment did.
#[derive(Debug)]
pub struct Enrolled {
    /// The server's name at the control plane.
    pub server_name: String,
    /// The server's id at the control plane.
    pub server_id: String,
    /// Where the identity is.
    pub state_dir: PathBuf,
    /// It replaced an older identity.
    pub again: bool,
    /// Where the ledger of another server was put.
    pub ledger_aside: Option<PathBuf>,
    /// The configuration file that was written.
    pub config_written: Option<PathBuf>,
}

/// Enrols this host. A host that was enrolled before gets a new identity and keeps its ledger, as long as it stays the same server.
///
/// # Errors
/// Before the token is used: for what is wrong on this host. Then: the control plane's refusal, and when the token is that of another
/// server while the ledger holds what is still to be told to the one of before.
pub async fn enroll(enrolment: &Enrolment, config: &Config, config_path: &Path) -> Result<Enrolled> {
    let url = control_plane_url(&enrolment.control_plane)?;
    let ca_sha256 = tls::parse_fingerprint(&enrolment.ca_sha256)?;
    if !enrolment.token.contains('.') {
        return Err(Error::Config("--token must look like ID.SECRET; copy the whole of it".to_owned()));
    }
    let state_dir = enrolment.state_dir.clone().unwrap_or_else(|| config.agent.state_dir.clone());
    let again = IdentityStore::exists(&state_dir);
    prepare(&state_dir)?;
    if enrolment.replace_identity
        && let Err(error @ OpenError::InUse(_)) = ledger::peek(&state_dir)
    {
        return Err(Error::Config(format!("--replace-identity: {error}; stop it first: systemctl stop mpanel-agent")));
    }
    let new_config = new_config(enrolment, config_path)?;
    let identity = dial::enroll(&url, &ca_sha256, enrolment.token.trim(), &config.control_plane).await?;
    let ledger_aside = match before_of(&state_dir) {
        Some(before) if before.id != identity.server_id => {
            let after = Server { id: identity.server_id.clone(), name: identity.server_name.clone() };
            change_server(&state_dir, &before, &after, enrolment.replace_identity)?
        }
        Some(_) | None => None,
    };
    IdentityStore::create(&state_dir, &identity)?;
    let config_written = new_config.map(|text| write_config(config_path, &text)).transpose()?;
    Ok(Enrolled {
        server_name: identity.server_name.clone(),
        server_id: identity.server_id.clone(),
        state_dir,
        again,
        ledger_aside,
        config_written,
    })
}

/// A server of the control plane.
struct Server {
    id: String,
    name: String,
}

/// Which server this host was; `None` where it was none, or its identity cannot be read any more.
fn before_of(state_dir: &Path) -> Option<Server> {
    let identity = IdentityStore::open(state_dir).ok()?.current();
    Some(Server { id: identity.server_id.clone(), name: identity.server_name.clone() })
}

/// The ledger of one server must not come to another: the control plane would refuse its results for ever. Puts it aside where that is
/// wanted; says where it is.
fn change_server(state_dir: &Path, before: &Server, after: &Server, replace: bool) -> Result<Option<PathBuf>> {
    let unaccounted = match ledger::peek(state_dir) {
        Ok(entries) => {
            entries.iter().flatten().filter(|entry| !matches!(entry.state, State::Acknowledged { .. })).count()
        }
        Err(error @ OpenError::InUse(_)) => return Err(other_server(before, after, &error.to_string())),
        Err(_) if replace => 0,
        Err(error) => return Err(other_server(before, after, &error.to_string())),
    };
    if replace {
        return ledger::set_aside(state_dir, "replaced")
            .map_err(|e| Error::System(format!("the ledger in {} cannot be put aside: {e}", state_dir.display())));
    }
    if unaccounted > 0 {
        let text = format!("its ledger holds {unaccounted} commands of that server that are not settled");
        return Err(other_server(before, after, &text));
    }
    Ok(None)
}

fn other_server(before: &Server, after: &Server, cause: &str) -> Error {
    Error::Config(format!(
        "this host is server {} ({}), and the token is for server {} ({}): {cause}. Nothing was changed here, but the token is used up. \
         Make a new token for {}, or, if this host shall be {} from now on: stop the agent, make a new token for {} and enrol with \
         --replace-identity, which puts the ledger aside",
        before.name, before.id, after.name, after.id, before.name, after.name, after.name
    ))
}

/// A token works once: whether the directory can be written is found out before it is spent.
fn prepare(state_dir: &Path) -> Result<()> {
    let trial = state_dir.join("identity.trial");
    files::create_private_directory(state_dir)
        .and_then(|()| files::write_private(&trial, b""))
        .and_then(|()| fs::remove_file(&trial))
        .map_err(|e| {
            let cure = "run as root, or choose another with --state-dir";
            Error::System(format!("the state directory {} cannot be written: {e}; {cure}", state_dir.display()))
        })
}

/// The annotated configuration with the given settings filled in; `None` where none is asked for.
fn new_config(enrolment: &Enrolment, path: &Path) -> Result<Option<String>> {
    let text = |path: &PathBuf| path.display().to_string();
    let settings: Vec<(&str, String)> = [
        ("state_dir", enrolment.state_dir.as_ref().map(text)),
        ("url", enrolment.pve_url.clone()),
        ("node", enrolment.pve_node.clone()),
        ("token_file", enrolment.pve_token_file.as_ref().map(text)),
        ("fingerprint", enrolment.pve_fingerprint.clone()),
        ("ca_file", enrolment.pve_ca_file.as_ref().map(text)),
    ]
    .into_iter()
    .filter_map(|(key, value)| value.map(|value| (key, value)))
    .collect();
    let is_asked = settings.iter().any(|(key, _)| *key != "state_dir");
    if !is_asked {
        return Ok(None);
    }
    let filled = fill(config::ANNOTATED, &settings);
    match fs::read_to_string(path) {
        Ok(found) if found == filled => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(filled)),
        Ok(_) | Err(_) => {
            let cure = "change the settings of [proxmox] there, and leave the --pve-… options out";
            Err(Error::Config(format!("{} exists: {cure}", path.display())))
        }
    }
}

fn write_config(path: &Path, text: &str) -> Result<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or(Ok(()), fs::create_dir_all).and_then(|()| files::write_private(path, text.as_bytes())).map_err(
        |e| Error::System(format!("enrolled, but the configuration {} cannot be written: {e}", path.display())),
    )?;
    Ok(path.to_owned())
}

/// Replaces the defaults of `[agent] state_dir` and of keys in `[proxmox]`.
fn fill(annotated: &str, settings: &[(&str, String)]) -> String {
    let mut section = "";
    let mut lines = Vec::new();
    for line in annotated.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        let home = if key == "state_dir" { "agent" } else { "proxmox" };
        let value = settings.iter().find(|(name, _)| *name == key && section == home);
        lines.push(match value {
            Some((_, value)) => format!("{key} = {}\n", toml::Value::String(value.clone())),
            None => format!("{line}\n"),
        });
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_configuration_has_the_settings_and_keeps_the_rest() {
        let settings = [
            ("state_dir", "/srv/a \"b\"".to_owned()),
            ("url", "https://pve1:8006".to_owned()),
            ("token_file", "/etc/t".to_owned()),
        ];
        let filled = fill(config::ANNOTATED, &settings);
        let config: Config = toml::from_str(&filled).unwrap();
        let mut expected = Config::default();
        expected.agent.state_dir = PathBuf::from("/srv/a \"b\"");
        expected.proxmox.url = "https://pve1:8006".to_owned();
        expected.proxmox.token_file = PathBuf::from("/etc/t");
        assert_eq!(config, expected);
    }

    #[tokio::test]
    async fn the_ledger_of_one_server_does_not_come_to_another() {
        let directory = tempfile::tempdir().unwrap();
        let server = |name: &str| Server { id: format!("id-of-{name}"), name: name.to_owned() };
        let change = |replace| change_server(directory.path(), &server("one"), &server("two"), replace);
        assert_eq!(change(false).unwrap(), None);
        let command = proto::agent::v1::RunCommand {
            pod_id: uuid::Uuid::from_u128(7).to_string(),
            vmid: 100,
            ..Default::default()
        };
        let entry = ledger::Entry {
            id: uuid::Uuid::from_u128(1),
            epoch: 1,
            pod_id: uuid::Uuid::from_u128(7),
            vmid: 100,
            command: ledger::Public::of(&command),
            accepted_ms: 1,
            deadline_ms: 2,
            state: State::Accepted,
            fenced: false,
        };
        let (held, _) = ledger::Ledger::open(directory.path()).await.unwrap();
        held.write(entry).await.unwrap();
        assert!(change(false).unwrap_err().to_string().contains("in use"));
        drop(held);
        let refusal = change(false).unwrap_err().to_string();
        for part in ["one (id-of-one)", "two (id-of-two)", "--replace-identity", "1 commands"] {
            assert!(refusal.contains(part), "{refusal}");
        }
        let aside = change(true).unwrap().unwrap();
        assert!(aside.exists());
        assert!(matches!(ledger::peek(directory.path()), Ok(None)));
    }
}
