//! Building, running and stopping a simulated server, and reaching into it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::access::{AclEntry, Token, User, built_in_roles};
use crate::admin::Control;
use crate::api::Api;
use crate::app::App;
use crate::clock;
use crate::config::{Flavour, IsoSpec, SimConfig, StorageSpec, TemplateSpec, Timings, TokenSpec};
use crate::faults::Faults;
use crate::hand::Hand;
use crate::seed;
use crate::server::{Identity, Listening, accept};
use crate::state::Cluster;
use crate::store::{Store, StoreError};

/// How long a stop waits for connections and workers.
const STOP_SECONDS: Duration = Duration::from_secs(10);

/// A server that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address asked for.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The control port would be reachable from elsewhere.
    #[error("the control port must be on a loopback address, not {0}")]
    ControlNotLoopback(SocketAddr),
    /// The certificate or its key.
    #[error("certificate: {0}")]
    Tls(String),
    /// The state directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was asked for does not fit together.
    #[error("{0}")]
    Config(String),
}

/// Sets up a [`Sim`] for tests: quick tasks, a template, a storage, a bridge, and a token with all rights.
#[derive(Debug, Clone)]
pub struct SimBuilder {
    config: SimConfig,
}

impl SimBuilder {
    /// Name of the node; `pve1` unless told.
    #[must_use]
    pub fn node(mut self, name: &str) -> Self {
        name.clone_into(&mut self.config.node);
        self
    }

    /// Names of all nodes of a cluster, the first one first. They share VMIDs, users and shared storages; each has its own
    /// address, local storages and tasks, and answers for the others.
    #[must_use]
    pub fn nodes(mut self, names: &[&str]) -> Self {
        let mut names = names.iter().map(|name| (*name).to_owned());
        self.config.node = names.next().unwrap_or_default();
        self.config.more_nodes = names.collect();
        self
    }

    /// Name of the cluster; `sim` unless told.
    #[must_use]
    pub fn cluster_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.config.cluster_name);
        self
    }

    /// The release to behave like; 8.4 unless told.
    #[must_use]
    pub fn version(mut self, flavour: Flavour) -> Self {
        self.config.flavour = flavour;
        self
    }

    /// All waits; [`Timings::fast`] unless told.
    #[must_use]
    pub fn timings(mut self, timings: Timings) -> Self {
        self.config.timings = timings;
        self
    }

    /// How long tasks of one type take.
    #[must_use]
    pub fn task_duration(mut self, kind: &str, duration: Duration) -> Self {
        self.config.timings = self.config.timings.task(kind, duration);
        self
    }

    /// Adds a template with a disk of this size; with none at all, 9000 `debian-12` of 2 GiB on the first storage.
    #[must_use]
    pub fn template(mut self, vmid: u32, name: &str, disk_bytes: u64, storage: &str) -> Self {
        let (name, storage) = (name.to_owned(), storage.to_owned());
        self.config.templates.push(TemplateSpec { vmid, name, disk_bytes, storage });
        self
    }

    /// Adds a storage of this capacity; with none at all, `local` of 250 GiB.
    #[must_use]
    pub fn storage(mut self, name: &str, total_bytes: u64) -> Self {
        self.config.storages.push(StorageSpec::new(name, total_bytes));
        self
    }

    /// Adds an ISO image.
    #[must_use]
    pub fn iso(mut self, storage: &str, file: &str, size_bytes: u64) -> Self {
        self.config.isos.push(IsoSpec { storage: storage.to_owned(), file: file.to_owned(), size_bytes });
        self
    }

    /// Adds a storage that all nodes share.
    #[must_use]
    pub fn shared_storage(mut self, name: &str, total_bytes: u64) -> Self {
        self.config.storages.push(StorageSpec { shared: true, ..StorageSpec::new(name, total_bytes) });
        self
    }

    /// Adds a bridge; with none at all, `vmbr0`.
    #[must_use]
    pub fn bridge(mut self, name: &str) -> Self {
        self.config.bridges.push(name.to_owned());
        self
    }

    /// Adds a node of the same cluster that answers 595.
    #[must_use]
    pub fn unreachable_node(mut self, name: &str) -> Self {
        self.config.unreachable_nodes.push(name.to_owned());
        self
    }

    /// Keeps the state, and the certificate, in a directory.
    #[must_use]
    pub fn state_dir(mut self, dir: &Path) -> Self {
        self.config.state_dir = Some(dir.to_owned());
        self
    }

    /// Address to listen on; a free port of 127.0.0.1 unless told.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.config.listen);
        self
    }

    /// Opens the control port on a loopback address.
    #[must_use]
    pub fn control(mut self, address: &str) -> Self {
        self.config.control = Some(address.to_owned());
        self
    }

    /// Starts it.
    pub async fn start(self) -> Result<Sim, StartError> {
        Sim::start(self.config).await
    }
}

/// A running simulated server. Dropping it stops it at once; [`Sim::stop`] does so and waits.
#[derive(Debug)]
pub struct Sim {
    app: Arc<App>,
    address: SocketAddr,
    addresses: BTreeMap<String, SocketAddr>,
    control: Option<(SocketAddr, String)>,
}

/// One node of a simulated cluster, as its clients reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// The address it listens on.
    pub address: SocketAddr,
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// SHA-256 of its certificate as `AB:CD:…`.
    pub fingerprint: String,
    /// Its certificate, which is its own CA.
    pub certificate_pem: String,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("node", &self.config.node).finish_non_exhaustive()
    }
}

impl Sim {
    /// A builder with quick timings.
    pub fn builder() -> SimBuilder {
        SimBuilder { config: SimConfig { timings: Timings::fast(), ..SimConfig::default() } }
    }

    /// Starts a server, from its state directory if that has a state.
    pub async fn start(config: SimConfig) -> Result<Self, StartError> {
        let config = seed::complete(config)?;
        let store = config.state_dir.as_deref().map(Store::open).transpose()?;
        let saved = store.as_ref().map(Store::load).transpose()?.flatten();
        let mut identities = vec![Identity::load_or_make(store.as_ref(), &config.node, "pve-ssl")?];
        for name in &config.more_nodes {
            identities.push(Identity::load_or_make(store.as_ref(), name, &format!("pve-ssl-{name}"))?);
        }
        let cluster = match saved {
            Some(cluster) => resumed(cluster, &config)?,
            None => seed::cluster(&config)?,
        };
        let mut nodes = Vec::new();
        let (mut addresses, mut certificates) = (BTreeMap::new(), BTreeMap::new());
        for (at, name) in [&config.node].into_iter().chain(&config.more_nodes).enumerate() {
            let wanted = address_of(&config.listen, at);
            let listener = listen(&wanted).await?;
            addresses.insert(name.clone(), local_address(&listener, &wanted)?);
            let identity = &identities[at];
            certificates.insert(name.clone(), (identity.certificate_pem.clone(), identity.fingerprint.clone()));
            nodes.push((name.clone(), listener, identity.acceptor()?));
        }
        let address = addresses[&config.node];
        let control_address = config.control.clone();
        let secret = config.control_secret.clone().unwrap_or_else(clock::uuid);
        let app = Arc::new(App::new(config, cluster, store, certificates));
        app.write(|_| ());
        app.persist()?;
        let control = match control_address {
            Some(address) => Some((start_control(&app, &address, secret.clone()).await?, secret)),
            None => None,
        };
        for (node, listener, acceptor) in nodes {
            let listening = Listening {
                listener,
                tls: Some(acceptor),
                handler: Arc::new(Api { app: Arc::clone(&app), node }),
                idle: app.timings().idle,
                stop: app.stop.clone(),
                tracker: app.tracker.clone(),
            };
            app.tracker.spawn(accept(listening));
        }
        Ok(Self { app, address, addresses, control })
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Every node with its address, the first one first.
    pub fn nodes(&self) -> Vec<NodeView> {
        [&self.app.config.node]
            .into_iter()
            .chain(&self.app.config.more_nodes)
            .filter_map(|name| self.at(name))
            .collect()
    }

    /// One node with its address; `None` when there is no such node.
    pub fn at(&self, node: &str) -> Option<NodeView> {
        let address = *self.addresses.get(node)?;
        Some(NodeView {
            name: node.to_owned(),
            address,
            url: format!("https://{address}"),
            fingerprint: self.app.fingerprint(node).to_owned(),
            certificate_pem: self.app.certificate_pem(node).to_owned(),
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Name of its first node.
    pub fn node(&self) -> &str {
        &self.app.config.node
    }

    /// SHA-256 of its certificate as `AB:CD:…`.
    pub fn fingerprint(&self) -> &str {
        self.app.fingerprint(self.node())
    }

    /// The same as 64 lower-case hexadecimal digits.
    pub fn fingerprint_hex(&self) -> String {
        self.fingerprint().replace(':', "").to_lowercase()
    }

    /// Its certificate, which is its own CA.
    pub fn certificate_pem(&self) -> &str {
        self.app.certificate_pem(self.node())
    }

    /// The first token, `user@realm!id=secret`; with all rights unless the configuration gave another.
    pub fn token(&self) -> String {
        let token = self.app.config.tokens.first();
        token.map(|token| format!("{}={}", token.full_id, token.secret)).unwrap_or_default()
    }

    /// Address and secret of the control port.
    pub fn control(&self) -> Option<(SocketAddr, &str)> {
        self.control.as_ref().map(|(address, secret)| (*address, secret.as_str()))
    }

    /// Faults, gates and the record of calls.
    pub fn faults(&self) -> &Faults {
        &self.app.faults
    }

    /// The state, to be looked at and changed by hand.
    pub fn hand(&self) -> Hand {
        Hand::new(Arc::clone(&self.app))
    }

    /// Makes a user, a role with these privileges on a path, and a token without separation; the token.
    pub fn add_token(&self, user: &str, id: &str, path: &str, privileges: &[&str]) -> String {
        let secret = clock::uuid();
        let token = Token { secret: secret.clone(), ..Token::default() };
        let role = format!("Role-{}", &clock::uuid()[..8]);
        self.app.write(|cluster| {
            let account = cluster.access.users.entry(user.to_owned()).or_insert_with(User::default);
            account.tokens.insert(id.to_owned(), token);
            let privileges = privileges.iter().map(|privilege| (*privilege).to_owned()).collect();
            cluster.access.roles.insert(role.clone(), privileges);
            let entry = AclEntry { path: path.to_owned(), who: user.to_owned(), role, propagate: true };
            cluster.access.acl.push(entry);
        });
        format!("{user}!{id}={secret}")
    }

    /// Stops as a crash does, keeping what is on disk: running tasks will have died.
    pub async fn stop(self) {
        self.app.stop.cancel();
        self.app.tracker.close();
        if tokio::time::timeout(STOP_SECONDS, self.app.tracker.wait()).await.is_err() {
            tracing::warn!("some connections or workers did not end in time");
        }
        self.app.persist_or_log();
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.app.stop.cancel();
        self.app.tracker.close();
    }
}

/// The address for the node at this place: the same host, and so many ports further unless any will do.
fn address_of(listen: &str, at: usize) -> String {
    let split = listen.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    match split {
        Some((host, port)) if port > 0 => format!("{host}:{}", port.saturating_add(at as u16)),
        _ => listen.to_owned(),
    }
}

async fn listen(address: &str) -> Result<TcpListener, StartError> {
    let failed = |source| StartError::Listen { address: address.to_owned(), source };
    TcpListener::bind(address).await.map_err(failed)
}

fn local_address(listener: &TcpListener, address: &str) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen { address: address.to_owned(), source })
}

async fn start_control(app: &Arc<App>, address: &str, secret: String) -> Result<SocketAddr, StartError> {
    let listener = listen(address).await?;
    let bound = local_address(&listener, address)?;
    if !bound.ip().is_loopback() {
        return Err(StartError::ControlNotLoopback(bound));
    }
    let listening = Listening {
        listener,
        tls: None,
        handler: Arc::new(Control::new(Hand::new(Arc::clone(app)), secret)),
        idle: Duration::from_mins(1),
        stop: app.stop.clone(),
        tracker: app.tracker.clone(),
    };
    app.tracker.spawn(accept(listening));
    Ok(bound)
}

/// A saved state under a new process: its workers are dead, and the tokens on the command line are let in.
fn resumed(mut cluster: Cluster, config: &SimConfig) -> Result<Cluster, StartError> {
    let wanted: BTreeSet<&String> = [&config.node].into_iter().chain(&config.more_nodes).collect();
    let known: BTreeSet<&String> = cluster.nodes.keys().collect();
    if wanted != known {
        let text = format!("the state directory belongs to node {known:?}, not '{}'", config.node);
        return Err(StartError::Config(text));
    }
    cluster.end_orphans();
    for (id, privileges) in built_in_roles(config.flavour) {
        cluster.access.roles.insert(id, privileges);
    }
    seed::add_tokens(&mut cluster, &config.tokens);
    Ok(cluster)
}

pub(crate) fn default_token() -> TokenSpec {
    TokenSpec { full_id: "root@pam!sim".to_owned(), secret: clock::uuid(), privsep: false }
}
