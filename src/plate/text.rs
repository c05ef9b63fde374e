//! The text of what scanners and robots write.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// The text, by its byte order mark, as UTF-8, or else as Windows-1252; line ends become `\n`.
/// None for what cannot be text: a NUL without the byte order mark of UTF-16.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    if marked.is_none_or(|encoding| encoding == UTF_8) && bytes.contains(&0) {
        return None;
    }
    let encoding = marked.unwrap_or_else(|| match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        Err(_other) => WINDOWS_1252,
    });
    let (text, ..) = encoding.decode(bytes);
    Some(text.replace("\r\n", "\n").replace('\r', "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_do_not_matter_and_binary_files_are_no_text() {
        for bytes in [
            &b"A1,T\nB1,T\n"[..],
            b"\xef\xbb\xbfA1,T\r\nB1,T\r\n",
            b"A1,T\rB1,T\r",
            b"\xff\xfeA\x001\x00,\x00T\x00\n\x00B\x001\x00,\x00T\x00\n\x00",
        ] {
            assert_eq!(decode(bytes).unwrap(), "A1,T\nB1,T\n");
        }
        assert_eq!(decode(b"5 \xb5L").unwrap(), "5 µL");
        assert_eq!(decode(b"PK\x03\x04\0\0"), None);
    }
}
