//! What those are called who did something: records have their ids alone, which stay right when names change.

use std::collections::{HashMap, HashSet};

use super::{service::Service, store};
use crate::error::Result;
use crate::ids::{ServerId, TokenId, UserId};

/// By the actor as the records have it.
pub type ActorNames = HashMap<String, String>;

impl Service {
    /// What these actors (`user:<id>`, `token:<id>`, `agent:<id>`) are called: people by their addresses, tokens by their owners'
    /// and their own names, agents by their servers'; one look for each kind. `whole`: for staff; a tenant's people are told neither
    /// of staff nor of servers. Who is not found, or has no other name, is left out.
    pub async fn actor_names<'a>(&self, actors: impl Iterator<Item = &'a str>, whole: bool) -> Result<ActorNames> {
        let actors: HashSet<&str> = actors.collect();
        let users: Vec<UserId> = ids_of(&actors, "user:");
        let tokens: Vec<TokenId> = ids_of(&actors, "token:");
        let servers: Vec<ServerId> = if whole { ids_of(&actors, "agent:") } else { Vec::new() };
        let mut names = ActorNames::new();
        if users.is_empty() && tokens.is_empty() && servers.is_empty() {
            return Ok(names);
        }
        let mut read = self.db.read().await?;
        if !users.is_empty() {
            let found = store::names::users(read.conn(), &users, whole).await?;
            names.extend(found.into_iter().map(|(id, name)| (format!("user:{id}"), name)));
        }
        if !tokens.is_empty() {
            let found = store::names::tokens(read.conn(), &tokens, whole).await?;
            names.extend(found.into_iter().map(|(id, name)| (format!("token:{id}"), name)));
        }
        if !servers.is_empty() {
            let found = store::names::servers(read.conn(), &servers).await?;
            names.extend(found.into_iter().map(|(id, name)| (format!("agent:{id}"), name)));
        }
        Ok(names)
    }
}

/// The ids of those of this kind.
fn ids_of<I: std::str::FromStr>(actors: &HashSet<&str>, kind: &str) -> Vec<I> {
    actors.iter().filter_map(|actor| actor.strip_prefix(kind)?.parse().ok()).collect()
}
