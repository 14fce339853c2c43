//! Parameter schemas: which names an endpoint takes, their types, and the exact words of a refusal.

use std::collections::BTreeMap;

use crate::codec::{Raw, RawParams};
use crate::error::ApiError;
use crate::formats;

/// The type of a parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Bool,
    Int(Option<i64>, Option<i64>),
    Num(Option<f64>, Option<f64>),
    Text,
    Enum(&'static [&'static str]),
    /// A string with a format of its own; the function gives the text after `invalid format - `.
    Format(fn(&str, &str) -> Result<(), String>),
    /// A string of so many characters at least and at most.
    Length(usize, usize),
    /// A string that must match; the refusal does not say what.
    Pattern(fn(&str) -> bool),
    VmId,
    /// Takes a JSON array or a repeated key.
    Array,
}

/// One parameter of an endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    name: &'static str,
    kind: Kind,
    required: bool,
}

pub(crate) const fn req(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: true }
}

pub(crate) const fn opt(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: false }
}

pub(crate) const INT: Kind = Kind::Int(None, None);
pub(crate) const COUNT: Kind = Kind::Int(Some(0), None);
pub(crate) const CONFIG_ID: Kind = Kind::Format(formats::config_id);

/// Checked parameters: every value is text of the right type, absent ones are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("1")
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// A required parameter; the schema has made sure of it.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub(crate) fn vmid(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Checks what arrived against the endpoint's own parameters.
pub(crate) fn check(raw: &RawParams, spec: &[Param]) -> Result<Params, ApiError> {
    check_with(raw, spec, |_| None)
}

/// As [`check`], with `extra` giving the type of names that are not listed (`net0`, `scsi3`).
pub(crate) fn check_with(
    raw: &RawParams,
    spec: &[Param],
    extra: impl Fn(&str) -> Option<Kind>,
) -> Result<Params, ApiError> {
    let mut errors = BTreeMap::new();
    let mut out = BTreeMap::new();
    for (name, value) in raw {
        let kind = spec.iter().find(|param| param.name == name).map(|param| param.kind).or_else(|| extra(name));
        let Some(kind) = kind else {
            let text = "property is not defined in schema and the schema does not allow additional properties";
            errors.insert(name.clone(), text.to_owned());
            continue;
        };
        match value_of(name, value, kind) {
            Ok(Some(value)) => {
                out.insert(name.clone(), value);
            }
            Ok(None) => {}
            Err(text) => {
                errors.insert(name.clone(), text);
            }
        }
    }
    for param in spec.iter().filter(|param| param.required) {
        if !out.contains_key(param.name) && !errors.contains_key(param.name) {
            errors.insert(param.name.to_owned(), "property is missing and it is not optional".to_owned());
        }
    }
    if errors.is_empty() { Ok(Params(out)) } else { Err(ApiError::params(errors)) }
}

fn value_of(name: &str, raw: &Raw, kind: Kind) -> Result<Option<String>, String> {
    let value = match (raw, kind) {
        (Raw::Undef, _) => return Ok(None),
        (Raw::One(value), _) => value.clone(),
        (Raw::List(items) | Raw::Repeated(items), Kind::Array) => return Ok(Some(items.join("\0"))),
        (Raw::List(items), Kind::Text | Kind::Format(_)) => items.join(","),
        (Raw::List(_) | Raw::Repeated(_), kind) => {
            return Err(format!("type check ('{}') failed - got ARRAY", kind.name()));
        }
    };
    check_value(name, &value, kind)?;
    Ok(Some(value))
}

/// Checks one value; the error is the text that stands in `errors`.
pub(crate) fn check_value(name: &str, value: &str, kind: Kind) -> Result<(), String> {
    match kind {
        Kind::Bool if value == "0" || value == "1" => Ok(()),
        Kind::Bool => Err(format!("type check ('boolean') failed - got '{value}'")),
        Kind::Int(min, max) => {
            let number = integer(value)?;
            bounds(number, min, max)
        }
        Kind::Num(min, max) => {
            let number: f64 = value.parse().map_err(|_| format!("type check ('number') failed - got '{value}'"))?;
            bounds(number, min, max)
        }
        Kind::VmId => {
            let number = integer(value)?;
            if (100..=999_999_999).contains(&number) {
                Ok(())
            } else {
                Err("invalid format - value does not look like a valid VM ID\n".to_owned())
            }
        }
        Kind::Enum(allowed) if allowed.contains(&value) => Ok(()),
        Kind::Enum(allowed) => Err(not_in_enumeration(value, allowed)),
        Kind::Format(check) => check(name, value).map_err(|text| format!("invalid format - {text}")),
        Kind::Pattern(matches) if matches(value) => Ok(()),
        Kind::Pattern(_) => Err("value does not match the regex pattern".to_owned()),
        Kind::Length(min, _) if value.chars().count() < min => {
            Err(format!("value must be at least {min} characters long"))
        }
        Kind::Length(_, max) if value.chars().count() > max => Err(format!("value may only be {max} characters long")),
        Kind::Text | Kind::Array | Kind::Length(..) => Ok(()),
    }
}

pub(crate) fn not_in_enumeration(value: &str, allowed: &[&str]) -> String {
    format!("value '{value}' does not have a value in the enumeration '{}'", allowed.join(", "))
}

fn integer(value: &str) -> Result<i64, String> {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = if all_digits { value.parse().ok() } else { None };
    parsed.ok_or_else(|| format!("type check ('integer') failed - got '{value}'"))
}

fn bounds<T: PartialOrd + std::fmt::Display + Copy>(value: T, min: Option<T>, max: Option<T>) -> Result<(), String> {
    match (min, max) {
        (Some(min), _) if value < min => Err(format!("value must have a minimum value of {min}")),
        (_, Some(max)) if value > max => Err(format!("value must have a maximum value of {max}")),
        _ => Ok(()),
    }
}

impl Kind {
    /// The type's name in a refusal.
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int(..) | Self::VmId => "integer",
            Self::Num(..) => "number",
            Self::Array => "array",
            Self::Text | Self::Enum(_) | Self::Format(_) | Self::Pattern(_) | Self::Length(..) => "string",
        }
    }

    /// Whether the API shows values of this type as a JSON number.
    pub(crate) fn is_numeric(self) -> bool {
        matches!(self, Self::Bool | Self::Int(..) | Self::Num(..) | Self::VmId)
    }
}
