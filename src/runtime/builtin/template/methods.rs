//! The methods of Python's strings, dictionaries and lists.

use minijinja::{Error, ErrorKind, State, Value, value::ValueKind};

use super::weight_guard::charged;

/// Calls a method that minijinja does not know.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let found = match value.kind() {
        ValueKind::String => text(state, value, method, arguments)?,
        ValueKind::Map => map(value, method, arguments)?,
        ValueKind::Seq => sequence(value, method, arguments)?,
        _ => None,
    };
    match found {
        Some(found) => charged(found),
        None => Err(Error::new(ErrorKind::UnknownMethod, format!("{} has no method named {method}", value.kind()))),
    }
}

fn text(state: &mut State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let text = value.as_str().unwrap_or_default();
    let argument = |at: usize| arguments.get(at).and_then(Value::as_str);
    let set = argument(0);
    let strips = |c: char| set.map_or_else(|| c.is_whitespace(), |set| set.contains(c));
    let filtered = |state: &mut State<'_, '_>, name: &str, first: &Value| {
        let mut all = vec![first.clone()];
        all.extend_from_slice(arguments);
        state.apply_filter(name, &all).map(Some)
    };
    Ok(Some(match method {
        "upper" => text.to_uppercase().into(),
        "lower" => text.to_lowercase().into(),
        "capitalize" | "title" | "replace" | "split" => return filtered(state, method, value),
        "strip" => text.trim_matches(strips).into(),
        "lstrip" => text.trim_start_matches(strips).into(),
        "rstrip" => text.trim_end_matches(strips).into(),
        "splitlines" => text.lines().map(Value::from).collect(),
        "startswith" => text.starts_with(argument(0).unwrap_or_default()).into(),
        "endswith" => text.ends_with(argument(0).unwrap_or_default()).into(),
        "find" => {
            let found = text.find(argument(0).unwrap_or_default());
            found.map_or(-1, |at| i64::try_from(text[..at].chars().count()).unwrap_or(i64::MAX)).into()
        }
        "count" => argument(0).filter(|part| !part.is_empty()).map_or(0, |part| text.matches(part).count()).into(),
        "isdigit" => (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())).into(),
        "join" => {
            let items = arguments.first().cloned().unwrap_or_default();
            return state.apply_filter("join", &[items, value.clone()]).map(Some);
        }
        _ => return Ok(None),
    }))
}

fn map(value: &Value, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match method {
        "keys" => value.try_iter()?.collect(),
        "values" => value.try_iter()?.map(|key| value.get_item(&key)).collect::<Result<_, _>>()?,
        "items" => {
            let pair = |key: Value| Ok::<_, Error>(Value::from(vec![key.clone(), value.get_item(&key)?]));
            value.try_iter()?.map(pair).collect::<Result<_, _>>()?
        }
        "get" => {
            let found =
                arguments.first().map(|key| value.get_item(key)).transpose()?.filter(|found| !found.is_undefined());
            found.unwrap_or_else(|| arguments.get(1).cloned().unwrap_or_else(|| Value::from(())))
        }
        _ => return Ok(None),
    }))
}

fn sequence(value: &Value, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let wanted = arguments.first().cloned().unwrap_or_default();
    Ok(Some(match method {
        "index" => match value.try_iter()?.position(|item| item == wanted) {
            Some(at) => at.into(),
            None => return Err(Error::new(ErrorKind::InvalidOperation, "the value is not in the list")),
        },
        "count" => value.try_iter()?.filter(|item| *item == wanted).count().into(),
        _ => return Ok(None),
    }))
}
