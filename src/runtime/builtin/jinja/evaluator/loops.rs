//! Runs loops.

use std::{cell::Cell, rc::Rc};

use super::{output::RenderOutput, program::Evaluator};
use crate::runtime::builtin::{
    jinja::error::{Result, failed},
    jinja::iterate::{Cursor, collect},
    jinja::syntax::{Expression, ForLoop},
    jinja::value::{LoopItems, LoopObject, PyObject, PyValue, Variables},
};

impl Evaluator<'_> {
    /// Runs a loop over the items at a depth of recursion.
    pub(super) fn run_loop(
        &self,
        for_loop: &Rc<ForLoop>,
        outer: &Rc<Variables>,
        (iterable, depth): (&PyValue, usize),
        output: &mut RenderOutput<'_>,
    ) -> Result<()> {
        let heap = &self.state.heap;
        let items = match (&for_loop.condition, iterable) {
            (Some(condition), _) => self.filtered_items(for_loop, condition, outer, iterable)?,
            (None, PyValue::List(items) | PyValue::Tuple(items)) => LoopItems::Items(Rc::clone(items)),
            (None, PyValue::Range(range)) => LoopItems::Range(Rc::clone(range)),
            (None, _) => LoopItems::Items(collect(heap, iterable)?),
        };
        if items.len() == 0 {
            let scope = heap.scope(Some(Rc::clone(outer)))?;
            return self.statements(&for_loop.otherwise, &scope, output);
        }
        let watched = match iterable {
            PyValue::Dict(entries) | PyValue::View(_, entries) => Some((entries, entries.len())),
            _ => None,
        };
        let recursive = if for_loop.recursive {
            heap.keep_scope(outer)?;
            Some((Rc::clone(for_loop), Rc::clone(outer)))
        } else {
            None
        };
        let object = Rc::new(PyObject::Loop(LoopObject {
            items: items.clone(),
            index: Cell::new(0),
            depth,
            last_changed: heap.items(Vec::new(), false)?,
            was_changed: Cell::new(false),
            recursive,
        }));
        let mut index = 0;
        while let Some(item) = items.get(index) {
            let PyObject::Loop(state) = &*object else { break };
            state.index.set(index);
            let scope = heap.scope(Some(Rc::clone(outer)))?;
            self.assign(&for_loop.target, item, &scope)?;
            heap.assign(&scope, &self.loop_name, PyValue::Object(Rc::clone(&object)))?;
            self.statements(&for_loop.body, &scope, output)?;
            index += 1;
            if watched.is_some_and(|(entries, length)| entries.len() != length) {
                return Err(failed("dictionary changed size during iteration"));
            }
        }
        Ok(())
    }

    /// The items for which the condition of the loop holds.
    fn filtered_items(
        &self,
        for_loop: &ForLoop,
        condition: &Expression,
        outer: &Rc<Variables>,
        iterable: &PyValue,
    ) -> Result<LoopItems> {
        let heap = &self.state.heap;
        let mut kept = heap.list_builder();
        let mut cursor = Cursor::new(iterable)?;
        while let Some(item) = cursor.next(heap)? {
            let scope = heap.scope(Some(Rc::clone(outer)))?;
            let message = "the condition of a loop has no 'loop'";
            heap.assign(&scope, &self.loop_name, PyValue::Undefined(message.into()))?;
            self.assign(&for_loop.target, item.clone(), &scope)?;
            if self.evaluate(condition, &scope)?.is_true() {
                kept.push(item)?;
            }
        }
        kept.into_items().map(LoopItems::Items)
    }

    /// `loop(items)`: runs the loop again, one level deeper, and returns its output.
    pub(super) fn recurse(&self, object: &LoopObject, items: &PyValue) -> Result<PyValue> {
        let (for_loop, outer) =
            object.recursive.as_ref().ok_or_else(|| failed("the loop needs the marker 'recursive' to be called"))?;
        let mut output = RenderOutput::captured(&self.state.heap);
        self.run_loop(for_loop, outer, (items, object.depth + 1), &mut output)?;
        output.finish(self.state.autoescape.get()).map(PyValue::Text)
    }
}
