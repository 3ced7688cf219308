//! Filters that compare the items of sequences.

use std::{cmp::Ordering, rc::Rc};

use indexmap::IndexSet;

use crate::runtime::builtin::{
    jinja::arguments::{Arguments, flag, text},
    jinja::attributes::AttributePath,
    jinja::compare::{equal, ordered},
    jinja::error::{Result, failed},
    jinja::iterate::{Cursor, collect},
    jinja::methods::case,
    jinja::sort::sorted_indexes,
    jinja::state::RenderState,
    jinja::value::{DictView, Items, PyValue},
};

/// What items are compared by.
struct SortKey {
    /// Several paths make a list.
    paths: Option<Vec<AttributePath>>,
    default: Option<PyValue>,
    ignores_case: bool,
}

impl SortKey {
    fn new(state: &RenderState, attribute: Option<&PyValue>, case_sensitive: Option<&PyValue>) -> Result<Self> {
        let paths = match attribute {
            None | Some(PyValue::None) => None,
            Some(attribute) => Some(vec![AttributePath::new(state, attribute)?]),
        };
        Ok(Self { paths, default: None, ignores_case: !flag(case_sensitive) })
    }

    fn of(&self, state: &RenderState, item: &PyValue) -> Result<PyValue> {
        match self.paths.as_deref() {
            None => self.folded(state, item.clone()),
            Some([path]) => self.folded(state, path.get(state, item, self.default.as_ref())?),
            Some(paths) => {
                let mut keys = state.heap.list_builder();
                for path in paths {
                    keys.push(self.folded(state, path.get(state, item, None)?)?)?;
                }
                keys.into_list()
            }
        }
    }

    fn folded(&self, state: &RenderState, value: PyValue) -> Result<PyValue> {
        match &value {
            PyValue::Text(text) if self.ignores_case => {
                let mut out = state.heap.builder();
                case(&mut out, "lower", text)?;
                out.finish().map(PyValue::Text)
            }
            _ => Ok(value),
        }
    }

    fn of_all(&self, state: &RenderState, items: &Items) -> Result<Vec<PyValue>> {
        state.heap.reserve_items(items.len())?;
        let mut keys = Vec::with_capacity(items.len());
        for at in 0..items.len() {
            keys.push(self.of(state, &items.get(at).unwrap_or(PyValue::None))?);
        }
        Ok(keys)
    }
}

pub(super) fn sort(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let names = ["reverse", "case_sensitive", "attribute"];
    let [reverse, case_sensitive, attribute] = arguments.bind("sort", names, 0)?;
    let mut key = SortKey::new(state, None, case_sensitive.as_ref())?;
    key.paths = match &attribute {
        None | Some(PyValue::None) => None,
        Some(PyValue::Text(paths)) => {
            let mut parsed = Vec::new();
            for path in paths.split(',') {
                state.heap.reserve_items(1)?;
                parsed.push(AttributePath::new(state, &state.heap.text(path)?)?);
            }
            Some(parsed)
        }
        Some(attribute) => Some(vec![AttributePath::new(state, attribute)?]),
    };
    let items = collect(&state.heap, value)?;
    sorted(state, &items, &key, flag(reverse.as_ref()))
}

fn sorted(state: &RenderState, items: &Items, key: &SortKey, reverse: bool) -> Result<PyValue> {
    let keys = key.of_all(state, items)?;
    let order = sorted_indexes(&state.heap, &keys, reverse)?;
    let mut sorted = state.heap.list_builder();
    for at in order {
        sorted.push(items.get(at).unwrap_or(PyValue::None))?;
    }
    sorted.into_list()
}

pub(super) fn dictsort(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [case_sensitive, by, reverse] = arguments.bind("dictsort", ["case_sensitive", "by", "reverse"], 0)?;
    let by = text(by)?;
    let place = match by.as_deref() {
        None | Some("key") => 0,
        Some("value") => 1,
        Some(_) => return Err(failed("You can only sort by either \"key\" or \"value\"")),
    };
    let PyValue::Dict(entries) = value else {
        return Err(failed(format!("dictsort needs a dict, not {}", value.type_name())));
    };
    let items = collect(&state.heap, &PyValue::View(DictView::Items, Rc::clone(entries)))?;
    let key = SortKey::new(state, Some(&PyValue::Int(place)), case_sensitive.as_ref())?;
    sorted(state, &items, &key, flag(reverse.as_ref()))
}

pub(super) fn extreme(state: &RenderState, value: &PyValue, arguments: Arguments, largest: bool) -> Result<PyValue> {
    let name = if largest { "max" } else { "min" };
    let [case_sensitive, attribute] = arguments.bind(name, ["case_sensitive", "attribute"], 0)?;
    let key = SortKey::new(state, attribute.as_ref(), case_sensitive.as_ref())?;
    let mut cursor = Cursor::new(value)?;
    let Some(mut best) = cursor.next(&state.heap)? else {
        return Ok(PyValue::Undefined("No aggregated item, sequence was empty.".into()));
    };
    let mut best_key = key.of(state, &best)?;
    let (operator, wanted) = if largest { (">", Ordering::Greater) } else { ("<", Ordering::Less) };
    while let Some(item) = cursor.next(&state.heap)? {
        let item_key = key.of(state, &item)?;
        if ordered(&state.heap, &item_key, &best_key, operator)? == Some(wanted) {
            (best, best_key) = (item, item_key);
        }
    }
    Ok(best)
}

pub(super) fn unique(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let [case_sensitive, attribute] = arguments.bind("unique", ["case_sensitive", "attribute"], 0)?;
    let key = SortKey::new(state, attribute.as_ref(), case_sensitive.as_ref())?;
    let mut seen = IndexSet::new();
    let mut has_undefined = false;
    let mut kept = state.heap.list_builder();
    let mut cursor = Cursor::new(value)?;
    while let Some(item) = cursor.next(&state.heap)? {
        let item_key = key.of(state, &item)?;
        // An undefined value is hashable, but no key of dicts here.
        let is_new = if item_key.is_undefined() {
            !std::mem::replace(&mut has_undefined, true)
        } else {
            state.heap.reserve_entry()?;
            seen.insert(state.heap.key(&item_key)?)
        };
        if is_new {
            kept.push(item)?;
        }
    }
    kept.into_generator()
}

pub(super) fn groupby(state: &RenderState, value: &PyValue, arguments: Arguments) -> Result<PyValue> {
    let heap = &state.heap;
    let [attribute, default, case_sensitive] =
        arguments.bind("groupby", ["attribute", "default", "case_sensitive"], 1)?;
    let mut key = SortKey::new(state, attribute.as_ref(), case_sensitive.as_ref())?;
    key.default = default.filter(|default| !matches!(default, PyValue::None));
    let exact = SortKey {
        paths: SortKey::new(state, attribute.as_ref(), None)?.paths,
        default: key.default.clone(),
        ignores_case: false,
    };
    let items = collect(heap, value)?;
    let keys = key.of_all(state, &items)?;
    let order = sorted_indexes(heap, &keys, false)?;
    let mut groups = heap.list_builder();
    let mut rest = order.as_slice();
    while let Some((&first, _)) = rest.split_first() {
        let mut members = heap.list_builder();
        while let Some((&at, after)) = rest.split_first() {
            if !equal(heap, &keys[at], &keys[first])? {
                break;
            }
            members.push(items.get(at).unwrap_or(PyValue::None))?;
            rest = after;
        }
        let mut group = heap.list_builder();
        group.push(exact.of(state, &items.get(first).unwrap_or(PyValue::None))?)?;
        group.push(members.into_list()?)?;
        groups.push(group.into_group()?)?;
        // A value that does not equal itself is a group of its own.
        if rest.first() == Some(&first) {
            rest = &rest[1..];
        }
    }
    groups.into_list()
}
