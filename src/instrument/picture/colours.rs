//! Colours that people with any colour vision tell apart, and in print.

use plotters::style::RGBColor;

/// Text and axes.
pub const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Notes, ticks and outlines.
pub const GREY: RGBColor = RGBColor(0x66, 0x66, 0x66);
/// Grid lines and the outline of an empty well.
pub const FAINT: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
/// A well that was read and did not amplify.
pub const SILENT: RGBColor = RGBColor(0xF2, 0xF2, 0xF2);
/// Paper, and text on dark ground.
pub const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// The frame of a well that says "detected".
pub const ALARM: RGBColor = RGBColor(0xD5, 0x5E, 0x00);

/// Okabe and Ito's palette, "Color Universal Design" (2008), without its black and its yellow,
/// which is lost on white.
const TARGETS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
];

/// Viridis (Smith and van der Walt, 2015) at nine even steps: its lightness rises all the way.
const VIRIDIS: [RGBColor; 9] = [
    RGBColor(0x44, 0x01, 0x54),
    RGBColor(0x47, 0x2D, 0x7B),
    RGBColor(0x3B, 0x52, 0x8B),
    RGBColor(0x2C, 0x72, 0x8E),
    RGBColor(0x21, 0x91, 0x8C),
    RGBColor(0x28, 0xAE, 0x80),
    RGBColor(0x5E, 0xC9, 0x62),
    RGBColor(0xAD, 0xDC, 0x30),
    RGBColor(0xFD, 0xE7, 0x25),
];

/// The colour of the `n`th target; a seventh shares one with the first.
pub fn target(n: usize) -> RGBColor {
    TARGETS[n % TARGETS.len()]
}

/// The colour at a share of the scale from dark to light; beyond it, the one at its end.
pub fn scale(share: f64) -> RGBColor {
    let last = VIRIDIS.len() - 1;
    let steps = (0_u8..).zip(VIRIDIS.windows(2));
    let along = share.clamp(0.0, 1.0) * f64::from(u8::try_from(last).unwrap_or(u8::MAX));
    for (step, pair) in steps {
        let within = along - f64::from(step);
        if within <= 1.0 {
            return mix(pair[0], pair[1], within);
        }
    }
    VIRIDIS[last]
}

fn mix(from: RGBColor, to: RGBColor, share: f64) -> RGBColor {
    let between =
        |from: u8, to: u8| byte(f64::from(from) + share * (f64::from(to) - f64::from(from)));
    RGBColor(between(from.0, to.0), between(from.1, to.1), between(from.2, to.2))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mixture of two bytes is a byte"
)]
fn byte(value: f64) -> u8 {
    value.round() as u8
}

/// Text on light ground that is a colour.
const BLACK: RGBColor = RGBColor(0, 0, 0);

/// Black or white, whichever is read more easily on this ground (WCAG 2.2, relative luminance).
pub fn on(ground: RGBColor) -> RGBColor {
    if luminance(ground) > 0.179 { BLACK } else { PAPER }
}

fn luminance(colour: RGBColor) -> f64 {
    let linear = |value: u8| {
        let share = f64::from(value) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_goes_through_its_steps_and_ends_where_it_ends() {
        assert_eq!(scale(0.0), VIRIDIS[0]);
        assert_eq!(scale(0.5), VIRIDIS[4]);
        assert_eq!(scale(1.0), VIRIDIS[8]);
        assert_eq!((scale(-3.0), scale(7.0)), (VIRIDIS[0], VIRIDIS[8]));
    }

    #[test]
    fn it_never_grows_darker_and_text_on_it_can_be_read() {
        let shades: Vec<_> = (0..=100).map(|n| scale(f64::from(n) / 100.0)).collect();
        assert!(shades.is_sorted_by(|a, b| luminance(*a) <= luminance(*b)));
        for ground in shades {
            let (one, other) = (luminance(ground), luminance(on(ground)));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 4.5, "{ground:?} has a contrast of {contrast}");
        }
    }
}
