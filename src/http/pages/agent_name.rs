//! User agents as people read them: the program and its system, such as `Firefox · Linux`.

/// Browsers by the word in their user agents. The first one that occurs counts, because most also name others.
const BROWSERS: [(&str, &str); 12] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
/// Systems by the word in user agents, in lower case. The first one that occurs counts.
const SYSTEMS: [(&str, &str); 10] = [
    ("android", "Android"),
    ("iphone", "iOS"),
    ("ipad", "iPadOS"),
    ("cros ", "ChromeOS"),
    ("windows", "Windows"),
    ("win32", "Windows"),
    ("mac os x", "macOS"),
    ("macintosh", "macOS"),
    ("darwin", "macOS"),
    ("linux", "Linux"),
];
/// Limit of the name of a program, in characters.
const MAX_PROGRAM: usize = 40;

/// The short form of a user agent; `None` when it names no program.
pub(super) fn agent_name(user_agent: &str) -> Option<String> {
    let program = program(user_agent)?;
    let lower = user_agent.to_ascii_lowercase();
    Some(match SYSTEMS.iter().find(|(word, _)| lower.contains(word)) {
        Some((_, system)) => format!("{program} · {system}"),
        None => program,
    })
}

/// The browser, or the first product with its version (RFC 9110 section 10.1.5).
fn program(user_agent: &str) -> Option<String> {
    if let Some((_, browser)) = BROWSERS.iter().find(|(word, _)| user_agent.contains(word)) {
        return Some((*browser).to_owned());
    }
    let product = user_agent.split_whitespace().next()?;
    let name = product.replacen('/', " ", 1);
    Some(name.chars().take(MAX_PROGRAM).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_with_their_system() {
        for (user_agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge · Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome · Android",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 \
                 Safari/605.1.15",
                "Safari · macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 CriOS/140.0 Mobile/15E148 Safari/604.1",
                "Chrome · iOS",
            ),
        ] {
            assert_eq!(agent_name(user_agent).as_deref(), Some(name), "{user_agent}");
        }
    }

    #[test]
    fn programs_are_named_with_their_version() {
        for (user_agent, name) in [
            ("difyctl/1.18.0 (linux; x64; channel=dev)", Some("difyctl 1.18.0 · Linux")),
            ("acme-cli/2.0 (darwin)", Some("acme-cli 2.0 · macOS")),
            ("curl/8.5.0", Some("curl 8.5.0")),
            ("  ", None),
            ("", None),
        ] {
            assert_eq!(agent_name(user_agent).as_deref(), name, "{user_agent}");
        }
        assert_eq!(agent_name(&"x".repeat(255)).unwrap().len(), MAX_PROGRAM);
    }
}
