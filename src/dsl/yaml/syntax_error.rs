//! What is wrong with a text that is no YAML, and what to do about it.

use granit_parser::ErrorKind;

pub(super) fn message(kind: &ErrorKind, max_depth: usize) -> String {
    let text = match kind {
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => "the quotation mark of this text is not closed; add it",
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator => {
            "a list or mapping in brackets is not closed, or a comma is missing; add it"
        }
        ErrorKind::MismatchedFlowCollectionEnd { .. } | ErrorKind::MisplacedFlowCollectionEnd => {
            "this bracket closes none that is open; remove it or correct it"
        }
        ErrorKind::UnknownAnchor => {
            "this alias has no anchor above it; put quotation marks around a text that begins with `*`"
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => "a tab indents this line; replace it with spaces",
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::MappingKeyNotAllowed => "the indentation does not fit the lines above; align it with them",
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidMappingValueWhitespace => {
            "a colon stands where none may; put quotation marks around a text that contains `: `"
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "this line is no `key: value`; add the colon, or put quotation marks around the text that it continues"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "text follows a closed quotation mark; write a quotation mark inside the text twice, or remove it"
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate => "this escape is unknown; write `\\\\` for a backslash",
        ErrorKind::UnexpectedCharacter { character } if !character.is_control() => {
            return format!("a text may not begin with `{character}`; put it in quotation marks");
        }
        ErrorKind::RecursionLimitExceeded => return format!("is nested deeper than {max_depth} levels"),
        ErrorKind::UndeclaredTagHandle | ErrorKind::MissingTagUri | ErrorKind::InvalidTagTerminator => {
            "a tag cannot be read; put quotation marks around a text that begins with `!`"
        }
        _ => "this YAML cannot be read; check the indentation, brackets and quotation marks here",
    };
    text.to_owned()
}
