//! How the pages look in a deployment: the organization's name, logo, accent colour and links.

/// The least contrast of text (WCAG 2.2, 1.4.3).
const MIN_CONTRAST: f64 = 4.5;
/// What the accent stands on or behind in the light scheme: the text of buttons and cards, and the page.
pub(crate) const LIGHT: [Color; 2] = [Color([0xff, 0xff, 0xff]), Color([0xf3, 0xf5, 0xf9])];
/// The same in the dark scheme: the text of buttons, cards, and the page.
pub(crate) const DARK: [Color; 3] = [Color([0x0a, 0x15, 0x33]), Color([0x19, 0x1e, 0x28]), Color([0x0f, 0x12, 0x19])];
const BLACK: Color = Color([0; 3]);
const WHITE: Color = Color([0xff; 3]);

/// The name and the links of the organization that runs the service.
#[derive(Clone, Debug)]
pub struct Branding {
    /// In the header and in the titles of pages.
    pub name: String,
    /// In place of the icon.
    pub logo: Option<Logo>,
    pub accent: Option<AccentColors>,
    /// Links in the footer.
    pub help_url: Option<String>,
    pub privacy_url: Option<String>,
    pub terms_url: Option<String>,
    /// Where people who forgot their password go.
    pub sign_in_help_url: Option<String>,
}

impl Default for Branding {
    fn default() -> Self {
        Self {
            name: "Dify".to_owned(),
            logo: None,
            accent: None,
            help_url: None,
            privacy_url: None,
            terms_url: None,
            sign_in_help_url: None,
        }
    }
}

/// An image that browsers show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    pub media_type: &'static str,
    /// The ending of its name, without the dot.
    pub extension: &'static str,
    pub content: Vec<u8>,
}

impl Logo {
    /// `None` if the content is neither PNG nor SVG.
    pub fn new(content: Vec<u8>) -> Option<Self> {
        if content.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Some(Self { media_type: "image/png", extension: "png", content });
        }
        let text = std::str::from_utf8(&content).ok()?.trim_start_matches('\u{feff}').trim_start();
        let is_svg = text.starts_with("<svg") || text.starts_with("<?xml") && text.contains("<svg");
        is_svg.then_some(Self { media_type: "image/svg+xml", extension: "svg", content })
    }
}

/// A colour of the sRGB space: red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// Parses `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Self([channel(0)?, channel(2)?, channel(4)?]))
    }

    /// `#rrggbb`.
    pub fn css(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// This colour with a share of another one, in percent.
    fn mixed_with(self, other: Self, percent: u16) -> Self {
        let mix = |own: u8, other: u8| {
            let sum = u16::from(own) * (100 - percent) + u16::from(other) * percent;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self(std::array::from_fn(|channel| mix(self.0[channel], other.0[channel])))
    }

    /// The relative luminance of WCAG.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126f64.mul_add(red, 0.7152f64.mul_add(green, 0.0722 * blue))
    }

    /// The contrast ratio of WCAG, 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance() + 0.05, other.luminance() + 0.05);
        one.max(two) / one.min(two)
    }

    fn least_contrast(self, others: &[Self]) -> f64 {
        others.iter().map(|other| self.contrast(*other)).fold(f64::INFINITY, f64::min)
    }
}

/// The accent in both schemes, with the colours of hovered buttons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccentColors {
    pub light: Color,
    pub light_over: Color,
    pub dark: Color,
    pub dark_over: Color,
}

impl AccentColors {
    /// Derives the other colours from that of the light scheme. Fails with its contrast to white text and to the page,
    /// if that is less than 4.5.
    pub fn of(light: Color) -> Result<Self, f64> {
        let contrast = light.least_contrast(&LIGHT);
        if contrast < MIN_CONTRAST {
            return Err(contrast);
        }
        // White itself has enough.
        let mut dark = light;
        for percent in (0..=100).step_by(5) {
            dark = light.mixed_with(WHITE, percent);
            if dark.least_contrast(&DARK) >= MIN_CONTRAST {
                break;
            }
        }
        Ok(Self { light, light_over: light.mixed_with(BLACK, 20), dark, dark_over: dark.mixed_with(WHITE, 30) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
        let grey = Color::parse("#767676").unwrap();
        assert!((grey.contrast(WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_accent_with_enough_contrast_is_readable_in_both_schemes() {
        let mut accepted = 0;
        for red in (0..=255).step_by(51) {
            for green in (0..=255).step_by(51) {
                for blue in (0..=255).step_by(51) {
                    let Ok(accent) = AccentColors::of(Color([red, green, blue])) else { continue };
                    accepted += 1;
                    for (color, others) in [
                        (accent.light, LIGHT.as_slice()),
                        (accent.light_over, &LIGHT),
                        (accent.dark, &DARK),
                        (accent.dark_over, &DARK),
                    ] {
                        assert!(color.least_contrast(others) >= MIN_CONTRAST, "{} of {accent:?}", color.css());
                    }
                }
            }
        }
        assert!(accepted > 50, "{accepted}");
        assert!(AccentColors::of(Color::parse("#ffd400").unwrap()).is_err());
    }

    #[test]
    fn colors_are_six_hexadecimal_digits() {
        assert_eq!(Color::parse("#1F4fd8").unwrap().css(), "#1f4fd8");
        for wrong in ["1f4fd8", "#1f4", "#1f4fd8ff", "blue", "#1f4fdg", "#+f4fd8", ""] {
            assert_eq!(Color::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn logo_is_png_or_svg() {
        assert_eq!(Logo::new(b"\x89PNG\r\n\x1a\nrest".to_vec()).unwrap().media_type, "image/png");
        assert_eq!(Logo::new(b"\n<svg xmlns=''/>".to_vec()).unwrap().extension, "svg");
        for wrong in [b"GIF89a".as_slice(), b"<html><svg>", b"", b"\xff\xfe"] {
            assert_eq!(Logo::new(wrong.to_vec()), None);
        }
    }
}
