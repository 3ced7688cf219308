//! The lines of places.

use std::collections::HashMap;

use granit_parser::Event;

use super::events::Events;
use crate::dsl::error::DslError;

/// The line of each place such as `workflow.graph.nodes[3].data`, or of what is around it where the document has no
/// such place.
pub(super) fn lines_of<'p>(text: &str, places: impl Iterator<Item = &'p str>) -> Vec<Option<u64>> {
    let places: Vec<&str> = places.collect();
    let wanted = places.iter().flat_map(|place| parts(place)).map(|part| (part.to_owned(), None)).collect();
    let mut search = Search { events: Events::new(text), place: String::new(), lines: wanted };
    // What was found before an error is right.
    let _ = search.document();
    places
        .iter()
        .map(|place| parts(place).filter_map(|part| search.lines.get(part).copied().flatten()).last())
        .collect()
}

/// `workflow`, `workflow.graph`, `workflow.graph.nodes`, `workflow.graph.nodes[3]` and so on.
fn parts(place: &str) -> impl Iterator<Item = &str> {
    let ends = place.char_indices().filter(|(at, c)| *at > 0 && matches!(c, '.' | '[')).map(|(at, _)| at);
    ends.chain(Some(place.len())).map(|end| &place[..end])
}

struct Search<'t> {
    events: Events<'t>,
    /// Where the search is.
    place: String,
    /// The line of each place that is looked for.
    lines: HashMap<String, Option<u64>>,
}

impl Search<'_> {
    fn document(&mut self) -> Result<(), DslError> {
        loop {
            match self.events.next()? {
                Event::StreamEnd => return Ok(()),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => self.value(&event)?,
            }
        }
    }

    /// Reads a value to its end.
    fn value(&mut self, event: &Event<'_>) -> Result<(), DslError> {
        let length = self.place.len();
        match event {
            Event::MappingStart(..) => loop {
                let key = self.events.next()?;
                let line = self.events.line;
                match &key {
                    Event::MappingEnd => return Ok(()),
                    Event::Scalar(name, ..) => {
                        if length > 0 {
                            self.place.push('.');
                        }
                        self.place.push_str(name);
                    }
                    other => self.value(other)?,
                }
                self.member(line, length)?;
            },
            Event::SequenceStart(..) => {
                for index in 0_usize.. {
                    let item = self.events.next()?;
                    if item == Event::SequenceEnd {
                        break;
                    }
                    self.place.extend(["[", &index.to_string(), "]"]);
                    self.found(self.events.line);
                    self.value(&item)?;
                    self.place.truncate(length);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn member(&mut self, line: u64, length: usize) -> Result<(), DslError> {
        self.found(line);
        let value = self.events.next()?;
        self.value(&value)?;
        self.place.truncate(length);
        Ok(())
    }

    fn found(&mut self, line: u64) {
        if let Some(place) = self.lines.get_mut(&self.place) {
            *place = Some(line);
        }
    }
}
