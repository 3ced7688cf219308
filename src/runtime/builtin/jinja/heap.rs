//! Creates the values of a rendering. The heap keeps every container until the rendering ends and then empties them one
//! by one, so that neither lists that contain themselves leak nor long chains of lists overflow the stack.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use indexmap::IndexMap;

use super::{
    budget::RenderBudget,
    error::{Result, failed},
    key::DictKey,
    limits::MAX_VALUE_DEPTH,
    text::{PyText, TextBuilder},
    value::{Entries, Items, PyObject, PyValue, Stream, Variables},
};

/// Bytes of a container besides its members.
const CONTAINER: usize = 128;
/// Bytes of an item of a list, with the reserve of a vector that grows.
const ITEM: usize = 64;
/// Bytes of an entry of a dict or a scope.
const ENTRY: usize = 192;

#[derive(Debug)]
pub(super) struct Heap {
    budget: RenderBudget,
    items: RefCell<Vec<Rc<Items>>>,
    entries: RefCell<Vec<Rc<Entries>>>,
    scopes: RefCell<Vec<Rc<Variables>>>,
}

impl Heap {
    pub(super) fn new(budget: RenderBudget) -> Self {
        Self { budget, items: RefCell::default(), entries: RefCell::default(), scopes: RefCell::default() }
    }

    pub(super) fn budget(&self) -> &RenderBudget {
        &self.budget
    }

    pub(super) fn text(&self, text: &str) -> Result<PyValue> {
        PyText::new(&self.budget, text).map(PyValue::Text)
    }

    pub(super) fn builder(&self) -> TextBuilder<'_> {
        TextBuilder::new(&self.budget)
    }

    /// Takes the memory of items before they are added to a list.
    pub(super) fn reserve_items(&self, count: usize) -> Result<()> {
        self.budget.produce(count.saturating_mul(ITEM))
    }

    pub(super) fn reserve_entry(&self) -> Result<()> {
        self.budget.produce(ENTRY)
    }

    pub(super) fn list_builder(&self) -> ListBuilder<'_> {
        ListBuilder { heap: self, items: Vec::new() }
    }

    pub(super) fn tuple(&self, values: impl IntoIterator<Item = PyValue>) -> Result<PyValue> {
        let mut list = self.list_builder();
        for value in values {
            list.push(value)?;
        }
        list.into_tuple()
    }

    /// Keeps the items until the rendering ends; their own memory has been reserved.
    pub(super) fn items(&self, items: Vec<PyValue>, is_group: bool) -> Result<Rc<Items>> {
        self.budget.produce(CONTAINER)?;
        let items = Rc::new(Items { items: RefCell::new(items), is_group });
        self.items.borrow_mut().push(Rc::clone(&items));
        Ok(items)
    }

    pub(super) fn entries(&self) -> Result<Rc<Entries>> {
        self.budget.produce(CONTAINER)?;
        let entries = Rc::new(Entries(RefCell::new(IndexMap::new())));
        self.entries.borrow_mut().push(Rc::clone(&entries));
        Ok(entries)
    }

    /// Sets an entry of a dict or a namespace.
    pub(super) fn set(&self, entries: &Entries, key: DictKey, value: PyValue) -> Result<()> {
        self.reserve_entry()?;
        entries.0.borrow_mut().insert(key, value);
        Ok(())
    }

    pub(super) fn set_text(&self, entries: &Entries, key: &str, value: PyValue) -> Result<()> {
        let key = DictKey::Text(PyText::new(&self.budget, key)?);
        self.set(entries, key, value)
    }

    pub(super) fn object(&self, object: PyObject) -> Result<PyValue> {
        self.budget.produce(CONTAINER)?;
        Ok(PyValue::Object(Rc::new(object)))
    }

    /// A scope inside another one.
    pub(super) fn scope(&self, outer: Option<Rc<Variables>>) -> Result<Rc<Variables>> {
        self.budget.steps(1)?;
        Ok(Rc::new(Variables { outer, ..Variables::default() }))
    }

    pub(super) fn assign(&self, scope: &Variables, name: &Rc<str>, value: PyValue) -> Result<()> {
        if let Some(place) = scope.own.borrow_mut().get_mut(name) {
            *place = value;
            return self.budget.steps(1);
        }
        // A scope that no macro keeps ends with its block, and its memory is bounded by the source.
        if scope.is_registered.get() {
            self.reserve_entry()?;
        } else {
            self.budget.steps(1)?;
        }
        scope.own.borrow_mut().insert(Rc::clone(name), value);
        Ok(())
    }

    /// Keeps a scope and those around it until the rendering ends: a macro refers to them.
    pub(super) fn keep_scope(&self, scope: &Rc<Variables>) -> Result<()> {
        let mut next = Some(scope);
        while let Some(scope) = next {
            if scope.is_registered.replace(true) {
                break;
            }
            self.budget.produce(CONTAINER + scope.own.borrow().len() * ENTRY)?;
            self.scopes.borrow_mut().push(Rc::clone(scope));
            next = scope.outer.as_ref();
        }
        Ok(())
    }

    /// The key that a value is in dicts.
    pub(super) fn key(&self, value: &PyValue) -> Result<DictKey> {
        self.key_at(value, 0)
    }

    fn key_at(&self, value: &PyValue, depth: usize) -> Result<DictKey> {
        self.budget.steps(1)?;
        Ok(match value {
            PyValue::None => DictKey::None,
            PyValue::Bool(truth) => DictKey::Bool(*truth),
            PyValue::Int(number) => DictKey::Int(*number),
            PyValue::Float(number) => DictKey::Float(*number),
            PyValue::Text(text) => {
                self.budget.read(text.len())?;
                DictKey::Text(text.clone())
            }
            PyValue::Tuple(items) if depth < MAX_VALUE_DEPTH => {
                self.reserve_items(items.len())?;
                let keys: Result<Vec<DictKey>> =
                    items.items.borrow().iter().map(|item| self.key_at(item, depth + 1)).collect();
                DictKey::Tuple(keys?.into())
            }
            other => return Err(failed(format!("unhashable type: '{}'", other.type_name()))),
        })
    }

    /// The value of a key.
    pub(super) fn key_value(&self, key: &DictKey) -> Result<PyValue> {
        Ok(match key {
            DictKey::None => PyValue::None,
            DictKey::Bool(truth) => PyValue::Bool(*truth),
            DictKey::Int(number) => PyValue::Int(*number),
            DictKey::Float(number) => PyValue::Float(*number),
            DictKey::Text(text) => PyValue::Text(text.clone()),
            DictKey::Tuple(keys) => {
                let mut list = self.list_builder();
                for key in keys.iter() {
                    list.push(self.key_value(key)?)?;
                }
                list.into_tuple()?
            }
        })
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        for items in self.items.get_mut() {
            items.items.borrow_mut().clear();
        }
        for entries in self.entries.get_mut() {
            entries.0.borrow_mut().clear();
        }
        for scope in self.scopes.get_mut() {
            scope.own.borrow_mut().clear();
        }
    }
}

/// Builds a list; each addition is first charged to the budget.
pub(super) struct ListBuilder<'h> {
    heap: &'h Heap,
    items: Vec<PyValue>,
}

impl ListBuilder<'_> {
    pub(super) fn push(&mut self, value: PyValue) -> Result<()> {
        self.heap.reserve_items(1)?;
        self.items.push(value);
        Ok(())
    }

    pub(super) fn into_items(self) -> Result<Rc<Items>> {
        self.heap.items(self.items, false)
    }

    pub(super) fn into_list(self) -> Result<PyValue> {
        self.into_items().map(PyValue::List)
    }

    pub(super) fn into_tuple(self) -> Result<PyValue> {
        self.into_items().map(PyValue::Tuple)
    }

    /// What `groupby` yields.
    pub(super) fn into_group(self) -> Result<PyValue> {
        self.heap.items(self.items, true).map(PyValue::Tuple)
    }

    pub(super) fn into_generator(self) -> Result<PyValue> {
        let items = self.into_items()?;
        Ok(PyValue::Generator(Rc::new(Stream { items, next: Cell::new(0) })))
    }
}
