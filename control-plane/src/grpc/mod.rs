//! The agents' channel: mutual TLS, enrolment, one session per server.

pub mod ca;
mod config;
pub mod identity;
pub mod tls;

pub use config::Config;
