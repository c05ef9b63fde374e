//! Pages of a list: an opaque keyset cursor and a bounded limit, shared by every list.
//!
//! A list orders by a key, answers at most `limit` rows and a cursor that holds the key of the
//! last one; the next page begins after it, whatever was written in between.

use data_encoding::BASE64URL_NOPAD;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest cursor taken back.
const CURSOR_MAX: usize = 512;

/// A place in a list, opaque to whoever holds it: base64url of the JSON of the key `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<T>(pub T);

impl<T: Serialize> Serialize for Cursor<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let key = serde_json::to_vec(&self.0).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&key))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Cursor<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        open(&text).map(Self).ok_or_else(|| {
            D::Error::custom("the cursor is not one of ours; begin again without `after`")
        })
    }
}

fn open<T: DeserializeOwned>(text: &str) -> Option<T> {
    if text.len() > CURSOR_MAX {
        return None;
    }
    let key = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    // PostgreSQL takes no NUL in a text, and no cursor of ours ever held one.
    let holds_nul = key.windows(6).any(|window| window == b"\\u0000");
    if holds_nul { None } else { serde_json::from_slice(&key).ok() }
}

/// The cursor as the description shows it, whatever its key.
impl<T> utoipa::PartialSchema for Cursor<T> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Opaque; send it back as `after`"))
            .build()
            .into()
    }
}

impl<T> utoipa::ToSchema for Cursor<T> {
    fn name() -> std::borrow::Cow<'static, str> {
        "Cursor".into()
    }
}

/// Rows on one page: 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Limit<const MAX: u32>(u32);

impl<const MAX: u32> Limit<MAX> {
    /// The rows as a parameter of `limit $n`.
    pub fn rows(self) -> i64 {
        i64::from(self.0)
    }

    /// `limit` where one was sent, otherwise `usual` or the most there may be.
    pub fn or(limit: Option<Self>, usual: u32) -> Self {
        limit.unwrap_or(Self(usual.min(MAX)))
    }
}

impl<const MAX: u32> TryFrom<u32> for Limit<MAX> {
    type Error = String;

    fn try_from(rows: u32) -> Result<Self, String> {
        if (1..=MAX).contains(&rows) {
            Ok(Self(rows))
        } else {
            Err(format!("a page has 1 to {MAX} rows, not {rows}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Key {
        at: i64,
        code: String,
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let key = || Key { at: -3, code: "T*".to_owned() };
        let text = serde_json::to_string(&Cursor(key())).unwrap();
        assert!(!text.contains("code"), "{text}");
        assert_eq!(serde_json::from_str::<Cursor<Key>>(&text).unwrap(), Cursor(key()));
    }

    #[test]
    fn a_cursor_of_another_list_or_a_forged_one_is_refused_with_the_next_step() {
        let other = serde_json::to_string(&Cursor(7)).unwrap();
        let nul = Cursor(Key { at: 1, code: "\0".to_owned() });
        let nul = serde_json::to_string(&nul).unwrap();
        let long = format!("\"{}\"", "A".repeat(CURSOR_MAX + 1));
        for text in [other.as_str(), &nul, &long, "\"\"", "\"!\""] {
            let error = serde_json::from_str::<Cursor<Key>>(text).unwrap_err();
            assert!(error.to_string().contains("begin again without `after`"), "{error}");
        }
    }

    #[test]
    fn a_limit_has_bounds() {
        assert_eq!(Limit::<10>::try_from(10).map(Limit::rows), Ok(10));
        assert!(Limit::<10>::try_from(0).is_err());
        assert!(Limit::<10>::try_from(11).is_err());
        assert_eq!(Limit::<10>::or(None, 100).rows(), 10);
    }
}
