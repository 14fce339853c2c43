//! Sends mails, in the background.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as Encryption, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::places::{Place, Places};
use super::{Config, Letter, Tls};
use crate::clock::{Clock, Ms};
use crate::db::Db;
use crate::domain::audit::{Actor, Record, audit_append};
use crate::error::{Error, Result};
use crate::ids::TenantId;

/// The waits between the tries of one mail.
const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(10), Duration::from_mins(1), Duration::from_mins(5)];
/// Mails that wait to be sent; one more is not taken.
const WAITING_MAX: usize = 256;
/// When to ask for a place again that all others of the tenant have.
const PLACE_AFTER: Duration = Duration::from_mins(1);
/// Mails that are being sent at once.
const AT_ONCE: usize = 4;
/// How long the server may take for each of its answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// See the module.
#[derive(Clone)]
pub struct Service {
    db: Db,
    clock: Clock,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    public_url: String,
    post: Option<Arc<Post>>,
}

/// The way to the server.
struct Post {
    transport: Transport,
    from: Mailbox,
    waiting: Arc<Semaphore>,
    places: Places,
    sending: Semaphore,
}

impl Service {
    /// As configured. Mails that are on their way when `shutdown` begins are given up after the try under way.
    pub fn new(
        config: &Config,
        public_url: Option<&str>,
        db: Db,
        clock: Clock,
        (tasks, shutdown): (TaskTracker, CancellationToken),
    ) -> Result<Self> {
        let post = config.host.as_deref().map(|host| Post::new(config, host)).transpose()?.map(Arc::new);
        Ok(Self { db, clock, tasks, shutdown, public_url: public_url.unwrap_or_default().to_owned(), post })
    }

    /// Whether mails are sent at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.post.is_some()
    }

    /// A link to a page of the console. The secret comes after `#`, which no browser sends to anybody and no log holds.
    #[must_use]
    pub fn link(&self, page: &str, secret: &str) -> String {
        format!("{}/{page}#{secret}", self.public_url)
    }

    /// A place among the mails that wait, of the few that one tenant's may take: a tenant whose mails do not arrive keeps no other's
    /// waiting. `None`: no mails are sent. 429 when all are taken.
    pub fn place_take(&self, tenant: TenantId) -> Result<Option<Place>> {
        let Some(post) = &self.post else { return Ok(None) };
        let place = post.places.take(tenant).ok_or(Error::TooMany { retry_after: PLACE_AFTER })?;
        Ok(Some(place))
    }

    /// Sends a letter as [`Service::mail_send`] does, and holds its tenant's place until it is sent or given up.
    pub fn mail_send_in(&self, place: Place, to: &str, letter: Letter) {
        self.send(Some(place), to, letter);
    }

    /// Sends a letter, in the background; where none are sent, nothing. It is never an error of whoever asked for it: what is
    /// lost is in the log and in the audit.
    pub fn mail_send(&self, to: &str, letter: Letter) {
        self.send(None, to, letter);
    }

    fn send(&self, place: Option<Place>, to: &str, letter: Letter) {
        let Some(post) = self.post.clone() else { return };
        let (service, to) = (self.clone(), to.to_owned());
        self.tasks.spawn(async move {
            // Held until it is sent or given up.
            let sent = match post.waiting.clone().try_acquire_owned() {
                Ok(_place) => service.deliver(&post, &to, &letter).await,
                Err(_) => Err("too many mails wait to be sent".to_owned()),
            };
            drop(place);
            match sent {
                Ok(()) => {
                    metrics::counter!("mpanel_mails_total", "kind" => letter.kind, "outcome" => "sent").increment(1);
                }
                Err(cause) => service.lost(&to, &letter, &cause).await,
            }
        });
    }

    async fn deliver(&self, post: &Post, to: &str, letter: &Letter) -> Result<(), String> {
        let message = post.message(self.clock.now(), to, letter)?;
        let mut waits = WAITS.into_iter();
        loop {
            let sent = {
                let _turn = post.sending.acquire().await.map_err(|error| error.to_string())?;
                post.transport.send(message.clone()).await
            };
            let Err(error) = sent else { return Ok(()) };
            let cause = error.to_string();
            // What the server refuses for good it would refuse again.
            let Some(wait) = waits.next().filter(|_| !error.is_permanent()) else { return Err(cause) };
            tracing::warn!(kind = letter.kind, cause, retry_s = wait.as_secs(), "a mail could not be sent");
            tokio::select! {
                () = self.shutdown.cancelled() => return Err(format!("{cause}; then the control plane was stopped")),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn lost(&self, to: &str, letter: &Letter, cause: &str) {
        metrics::counter!("mpanel_mails_total", "kind" => letter.kind, "outcome" => "lost").increment(1);
        tracing::error!(kind = letter.kind, cause, "a mail was given up");
        if let Err(error) = self.lost_audit(to, letter, cause).await {
            tracing::error!(%error, kind = letter.kind, "nor could that be audited");
        }
    }

    async fn lost_audit(&self, to: &str, letter: &Letter, cause: &str) -> Result<()> {
        let actor = Actor::system("mail");
        let target_id = letter.kind.to_owned();
        let record = Record { actor: &actor, tenant: None, action: "mail.lost", target_kind: "mail", target_id };
        let mut tx = self.db.begin().await?;
        audit_append(&mut tx, self.clock.now(), record, &json!({"to": to, "cause": cause})).await?;
        tx.commit().await
    }
}

impl Post {
    fn new(config: &Config, host: &str) -> Result<Self> {
        let Config { host: _, port, tls, from, user, password_file, ca_certificate } = config;
        let wrong = |error: lettre::transport::smtp::Error| Error::invalid("mail", error.to_string());
        let usual = match tls {
            Tls::Starttls => 587,
            Tls::Tls => 465,
            Tls::None => 25,
        };
        let mut transport =
            Transport::builder_dangerous(host).port(port.unwrap_or(usual)).timeout(Some(ANSWER_TIMEOUT));
        if *tls != Tls::None {
            let mut parameters = TlsParameters::builder(host.to_owned());
            if let Some(file) = ca_certificate {
                let pem = read("mail.ca_certificate", file)?;
                parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(wrong)?);
            }
            let parameters = parameters.build_rustls().map_err(wrong)?;
            transport = transport.tls(match tls {
                Tls::Tls => Encryption::Wrapper(parameters),
                Tls::Starttls | Tls::None => Encryption::Required(parameters),
            });
        }
        if let (Some(user), Some(file)) = (user, password_file) {
            let password = Zeroizing::new(read("mail.password_file", file)?);
            let password = std::str::from_utf8(&password)
                .map_err(|_| Error::invalid("mail.password_file", format!("{} is no text", file.display())))?;
            transport = transport.credentials(Credentials::new(user.clone(), password.trim_end().to_owned()));
        }
        let from = from.as_deref().unwrap_or_default().parse();
        Ok(Self {
            transport: transport.build(),
            from: from.map_err(|error| Error::invalid("mail.from", format!("is no address: {error}")))?,
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            places: Places::default(),
            sending: Semaphore::new(AT_ONCE),
        })
    }

    fn message(&self, now: Ms, to: &str, letter: &Letter) -> Result<Message, String> {
        let to: Mailbox = to.parse().map_err(|error| format!("{to} is no address: {error}"))?;
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).unwrap_or_default());
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject.clone())
            .date(date)
            .message_id(None)
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|error| error.to_string())
    }
}

fn read(field: &str, file: &std::path::Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| Error::invalid(field, format!("{} cannot be read: {error}", file.display())))
}
