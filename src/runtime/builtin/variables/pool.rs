//! The values of one run.
//!
//! Each frame of a graph (the graph itself, or one round of an iteration) writes into its own scope and also reads the
//! scopes around it. All values count against one limit, so that a run cannot exceed its share of memory.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};

use super::{
    budget::{ByteBudget, VariableLimitError},
    selector::{CONVERSATION, ENVIRONMENT, SYSTEM, Selector},
    value,
    value_type::{DeclaredTypes, ValueType},
};
use crate::memory::MemoryPermit;

/// The byte budget of one node, in variables of the largest size.
const NODE_BUDGET: usize = 4;

/// The `sys.*` variables of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct SystemVariables(pub Map<String, Value>);

/// Identifies a scope of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScopeId(usize);

#[derive(Debug, Default)]
struct VariableScope {
    parent: Option<ScopeId>,
    nodes: HashMap<Arc<str>, Arc<Map<String, Value>>>,
    weight: usize,
}

#[derive(Debug)]
pub(crate) struct VariablePool {
    system: Map<String, Value>,
    environment: Map<String, Value>,
    conversation: Map<String, Value>,
    types: DeclaredTypes,
    /// Closed scopes are reused.
    scopes: Vec<VariableScope>,
    free: Vec<ScopeId>,
    weight: usize,
    /// Limit of one variable, in bytes.
    variable_limit: usize,
    /// Limit of all variables together, in bytes.
    limit: usize,
    /// The share of the memory of all runs; `None`: unlimited.
    memory: Option<MemoryPermit>,
}

impl VariablePool {
    /// The scope of the graph itself.
    pub(crate) const ROOT: ScopeId = ScopeId(0);

    /// Creates a pool without node outputs. The limits, of one variable and of all, are in bytes.
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
            memory: None,
        }
    }

    /// Sets the types that the app declares for its conversation variables.
    #[must_use]
    pub(crate) fn with_types(mut self, types: DeclaredTypes) -> Self {
        self.types = types;
        self
    }

    /// Counts the variables against the memory of all runs.
    #[must_use]
    pub(crate) fn with_memory(mut self, memory: MemoryPermit) -> Self {
        self.memory = Some(memory);
        self
    }

    /// Changes the total weight, if the limits allow it.
    fn set_weight(&mut self, total: usize) -> Result<(), VariableLimitError> {
        if total > self.limit {
            return Err(VariableLimitError::Run { limit: self.limit });
        }
        if let Some(memory) = &mut self.memory {
            memory.resize(total).map_err(|_| VariableLimitError::Process)?;
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

    /// Closes a scope and drops its values.
    pub(crate) fn close(&mut self, id: ScopeId) {
        self.weight -= self.scopes[id.0].weight;
        // Shrinking always succeeds.
        let _ = self.memory.as_mut().map(|memory| memory.resize(self.weight));
        self.scopes[id.0] = VariableScope::default();
        self.free.push(id);
    }

    /// Sets the outputs of a node in place of its previous ones.
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
        self.set_weight(self.weight - old + new)?;
        let scope = &mut self.scopes[scope.0];
        scope.weight = scope.weight - old + new;
        scope.nodes.insert(node.clone(), outputs);
        Ok(())
    }

    /// Writes a conversation variable. Returns `false` when the conversation has no such variable.
    pub(crate) fn assign(&mut self, name: &str, value: Value) -> Result<bool, VariableLimitError> {
        let Some(slot) = self.conversation.get(name) else { return Ok(false) };
        let (old, new) = (value::weight(slot), value::weight(&value));
        if new > self.variable_limit {
            return Err(VariableLimitError::Variable { name: name.to_owned(), limit: self.variable_limit });
        }
        // The initial conversation variables are not counted, so the old value may weigh more than the total.
        self.set_weight((self.weight + new).saturating_sub(old))?;
        self.conversation.insert(name.to_owned(), value);
        Ok(true)
    }

    /// The variables that are visible in a scope.
    pub(crate) fn view(&self, scope: ScopeId) -> VariableView<'_> {
        VariableView { pool: self, scope }
    }

    /// The weight of all variables, in bytes.
    #[cfg(test)]
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Limit of one variable, in bytes.
    pub(crate) fn variable_limit(&self) -> usize {
        self.variable_limit
    }

    /// The conversation variables, by name.
    pub(crate) fn conversation(&self) -> &Map<String, Value> {
        &self.conversation
    }
}

/// The variables that are visible in one scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VariableView<'a> {
    pool: &'a VariablePool,
    scope: ScopeId,
}

impl<'a> VariableView<'a> {
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

    /// The outputs of the node in the innermost scope that has any.
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

    /// The budget of one node.
    pub(crate) fn budget(self) -> ByteBudget {
        ByteBudget::new(self.pool.variable_limit.saturating_mul(NODE_BUDGET))
    }

    /// The declared type of a conversation variable; `Any` without a declaration.
    pub(crate) fn declared_type(self, name: &str) -> ValueType {
        self.pool.types.get(name).copied().unwrap_or(ValueType::Any)
    }

    /// The conversation variables, by name.
    pub(crate) fn conversation(self) -> &'a Map<String, Value> {
        &self.pool.conversation
    }

    /// The environment variables, by name.
    pub(crate) fn environment(self) -> &'a Map<String, Value> {
        &self.pool.environment
    }

    /// The `sys.*` variables, by name.
    pub(crate) fn system(self) -> &'a Map<String, Value> {
        &self.pool.system
    }
}

fn weight(outputs: &Map<String, Value>) -> usize {
    outputs.iter().map(|(name, value)| value::weight(value) + name.len()).sum()
}
