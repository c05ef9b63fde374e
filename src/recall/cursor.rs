//! Where a page of recalls ended, as a word that only this service reads.

use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;

use crate::clock::Time;

/// The longest cursor; ours are shorter.
const LENGTH_MAX: usize = 128;

/// The last recall of a page: the next page begins behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Its deadline.
    pub due: Time,
    /// Its id.
    pub id: String,
}

/// A text that no page ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor; take `next` from the page before, or begin without one")]
pub struct NotACursor;

impl Cursor {
    /// Before the first recall there can be.
    pub const fn start() -> Self {
        Self { due: Time::from_us(i64::MIN), id: String::new() }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clear = format!("{}:{}", self.due.us(), self.id);
        f.write_str(&BASE64URL_NOPAD.encode(clear.as_bytes()))
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        if text.len() > LENGTH_MAX {
            return Err(NotACursor);
        }
        let clear = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_base64| NotACursor)?;
        let clear = String::from_utf8(clear).map_err(|_text| NotACursor)?;
        let (due, id) = clear.split_once(':').ok_or(NotACursor)?;
        let due = due.parse().map_err(|_number| NotACursor)?;
        let is_id = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_id {
            Ok(Self { due: Time::from_us(due), id: id.to_owned() })
        } else {
            Err(NotACursor)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back(due in any::<i64>(), id in "[0-9a-f-]{0,36}") {
            let cursor = Cursor { due: Time::from_us(due), id };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_breaks_the_reader(text in any::<String>()) {
            let _whatever_it_is = text.parse::<Cursor>();
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for clear in ["", "1", "x:1", "1:\0", "1:é"] {
            let text = BASE64URL_NOPAD.encode(clear.as_bytes());
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{clear}");
        }
        assert_eq!("A".repeat(200).parse::<Cursor>(), Err(NotACursor));
    }
}
