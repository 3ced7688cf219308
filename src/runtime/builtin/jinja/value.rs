//! The values of templates, with Python's types.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use indexmap::IndexMap;

use super::{
    key::DictKey,
    syntax::{ForLoop, MacroBody},
    text::PyText,
};

/// A value. Integers have 127 bits and a sign: Python's have no limit, and larger results are errors here.
#[derive(Clone, Debug)]
pub(super) enum PyValue {
    /// A name that is not defined, with the error message of its use.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(PyText),
    List(Rc<Items>),
    Tuple(Rc<Items>),
    Dict(Rc<Entries>),
    Range(Rc<IntRange>),
    /// A generator: can be read once.
    Generator(Rc<Stream>),
    /// `dict.keys()` and its like.
    View(DictView, Rc<Entries>),
    Namespace(Rc<Entries>),
    Object(Rc<PyObject>),
}

/// The items of a list or a tuple.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub items: RefCell<Vec<PyValue>>,
    /// A tuple of `groupby`, whose members have names.
    pub is_group: bool,
}

#[derive(Debug, Default)]
pub(super) struct Entries(pub RefCell<IndexMap<DictKey, PyValue>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DictView {
    Keys,
    Values,
    Items,
}

/// `range`: `len` numbers from `start`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IntRange {
    pub start: i128,
    pub stop: i128,
    pub step: i128,
    pub len: usize,
}

/// The items that a generator has not given yet.
#[derive(Debug)]
pub(super) struct Stream {
    pub items: Rc<Items>,
    pub next: Cell<usize>,
}

/// Objects that templates call or read attributes of.
#[derive(Debug)]
pub(super) enum PyObject {
    /// A global function by its name.
    Global(&'static str),
    /// A method bound to its value.
    Method {
        receiver: PyValue,
        name: &'static str,
    },
    Macro(MacroObject),
    Loop(LoopObject),
    Cycler {
        items: Rc<Items>,
        at: Cell<usize>,
    },
    Joiner {
        separator: PyText,
        used: Cell<bool>,
    },
    /// `self`, whose attributes are the blocks of the template.
    TemplateReference,
    Block(Rc<str>),
}

/// A macro with the variables around its definition.
#[derive(Debug)]
pub(super) struct MacroObject {
    pub body: Rc<MacroBody>,
    pub variables: Rc<Variables>,
    pub autoescape: bool,
}

/// What a loop runs over.
#[derive(Clone, Debug)]
pub(super) enum LoopItems {
    Items(Rc<Items>),
    Range(Rc<IntRange>),
}

impl LoopItems {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Items(items) => items.len(),
            Self::Range(range) => range.len,
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<PyValue> {
        match self {
            Self::Items(items) => items.get(index),
            Self::Range(range) => range.get(index).map(PyValue::Int),
        }
    }
}

/// `loop`.
#[derive(Debug)]
pub(super) struct LoopObject {
    pub items: LoopItems,
    pub index: Cell<usize>,
    /// Levels of recursion around this loop.
    pub depth: usize,
    /// The arguments of the last call of `loop.changed`.
    pub last_changed: Rc<Items>,
    pub was_changed: Cell<bool>,
    /// The statement that `loop(…)` runs again, and the variables around it.
    pub recursive: Option<(Rc<ForLoop>, Rc<Variables>)>,
}

/// The variables of a block, over those of the block around it.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub own: RefCell<HashMap<Rc<str>, PyValue>>,
    pub outer: Option<Rc<Variables>>,
    /// Whether the heap empties this scope when the rendering ends.
    pub is_registered: Cell<bool>,
}

impl Variables {
    pub(super) fn find(&self, name: &str) -> Option<PyValue> {
        let mut scope = self;
        loop {
            if let Some(found) = scope.own.borrow().get(name) {
                return Some(found.clone());
            }
            scope = scope.outer.as_deref()?;
        }
    }
}

impl Items {
    pub(super) fn len(&self) -> usize {
        self.items.borrow().len()
    }

    pub(super) fn get(&self, index: usize) -> Option<PyValue> {
        self.items.borrow().get(index).cloned()
    }
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl IntRange {
    pub(super) fn get(&self, index: usize) -> Option<i128> {
        let offset = i128::try_from(index).ok()?.checked_mul(self.step)?;
        (index < self.len).then(|| self.start.checked_add(offset)).flatten()
    }
}

impl PyValue {
    /// The name of the type, as Python's messages have it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(text) if text.markup => "Markup",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Range(_) => "range",
            Self::Generator(_) => "generator",
            Self::View(DictView::Keys, _) => "dict_keys",
            Self::View(DictView::Values, _) => "dict_values",
            Self::View(DictView::Items, _) => "dict_items",
            Self::Namespace(_) => "Namespace",
            Self::Object(object) => match **object {
                PyObject::Global(_) => "function",
                PyObject::Method { .. } => "method",
                PyObject::Macro(_) => "Macro",
                PyObject::Loop(_) => "LoopContext",
                PyObject::Cycler { .. } => "Cycler",
                PyObject::Joiner { .. } => "Joiner",
                PyObject::TemplateReference => "TemplateReference",
                PyObject::Block(_) => "BlockReference",
            },
        }
    }

    /// Python's `bool(value)`.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) | Self::Tuple(items) => items.len() > 0,
            Self::Dict(entries) | Self::View(_, entries) => entries.len() > 0,
            Self::Range(range) => range.len > 0,
            Self::Generator(_) | Self::Namespace(_) | Self::Object(_) => true,
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }
}
