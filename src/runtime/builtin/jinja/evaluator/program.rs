//! The template that runs: its blocks, its global functions and the variables of its top level.

use std::{collections::HashMap, rc::Rc};

use crate::runtime::builtin::{
    jinja::error::Result,
    jinja::globals,
    jinja::state::RenderState,
    jinja::syntax::{Block, Statement},
    jinja::value::{PyObject, PyValue, Variables},
};

pub(super) struct Evaluator<'s> {
    pub state: &'s RenderState,
    pub root: Rc<Variables>,
    pub globals: HashMap<&'static str, PyValue>,
    pub blocks: HashMap<Rc<str>, Rc<Block>>,
    /// The name of the variable of loops.
    pub loop_name: Rc<str>,
}

impl<'s> Evaluator<'s> {
    pub(super) fn new(state: &'s RenderState, statements: &[Statement]) -> Result<Self> {
        let mut functions = HashMap::new();
        for name in globals::NAMES {
            functions.insert(name, state.heap.object(PyObject::Global(name))?);
        }
        functions.insert("self", state.heap.object(PyObject::TemplateReference)?);
        let mut blocks = HashMap::new();
        find_blocks(statements, &mut blocks);
        Ok(Self { state, root: state.heap.scope(None)?, globals: functions, blocks, loop_name: "loop".into() })
    }

    /// The value of a variable or a global function.
    pub(super) fn find(&self, scope: &Variables, name: &str) -> PyValue {
        match scope.find(name).or_else(|| self.globals.get(name).cloned()) {
            Some(value) => value,
            None => PyValue::Undefined(format!("'{name}' is undefined").into()),
        }
    }
}

/// Adds the blocks of the statements and of those inside them.
fn find_blocks(statements: &[Statement], blocks: &mut HashMap<Rc<str>, Rc<Block>>) {
    for statement in statements {
        match statement {
            Statement::Block(block) => {
                blocks.insert(Rc::clone(&block.name), Rc::clone(block));
                find_blocks(&block.body, blocks);
            }
            Statement::If { branches, otherwise, .. } => {
                for (_, body) in branches {
                    find_blocks(body, blocks);
                }
                find_blocks(otherwise, blocks);
            }
            Statement::For(for_loop) => {
                find_blocks(&for_loop.body, blocks);
                find_blocks(&for_loop.otherwise, blocks);
            }
            Statement::SetBlock { body, .. }
            | Statement::With { body, .. }
            | Statement::Filter { body, .. }
            | Statement::Autoescape { body, .. } => find_blocks(body, blocks),
            Statement::Macro(body) | Statement::Call { caller: body, .. } => find_blocks(&body.body, blocks),
            Statement::Text(_) | Statement::Output { .. } | Statement::Set { .. } => {}
        }
    }
}
