//! Fields of a PATCH that can be taken away: absent is `None`, `null` is `Some(None)`.

use serde::{Deserialize, Deserializer};

/// For `#[serde(default, deserialize_with = "clearable")]` on an `Option<Option<T>>`.
pub fn clearable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
