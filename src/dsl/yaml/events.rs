//! The events of a YAML document, within budgets. An error has a line.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, StrInput};

use super::{limits::LONGEST, syntax_error};
use crate::dsl::error::DslError;

/// The deepest nesting.
const DEEPEST: usize = 64;
/// Largest number of values, those that aliases repeat included.
const MOST_VALUES: usize = 250_000;
/// Largest number of values that aliases may repeat. Dify writes none, people few.
const MOST_REPEATED: usize = 50_000;
/// Largest number of aliases, and of anchors.
const MOST_ALIASES: usize = 1_000;

pub(super) struct Events<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    /// Line of the last event, from one.
    pub line: u64,
    /// Offset of the end of the last event, in bytes.
    end: usize,
    /// After an error: the end of the last event, when the value after it is a quoted text with a line that is not
    /// indented.
    pub after_unindented_quote: Option<usize>,
    depth: usize,
    values: usize,
    aliases: usize,
    repeated: Weight,
}

/// The size of a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    /// The value itself, and those in it.
    pub values: usize,
    /// Bytes of all texts in it.
    pub bytes: usize,
}

impl std::ops::AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        self.values += other.values;
        self.bytes += other.bytes;
    }
}

impl<'t> Events<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.flow_nesting_limit = DEEPEST;
        options.block_nesting_limit = DEEPEST;
        Self {
            parser: Parser::new_from_str_with_options(text, options),
            text,
            line: 1,
            end: 0,
            after_unindented_quote: None,
            depth: 0,
            values: 0,
            aliases: 0,
            repeated: Weight::default(),
        }
    }

    /// The next event of the stream.
    pub(super) fn next(&mut self) -> Result<Event<'t>, DslError> {
        let (event, span) = match self.parser.next_event() {
            Some(Ok(next)) => next,
            Some(Err(error)) => {
                let unindented =
                    matches!(error.kind(), ErrorKind::InvalidQuotedScalarIndent | ErrorKind::TabInIndentation);
                self.after_unindented_quote = unindented.then_some(self.end);
                // The parser notices an open text far behind the value that it belongs to.
                let open = unindented || matches!(error.kind(), ErrorKind::UnclosedQuotedScalar);
                let line = if open { Some(self.line) } else { u64::try_from(error.marker().line()).ok() };
                return Err(DslError::at_line(line, syntax_error::message(error.kind(), DEEPEST)));
            }
            None => return Ok(Event::StreamEnd),
        };
        self.line = span.start.line() as u64;
        self.end = span.end.byte_offset().unwrap_or_default();
        match &event {
            Event::Alias(_) | Event::Scalar(..) => self.count_value()?,
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(self.fault(format_args!("is nested deeper than {DEEPEST} levels")));
                }
                self.count_value()?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.depth -= 1,
            _ => {}
        }
        Ok(event)
    }

    /// A block scalar that the file ends in has no line break at its end unless the file has one.
    pub(super) fn unterminated(&self, mut scalar: Cow<'t, str>, style: ScalarStyle) -> Cow<'t, str> {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let at_end = self.text.get(self.end..).is_none_or(|rest| rest.trim_matches([' ', '\u{feff}']).is_empty());
        let last_line = self.text.rsplit(['\n', '\r']).next().unwrap_or_default();
        if is_block && at_end && !last_line.trim_matches(' ').is_empty() && scalar.ends_with('\n') {
            scalar.to_mut().pop();
        }
        scalar
    }

    /// A fault at the line of the last event.
    pub(super) fn fault(&self, reason: impl std::fmt::Display) -> DslError {
        DslError::at_line(Some(self.line), reason)
    }

    fn count_value(&mut self) -> Result<(), DslError> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(self.fault(format_args!("the file has more than {MOST_VALUES} values")));
        }
        Ok(())
    }

    /// Charges a copy of a value: for an anchor, and for each alias.
    pub(super) fn count_copy(&mut self, weight: Weight) -> Result<(), DslError> {
        self.aliases += 1;
        self.repeated += weight;
        let within =
            self.aliases <= MOST_ALIASES && self.repeated.values <= MOST_REPEATED && self.repeated.bytes <= LONGEST;
        if within { Ok(()) } else { Err(self.fault("aliases repeat too much; write the values out")) }
    }
}
