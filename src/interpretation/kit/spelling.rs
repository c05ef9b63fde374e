//! Names as operators type them: case, blanks and the signs that stand for blanks do not matter.

/// A name without case, blanks and the signs that stand for blanks.
pub(in crate::interpretation) fn plain(name: &str) -> String {
    letters(name).collect()
}

/// Whether two names are one when they are plain.
pub(in crate::interpretation) fn is_same(one: &str, other: &str) -> bool {
    one == other || letters(one).eq(letters(other))
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
}
