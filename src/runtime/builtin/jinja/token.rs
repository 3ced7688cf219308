//! The tokens of templates.

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'s> {
    /// Text outside of tags.
    Data(&'s str),
    OutputStart,
    OutputEnd,
    TagStart,
    TagEnd,
    Name(&'s str),
    Text(String),
    Int(i128),
    Float(f64),
    Operator(&'static str),
    End,
}

impl Token<'_> {
    /// How messages name the token.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Data(_) => "text".to_owned(),
            Self::OutputStart => "'{{'".to_owned(),
            Self::OutputEnd => "'}}'".to_owned(),
            Self::TagStart => "'{%'".to_owned(),
            Self::TagEnd => "'%}'".to_owned(),
            Self::Name(name) => format!("'{}'", name.chars().take(40).collect::<String>()),
            Self::Text(_) => "a string".to_owned(),
            Self::Int(_) | Self::Float(_) => "a number".to_owned(),
            Self::Operator(operator) => format!("'{operator}'"),
            Self::End => "the end of the template".to_owned(),
        }
    }
}
