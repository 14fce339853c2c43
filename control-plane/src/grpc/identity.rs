//! Who the peer is: read from its verified certificate and from nothing else.

use std::net::IpAddr;

use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::ca::hex;
use crate::clock::Ms;
use crate::ids::ServerId;

/// The identity that a certificate gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The server whose agent it is.
    pub server: ServerId,
    /// The certificate's serial number, lower-case hexadecimal.
    pub serial: String,
    /// Until when the certificate is valid.
    pub not_after: Ms,
}

/// The other end of a connection; every request carries it as an extension.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Who it is; `None`: it showed no certificate.
    pub identity: Option<Identity>,
    /// Cuts the connection.
    pub cut: CancellationToken,
}

/// The one name on an agent's certificate.
pub(super) fn spiffe_id(trust_domain: &str, server: ServerId) -> String {
    format!("spiffe://{trust_domain}/server/{server}")
}

/// Reads a certificate whose chain has been verified. The error says what is wrong with it.
pub(super) fn identity_of(certificate_der: &[u8], trust_domain: &str) -> Result<Identity, String> {
    let (_, certificate) = X509Certificate::from_der(certificate_der).map_err(|error| error.to_string())?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| error.to_string())?
        .ok_or("the certificate has no subject alternative name")?;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
        return Err("the certificate must have one name, a SPIFFE URI".into());
    };
    let server = uri
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.strip_prefix(trust_domain))
        .and_then(|rest| rest.strip_prefix("/server/"))
        .and_then(|id| id.parse::<ServerId>().ok().filter(|server| server.to_string() == id))
        .ok_or_else(|| format!("the certificate's name {uri:?} is not spiffe://{trust_domain}/server/<id>"))?;
    Ok(Identity {
        server,
        serial: hex(certificate.raw_serial()),
        not_after: Ms(certificate.validity().not_after.timestamp().saturating_mul(1000)),
    })
}
