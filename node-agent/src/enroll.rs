//! Enrolment: from a one-time token to an identity on this host.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{self, Config, control_plane_url};
use crate::error::{Error, Result};
use crate::files;
use crate::identity::IdentityStore;
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
    /// The configuration file that was written.
    pub config_written: Option<PathBuf>,
}

/// Enrols this host. A host that was enrolled before gets a new identity and keeps its ledger.
///
/// # Errors
/// Before the token is used: for what is wrong on this host. Then: the control plane's refusal.
pub async fn enroll(enrolment: &Enrolment, config: &Config, config_path: &Path) -> Result<Enrolled> {
    let url = control_plane_url(&enrolment.control_plane)?;
    let ca_sha256 = tls::parse_fingerprint(&enrolment.ca_sha256)?;
    if !enrolment.token.contains('.') {
        return Err(Error::Config("--token must look like ID.SECRET; copy the whole of it".to_owned()));
    }
    let state_dir = enrolment.state_dir.clone().unwrap_or_else(|| config.agent.state_dir.clone());
    let again = IdentityStore::exists(&state_dir);
    prepare(&state_dir)?;
    let new_config = new_config(enrolment, config_path)?;
    let identity = dial::enroll(&url, &ca_sha256, enrolment.token.trim(), &config.control_plane).await?;
    IdentityStore::create(&state_dir, &identity)?;
    let config_written = new_config.map(|text| write_config(config_path, &text)).transpose()?;
    Ok(Enrolled {
        server_name: identity.server_name.clone(),
        server_id: identity.server_id.clone(),
        state_dir,
        again,
        config_written,
    })
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
}
