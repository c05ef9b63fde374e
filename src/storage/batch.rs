//! A batch is one JSON parameter, so that a statement is a constant whatever its length.

use serde::Serialize;

/// Rows for `jsonb_each($1)`: `e.value ->> 'field'` reads a field on both engines.
pub fn json<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("our own rows have string keys and finite numbers")
}

/// A list of codes for `in (select e.value ->> 'code' from jsonb_each($1) e)`.
pub fn codes<S: AsRef<str>>(codes: impl IntoIterator<Item = S>) -> String {
    #[derive(Serialize)]
    struct Code<S> {
        code: S,
    }
    let rows: Vec<_> =
        codes.into_iter().map(|code| Code { code: code.as_ref().to_owned() }).collect();
    json(&rows)
}
