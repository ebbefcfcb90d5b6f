//! What an expression refers to, read off its syntax tree.

use std::collections::BTreeSet;

use jlens_core::ast::{Node, NodeKind, Stage};

use super::{Problem, is_newer};

/// Which parts of `$states` there are besides `input` and `context`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Available {
    pub(crate) result: bool,
    pub(crate) error_output: bool,
}

/// What an expression refers to.
#[derive(Clone, Debug, Default)]
pub(crate) struct References {
    /// Every `$name` that it does not bind itself: variables, functions, `states`.
    pub(super) names: BTreeSet<String>,
}

impl References {
    /// Looks through the tree; what Step Functions refuses goes to `problems`.
    pub(super) fn of(root: &Node, available: Available, problems: &mut Vec<Problem>) -> Self {
        let mut walk = Walk {
            available,
            bound: Vec::new(),
            names: BTreeSet::new(),
            problems,
        };
        walk.node(root, true);
        Self { names: walk.names }
    }
}

struct Walk<'p> {
    available: Available,
    /// The names bound around the place where the walk is.
    bound: Vec<String>,
    names: BTreeSet<String>,
    problems: &'p mut Vec<Problem>,
}

impl Walk<'_> {
    fn refuse(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn top(&mut self, what: &str) {
        self.refuse(Problem::Unsupported(format!(
            "Reference to '{what}' at the top level is not supported."
        )));
    }

    /// `top` says that there is no value here that a bare name would be a field of.
    fn node(&mut self, node: &Node, top: bool) {
        jlens_core::stack::grow(|| {
            self.kind(node, top);
            // Predicates and groups see the value that they follow.
            for stage in node.attrs.predicate.iter().chain(&node.attrs.stages) {
                match stage {
                    Stage::Filter { expr, .. } => self.node(expr, false),
                    Stage::Index { var, .. } => self.bound.push(var.clone()),
                }
            }
            if let Some(group) = &node.attrs.group {
                self.pairs(&group.pairs, false);
            }
        });
    }

    fn nodes<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node>, top: bool) {
        for node in nodes {
            self.node(node, top);
        }
    }

    fn pairs(&mut self, pairs: &[(Node, Node)], top: bool) {
        for (name, value) in pairs {
            self.nodes([name, value], top);
        }
    }

    /// What is bound inside is not bound outside.
    fn inside(&mut self, bind: &[String], look: impl FnOnce(&mut Self)) {
        let before = self.bound.len();
        self.bound.extend_from_slice(bind);
        look(self);
        self.bound.truncate(before);
    }

    fn kind(&mut self, node: &Node, top: bool) {
        if let Some(symbol) = is_newer(&node.kind) {
            self.refuse(Problem::Invalid(format!(
                "The symbol \"{symbol}\" cannot be used as a unary operator"
            )));
        }
        match &node.kind {
            NodeKind::Path { steps, .. } => self.inside(&[], |walk| walk.path(steps, top)),
            NodeKind::Name { name } if top => self.top(name),
            NodeKind::Wildcard if top => self.top("*"),
            NodeKind::Descendant if top => self.top("**"),
            NodeKind::Parent { .. } if top => self.top("%"),
            NodeKind::Variable { name } => self.variable(name, top),
            NodeKind::Binary { lhs, rhs, .. }
            | NodeKind::Apply { lhs, rhs }
            | NodeKind::Fallback { lhs, rhs, .. } => self.nodes([&**lhs, &**rhs], top),
            NodeKind::Negate { expr } => self.node(expr, top),
            NodeKind::Array { items } => self.nodes(items, top),
            NodeKind::Object { pairs } => self.pairs(pairs, top),
            NodeKind::Condition {
                condition,
                then,
                otherwise,
            } => {
                self.nodes([&**condition, &**then], top);
                self.nodes(otherwise.as_deref(), top);
            }
            NodeKind::Block { exprs, .. } => self.inside(&[], |walk| walk.nodes(exprs, top)),
            NodeKind::Bind { lhs, rhs } => {
                // A function may call itself by the name that it is bound to.
                if let NodeKind::Variable { name } = &lhs.kind {
                    self.bound.push(name.clone());
                    let shadows = self.bound.len() - 1;
                    if !matches!(rhs.kind, NodeKind::Lambda(_)) {
                        self.bound[shadows].clear();
                    }
                    self.node(rhs, top);
                    self.bound[shadows].clone_from(name);
                }
            }
            NodeKind::Function { procedure, args } | NodeKind::Partial { procedure, args } => {
                self.node(procedure, top);
                self.nodes(args, top);
            }
            NodeKind::Lambda(lambda) => self.inside(&lambda.params, |walk| walk.node(&lambda.body, top)),
            NodeKind::Transform(transform) => {
                self.nodes([&transform.pattern, &transform.update], false);
                self.nodes(transform.delete.as_ref(), false);
            }
            NodeKind::Sort { terms } => self.nodes(terms.iter().map(|term| &term.expr), false),
            NodeKind::Name { .. }
            | NodeKind::Wildcard
            | NodeKind::Descendant
            | NodeKind::Parent { .. }
            | NodeKind::String { .. }
            | NodeKind::Number { .. }
            | NodeKind::Bool { .. }
            | NodeKind::Null
            | NodeKind::Regex { .. }
            | NodeKind::Placeholder
            | NodeKind::Error { .. } => {}
        }
    }

    fn path(&mut self, steps: &[Node], top: bool) {
        if let [first, second, ..] = steps
            && let (NodeKind::Variable { name }, NodeKind::Name { name: field }) = (&first.kind, &second.kind)
            && name == "states"
            && !self.bound.iter().any(|bound| bound == "states")
        {
            let there = match field.as_str() {
                "input" | "context" => true,
                "result" => self.available.result,
                "errorOutput" => self.available.error_output,
                _ => false,
            };
            if !there {
                self.refuse(Problem::Unsupported(format!(
                    "Field '$states.{field}' does not exist."
                )));
            }
        }
        for (n, step) in steps.iter().enumerate() {
            self.bound.extend(step.attrs.focus.clone());
            self.bound.extend(step.attrs.index.clone());
            self.node(step, top && n == 0);
        }
    }

    fn variable(&mut self, name: &str, top: bool) {
        match name {
            "" if top => self.top("$"),
            "" => {}
            "$" => self.refuse(Problem::Unsupported("Reference to '$$' is not supported.".into())),
            name if self.bound.iter().any(|bound| bound == name) => {}
            name => {
                self.names.insert(name.to_owned());
            }
        }
    }
}
