//! Stylesheet, ES modules and pictures, embedded in the program.
//!
//! All of them stand under one name of this build, so that a browser keeps them for ever, and an
//! ES module finds the next by its plain name.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{Context, SHA256};
use rust_embed::RustEmbed;

use crate::error::{Error, Result};
use crate::http::extract::Path;

#[derive(RustEmbed)]
#[folder = "src/web/assets"]
struct Files;

/// For ever: another content has another path.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Whoever asks under the name of another build gets what there is, once.
const ONCE: HeaderValue = HeaderValue::from_static("no-store");

struct Asset {
    kind: &'static str,
    plain: Vec<u8>,
    /// Packed once, as small as can be. Pages are not packed: they carry a secret beside what others may have written (BREACH).
    packed: Vec<u8>,
}

struct Assets {
    build: String,
    by_name: BTreeMap<String, Asset>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(load);

fn load() -> Assets {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut hash = Context::new(&SHA256);
    let mut by_name = BTreeMap::new();
    for name in names {
        let Some(file) = Files::get(&name) else { continue };
        hash.update(name.as_bytes());
        hash.update(&file.data);
        let mut plain = file.data.into_owned();
        if name.ends_with(".js") {
            plain = without_comments(plain);
        }
        let packed = pack(&plain);
        by_name.insert(name.to_string(), Asset { kind: kind(&name), plain, packed });
    }
    let build = HEXLOWER.encode(&hash.finish().as_ref()[..8]);
    Assets { build, by_name }
}

/// An ES module without the lines that are comments: they are a third of it, and nobody reads them
/// on a phone.
fn without_comments(module: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&module) else { return module };
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    text.split_inclusive('\n').filter(is_code).collect::<String>().into_bytes()
}

/// Whether whoever sent these headers can unpack what is packed.
pub fn can_unpack(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("gzip"))
}

/// Packs as small as can be.
pub fn pack(plain: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(plain).and_then(|()| packer.finish()).expect("memory takes what is written")
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

/// Where the asset of this name is.
pub fn path(name: &str) -> String {
    format!("/assets/{}/{name}", ASSETS.build)
}

/// An asset, packed for whoever can unpack it.
pub async fn asset_get(
    headers: HeaderMap,
    Path((build, name)): Path<(String, String)>,
) -> Result<Response> {
    let asset = ASSETS.by_name.get(&name).ok_or_else(|| Error::not_found("asset", &name))?;
    let kept = if build == ASSETS.build { FOR_EVER } else { ONCE };
    let kind = HeaderValue::from_static(asset.kind);
    let vary = HeaderValue::from_static("accept-encoding");
    let base = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept), (header::VARY, vary)];
    Ok(if can_unpack(&headers) && asset.packed.len() < asset.plain.len() {
        let packed = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
        (base, packed, asset.packed.clone()).into_response()
    } else {
        (base, asset.plain.clone()).into_response()
    })
}
