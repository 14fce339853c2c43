//! Who a request comes from: API tokens, and tickets with their CSRF token.

use sha2::{Digest, Sha256};

use crate::access::Identity;
use crate::clock;
use crate::codec::decode_segment;
use crate::error::ApiError;
use crate::http::Request;
use crate::state::Cluster;

/// How long a ticket lasts.
const TICKET_SECONDS: i64 = 7200;

fn refused(reason: &str) -> ApiError {
    ApiError::empty(401, reason)
}

/// The identity of a request, or the 401 to answer (after the delay that every 401 has).
pub(crate) fn authenticate(cluster: &Cluster, request: &Request) -> Result<Identity, ApiError> {
    if let Some(token) = api_token(request) {
        return by_token(cluster, &token);
    }
    let Some(ticket) = cookie(request, "PVEAuthCookie") else { return Err(refused("No ticket")) };
    let user = verify_ticket(cluster, &ticket).ok_or_else(|| refused("Authentication failed!"))?;
    if request.method != "GET" {
        let csrf = request.header("CSRFPreventionToken").unwrap_or_default();
        if csrf != csrf_token(cluster, &user) {
            return Err(refused("Permission denied - invalid csrf token"));
        }
    }
    Ok(Identity { user, token: None })
}

/// What follows `PVEAPIToken=` (or a blank instead of `=`); the word is case-sensitive.
fn api_token(request: &Request) -> Option<String> {
    let rest = request.header("Authorization")?.strip_prefix("PVEAPIToken")?;
    rest.strip_prefix(['=', ' ']).map(str::to_owned)
}

fn by_token(cluster: &Cluster, text: &str) -> Result<Identity, ApiError> {
    let failed = || refused("Authentication failed!");
    let (full, secret) = text.split_once('=').ok_or_else(failed)?;
    let (user, id) = full.split_once('!').ok_or_else(failed)?;
    let account = cluster.access.users.get(user).filter(|account| !account.disabled).ok_or_else(failed)?;
    let token = account.tokens.get(id).ok_or_else(failed)?;
    let expired = token.expire != 0 && token.expire < clock::now_s();
    if expired || token.secret != secret {
        return Err(failed());
    }
    Ok(Identity { user: user.to_owned(), token: Some(id.to_owned()) })
}

fn cookie(request: &Request, name: &str) -> Option<String> {
    let header = request.header("Cookie")?;
    let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    // A ticket may be sent as it is or percent-encoded.
    pairs.find(|(key, _)| *key == name).map(|(_, value)| decode_segment(value))
}

fn sign(cluster: &Cluster, what: &str) -> String {
    clock::hex(&Sha256::digest(format!("{}|{what}", cluster.ticket_key).as_bytes()))
}

/// A new ticket for a user.
pub(crate) fn new_ticket(cluster: &Cluster, user: &str) -> String {
    let stamped = format!("PVE:{user}:{:08X}", clock::now_s());
    format!("{stamped}::{}", sign(cluster, &stamped))
}

/// The CSRF token that goes with a user's tickets.
pub(crate) fn csrf_token(cluster: &Cluster, user: &str) -> String {
    format!("{}:{}", &sign(cluster, "csrf")[..8].to_uppercase(), &sign(cluster, &format!("csrf:{user}"))[..43])
}

fn verify_ticket(cluster: &Cluster, ticket: &str) -> Option<String> {
    let (stamped, signature) = ticket.split_once("::")?;
    if signature != sign(cluster, stamped) {
        return None;
    }
    let mut parts = stamped.splitn(3, ':');
    let (_, user, time) = (parts.next()?, parts.next()?, parts.next()?);
    let age = clock::now_s() - i64::from_str_radix(time, 16).ok()?;
    let known = cluster.access.users.get(user).is_some_and(|account| !account.disabled);
    ((-300..TICKET_SECONDS).contains(&age) && known).then(|| user.to_owned())
}
