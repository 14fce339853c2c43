//! A simulated Proxmox VE server: the same paths, words and habits over HTTPS, for tests and for the demo.
//!
//! It is a *server*, not a stub of a client: what talks to it is the code that talks to a real host, unchanged. Its
//! behaviour follows what was recorded on running 8.4 and 9.1 servers; `tests/` holds it against that, case by case.
//!
//! ```text
//! http      one connection: what the daemon accepts, refuses and leaves out
//! api       path → handler; faults strike here        codec, schema, formats   parameters and their refusals
//! auth      tokens, tickets                           access, users            who may do what
//! tasks     workers, UPIDs, logs                      locks                    a VM's configuration lock
//! vm/       everything below /nodes/x/qemu            storage, backup, nodes, cluster, pools, task_api
//! websocket, rfb  consoles and tunnels                client                   the other end of a tunnel
//! state     cluster → nodes → VMs                     store                    snapshot on disk, kill-safe
//! sim       build, start, stop                        hand, faults, admin      what tests do to it
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), pve_sim::StartError> {
//! use pve_sim::{Flavour, Sim, TaskAction};
//!
//! let sim = Sim::builder().node("pve1").version(Flavour::V8_4).start().await?;
//! sim.faults().next_task("qmclone", TaskAction::Hold);
//! // … point the code under test at sim.url(), sim.token(), sim.fingerprint() …
//! let upid = sim.faults().wait_held("qmclone").await;
//! sim.faults().release();
//! assert_eq!(sim.faults().count("POST", "/nodes/*/qemu/*/clone"), 1);
//! # let _ = upid;
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```

#![allow(clippy::format_push_string, reason = "short texts; `write!` would bring a Result that cannot fail")]

mod access;
mod admin;
mod api;
mod app;
mod auth;
mod backup;
mod client;
mod clock;
mod cluster;
mod codec;
mod config;
mod error;
mod faults;
mod formats;
mod hand;
mod http;
mod locks;
mod nodes;
mod pools;
mod rfb;
mod schema;
mod seed;
mod server;
mod sim;
mod state;
mod storage;
mod store;
mod task_api;
mod tasks;
mod users;
mod vm;
mod websocket;

pub use config::{Flavour, IsoSpec, SimConfig, StorageSpec, TemplateSpec, Timings, TokenSpec};
pub use faults::{Action, Call, Fault, Faults, TaskAction, TaskFault};
pub use hand::{Hand, Unmounted, VmView};
pub use rfb::vnc_response;
pub use sim::{NodeView, Sim, SimBuilder, StartError};
pub use state::CreatedVm;
pub use store::StoreError;
