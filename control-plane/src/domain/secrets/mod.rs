//! Secrets that the control plane keeps: sealed under one envelope key, which never enters the database.

mod envelope;
pub mod service;
mod store;

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

pub use envelope::EnvelopeKey;

/// A value that prints as `***` and is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Wraps it.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself. What is done with it must not reach a log.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A secret and what belongs to it that anybody may read, e.g. a private key and its certificate.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The secret.
    pub secret: Secret<Vec<u8>>,
    /// What anybody may read. Bound to the secret: one cannot be exchanged without the other.
    pub public: Vec<u8>,
}
