//! Composes the events of a document into a JSON value: aliases, merge keys, tags and duplicate keys as `PyYAML` has
//! them.

use std::{borrow::Cow, collections::HashMap};

use granit_parser::{Event, ScalarStyle, Tag};
use serde_json::{Map, Value};

use super::{
    events::{Events, Weight},
    scalar,
};
use crate::dsl::error::DslError;

/// The namespace of YAML's own tags.
const YAML_TAGS: &str = "tag:yaml.org,2002:";
/// The plain key whose mapping is merged into the one around it.
const MERGE: &str = "<<";

pub(super) struct Composer<'t> {
    events: Events<'t>,
    /// Values by the id of their anchor; a value that is still composed is missing.
    anchored: HashMap<usize, (Value, Weight)>,
    /// Where in the document the composer is, such as `["workflow", ".graph", ".nodes", "[3]"]`.
    place: Vec<String>,
}

/// A value, and whether it is the plain key of a merge.
struct ComposedNode {
    value: Value,
    weight: Weight,
    merges: bool,
}

type TagOf<'t> = Option<Cow<'t, Tag>>;

impl<'t> Composer<'t> {
    pub(super) fn new(events: Events<'t>) -> Self {
        Self { events, anchored: HashMap::new(), place: Vec::new() }
    }

    /// The only document of the stream; null when there is none. A fault has the place that the composer reached.
    pub(super) fn document(&mut self) -> Result<Value, DslError> {
        self.stream().map_err(|fault| DslError { place: DslError::at(self.place.concat(), "").place, ..fault })
    }

    /// See [`Events::after_unindented_quote`].
    pub(super) fn after_unindented_quote(&self) -> Option<usize> {
        self.events.after_unindented_quote
    }

    fn stream(&mut self) -> Result<Value, DslError> {
        let mut document = None;
        loop {
            match self.events.next()? {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if document.is_some() => {
                    return Err(self.events.fault("a second document begins here; keep only one"));
                }
                Event::DocumentStart(..) => {
                    let event = self.events.next()?;
                    document = Some(self.node(event)?.value);
                }
                _ => return Ok(document.unwrap_or_default()),
            }
        }
    }

    fn node(&mut self, event: Event<'t>) -> Result<ComposedNode, DslError> {
        match event {
            Event::Alias(id) => self.alias(id),
            Event::Scalar(text, style, anchor, tag) => {
                let merges = style == ScalarStyle::Plain && tag.is_none() && text == MERGE;
                let weight = Weight { values: 1, bytes: text.len() };
                let value = self.scalar(self.events.unterminated(text, style), style, tag)?;
                self.keep(anchor, &value, weight)?;
                Ok(ComposedNode { value, weight, merges })
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq")?;
                let (items, weight) = self.sequence()?;
                let value = Value::Array(items);
                self.keep(anchor, &value, weight)?;
                Ok(ComposedNode { value, weight, merges: false })
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map")?;
                let (members, weight) = self.mapping()?;
                let value = Value::Object(members);
                self.keep(anchor, &value, weight)?;
                Ok(ComposedNode { value, weight, merges: false })
            }
            _ => Err(self.events.fault("the document ends here; a value is missing")),
        }
    }

    fn alias(&mut self, id: usize) -> Result<ComposedNode, DslError> {
        let Some((value, weight)) = self.anchored.get(&id) else {
            return Err(self.events.fault("this alias stands inside its own anchor; write the value out"));
        };
        let (value, weight) = (value.clone(), *weight);
        self.events.count_copy(weight)?;
        Ok(ComposedNode { value, weight, merges: false })
    }

    /// Keeps a copy of a value with an anchor.
    fn keep(&mut self, anchor: usize, value: &Value, weight: Weight) -> Result<(), DslError> {
        if anchor != 0 {
            self.events.count_copy(weight)?;
            self.anchored.insert(anchor, (value.clone(), weight));
        }
        Ok(())
    }

    fn sequence(&mut self) -> Result<(Vec<Value>, Weight), DslError> {
        let (mut items, mut weight) = (Vec::new(), Weight { values: 1, bytes: 0 });
        loop {
            self.place.push(format!("[{}]", items.len()));
            let event = self.events.next()?;
            if event == Event::SequenceEnd {
                self.place.pop();
                return Ok((items, weight));
            }
            let item = self.node(event)?;
            self.place.pop();
            weight += item.weight;
            items.push(item.value);
        }
    }

    /// The last of several equal keys wins. Merged members come before the mapping's own, which win over them.
    fn mapping(&mut self) -> Result<(Map<String, Value>, Weight), DslError> {
        let (mut merged, mut own) = (Map::new(), Vec::new());
        let mut weight = Weight { values: 1, bytes: 0 };
        loop {
            let event = self.events.next()?;
            if event == Event::MappingEnd {
                merged.extend(own);
                return Ok((merged, weight));
            }
            let key = self.node(event)?;
            weight += key.weight;
            let name =
                key_text(key.value).ok_or_else(|| self.events.fault("a key is a list or a mapping; write a text"))?;
            let dot = if self.place.is_empty() { "" } else { "." };
            self.place.push(format!("{dot}{name}"));
            let event = self.events.next()?;
            let member = self.node(event)?;
            weight += member.weight;
            if key.merges {
                self.merge(member.value, &mut merged)?;
            } else {
                own.push((name, member.value));
            }
            self.place.pop();
        }
    }

    /// The first mapping of a list wins over the later ones.
    fn merge(&self, value: Value, into: &mut Map<String, Value>) -> Result<(), DslError> {
        let mappings = match value {
            Value::Array(items) => items,
            other => vec![other],
        };
        for mapping in mappings.into_iter().rev() {
            let Value::Object(members) = mapping else {
                return Err(self.events.fault("`<<` merges mappings only; put it in quotation marks if it is a text"));
            };
            into.extend(members);
        }
        Ok(())
    }

    fn scalar(&self, text: Cow<'t, str>, style: ScalarStyle, tag: TagOf<'t>) -> Result<Value, DslError> {
        let no_number = |what: &str| self.events.fault(format_args!("is not {what}; correct it, or remove the tag"));
        let resolved = || {
            scalar::resolve(&text)
                .ok_or_else(|| self.events.fault("is a number that JSON does not have; put it in quotation marks"))
        };
        let Some(tag) = tag else {
            return if style == ScalarStyle::Plain { resolved() } else { Ok(text.into_owned().into()) };
        };
        if is_unspecific(&tag) {
            return resolved();
        }
        match tag.suffix_in_namespace(YAML_TAGS).as_deref() {
            Some("str") => Ok(text.into_owned().into()),
            Some("null") => Ok(Value::Null),
            Some("bool") => scalar::tagged_boolean(&text).map(Value::Bool).ok_or_else(|| no_number("true or false")),
            Some("int") => scalar::tagged_integer(&text).map(Value::Number).ok_or_else(|| no_number("an integer")),
            Some("float") => scalar::tagged_float(&text).map(Value::Number).ok_or_else(|| no_number("a number")),
            _ => Err(self.unknown_tag()),
        }
    }

    fn check_tag(&self, tag: Option<&Tag>, known: &str) -> Result<(), DslError> {
        match tag {
            Some(tag) if !is_unspecific(tag) && !tag.is_yaml_core_schema_tag(known) => Err(self.unknown_tag()),
            _ => Ok(()),
        }
    }

    fn unknown_tag(&self) -> DslError {
        self.events
            .fault("has a tag that is not supported; remove it, or put a text that begins with `!` in quotation marks")
    }
}

/// The tag `!`, which sets no type.
fn is_unspecific(tag: &Tag) -> bool {
    tag.original() == "!"
}

/// A key as JSON has it. `None` for a list or a mapping.
fn key_text(key: Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}
