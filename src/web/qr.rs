//! QR codes within a page.

use qrcode::QrCode;
use qrcode::render::svg;

use crate::error::{Error, Result};

/// Draws a text as an element of SVG, at least so many points wide.
pub(super) fn qr(text: &str, width: u32) -> Result<String> {
    let code = QrCode::new(text.as_bytes())
        .map_err(|error| Error::Internal(format!("a QR code cannot be drawn: {error}")))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(width, width).build();
    // Only the element itself can stand within a page.
    Ok(picture[picture.find("<svg").unwrap_or_default()..].to_owned())
}
