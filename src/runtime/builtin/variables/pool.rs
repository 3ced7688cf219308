//! The values of one run.
//!
//! Every frame of a graph — the graph itself, and each round of an iteration — writes into a scope of its own and reads through
//! to those around it. Everything kept is weighed against one budget, so a run cannot outgrow its share of memory.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};

use super::{
    super::memory_budget::MemoryReservation,
    DeclaredTypes, ValueType,
    selector::{CONVERSATION, ENVIRONMENT, SYSTEM, Selector},
    value,
};

/// How many variables of the largest size one node may read at a time.
const NODE_SHARE: usize = 4;

/// What a run knows of itself: `sys.*`.
#[derive(Clone, Debug, Default)]
pub(crate) struct SystemVariables(pub Map<String, Value>);

/// What was to be kept is larger than what is left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariableLimitError {
    /// One variable alone.
    #[error("the variable {name} is larger than {limit} bytes")]
    Variable {
        /// Which one.
        name: String,
        /// The most one variable may take, in bytes.
        limit: usize,
    },
    /// All that one node reads.
    #[error("the values of this node take more than {limit} bytes")]
    Node {
        /// The most they may take, in bytes.
        limit: usize,
    },
    /// All of them together.
    #[error("the variables of this run take more than {limit} bytes")]
    Run {
        /// The most they may take, in bytes.
        limit: usize,
    },
    /// Those of all runs of the process.
    #[error("the variables of all runs together use all the memory they may; try again shortly")]
    Process,
}

/// What a node may still take out of the pool: one small node can name a large value a thousand times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByteBudget {
    left: usize,
    limit: usize,
}

impl ByteBudget {
    /// So many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { left: limit, limit }
    }

    /// A copy of a value; null of nothing.
    pub(crate) fn copy(&mut self, value: Option<&Value>) -> Result<Value, VariableLimitError> {
        let Some(value) = value else { return Ok(Value::Null) };
        self.spend(value)?;
        Ok(value.clone())
    }

    /// Counts a value that was made of others.
    pub(crate) fn spend(&mut self, value: &Value) -> Result<(), VariableLimitError> {
        self.left =
            self.left.checked_sub(value::weight(value)).ok_or(VariableLimitError::Node { limit: self.limit })?;
        Ok(())
    }
}

/// A scope of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScopeId(usize);

#[derive(Debug, Default)]
struct VariableScope {
    parent: Option<ScopeId>,
    nodes: HashMap<Arc<str>, Arc<Map<String, Value>>>,
    weight: usize,
}

/// All values of a run.
#[derive(Debug)]
pub(crate) struct VariablePool {
    system: Map<String, Value>,
    environment: Map<String, Value>,
    conversation: Map<String, Value>,
    types: DeclaredTypes,
    /// Freed scopes are reused.
    scopes: Vec<VariableScope>,
    free: Vec<ScopeId>,
    weight: usize,
    /// The most one variable may take, in bytes.
    variable_limit: usize,
    /// The most all of them may take, in bytes.
    limit: usize,
    /// What they take of the memory of all runs.
    reservation: Option<MemoryReservation>,
}

impl VariablePool {
    /// The scope of the graph itself.
    pub(crate) const ROOT: ScopeId = ScopeId(0);

    /// A pool with nothing in it but what the run brings along.
    pub(crate) fn new(
        system: SystemVariables,
        environment: Map<String, Value>,
        conversation: Map<String, Value>,
        (variable_limit, limit): (usize, usize),
    ) -> Self {
        Self {
            system: system.0,
            environment,
            conversation,
            types: DeclaredTypes::new(),
            scopes: vec![VariableScope::default()],
            free: Vec::new(),
            weight: 0,
            variable_limit,
            limit,
            reservation: None,
        }
    }

    /// The same, with the types that the app declares for what the conversation keeps.
    #[must_use]
    pub(crate) fn declaring(mut self, types: DeclaredTypes) -> Self {
        self.types = types;
        self
    }

    /// The same, within the memory of all runs.
    #[must_use]
    pub(crate) fn within(mut self, reservation: MemoryReservation) -> Self {
        self.reservation = Some(reservation);
        self
    }

    /// Weighs everything anew.
    fn weigh(&mut self, total: usize) -> Result<(), VariableLimitError> {
        if total > self.limit {
            return Err(VariableLimitError::Run { limit: self.limit });
        }
        if !self.reservation.as_mut().is_none_or(|reservation| reservation.resize(total)) {
            return Err(VariableLimitError::Process);
        }
        self.weight = total;
        Ok(())
    }

    /// Opens a scope inside another.
    pub(crate) fn open(&mut self, parent: ScopeId) -> ScopeId {
        let scope = VariableScope { parent: Some(parent), ..VariableScope::default() };
        if let Some(id) = self.free.pop() {
            self.scopes[id.0] = scope;
            id
        } else {
            self.scopes.push(scope);
            ScopeId(self.scopes.len() - 1)
        }
    }

    /// Forgets a scope with everything in it.
    pub(crate) fn close(&mut self, id: ScopeId) {
        self.weight -= self.scopes[id.0].weight;
        // Fewer always fit.
        let _ = self.reservation.as_mut().is_none_or(|reservation| reservation.resize(self.weight));
        self.scopes[id.0] = VariableScope::default();
        self.free.push(id);
    }

    /// Keeps what a node put out. What it put out before is gone.
    pub(crate) fn set(
        &mut self,
        scope: ScopeId,
        node: &Arc<str>,
        outputs: Arc<Map<String, Value>>,
    ) -> Result<(), VariableLimitError> {
        let old = self.scopes[scope.0].nodes.get(node).map_or(0, |old| weight(old));
        let mut new = 0;
        for (name, value) in outputs.iter() {
            let weight = value::weight(value);
            if weight > self.variable_limit {
                return Err(VariableLimitError::Variable { name: name.clone(), limit: self.variable_limit });
            }
            new += weight + name.len();
        }
        self.weigh(self.weight - old + new)?;
        let scope = &mut self.scopes[scope.0];
        scope.weight = scope.weight - old + new;
        scope.nodes.insert(node.clone(), outputs);
        Ok(())
    }

    /// Writes a variable of the conversation. It has to exist; returns whether it does.
    pub(crate) fn assign(&mut self, name: &str, value: Value) -> Result<bool, VariableLimitError> {
        let Some(slot) = self.conversation.get(name) else { return Ok(false) };
        let (old, new) = (value::weight(slot), value::weight(&value));
        if new > self.variable_limit {
            return Err(VariableLimitError::Variable { name: name.to_owned(), limit: self.variable_limit });
        }
        // What the conversation brought along was not weighed, so the old value may weigh more than everything kept since.
        self.weigh((self.weight + new).saturating_sub(old))?;
        self.conversation.insert(name.to_owned(), value);
        Ok(true)
    }

    /// What can be seen from a scope.
    pub(crate) fn view(&self, scope: ScopeId) -> VariableView<'_> {
        VariableView { pool: self, scope }
    }

    /// What everything kept takes, in bytes.
    #[cfg(test)]
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// The most one variable may take, in bytes.
    pub(crate) fn variable_limit(&self) -> usize {
        self.variable_limit
    }

    /// What the conversation keeps.
    pub(crate) fn conversation(&self) -> &Map<String, Value> {
        &self.conversation
    }
}

/// A pool as one scope sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VariableView<'a> {
    pool: &'a VariablePool,
    scope: ScopeId,
}

impl<'a> VariableView<'a> {
    /// The value at a place, or `None` when there is nothing.
    pub(crate) fn get(self, selector: &Selector) -> Option<&'a Value> {
        let (node, variable, members) = selector.split()?;
        let value = match node {
            SYSTEM => self.pool.system.get(variable),
            ENVIRONMENT => self.pool.environment.get(variable),
            CONVERSATION => self.pool.conversation.get(variable),
            node => self.outputs(node).and_then(|outputs| outputs.get(variable)),
        };
        members.iter().try_fold(value?, |value, member| value.get(member))
    }

    /// What the nearest node of this id put out.
    fn outputs(self, node: &str) -> Option<&'a Map<String, Value>> {
        let mut at = Some(self.scope);
        while let Some(id) = at {
            let scope = &self.pool.scopes[id.0];
            if let Some(outputs) = scope.nodes.get(node) {
                return Some(outputs);
            }
            at = scope.parent;
        }
        None
    }

    /// What one node may take out.
    pub(crate) fn budget(self) -> ByteBudget {
        ByteBudget::new(self.pool.variable_limit.saturating_mul(NODE_SHARE))
    }

    /// The type that a variable of the conversation is declared with.
    pub(crate) fn declared(self, name: &str) -> ValueType {
        self.pool.types.get(name).copied().unwrap_or(ValueType::Any)
    }

    /// `sys.*`.
    pub(crate) fn system(self) -> &'a Map<String, Value> {
        &self.pool.system
    }
}

fn weight(outputs: &Map<String, Value>) -> usize {
    outputs.iter().map(|(name, value)| value::weight(value) + name.len()).sum()
}
