//! Where a pod goes. Pure functions on a snapshot of the servers: [`filter`] says for each server every reason why it
//! cannot take the pod, [`Score`] puts those that can in order, [`place`] decides and explains. Committing a decision is
//! the [`service`]'s: optimistic, by a conditional update of the server's reserved totals.

mod filter;
mod score;
pub mod service;
mod store;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::clock::Ms;
use crate::domain::servers::ServerCapacity;
use crate::error::{Error, FieldError};
use crate::ids::ServerId;

pub use filter::{Reason, filter, unreachable};
pub use score::Score;

/// The most servers that an explanation names one by one; the rest is counted by reason.
pub const EXPLAINED_MAX: usize = 200;
/// Of those, the most that would have done as well.
const FITS_EXPLAINED_MAX: usize = 50;

/// What has to be placed.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Disk in GiB.
    pub disk_gib: u64,
    /// Only in this region.
    pub region: Option<String>,
    /// Only on this server.
    pub server: Option<ServerId>,
    /// Only on a storage of this name.
    pub storage: Option<String>,
    /// Only on servers that bear all of these labels.
    pub labels: BTreeMap<String, String>,
    /// Never beside another pod of the same tenant.
    pub anti_affinity: bool,
    /// On which servers the tenant's other pods are, and how many.
    pub tenant_pods: HashMap<ServerId, u32>,
    /// On which of them is one that wants no other of its tenant beside it.
    pub kept_apart: HashSet<ServerId>,
    /// Where the image's template is: a server that is not named here has none.
    pub templates: HashMap<ServerId, u32>,
    /// What it means that a server is not named there; `None`: that it has no template.
    pub template_else: Option<Reason>,
    /// Tried in this very attempt, and taken by somebody else in between.
    pub lost: HashSet<ServerId>,
    /// Not these, for a reason that the servers' figures do not show.
    pub barred: HashMap<ServerId, Reason>,
}

/// A decision and why it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where it goes; `None`: nowhere.
    pub chosen: Option<Choice>,
    /// Why there and not elsewhere.
    pub explanation: Explanation,
}

/// Where a pod goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The server.
    pub server: ServerId,
    /// Its name.
    pub name: String,
    /// The storage for the pod's disk.
    pub storage: String,
    /// The image's template on that server.
    pub template_vmid: u32,
}

/// Why a pod was placed where it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Explanation {
    /// How many servers there were.
    pub servers: u64,
    /// How many of them could have taken it.
    pub fitting: u64,
    /// How many were refused, by reason; a server with two reasons counts in both.
    pub rejected_by_reason: BTreeMap<String, u64>,
    /// The chosen one, the next best, then those refused; at most 200.
    pub considered: Vec<Considered>,
}

/// What was thought of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Considered {
    /// The server.
    pub server: ServerId,
    /// Its name.
    pub name: String,
    /// What was thought of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What was thought of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It takes the pod.
    Chosen {
        /// On this storage.
        storage: String,
        /// What spoke for it; smaller is better.
        score: Score,
    },
    /// It could have; another scored better.
    Fits {
        /// What spoke for it; smaller is better.
        score: Score,
    },
    /// It cannot.
    Rejected {
        /// Every reason.
        reasons: Vec<Rejection>,
    },
}

/// A reason in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rejection {
    /// Stable, for programs: `memory`, `storage_full`, ….
    pub code: String,
    /// For people, with the figures.
    pub text: String,
}

/// A stored decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// When it was made.
    pub decided_at: Ms,
    /// Where the pod went; `None`: nowhere.
    pub server: Option<ServerId>,
    /// Why.
    pub explanation: Explanation,
}

/// Decides where a pod goes. The same request and snapshot give the same answer, in whatever order the servers come.
#[must_use]
pub fn place(request: &Request, servers: &[ServerCapacity]) -> Decision {
    let mut fitting: Vec<(Score, &ServerCapacity, filter::Fit<'_>)> = Vec::new();
    let mut rejected = Vec::new();
    let mut explanation = Explanation { servers: servers.len() as u64, ..Explanation::default() };
    for server in servers {
        match filter(request, server) {
            Ok(fit) => fitting.push((Score::of(request, server), server, fit)),
            Err(reasons) => {
                for reason in &reasons {
                    *explanation.rejected_by_reason.entry(reason.code().to_owned()).or_default() += 1;
                }
                if rejected.len() < EXPLAINED_MAX {
                    rejected.push((server, reasons));
                }
            }
        }
    }
    explanation.fitting = fitting.len() as u64;
    let best_first = |a: &(Score, &ServerCapacity, filter::Fit<'_>), b: &(Score, &ServerCapacity, filter::Fit<'_>)| {
        (a.0, &a.1.name, a.1.id).cmp(&(b.0, &b.1.name, b.1.id))
    };
    if fitting.len() > FITS_EXPLAINED_MAX {
        fitting.select_nth_unstable_by(FITS_EXPLAINED_MAX, best_first);
        fitting.truncate(FITS_EXPLAINED_MAX);
    }
    fitting.sort_unstable_by(best_first);
    let mut chosen = None;
    for (score, server, fit) in fitting {
        let verdict = if chosen.is_none() {
            let storage = fit.storage.to_owned();
            let template_vmid = fit.template_vmid;
            chosen =
                Some(Choice { server: server.id, name: server.name.clone(), storage: storage.clone(), template_vmid });
            Verdict::Chosen { storage, score }
        } else {
            Verdict::Fits { score }
        };
        explanation.considered.push(Considered { server: server.id, name: server.name.clone(), verdict });
    }
    let room = EXPLAINED_MAX.saturating_sub(explanation.considered.len());
    for (server, reasons) in rejected.into_iter().take(room) {
        let reasons = reasons.iter().map(|r| Rejection { code: r.code().to_owned(), text: r.to_string() }).collect();
        explanation.considered.push(Considered {
            server: server.id,
            name: server.name.clone(),
            verdict: Verdict::Rejected { reasons },
        });
    }
    Decision { chosen, explanation }
}

impl Explanation {
    /// A server that would take the pod but for what ends by itself, such as an agent that is away; in words.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        self.considered.iter().find_map(|considered| match &considered.verdict {
            Verdict::Rejected { reasons } => match reasons.as_slice() {
                [only] if Reason::PASSING.contains(&only.code.as_str()) => {
                    Some(format!("server {} could take it, but {}", considered.name, only.text))
                }
                _ => None,
            },
            Verdict::Chosen { .. } | Verdict::Fits { .. } => None,
        })
    }

    /// As the error of a pod that no server can take: a line per server, and one ahead of them when there is no server at
    /// all that could be asked.
    #[must_use]
    pub fn no_capacity(&self) -> Error {
        let mut lines = Vec::new();
        let not_online = self.rejected_by_reason.get(Reason::NOT_ONLINE).copied().unwrap_or(0);
        if self.servers == 0 {
            lines.push(FieldError {
                field: "servers".to_owned(),
                message: "no server is registered; register one: `mpanel server add NAME`".to_owned(),
            });
        } else if not_online == self.servers {
            lines.push(FieldError {
                field: "servers".to_owned(),
                message: "no server is online; check that the agents run and can reach the control plane".to_owned(),
            });
        }
        let mut named = 0;
        for considered in &self.considered {
            if let Verdict::Rejected { reasons } = &considered.verdict {
                let message = reasons.iter().map(|r| r.text.as_str()).collect::<Vec<_>>().join("; ");
                lines.push(FieldError { field: considered.name.clone(), message });
                named += 1;
            }
        }
        let unnamed = self.servers.saturating_sub(self.fitting).saturating_sub(named);
        if unnamed > 0 {
            let counts: Vec<_> = self.rejected_by_reason.iter().map(|(code, n)| format!("{code}: {n}")).collect();
            let message = format!("{unnamed} more; all refusals by reason: {}", counts.join(", "));
            lines.push(FieldError { field: "others".to_owned(), message });
        }
        Error::NoCapacity(lines)
    }
}
