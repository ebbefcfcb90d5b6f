//! The states of a definition, each with what stands around it.

use super::json::{Field, Kind, Node};

/// The language of a state's expressions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Language {
    /// Expressions stand in fields whose names end in `.$` or `Path`.
    JsonPath,
    /// Expressions stand between `{%` and `%}`.
    Jsonata,
}

/// A state.
#[derive(Clone, Debug)]
pub(super) struct State<'d> {
    /// Its name and its definition.
    pub(super) field: &'d Field,
    pub(super) language: Language,
    /// The Parallel and Map states that it stands in, the nearest first.
    pub(super) around: Vec<Around<'d>>,
    /// The whole machine.
    pub(super) root: &'d Node,
}

/// A Parallel or Map state around another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around<'d> {
    pub(super) field: &'d Field,
    /// Whether what stands in it runs as executions of its own: then their errors end there.
    pub(super) distributed: bool,
    /// Whether these executions are EXPRESS.
    pub(super) express: bool,
}

/// What a field says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Given<'d> {
    /// Exactly this.
    Known(&'d Field),
    /// Something that is only known when the state runs, or when the definition is deployed.
    Later(&'d Field),
}

impl<'d> Given<'d> {
    pub(super) fn field(self) -> &'d Field {
        match self {
            Self::Known(field) | Self::Later(field) => field,
        }
    }

    /// The value, where it is known.
    pub(super) fn known(self) -> Option<&'d Node> {
        match self {
            Self::Known(field) => Some(&field.value),
            Self::Later(_) => None,
        }
    }

    /// The number, where it is known to be one.
    pub(super) fn number(self) -> Option<f64> {
        self.known()?.number()
    }

    /// The text, where it is known to be one.
    pub(super) fn text(self) -> Option<&'d str> {
        self.known()?.text()
    }
}

impl Language {
    /// Whether a value is only known later.
    pub(super) fn is_later(self, node: &Node) -> bool {
        match &node.kind {
            Kind::Substitution(_) => true,
            Kind::Text(text) => text.contains("${") || (self == Self::Jsonata && text.starts_with("{%")),
            _ => false,
        }
    }

    /// What an object that is filled in says in a field; nothing where it is absent or null.
    pub(super) fn given<'d>(self, object: &'d Node, name: &str) -> Option<Given<'d>> {
        if let Some(field) = object.field(name) {
            return match field.value.kind {
                Kind::Null => None,
                _ if self.is_later(&field.value) => Some(Given::Later(field)),
                _ => Some(Given::Known(field)),
            };
        }
        let path = || {
            object
                .fields()
                .iter()
                .find(|field| field.name.strip_suffix(".$") == Some(name))
        };
        (self == Self::JsonPath).then(path).flatten().map(Given::Later)
    }
}

impl<'d> State<'d> {
    pub(super) fn name(&self) -> &'d str {
        &self.field.name
    }

    pub(super) fn node(&self) -> &'d Node {
        &self.field.value
    }

    /// A number of seconds, given as such or by a path.
    pub(super) fn seconds(&self, name: &str) -> Option<Given<'d>> {
        let path = || self.node().field(&format!("{name}Path")).map(Given::Later);
        let field = self
            .node()
            .field(name)
            .filter(|field| field.value.kind != Kind::Null);
        match field {
            Some(field) if self.language.is_later(&field.value) => Some(Given::Later(field)),
            Some(field) => Some(Given::Known(field)),
            None => path(),
        }
    }

    /// What its call is given: `Parameters`, or `Arguments` in JSONata.
    pub(super) fn arguments(&self) -> Option<&'d Field> {
        self.node().field(match self.language {
            Language::JsonPath => "Parameters",
            Language::Jsonata => "Arguments",
        })
    }

    pub(super) fn resource(&self) -> Option<(&'d Field, &'d str)> {
        let field = self.node().field("Resource")?;
        Some((field, field.value.text()?))
    }
}

/// All states at any depth, in the order of the text.
pub(super) fn states(root: &Node) -> Vec<State<'_>> {
    let mut found = Vec::new();
    let jsonata = root.get("QueryLanguage").and_then(Node::text) == Some("JSONata");
    let language = if jsonata {
        Language::Jsonata
    } else {
        Language::JsonPath
    };
    collect(root, root, language, &[], &mut found);
    found
}

fn collect<'d>(
    root: &'d Node,
    machine: &'d Node,
    language: Language,
    around: &[Around<'d>],
    found: &mut Vec<State<'d>>,
) {
    for field in machine.get("States").map_or(&[][..], Node::fields) {
        let state = &field.value;
        let jsonata = state.get("QueryLanguage").and_then(Node::text) == Some("JSONata");
        found.push(State {
            field,
            language: if jsonata { Language::Jsonata } else { language },
            around: around.to_vec(),
            root,
        });
        let branches = state.get("Branches").map_or(&[][..], Node::entries).iter();
        let processors = ["ItemProcessor", "Iterator"]
            .into_iter()
            .filter_map(|name| state.get(name));
        for inner in branches.chain(processors) {
            let config = |name: &str| inner.get("ProcessorConfig")?.get(name)?.text();
            let this = Around {
                field,
                distributed: config("Mode") == Some("DISTRIBUTED"),
                express: config("ExecutionType") == Some("EXPRESS"),
            };
            // The whole machine's language goes for all states, whatever the state around them has.
            let around: Vec<Around<'d>> = std::iter::once(this).chain(around.iter().copied()).collect();
            collect(root, inner, language, &around, found);
        }
    }
}
