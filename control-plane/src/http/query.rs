//! Query parameters: unknown names are refused, wrong values are named.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::json::field_error;
use crate::error::{Error, Result};

/// The query, into a struct with `#[serde(deny_unknown_fields)]`.
#[derive(Clone, Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self(parse(&pairs(parts.uri.query().unwrap_or_default())?)?))
    }
}

/// The query's names and values, decoded.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name.contains('\0') || value.contains('\0') {
            return Err(Error::invalid(name.replace('\0', ""), "must not contain NUL"));
        }
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(Error::invalid(name, "is given twice"));
        }
        pairs.push((name.into_owned(), value.into_owned()));
    }
    Ok(pairs)
}

/// Puts the pairs into a struct.
pub(super) fn parse<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T> {
    let values = pairs.iter().map(|(name, value)| (name.as_str(), Text(value)));
    let deserializer = serde::de::value::MapDeserializer::<_, serde_json::Error>::new(values);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        Error::Invalid(vec![field_error(&path, &error.into_inner().to_string())])
    })
}

/// A value of the query: text that may also stand for a number or a boolean.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal),+ $(,)?) => {$(
        fn $method<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(serde::de::Error::custom(format!("expected {}", $what))),
            }
        }
    )+};
}

impl<'de> serde::Deserializer<'de> for Text<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: serde::de::Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(serde::de::value::BorrowedStrDeserializer::new(self.0))
    }

    parsed! {
        deserialize_bool visit_bool "true or false",
        deserialize_u8 visit_u8 "a whole number from 0 to 255",
        deserialize_u16 visit_u16 "a whole number from 0 to 65535",
        deserialize_u32 visit_u32 "a whole number from 0 to 4294967295",
        deserialize_u64 visit_u64 "a whole number, not negative",
        deserialize_i32 visit_i32 "a whole number",
        deserialize_i64 visit_i64 "a whole number",
        deserialize_f64 visit_f64 "a number",
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl<'de> serde::de::IntoDeserializer<'de, serde_json::Error> for Text<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum State {
        Online,
        Locked,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        state: Option<State>,
        count: Option<u32>,
        live: Option<bool>,
        name: Option<String>,
    }

    fn check(query: &str) -> Result<Filter, String> {
        pairs(query).and_then(|pairs| parse(&pairs)).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read_by_the_type_of_their_field() {
        let filter = check("state=locked&count=7&live=true&name=a+b%20c").unwrap();
        let name = Some("a b c".to_owned());
        assert_eq!(filter, Filter { state: Some(State::Locked), count: Some(7), live: Some(true), name });
        assert_eq!(check("").unwrap(), Filter { state: None, count: None, live: None, name: None });
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, expected) in [
            ("count=x", "count: expected a whole number from 0 to 4294967295"),
            ("live=1", "live: expected true or false"),
            ("state=gone", "state: unknown value `gone`, expected `online` or `locked`"),
            ("stat=online", "stat: unknown field, expected one of `state`, `count`, `live`, `name`"),
            ("name=a&name=b", "name: is given twice"),
            ("name=a%00", "name: must not contain NUL"),
        ] {
            assert_eq!(check(query).unwrap_err(), expected, "{query}");
        }
    }
}
