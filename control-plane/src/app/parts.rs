//! The services of the wiring, each built of what it needs.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Surroundings;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::db::Db;
use crate::domain::invariants::OwnCertificate;
use crate::domain::secrets::EnvelopeKey;
use crate::domain::{
    access, audit, backups, cloudpods, credentials, customers, drains, drift, firewall, images, invariants, ipam, jobs,
    jws, mail, oidc, passwords, plans, scheduling, secrets, servers, sessions, snapshots, tenants, tokens, traffic,
    users, webhooks,
};
use crate::error::Result;
use crate::grpc::ca::Authority;
use crate::grpc::hub::SessionHub;
use crate::http::tls::Tls;

/// The key under which secrets are sealed.
pub(super) fn key_of(config: &Config, surroundings: &Surroundings) -> Result<EnvelopeKey> {
    let chosen = surroundings.secret_key.as_ref().map(|key| key.expose().as_str());
    EnvelopeKey::load(chosen, &config.secret_key_file())
}

/// What pods are made of.
pub(super) struct Catalogue {
    pub(super) plans: Arc<plans::service::Service>,
    pub(super) images: Arc<images::service::Service>,
    pub(super) ipam: Arc<ipam::service::Service>,
}

impl Catalogue {
    pub(super) fn new(db: &Db, clock: &Clock, servers: &Arc<servers::service::Service>) -> Self {
        Self {
            plans: Arc::new(plans::service::Service::new(db.clone(), clock.clone())),
            images: Arc::new(images::service::Service::new(db.clone(), clock.clone(), servers.clone())),
            ipam: Arc::new(ipam::service::Service::new(db.clone(), clock.clone())),
        }
    }
}

/// Whose services say what there is to know of a customer.
pub(super) type Known<'a> = (
    &'a Arc<tenants::service::Service>,
    &'a Arc<users::service::Service>,
    &'a Arc<cloudpods::service::Service>,
    &'a Arc<audit::service::Service>,
);

pub(super) fn customers_of(
    db: &Db,
    clock: &Clock,
    (tenants, users, cloudpods, audit): Known<'_>,
) -> customers::service::Service {
    let (tenants, users, cloudpods, audit) = (tenants.clone(), users.clone(), cloudpods.clone(), audit.clone());
    customers::service::Service::new(db.clone(), clock.clone(), tenants, users, cloudpods, audit)
}

/// Where events are sent.
pub(super) fn webhooks_of(
    config: &Config,
    db: &Db,
    clock: &Clock,
    secrets: &secrets::service::Service,
    tasks: &TaskTracker,
) -> Arc<webhooks::service::Service> {
    let senders = webhooks::Senders::new(&config.webhooks);
    let (secrets, tasks) = (secrets.clone(), tasks.clone());
    Arc::new(webhooks::service::Service::new(db.clone(), clock.clone(), secrets, senders, tasks))
}

/// Customers' VMs.
pub(super) fn cloudpods_of(
    db: &Db,
    books: Arc<cloudpods::sagas::Books>,
    tenants: &Arc<tenants::service::Service>,
    plans: &Arc<plans::service::Service>,
    jobs: &jobs::service::Service,
) -> Arc<cloudpods::service::Service> {
    let (tenants, plans, jobs) = (tenants.clone(), plans.clone(), jobs.clone());
    Arc::new(cloudpods::service::Service::new(db.clone(), books, tenants, plans, jobs))
}

/// What the sagas use.
pub(super) fn books_of(
    config: &Config,
    clock: &Clock,
    servers: &Arc<servers::service::Service>,
    images: &Arc<images::service::Service>,
    ipam: &Arc<ipam::service::Service>,
    secrets: &secrets::service::Service,
) -> cloudpods::sagas::Books {
    cloudpods::sagas::Books {
        clock: clock.clone(),
        servers: servers.clone(),
        images: images.clone(),
        ipam: ipam.clone(),
        scheduling: Arc::new(scheduling::service::Service::new(clock.clone(), servers.clone())),
        firewalls: Arc::new(firewall::service::Service::new(clock.clone())),
        traffic: Arc::new(traffic::service::Service::new(clock.clone())),
        snapshots: Arc::new(snapshots::service::Service::new(clock.clone(), config.snapshots.per_pod)),
        backups: Arc::new(backups::service::Service::new(clock.clone(), config.backups.limits())),
        secrets: secrets.clone(),
        move_bandwidth_mibps: config.moves.bandwidth_mibps,
    }
}

/// How people prove who they are, and what may follow from it.
pub(super) struct People {
    pub(super) access: Arc<access::service::Service>,
    pub(super) passwords: passwords::service::Service,
    pub(super) mail: mail::service::Service,
    pub(super) sessions: Arc<sessions::service::Service>,
    pub(super) oidc: oidc::service::Service,
    pub(super) tokens: tokens::service::Service,
    pub(super) users: Arc<users::service::Service>,
}

pub(super) fn people_of(
    config: &Config,
    db: &Db,
    clock: &Clock,
    secrets: &secrets::service::Service,
    tenants: &Arc<tenants::service::Service>,
    (tasks, shutdown): (TaskTracker, CancellationToken),
) -> Result<People> {
    jws::install();
    let (db, clock) = (db.clone(), clock.clone());
    let access = Arc::new(access::service::Service::new(db.clone(), clock.clone()));
    let passwords = passwords::service::Service::default();
    let tokens = tokens::service::Service::new(db.clone(), clock.clone());
    let (public_url, running) = (config.http.public_url.as_deref(), (tasks.clone(), shutdown));
    let mail = mail::service::Service::new(&config.mail, public_url, db.clone(), clock.clone(), running)?;
    let credentials = credentials::service::Service::new(db.clone(), clock.clone(), passwords.clone(), secrets.clone());
    let sessions = Arc::new(sessions::service::Service::new(sessions::service::Parts {
        db: db.clone(),
        clock: clock.clone(),
        secrets: secrets.clone(),
        credentials: credentials.clone(),
        access: access.clone(),
        mail: mail.clone(),
        tokens: tokens.clone(),
        tasks,
    }));
    let users = users::service::Service::new(users::service::Parts {
        db: db.clone(),
        clock: clock.clone(),
        passwords: passwords.clone(),
        credentials: credentials.clone(),
        tenants: tenants.clone(),
        mail: mail.clone(),
        tokens: tokens.clone(),
        access: access.clone(),
        sessions: sessions.clone(),
        owner_email: config.people.platform_owner_email.clone(),
    });
    let parts = oidc::service::Parts {
        db,
        clock,
        secrets: secrets.clone(),
        credentials,
        access: access.clone(),
        sessions: sessions.clone(),
    };
    let oidc = oidc::service::Service::new(parts, &config.oidc, public_url)?;
    Ok(People { access, passwords, mail, sessions, oidc, tokens, users: Arc::new(users) })
}

/// The hosts, and what their service needs to know of the installation.
pub(super) fn servers_of(
    config: &Config,
    db: &Db,
    clock: &Clock,
    authority: &Authority,
    hub: &Arc<SessionHub>,
) -> servers::service::Service {
    let facts = servers::service::Facts {
        agents_url: config.agents.public_url.clone(),
        ca_sha256: authority.sha256(),
        heartbeat: config.agents.heartbeat_interval,
    };
    servers::service::Service::new(db.clone(), clock.clone(), facts, hub.clone(), hub.clone())
}

/// The drains, with the limits of the configuration.
pub(super) fn drains_of(
    config: &Config,
    db: &Db,
    clock: &Clock,
    servers: &Arc<servers::service::Service>,
    cloudpods: &Arc<cloudpods::service::Service>,
    jobs: &Arc<jobs::service::Service>,
    hub: &Arc<SessionHub>,
) -> drains::service::Service {
    let config::Moves { bandwidth_mibps: _, at_once, per_target, tries_max } = config.moves;
    let limits = drains::Limits { at_once, per_target, tries_max };
    let (servers, cloudpods, jobs) = (servers.clone(), cloudpods.clone(), jobs.clone());
    drains::service::Service::new(db.clone(), clock.clone(), servers, cloudpods, jobs, hub.clone(), limits)
}

/// A CA is replaced with all that trusts it: that takes its time.
const CA_AHEAD: Duration = Duration::from_hours(90 * 24);
/// Whatever renews the API's certificate has failed by then.
const API_AHEAD: Duration = Duration::from_hours(30 * 24);

/// The certificates that only the operator replaces.
fn own_certificates(
    config: &Config,
    authority: &Arc<Authority>,
    tls: Option<&Arc<Tls>>,
) -> invariants::OwnCertificates {
    let anew = "then enrol each host anew: `mpanel server token NAME`";
    let ca_cure = match &config.agents.ca_certificate {
        Some(file) => format!(
            "issue it anew with the same key and subject, put it into {} (`agents.ca_certificate`) and restart every control plane; \
             or take another CA, and {anew}",
            file.display()
        ),
        None => format!("set `agents.ca_certificate` and `agents.ca_key` to a CA of your own, {anew}"),
    };
    let (authority, tls) = (authority.clone(), tls.cloned());
    Arc::new(move || {
        let (not_before, not_after) = authority.valid();
        let what = "the agents' CA";
        let ca = OwnCertificate { what, not_before, not_after, ahead: CA_AHEAD, cure: ca_cure.clone() };
        let api = tls.as_ref().map(|tls| {
            let ((not_before, not_after), file) = (tls.valid(), tls.file().display());
            let cure = format!("put a newer one into {file} (`http.tls_certificate`), and `systemctl reload mpanel`");
            OwnCertificate { what: "the API's certificate", not_before, not_after, ahead: API_AHEAD, cure }
        });
        std::iter::once(ca).chain(api).collect()
    })
}

/// The store, and the secrets in it.
pub(super) async fn store_of(config: &Config, surroundings: &Surroundings) -> Result<(Db, secrets::service::Service)> {
    let (key, clock) = (key_of(config, surroundings)?, &surroundings.clock);
    let db = opened(&config.database.url, clock).await?;
    Ok((db.clone(), secrets::service::Service::new(db, clock.clone(), key)))
}

/// Opens the store, makes sure that it may be used, and sets the clock by it.
pub(super) async fn opened(url: &str, clock: &Clock) -> Result<Db> {
    let db = Db::open(url).await?;
    db.alone().await?;
    if let Some(time) = db.time().await? {
        clock.follow(time);
    }
    Ok(db)
}

/// The slices whose services are compared with one another.
pub(super) type Compared<'a> = (
    &'a Arc<servers::service::Service>,
    &'a Arc<cloudpods::service::Service>,
    &'a Arc<jobs::service::Service>,
    &'a Arc<drains::service::Service>,
);

/// The services that compare what the others keep, the audit's among them.
pub(super) type Comparing = (Arc<audit::service::Service>, Arc<drift::service::Service>, invariants::service::Service);

/// The services that compare what the others keep.
pub(super) fn compared(
    config: &Config,
    db: &Db,
    clock: &Clock,
    (servers, cloudpods, jobs, drains): Compared<'_>,
    (authority, tls): (&Arc<Authority>, Option<&Arc<Tls>>),
) -> Comparing {
    let (db, clock) = (db.clone(), clock.clone());
    let audit = Arc::new(audit::service::Service::new(db.clone(), clock.clone()));
    let (servers, cloudpods, jobs) = (servers.clone(), cloudpods.clone(), jobs.clone());
    let drift = drift::service::Service::new(
        db.clone(),
        clock.clone(),
        servers.clone(),
        cloudpods.clone(),
        jobs.clone(),
        config.drift.policy(),
    );
    let drift = Arc::new(drift);
    let certificates = own_certificates(config, authority, tls);
    let (working, kept) = ((jobs, drains.clone()), (drift.clone(), audit.clone()));
    let invariants = invariants::service::Service::new(db, clock, servers, cloudpods, working, kept, certificates);
    (audit, drift, invariants)
}
