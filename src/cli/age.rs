//! Parses a duration, as in 90m, 2h or 30d.

use chrono::TimeDelta;

/// The duration; `None` for any other text.
pub(super) fn parse_age(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let number = i64::from(text.strip_suffix(unit)?.parse::<u32>().ok()?);
    match unit {
        's' => TimeDelta::try_seconds(number),
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        _ => None,
    }
}

/// The value of `--ttl`.
pub(super) fn lifetime(text: &str) -> Result<TimeDelta, String> {
    parse_age(text.trim()).ok_or_else(|| format!("`{text}` is not a duration; write 90m, 12h or 30d"))
}
