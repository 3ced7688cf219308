//! The syntax tree of a template. Chains of operators, calls and filters are flat lists, so that the depth of a tree is
//! the depth of brackets and blocks in its source.

use std::rc::Rc;

use super::text::PyText;

#[derive(Debug)]
pub(super) enum Statement {
    Text(PyText),
    Output { value: Expression, line: u32 },
    If { branches: Vec<(Expression, Vec<Statement>)>, otherwise: Vec<Statement>, line: u32 },
    For(Rc<ForLoop>),
    Set { target: AssignTarget, value: Expression, line: u32 },
    SetBlock { target: AssignTarget, filters: Vec<Postfix>, body: Vec<Statement>, line: u32 },
    With { bindings: Vec<(AssignTarget, Expression)>, body: Vec<Statement>, line: u32 },
    Macro(Rc<MacroBody>),
    Call { call: Expression, caller: Rc<MacroBody>, line: u32 },
    Filter { filters: Vec<Postfix>, body: Vec<Statement>, line: u32 },
    Autoescape { enabled: Expression, body: Vec<Statement>, line: u32 },
    Block(Rc<Block>),
}

#[derive(Debug)]
pub(super) struct ForLoop {
    pub target: AssignTarget,
    pub iterable: Expression,
    pub condition: Option<Expression>,
    pub recursive: bool,
    pub body: Vec<Statement>,
    pub otherwise: Vec<Statement>,
    pub line: u32,
}

/// A macro, or the body of a `call` block.
#[derive(Debug)]
pub(super) struct MacroBody {
    pub name: Rc<str>,
    pub parameters: Vec<Rc<str>>,
    /// The defaults of the last parameters.
    pub defaults: Vec<Expression>,
    pub body: Vec<Statement>,
    pub uses: SpecialNames,
    pub line: u32,
}

/// Which of the names that Jinja2 defines in macros a body reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SpecialNames {
    pub caller: bool,
    pub varargs: bool,
    pub kwargs: bool,
}

#[derive(Debug)]
pub(super) struct Block {
    pub name: Rc<str>,
    pub scoped: bool,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) enum AssignTarget {
    Name(Rc<str>),
    Tuple(Vec<AssignTarget>),
    /// `ns.attribute`.
    Attribute {
        namespace: Rc<str>,
        attribute: Rc<str>,
    },
}

#[derive(Debug)]
pub(super) enum Expression {
    Literal(Literal),
    Name(Rc<str>),
    List(Vec<Expression>),
    Tuple(Vec<Expression>),
    Dict(Vec<(Expression, Expression)>),
    Negative(Box<Expression>),
    Positive(Box<Expression>),
    Not(Box<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    /// Operators of one precedence, applied from left to right.
    Arithmetic(Box<Expression>, Vec<(ArithmeticOperator, Expression)>),
    /// Operands of `~`.
    Concat(Vec<Expression>),
    Compare(Box<Expression>, Vec<(CompareOperator, Expression)>),
    Conditional {
        test: Box<Expression>,
        then: Box<Expression>,
        otherwise: Option<Box<Expression>>,
        line: u32,
    },
    Postfix(Box<Expression>, Vec<Postfix>),
}

#[derive(Clone, Debug)]
pub(super) enum Literal {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(PyText),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArithmeticOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CompareOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

/// What follows an expression and applies to its value.
#[derive(Debug)]
pub(super) enum Postfix {
    Attribute { name: Rc<str>, line: u32 },
    Item { index: Expression, line: u32 },
    Slice { start: Option<Expression>, stop: Option<Expression>, step: Option<Expression>, line: u32 },
    Call { arguments: CallSyntax, line: u32 },
    Filter { name: Rc<str>, arguments: CallSyntax, line: u32 },
    Test { name: Rc<str>, arguments: CallSyntax, negated: bool, line: u32 },
}

#[derive(Debug, Default)]
pub(super) struct CallSyntax {
    pub positional: Vec<Expression>,
    pub named: Vec<(Rc<str>, Expression)>,
    pub rest: Option<Box<Expression>>,
    pub named_rest: Option<Box<Expression>>,
}
