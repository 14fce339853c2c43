//! One error type for every transport. What a caller may read and what only the log may hold are apart.

use std::time::Duration;

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field as the caller wrote it, e.g. `nics[0].bridge`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Why a thing could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be read at all (400).
    #[error("{0}")]
    Malformed(String),
    /// The request can be read, but fields of it are not acceptable (422).
    #[error("{}", list(.0))]
    Invalid(Vec<FieldError>),
    /// Nobody, or nobody known (401).
    #[error("{0}")]
    Unauthorized(String),
    /// Known, but not allowed (403).
    #[error("{0}")]
    Forbidden(String),
    /// It does not exist, or the caller may not know that it does (404).
    #[error("no such {what}: {id}")]
    NotFound {
        /// The noun, e.g. `server`.
        what: &'static str,
        /// As the caller named it.
        id: String,
    },
    /// It exists in a state that does not allow this (409).
    #[error("{detail}")]
    Conflict {
        /// Stable, for programs: `server_name_taken`.
        code: &'static str,
        /// For people: what and what to do.
        detail: String,
    },
    /// Changed since the caller read it (412).
    #[error("it was changed since you read it; read it again and repeat the change on what is there now")]
    Stale,
    /// The body is larger than allowed (413).
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The most that is accepted.
        limit_bytes: usize,
    },
    /// Too many requests (429).
    #[error("too many requests; try again in {} s", .retry_after.as_secs().max(1))]
    TooMany {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A dependency does not answer now (503).
    #[error("{detail}")]
    Unavailable {
        /// What does not answer.
        detail: String,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// It was tried and did not get there; another try may (409).
    #[error("{detail}")]
    Retry {
        /// What is not as it has to be.
        detail: String,
    },
    /// No server can take it (507).
    #[error("no server can take it: {}", list(.0))]
    NoCapacity(Vec<FieldError>),
    /// No pool has an address left for it (507).
    #[error("no pool has an address left for it: {}", list(.0))]
    NoAddresses(Vec<FieldError>),
    /// A defect or a broken dependency; the text is for the log alone (500).
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The code of [`Error::NoCapacity`].
pub const NO_CAPACITY: &str = "no_capacity";

/// What is said to whom servers are not shown, of [`Error::NoCapacity`], instead of the reason of each.
pub const NO_ROOM: &str =
    "there is no room for it at present: try again later, or with another region or a smaller plan";

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn list(fields: &[FieldError]) -> String {
    fields.iter().map(|f| format!("{}: {}", f.field, f.message)).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// One unacceptable field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }

    /// Something that is not there.
    #[allow(clippy::needless_pass_by_value, reason = "ids are Copy, and a call reads better without a reference")]
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// A state that does not allow it.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict { code, detail: detail.into() }
    }

    /// A try that did not get there.
    pub fn retry(detail: impl Into<String>) -> Self {
        Self::Retry { detail: detail.into() }
    }

    /// A defect, with the text for the log.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// A dependency that does not answer now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable { detail: detail.into(), retry_after: Duration::from_secs(2) }
    }

    /// Whether the same may succeed later without anybody changing anything.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            // A defect may be a passing one of the database's; attempts are bounded.
            Self::TooMany { .. }
            | Self::Unavailable { .. }
            | Self::Retry { .. }
            | Self::NoCapacity(_)
            | Self::NoAddresses(_)
            | Self::Internal(_) => true,
            Self::Malformed(_)
            | Self::Invalid(_)
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Stale
            | Self::TooLarge { .. } => false,
        }
    }

    /// Stable, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Invalid(_) => "invalid",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Conflict { code, .. } => code,
            Self::Stale => "stale",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany { .. } => "too_many_requests",
            Self::Unavailable { .. } => "unavailable",
            Self::Retry { .. } => "retry",
            Self::NoCapacity(_) => NO_CAPACITY,
            Self::NoAddresses(_) => "no_addresses",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => {
                tracing::warn!(%error, "the database does not answer");
                Self::unavailable("the database does not answer; what was asked for was not done")
            }
            sqlx::Error::Database(db) if is_transient(db.as_ref()) => {
                tracing::warn!(%error, "the database is busy");
                Self::unavailable("the database is busy; what was asked for was not done")
            }
            _ => Self::internal(error),
        }
    }
}

/// What a database says that may not say it a moment later.
fn is_transient(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| match code.as_ref() {
        // PostgreSQL: serialization failure, deadlock, lock timeout, statement timeout, idle too long in a transaction,
        // shutdown and start, read-only after a failover, full, out of memory, too many connections.
        "40001" | "40P01" | "55P03" | "57014" | "25P03" | "25006" | "57P01" | "57P02" | "57P03" | "53100" | "53200"
        | "53300" => true,
        // SQLite, whose codes are shorter and say in their last byte what it is: busy, locked, input/output error, full.
        code if code.len() < 5 => code.parse().is_ok_and(|code: u32| matches!(code & 0xff, 5 | 6 | 10 | 13)),
        // A table was changed under a prepared statement: another control plane is being upgraded.
        "0A000" => error.message().contains("cached plan"),
        other => other.starts_with("08"),
    })
}

/// Of a COMMIT whose answer did not come: only a look tells whether it was carried out.
pub(crate) fn commit_unanswered(error: sqlx::Error) -> Error {
    match Error::from(error) {
        Error::Unavailable { retry_after, .. } => Error::Unavailable {
            detail:
                "the database did not answer, and whether this was done is not known: repeat the request with the same \
                     Idempotency-Key, or look"
                    .to_owned(),
            retry_after,
        },
        other => other,
    }
}

/// Whether a statement failed because a unique index already holds the value.
#[must_use]
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
