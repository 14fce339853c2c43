//! The events as a stream: each process reads new ones from the database once, whoever watches, and hands them to all streams.
//!
//! ```text
//! transaction ──append──▶ event ──numberer──▶ number n ──one reader a process──▶ ring ──▶ stream (what its reader may see)
//!                                                └────────── a stream that resumes reads the pages that it missed ─┘
//! ```
//!
//! What is never missed, and why: an event is numbered after its transaction has committed, and whoever sees a number can see all
//! below it. A transaction that commits late gets a later number. A stream that cannot keep up is cut, and resumes by the number
//! that it has seen last.

pub mod routes;
pub mod service;

use crate::domain::access::Permission;

/// What somebody has to be allowed to read to see events of this name.
#[must_use]
pub fn permission_of(name: &str) -> Permission {
    let noun = name.split_once('.').map_or(name, |(noun, _)| noun);
    match noun {
        "cloudpod" | "console" | "snapshot" | "backup" => Permission::CloudpodsRead,
        "job" => Permission::ProvisioningRead,
        "jobs" => Permission::ProvisioningManage,
        "server" | "drain" => Permission::ServersRead,
        "plan" => Permission::PlansRead,
        "image" => Permission::ImagesRead,
        "ip_pool" => Permission::IpPoolsRead,
        "drift" => Permission::DriftRead,
        "tenant" => Permission::TenantsRead,
        "user" | "membership" | "invitation" => Permission::UsersRead,
        "token" => Permission::TokensManage,
        "customer" => Permission::CustomersRead,
        "webhook" => Permission::WebhooksRead,
        // Who was refused what in the tenant, which its audit shows as well.
        "request" => Permission::AuditRead,
        // Whatever is not said here is for the platform's staff alone.
        _ => Permission::AuditManage,
    }
}

/// Names of events that somebody wants: `noun.verb`, or `noun.*` for all of a noun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<String>);

impl Names {
    /// The most of them.
    pub const MAX: usize = 50;

    /// Reads them; `None`: one is no name.
    #[must_use]
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let is_word = |word: &str| {
            (1..=60).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let is_name = |name: &&str| {
            name.split_once('.').is_some_and(|(noun, verb)| is_word(noun) && (verb == "*" || is_word(verb)))
        };
        let names: Vec<&str> = names.into_iter().collect();
        (names.len() <= Self::MAX && names.iter().all(is_name))
            .then(|| Self(names.into_iter().map(str::to_owned).collect()))
    }

    /// Whether an event of this name is wanted: none named, all are.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.0.is_empty()
            || self.0.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(noun) => name.starts_with(noun),
                None => name == wanted,
            })
    }

    /// As they were given.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_single_or_a_noun_s() {
        let names = Names::parse(["cloudpod.created", "job.*"]).unwrap();
        for (name, wanted) in
            [("cloudpod.created", true), ("cloudpod.updated", false), ("job.failed", true), ("jobs.retried", false)]
        {
            assert_eq!(names.wants(name), wanted, "{name}");
        }
        assert!(Names::default().wants("plan.created"));
        for wrong in ["", "*", "job", "job.", ".created", "Job.created", "job.a*", "job.a b", "a.b.c"] {
            assert_eq!(Names::parse([wrong]), None, "{wrong}");
        }
        assert_eq!(Names::parse(std::iter::repeat_n("a.b", Names::MAX + 1)), None);
    }

    #[test]
    fn an_event_of_no_known_noun_is_for_staff() {
        assert!(permission_of("something.new").roles().is_empty());
        assert!(permission_of("audit.head").roles().is_empty());
        assert!(!permission_of("cloudpod.created").roles().is_empty());
    }
}
