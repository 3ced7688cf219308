//! How the pages look: the organization's name, logo, accent colour and links.

use std::{fs, io::Read as _};

use super::{
    reader::Reader,
    settings::{self, Setting},
};
use crate::domain::{
    branding::{AccentColors, Branding, Color, Logo},
    text::visible_name,
};

/// The longest name, in characters.
const MAX_NAME_LENGTH: usize = 40;
/// The largest logo, in bytes.
const MAX_LOGO_BYTES: u64 = 256 << 10;

pub(super) fn read(reader: &mut Reader<'_>) -> Branding {
    Branding {
        name: read_name(reader),
        logo: read_logo(reader),
        accent: read_accent(reader),
        help_url: read_link(reader, &settings::HELP_URL),
        privacy_url: read_link(reader, &settings::PRIVACY_URL),
        terms_url: read_link(reader, &settings::TERMS_URL),
        sign_in_help_url: read_link(reader, &settings::SIGN_IN_HELP_URL),
    }
}

fn read_name(reader: &mut Reader<'_>) -> String {
    let text = reader.text(&settings::BRAND_NAME).unwrap_or_default();
    match visible_name(&text) {
        Ok(name) if name.chars().count() <= MAX_NAME_LENGTH => return name,
        Ok(_) => {
            reader.problem(&settings::BRAND_NAME, format_args!("is longer than {MAX_NAME_LENGTH} characters"));
        }
        Err(error) => reader.problem(&settings::BRAND_NAME, error),
    }
    text
}

fn read_logo(reader: &mut Reader<'_>) -> Option<Logo> {
    let setting = &settings::BRAND_LOGO_FILE;
    let path = reader.text(setting)?;
    let mut content = Vec::new();
    let file = fs::File::open(&path).and_then(|file| file.take(MAX_LOGO_BYTES + 1).read_to_end(&mut content));
    if let Err(error) = file {
        reader.problem(setting, format_args!("is {path}, which cannot be read ({error}); name a readable file"));
        return None;
    }
    if content.len() as u64 > MAX_LOGO_BYTES {
        reader.problem(setting, format_args!("is {path}, which is larger than {} KiB", MAX_LOGO_BYTES >> 10));
        return None;
    }
    let logo = Logo::new(content);
    if logo.is_none() {
        reader.problem(setting, format_args!("is {path}, which is neither PNG nor SVG"));
    }
    logo
}

fn read_accent(reader: &mut Reader<'_>) -> Option<AccentColors> {
    let setting = &settings::BRAND_ACCENT_COLOR;
    let text = reader.text(setting)?;
    let Some(color) = Color::parse(&text) else {
        reader.problem(setting, format_args!("is `{text}`; write six hexadecimal digits, like #1f4fd8"));
        return None;
    };
    AccentColors::of(color)
        .map_err(|contrast| {
            let rest = format_args!(
                "is {text}, whose contrast to white is {contrast:.1}; text needs 4.5, so choose a darker colour"
            );
            reader.problem(setting, rest);
        })
        .ok()
}

fn read_link(reader: &mut Reader<'_>, setting: &'static Setting) -> Option<String> {
    reader.http_url(setting).map(|url| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::Problems;

    fn read_from(pairs: &[(&str, &str)]) -> Result<Branding, Problems> {
        let env = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        let mut reader = Reader::new(&env);
        let branding = read(&mut reader);
        reader.finish().map(|_| branding)
    }

    #[test]
    fn branding_is_that_of_dify_unless_it_is_set() {
        let branding = read_from(&[]).unwrap();
        assert_eq!((branding.name.as_str(), branding.logo, branding.accent), ("Dify", None, None));
        let directory = tempfile::tempdir().unwrap();
        let logo = directory.path().join("logo.svg");
        fs::write(&logo, "<svg/>").unwrap();
        let branding = read_from(&[
            ("BRAND_NAME", " Acme AI "),
            ("BRAND_LOGO_FILE", logo.to_str().unwrap()),
            ("BRAND_ACCENT_COLOR", "#0a7d55"),
            ("HELP_URL", "https://help.acme.example"),
        ])
        .unwrap();
        assert_eq!((branding.name.as_str(), branding.logo.unwrap().media_type), ("Acme AI", "image/svg+xml"));
        assert_eq!(branding.accent.unwrap().light.css(), "#0a7d55");
        assert_eq!(branding.help_url.as_deref(), Some("https://help.acme.example/"));
    }

    #[test]
    fn branding_that_people_could_not_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (page, large) = (write("page.html", b"<html>"), write("large.svg", &vec![b' '; (256 << 10) + 1]));
        for (name, value, expected) in [
            ("BRAND_ACCENT_COLOR", "#ffd400", "4.5"),
            ("BRAND_ACCENT_COLOR", "blue", "#1f4fd8"),
            ("BRAND_NAME", &"x".repeat(41), "40"),
            ("BRAND_NAME", "Acme\u{202e}", "characters"),
            ("BRAND_LOGO_FILE", "/nonexistent.png", "cannot be read"),
            ("BRAND_LOGO_FILE", &page, "neither PNG nor SVG"),
            ("BRAND_LOGO_FILE", &large, "256 KiB"),
            ("HELP_URL", "javascript:alert(1)", "https://"),
        ] {
            let Problems(problems) = read_from(&[(name, value)]).unwrap_err();
            assert!(problems[0].sentence.starts_with(name) && problems[0].sentence.contains(expected), "{problems:?}");
        }
    }
}
