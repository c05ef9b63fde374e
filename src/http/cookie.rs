//! The two cookies there are: the session, which only the server reads, and the language.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::auth::Token;
use crate::auth::session::ABSOLUTE;

/// Of a session that must not leave TLS; browsers keep such a name from other hosts and paths.
const SESSION_TLS: &str = "__Host-swabline";
/// Of a session where there is no TLS.
const SESSION: &str = "swabline";
/// Of the language that was chosen.
pub const LANGUAGE: &str = "lang";
/// Seconds a chosen language is remembered.
const YEAR_S: i64 = 365 * 24 * 3600;

/// The value of a cookie.
pub fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// The token of the session a request carries.
pub fn session(headers: &HeaderMap, behind_tls: bool) -> Option<Token> {
    get(headers, name(behind_tls)).map(Token::presented)
}

/// Has the browser keep a session.
pub fn session_set(token: &Token, behind_tls: bool) -> HeaderValue {
    let seconds = ABSOLUTE.us() / 1_000_000;
    written(name(behind_tls), token.reveal(), seconds, behind_tls)
}

/// Has the browser forget its session.
pub fn session_clear(behind_tls: bool) -> HeaderValue {
    written(name(behind_tls), "", 0, behind_tls)
}

/// Has the browser keep a language.
pub fn language_set(code: &str, behind_tls: bool) -> HeaderValue {
    written(LANGUAGE, code, YEAR_S, behind_tls)
}

const fn name(behind_tls: bool) -> &'static str {
    if behind_tls { SESSION_TLS } else { SESSION }
}

fn written(name: &str, value: &str, seconds: i64, behind_tls: bool) -> HeaderValue {
    let secure = if behind_tls { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).expect("tokens and languages are plain ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_none_is_made_up() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "lang=en; swabline=one".parse().unwrap());
        headers.append(header::COOKIE, "other=x".parse().unwrap());
        assert_eq!(get(&headers, LANGUAGE), Some("en"));
        assert_eq!(get(&headers, "other"), Some("x"));
        assert_eq!(get(&headers, "swab"), None);
        assert_eq!(
            session(&headers, false).map(|token| token.reveal().to_owned()).as_deref(),
            Some("one")
        );
        assert!(session(&headers, true).is_none(), "a plain cookie is no session behind TLS");
    }

    #[test]
    fn behind_tls_a_session_never_leaves_it() {
        let token = Token::presented("t");
        let text = |tls| session_set(&token, tls).to_str().unwrap().to_owned();
        assert_eq!(
            text(true),
            "__Host-swabline=t; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(text(false), "swabline=t; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax");
    }
}
