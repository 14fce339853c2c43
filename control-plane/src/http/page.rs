//! Lists, page by page, by key and never by offset.

use axum::extract::{FromRequestParts, OriginalUri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::query;
use crate::db::Window;
use crate::error::{Error, Result};

/// Items on a page when the caller does not say.
const LIMIT_DEFAULT: u32 = 50;
/// Most items on a page.
const LIMIT_MAX: u32 = 200;
/// The form of a page token; another form is refused.
const TOKEN_VERSION: u8 = 1;
const FILTER_HASH_BYTES: usize = 8;

/// The query parameters of every list, for the API's description: `params(PageQuery, …)`.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Items on a page; at most 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// `next_page_token` of the page before, with the same filters.
    pub page_token: Option<String>,
}

/// Which page of a list the caller wants.
#[derive(Clone, Debug)]
pub struct PageParams {
    limit: u32,
    filter: [u8; FILTER_HASH_BYTES],
    after: Option<Vec<u8>>,
}

/// The query of a list: its filters, into a struct with `#[serde(deny_unknown_fields)]`, and its page.
#[derive(Clone, Debug)]
pub struct Listing<F> {
    /// What to list.
    pub filter: F,
    /// Which page of it.
    pub page: PageParams,
}

/// A list that takes no filters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

/// One page of a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// To be given as `page_token` for the next page; null: there is none.
    pub next_page_token: Option<String>,
}

impl<S: Send + Sync, F: DeserializeOwned> FromRequestParts<S> for Listing<F> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        // The path as it was asked for: a nested router sees only the end of it.
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        parse(uri.path(), uri.query().unwrap_or_default())
    }
}

fn parse<F: DeserializeOwned>(path: &str, query: &str) -> Result<Listing<F>> {
    let (page, mut filters): (Vec<_>, Vec<_>) =
        query::pairs(query)?.into_iter().partition(|(name, _)| name == "limit" || name == "page_token");
    let PageQuery { limit, page_token } = query::parse(&page)?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("must be from 1 to {LIMIT_MAX}")));
    }
    let filter = query::parse(&filters)?;
    filters.sort();
    let hash = filter_hash(path, &filters);
    let after = page_token.map(|token| key_of(&token, hash)).transpose()?;
    Ok(Listing { filter, page: PageParams { limit, filter: hash, after } })
}

fn filter_hash(path: &str, filters: &[(String, String)]) -> [u8; FILTER_HASH_BYTES] {
    let mut hash = Sha256::new();
    for text in std::iter::once(path).chain(filters.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()])) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let mut short = [0; FILTER_HASH_BYTES];
    short.copy_from_slice(&hash.finalize()[..FILTER_HASH_BYTES]);
    short
}

fn refused() -> Error {
    Error::invalid("page_token", "is not one that this list gave for these filters; start again without it")
}

fn key_of(token: &str, filter: [u8; FILTER_HASH_BYTES]) -> Result<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    match bytes.split_first() {
        Some((&TOKEN_VERSION, rest)) if rest.starts_with(&filter) => Ok(rest[FILTER_HASH_BYTES..].to_vec()),
        _ => Err(refused()),
    }
}

impl PageParams {
    /// What to ask of the store: one row more than the page holds, after the last key of the page before.
    pub fn window<K: DeserializeOwned>(&self) -> Result<Window<K>> {
        let after = match &self.after {
            None => None,
            Some(key) => Some(serde_json::from_slice(key).map_err(|_| refused())?),
        };
        Ok(Window { limit: i64::from(self.limit) + 1, after })
    }

    /// Makes the page of the rows that the store gave for [`PageParams::window`]; `key` is what the list is ordered by.
    pub fn page<T, K: Serialize>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Result<Page<T>> {
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        let last = if more { rows.last() } else { None };
        let next_page_token = last.map(|last| self.token(&key(last))).transpose()?;
        Ok(Page { items: rows, next_page_token })
    }

    fn token(&self, key: &impl Serialize) -> Result<String> {
        let mut bytes = vec![TOKEN_VERSION];
        bytes.extend_from_slice(&self.filter);
        bytes.extend_from_slice(&serde_json::to_vec(key).map_err(Error::internal)?);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl<T> Page<T> {
    /// The same page of something else: of views instead of domain types.
    pub fn map<V>(self, view: impl FnMut(T) -> V) -> Page<V> {
        Page { items: self.items.into_iter().map(view).collect(), next_page_token: self.next_page_token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Filter {
        region: Option<String>,
    }

    fn check(query: &str) -> Result<Listing<Filter>, String> {
        parse("/api/things", query).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_leads_to_the_page_after_it() {
        let first = check("limit=2&region=eu").unwrap();
        assert_eq!(first.page.window::<u64>().unwrap(), Window { limit: 3, after: None });
        let page = first.page.page(vec![1_u64, 2, 3], |n| *n).unwrap();
        assert_eq!(page.items, [1, 2]);
        let token = page.next_page_token.unwrap();
        let second = check(&format!("region=eu&page_token={token}&limit=5")).unwrap();
        assert_eq!(second.page.window::<u64>().unwrap(), Window { limit: 6, after: Some(2) });
        assert!(second.page.page(vec![3_u64], |n| *n).unwrap().next_page_token.is_none());
        let wrong_key = second.page.window::<String>().unwrap_err();
        assert!(wrong_key.to_string().starts_with("page_token: "));
    }

    #[test]
    fn a_token_of_another_list_or_other_filters_is_refused() {
        let token = check("limit=1&region=eu").unwrap().page.page(vec![1, 2], |n| *n).unwrap().next_page_token.unwrap();
        for query in
            [format!("region=us&page_token={token}"), format!("page_token={token}"), "page_token=%21".to_owned()]
        {
            assert!(check(&query).unwrap_err().starts_with("page_token: is not one"), "{query}");
        }
        assert!(parse::<Filter>("/api/others", &format!("region=eu&page_token={token}")).is_err());
    }

    #[test]
    fn limits_and_names_are_checked() {
        assert_eq!(check("limit=0").unwrap_err(), "limit: must be from 1 to 200");
        assert_eq!(check("limit=201").unwrap_err(), "limit: must be from 1 to 200");
        assert!(check("limit=x").unwrap_err().starts_with("limit: expected a whole number"));
        assert!(check("regio=eu").unwrap_err().starts_with("regio: unknown field"));
    }
}
