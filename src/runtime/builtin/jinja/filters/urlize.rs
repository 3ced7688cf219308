//! The filter `urlize`: makes links of the URLs and mail addresses in a text.

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag, integer, text},
    jinja::error::{Result, failed},
    jinja::iterate::collect,
    jinja::lexer::is_space,
    jinja::markup::escape,
    jinja::repr::to_text,
    jinja::state::RenderState,
    jinja::text::TextBuilder,
    jinja::value::PyValue,
};

/// What the links of one text have in common.
struct Links {
    limit: Option<usize>,
    /// `rel` and `target`.
    attributes: String,
    schemes: Vec<String>,
}

pub(super) fn urlize(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    let names = ["trim_url_limit", "nofollow", "target", "rel", "extra_schemes"];
    let [limit, nofollow, target, rel, schemes] = arguments.bind("urlize", names, 0)?;
    let rel = text(rel)?;
    let mut rel: Vec<&str> = rel.as_deref().unwrap_or_default().split_whitespace().collect();
    heap.budget().steps(rel.len())?;
    rel.extend(flag(nofollow.as_ref()).then_some("nofollow"));
    rel.push("noopener");
    rel.sort_unstable();
    rel.dedup();
    let mut attributes = heap.builder();
    attributes.push_str(" rel=\"")?;
    escape(&mut attributes, &rel.join(" "))?;
    attributes.push('"')?;
    if let Some(target) = text(target)?.filter(|target| !target.is_empty()) {
        attributes.push_str(" target=\"")?;
        escape(&mut attributes, &target)?;
        attributes.push('"')?;
    }
    let limit = integer(limit.as_ref())?.map(|limit| usize::try_from(limit).unwrap_or(0));
    let mut links = Links { limit, attributes: attributes.as_str().to_owned(), schemes: Vec::new() };
    if let Some(schemes) = schemes.filter(|schemes| !matches!(schemes, PyValue::None)) {
        let schemes = collect(heap, &schemes)?;
        for scheme in schemes.items.borrow().iter() {
            let scheme = to_text(heap, scheme)?;
            let name = scheme.trim_end_matches('/').strip_suffix(':').unwrap_or_default();
            let rest = &scheme[name.len()..];
            if name.len() < 2
                || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte))
                || !matches!(rest, ":" | ":/" | "://")
            {
                return Err(failed(format!("'{}' is not a valid URI scheme prefix.", &*scheme)));
            }
            links.schemes.push(scheme.to_string());
        }
    }
    let source = to_text(heap, value)?;
    let mut escaped = heap.builder();
    if source.markup {
        escaped.push_str(&source)?;
    } else {
        escape(&mut escaped, &source)?;
    }
    let mut out = heap.builder();
    let mut rest = escaped.as_str();
    while let Some(first) = rest.chars().next() {
        let in_space = is_space(first);
        let end = rest.find(|character| is_space(character) != in_space).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if in_space {
            out.push_str(word)?;
        } else {
            links.word(&mut out, word)?;
        }
        rest = after;
    }
    Ok(PyValue::Text(out.finish()?.marked(state.autoescape.get())))
}

impl Links {
    fn word(&self, out: &mut TextBuilder<'_>, word: &str) -> Result<()> {
        // Balancing the brackets of a word reads it a few times.
        out.budget().read(word.len().saturating_mul(8))?;
        let body = trimmed(word, &["(", "<", "&lt;"], true);
        let head = word.len() - body.len();
        let mut end = head + trimmed(body, &[")", ">", ".", ",", "&gt;"], false).len();
        for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
            let opened = word[head..end].matches(open).count();
            if opened <= word[head..end].matches(close).count() {
                continue;
            }
            for _ in 0..opened {
                let Some(found) = word[end..].find(close) else { break };
                end += found + close.len();
            }
        }
        let middle = &word[head..end];
        out.push_str(&word[..head])?;
        self.link(out, middle)?;
        out.push_str(&word[end..])
    }

    fn link(&self, out: &mut TextBuilder<'_>, middle: &str) -> Result<()> {
        let mail = middle.strip_prefix("mailto:");
        if is_url(middle) {
            let scheme = if middle.starts_with("https://") || middle.starts_with("http://") { "" } else { "https://" };
            out.push_str(&format!("<a href=\"{scheme}"))?;
            out.push_str(middle)?;
            out.push('"')?;
            out.push_str(&self.attributes)?;
            out.push('>')?;
            let cut = self.limit.and_then(|limit| middle.char_indices().nth(limit)).map(|(byte, _)| byte);
            out.push_str(&middle[..cut.unwrap_or(middle.len())])?;
            return out.push_str(if cut.is_some() { "...</a>" } else { "</a>" });
        }
        let (scheme, shown) = match mail {
            Some(mail) if is_mail(mail) => ("", mail),
            _ if !middle.starts_with("www.")
                && !middle.starts_with('@')
                && !middle.contains(':')
                && is_mail(middle) =>
            {
                ("mailto:", middle)
            }
            _ => {
                let has_scheme = |scheme: &&String| middle.len() > scheme.len() && middle.starts_with(scheme.as_str());
                if self.schemes.iter().find(has_scheme).is_none() {
                    return out.push_str(middle);
                }
                for part in ["<a href=\"", middle, "\"", &self.attributes, ">", middle, "</a>"] {
                    out.push_str(part)?;
                }
                return Ok(());
            }
        };
        for part in ["<a href=\"", scheme, middle, "\">", shown, "</a>"] {
            out.push_str(part)?;
        }
        Ok(())
    }
}

/// A text without the given parts at its start or its end.
fn trimmed<'a>(mut text: &'a str, parts: &[&str], at_start: bool) -> &'a str {
    loop {
        let shorter =
            parts.iter().find_map(|part| if at_start { text.strip_prefix(part) } else { text.strip_suffix(part) });
        match shorter {
            Some(shorter) => text = shorter,
            None => return text,
        }
    }
}

/// Jinja2's `_email_re`: `^\S+@\w[\w.-]*\.\w+$`.
fn is_mail(text: &str) -> bool {
    let is_word = |character: char| character == '_' || character.is_alphanumeric();
    text.rsplit_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && host.starts_with(is_word)
            && host.chars().all(|character| is_word(character) || ".-".contains(character))
            && host.rsplit_once('.').is_some_and(|(_, last)| !last.is_empty() && last.chars().all(is_word))
    })
}

/// Jinja2's `_http_re`.
fn is_url(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let (has_scheme, rest) = match lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")) {
        Some(rest) => (true, rest),
        None => (false, &*lower),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    if let Some(inside) = authority.strip_prefix('[') {
        let Some((address, port)) = inside.split_once(']') else { return false };
        let is_hex = address.bytes().all(|byte| byte == b':' || byte.is_ascii_hexdigit());
        return has_scheme && is_hex && address.matches(':').count() >= 2 && is_port(port);
    }
    let host_end = authority.find(':').unwrap_or(authority.len());
    let (host, port) = authority.split_at(host_end);
    if !is_port(port) {
        return false;
    }
    let labels: Vec<&str> = host.strip_prefix("www.").filter(|_| !has_scheme).unwrap_or(host).split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.chars().all(|letter| "_%-".contains(letter) || letter.is_alphanumeric())
    };
    let Some((last, before)) = labels.split_last() else { return false };
    if !before.iter().all(is_label) {
        return false;
    }
    let is_address = labels.len() == 4
        && labels.iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()));
    if has_scheme && is_address {
        return true;
    }
    let is_domain = ((2..=63).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_lowercase()))
        || last.strip_prefix("xn--").is_some_and(|rest| (2..=59).contains(&rest.chars().count()));
    if has_scheme || host.starts_with("www.") {
        return is_domain;
    }
    matches!(*last, "com" | "net" | "int" | "edu" | "gov" | "org" | "info" | "mil")
        && !before.is_empty()
        && before.iter().all(|label| (2..=63).contains(&label.chars().count()))
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()))
}
