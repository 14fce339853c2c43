//! Who the peer is: read from its verified certificate and from nothing else.

use std::net::IpAddr;

use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::ca::hex;
use crate::clock::Ms;
use crate::ids::{InstanceId, ServerId};

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

/// Who is at the other end, as far as its certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// It showed none.
    Stranger,
    /// A server's agent.
    Agent(Identity),
    /// Another control plane over the same database.
    Plane(InstanceId),
}

/// The other end of a connection; every request carries it as an extension.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Who it is.
    pub who: Who,
    /// Cuts the connection.
    pub cut: CancellationToken,
}

/// The one name on an agent's certificate.
pub(super) fn spiffe_id(trust_domain: &str, server: ServerId) -> String {
    format!("spiffe://{trust_domain}/server/{server}")
}

/// The one name on a control plane's certificate for its calls to others.
pub(super) fn plane_spiffe_id(trust_domain: &str, instance: InstanceId) -> String {
    format!("spiffe://{trust_domain}/control-plane/{instance}")
}

/// Reads a certificate whose chain has been verified. The error says what is wrong with it.
pub(super) fn who_of(certificate_der: &[u8], trust_domain: &str) -> Result<Who, String> {
    let (_, certificate) = X509Certificate::from_der(certificate_der).map_err(|error| error.to_string())?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| error.to_string())?
        .ok_or("the certificate has no subject alternative name")?;
    let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
        return Err("the certificate must have one name, a SPIFFE URI".into());
    };
    let path = uri.strip_prefix("spiffe://").and_then(|rest| rest.strip_prefix(trust_domain)).unwrap_or_default();
    if let Some(instance) = path.strip_prefix("/control-plane/").and_then(|id| id.parse::<InstanceId>().ok())
        && plane_spiffe_id(trust_domain, instance) == *uri
    {
        return Ok(Who::Plane(instance));
    }
    let server = path
        .strip_prefix("/server/")
        .and_then(|id| id.parse::<ServerId>().ok())
        .filter(|server| spiffe_id(trust_domain, *server) == *uri)
        .ok_or_else(|| format!("the certificate's name {uri:?} is not spiffe://{trust_domain}/server/<id>"))?;
    Ok(Who::Agent(Identity {
        server,
        serial: hex(certificate.raw_serial()),
        not_after: Ms(certificate.validity().not_after.timestamp().saturating_mul(1000)),
    }))
}
