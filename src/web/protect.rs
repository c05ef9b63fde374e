//! What a browser may do with our pages: load from here, and nothing else.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

/// Scripts and styles come as files of ours, never from within a page; nothing comes from or goes
/// to another host, and nobody puts a page into theirs.
const PAGES: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The viewer of the API writes styles of its own.
const DOCS: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
/// A phone scans with its camera.
const PERMITTED: &str = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()";

/// For a page of ours.
pub fn page(response: &mut Response, behind_tls: bool) {
    put(response.headers_mut(), PAGES, behind_tls);
}

/// For the viewer of the API.
pub fn docs(response: &mut Response, behind_tls: bool) {
    put(response.headers_mut(), DOCS, behind_tls);
}

fn put(headers: &mut HeaderMap, policy: &'static str, behind_tls: bool) {
    let text = HeaderValue::from_static;
    headers.insert(header::CONTENT_SECURITY_POLICY, text(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, text("nosniff"));
    headers.insert(header::REFERRER_POLICY, text("no-referrer"));
    headers.insert(PERMISSIONS, text(PERMITTED));
    // What a page says is for whoever sits there now; an asset says for itself how long it keeps.
    headers.entry(header::CACHE_CONTROL).or_insert(text("no-store"));
    if behind_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, text("max-age=31536000"));
    }
}
