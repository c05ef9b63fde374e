//! A batch is one JSON parameter, so that a statement is a constant whatever its length.

use serde::Serialize;

/// The most room that is taken for a text before it is written, in bytes; the calls of a plate of 384
/// wells need 337,000.
const ROOM_MAX: usize = 2 << 20;

/// Rows for `jsonb_each($1)`. On both engines `e.value ->> 'field'` reads a field of a row that is a
/// struct, and `e.value ->> 0` the first of one that is a tuple. Tuples are for statements of hundreds
/// of rows of many fields: they spare up to a third of the time that the same rows take as structs.
pub fn json<T: Serialize>(rows: &[T]) -> String {
    let written = "our own rows have string keys and finite numbers";
    // A text that grows with every row is copied a dozen times on its way. Rows are much alike; one
    // that is not takes no more room than this at once.
    let first = rows.first().map_or(0, |row| serde_json::to_vec(row).expect(written).len());
    let room = rows.len().saturating_mul(first + first / 8 + 8).min(ROOM_MAX);
    let mut text = Vec::with_capacity(room);
    serde_json::to_writer(&mut text, rows).expect(written);
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// A list of codes for `in (select e.value ->> 'code' from jsonb_each($1) e)`.
pub fn codes<S: AsRef<str>>(codes: impl IntoIterator<Item = S>) -> String {
    #[derive(Serialize)]
    struct Code<'a> {
        code: &'a str,
    }
    let codes: Vec<S> = codes.into_iter().collect();
    let rows: Vec<_> = codes.iter().map(|code| Code { code: code.as_ref() }).collect();
    json(&rows)
}
