//! The arguments of calls, filters and tests.

use std::rc::Rc;

use super::{
    compare::{Numeric, numeric},
    error::{Result, failed},
    text::PyText,
    value::PyValue,
};

#[derive(Clone, Debug, Default)]
pub(super) struct Arguments {
    pub positional: Vec<PyValue>,
    pub named: Vec<(Rc<str>, PyValue)>,
}

impl Arguments {
    /// The values of the parameters; the first `required` of them must be given. A parameter without a name is
    /// positional only.
    pub(super) fn bind<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
        required: usize,
    ) -> Result<[Option<PyValue>; N]> {
        let given = self.positional.len();
        if given > N {
            return Err(failed(format!("{function}() takes at most {N} arguments, {given} are given")));
        }
        let mut values = [const { None }; N];
        for (place, value) in values.iter_mut().zip(self.positional) {
            *place = Some(value);
        }
        for (name, value) in self.named {
            match names.iter().position(|other| !other.is_empty() && *other == &*name) {
                Some(at) if values[at].is_none() => values[at] = Some(value),
                Some(_) => return Err(failed(format!("{function}() got multiple values for argument '{name}'"))),
                None => return Err(failed(format!("{function}() got an unexpected keyword argument '{name}'"))),
            }
        }
        if let Some(at) = values.iter().take(required).position(Option::is_none) {
            return Err(failed(format!("{function}() needs the argument {}", argument_name(names[at], at))));
        }
        Ok(values)
    }

    pub(super) fn none(self, function: &str) -> Result<()> {
        self.bind(function, [], 0).map(|[]: [Option<PyValue>; 0]| ())
    }

    /// Takes a named argument out.
    pub(super) fn take_named(&mut self, name: &str) -> Option<PyValue> {
        let at = self.named.iter().position(|(other, _)| &**other == name)?;
        Some(self.named.remove(at).1)
    }
}

fn argument_name(name: &str, at: usize) -> String {
    if name.is_empty() { (at + 1).to_string() } else { format!("'{name}'") }
}

/// An integer; `None` when the argument is missing or none.
pub(super) fn integer(value: Option<&PyValue>) -> Result<Option<i128>> {
    match value {
        None | Some(PyValue::None) => Ok(None),
        Some(PyValue::Undefined(message)) => Err(failed(&**message)),
        Some(value) => match numeric(value) {
            Some(Numeric::Int(number)) => Ok(Some(number)),
            _ => Err(failed(format!("'{}' object cannot be interpreted as an integer", value.type_name()))),
        },
    }
}

/// A size: negative integers are 0.
pub(super) fn size(value: Option<&PyValue>, default: usize) -> Result<usize> {
    Ok(integer(value)?.map_or(default, |number| usize::try_from(number.max(0)).unwrap_or(usize::MAX)))
}

/// A text; `None` when the argument is missing or none.
pub(super) fn text(value: Option<PyValue>) -> Result<Option<PyText>> {
    match value {
        None | Some(PyValue::None) => Ok(None),
        Some(PyValue::Text(text)) => Ok(Some(text)),
        Some(PyValue::Undefined(message)) => Err(failed(&*message)),
        Some(other) => Err(failed(format!("expected str, got {}", other.type_name()))),
    }
}

pub(super) fn flag(value: Option<&PyValue>) -> bool {
    value.is_some_and(PyValue::is_true)
}
