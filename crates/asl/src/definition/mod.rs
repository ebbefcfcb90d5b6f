//! A state machine's definition, read and checked.
//!
//! Machines stand inside machines (the branches of a Parallel), so all of them lie in one list, and a branch is known
//! by its place there. What JSONPath does on the way in and out of a state is one part of it, [`Flow`]: another query
//! language would be another.

mod choices;
mod dataset;
mod diagnostic;
mod fields;
mod handlers;
mod jsonata_state;
mod machine;
mod map;
mod scopes;
mod state;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Number, Value};

use crate::choice::Rule;
use crate::expression::{Expression, Query};
use crate::journal::StateType;
use crate::jsonata;
use crate::map_run::{Format, Transformation};
use crate::path::ReferencePath;
use crate::resource::Resource;
use crate::retry::{Catcher, Retrier};
use crate::template::Template;

pub use diagnostic::{Diagnostic, InvalidDefinition};

/// AWS's limit to the time of an EXPRESS execution, in seconds.
const LONGEST_EXPRESS: u64 = 300;

/// A state machine, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    timeout_seconds: Option<u64>,
    references: BTreeMap<String, BTreeSet<String>>,
    /// The one that is run; the others stand inside it, or around it.
    root: MachineId,
    machines: Arc<[Machine]>,
}

/// What a machine is created as, which bounds what may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MachineType {
    /// STANDARD.
    #[default]
    Standard,
    /// EXPRESS: nothing in it may wait for an answer from outside.
    Express,
}

/// Where in [`Definition`] a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MachineId(usize);

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Machine {
    pub(crate) start_at: String,
    pub(crate) states: HashMap<String, State>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) flow: Flow,
    /// The variables it sets on its way out; a Choice does so where no rule of its holds.
    pub(crate) assign: Option<Template>,
    /// What a JSONata state does instead of `flow` and `assign`.
    pub(crate) jsonata: Option<Box<Expressions>>,
    /// `None`: the machine ends here. A Choice has its own.
    pub(crate) next: Option<String>,
    pub(crate) work: Work,
}

/// How data goes through a state in JSONPath.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flow {
    /// `None`: null in the definition, which gives `{}`.
    pub(crate) input_path: Option<Query>,
    pub(crate) parameters: Option<Template>,
    pub(crate) result_selector: Option<Template>,
    /// `None`: null in the definition, which throws the result away.
    pub(crate) result_path: Option<ReferencePath>,
    /// `None`: null in the definition, which gives `{}`.
    pub(crate) output_path: Option<Query>,
}

/// What a state does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Work {
    Pass {
        result: Option<Value>,
    },
    Task(Box<Task>),
    Parallel {
        branches: Vec<MachineId>,
        handlers: Handlers,
    },
    Map(Box<Map>),
    Wait(Until),
    Choice {
        choices: Vec<Choice>,
        default: Option<String>,
    },
    Succeed,
    Fail {
        error: Option<Text>,
        cause: Option<Text>,
    },
}

/// A rule of a Choice, and what becomes of it where it holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choice {
    pub(crate) when: When,
    pub(crate) assign: Option<Template>,
    pub(crate) jsonata: Option<Box<Expressions>>,
    pub(crate) next: String,
}

/// When a rule of a Choice holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum When {
    Rule(Rule),
    /// Of a JSONata state: `true`, `false` or an expression.
    Condition(jsonata::Template),
}

/// What a JSONata state, a rule of its Choice or a catcher makes of data.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Expressions {
    /// A Map's `ItemSelector`.
    pub(crate) arguments: Option<jsonata::Template>,
    /// Of a Map.
    pub(crate) items: Option<jsonata::Template>,
    pub(crate) output: Option<jsonata::Template>,
    pub(crate) assign: Option<jsonata::Template>,
}

/// The language of a state's expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Language {
    #[default]
    JsonPath,
    Jsonata,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Task {
    pub(crate) resource: Resource,
    pub(crate) timeout: Option<Seconds>,
    pub(crate) heartbeat: Option<Seconds>,
    pub(crate) handlers: Handlers,
}

/// A Map state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Map {
    pub(crate) items_path: Query,
    /// ItemSelector, or the older Parameters.
    pub(crate) selector: Option<Template>,
    pub(crate) concurrency: Option<Amount>,
    pub(crate) processor: MachineId,
    /// `None`: inline.
    pub(crate) distributed: Option<Box<Distributed>>,
    pub(crate) handlers: Handlers,
}

/// What only a distributed Map has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distributed {
    /// Whether its children are EXPRESS.
    pub(crate) express: bool,
    pub(crate) label: Option<String>,
    pub(crate) reader: Option<Reader>,
    pub(crate) batcher: Option<Batcher>,
    pub(crate) writer: Option<Writer>,
    pub(crate) tolerated_count: Option<Amount>,
    pub(crate) tolerated_percentage: Option<Amount>,
}

/// ItemReader.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reader {
    /// Whether objects are listed; else one is got.
    pub(crate) list: bool,
    pub(crate) parameters: Option<Template>,
    /// `None`: the listing's entries are the items.
    pub(crate) format: Option<Format>,
    pub(crate) max_items: Option<Amount>,
}

/// ItemBatcher.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batcher {
    pub(crate) items: Option<Amount>,
    pub(crate) bytes: Option<Amount>,
    pub(crate) input: Option<Template>,
}

/// ResultWriter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Writer {
    /// Its Parameters; `None` where nothing is exported.
    pub(crate) destination: Option<Template>,
    pub(crate) transformation: Transformation,
    /// Whether a file has a value on each line.
    pub(crate) lines: bool,
}

/// A number, given or read from the data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Amount {
    Fixed(Number),
    Path {
        field: &'static str,
        query: Query,
    },
    Query {
        field: &'static str,
        expression: Box<jsonata::Expression>,
    },
}

/// Retry and Catch.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Handlers {
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
}

/// A number of seconds, given or read from the data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seconds {
    Fixed(u64),
    Path(Query),
    Query(jsonata::Expression),
}

/// How long to wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Until {
    Seconds(u64),
    SecondsPath(Query),
    Timestamp(Timestamp),
    TimestampPath(Query),
    SecondsQuery(jsonata::Expression),
    TimestampQuery(jsonata::Expression),
}

/// Error and Cause of a Fail state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Text {
    Fixed(String),
    Path {
        field: &'static str,
        expression: Expression,
    },
    Query(jsonata::Expression),
}

impl Definition {
    /// Reads a definition. It is refused as a whole, with everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidDefinition> {
        Self::parse_as(text, MachineType::Standard)
    }

    /// Reads a definition for a machine of this type.
    pub fn parse_as(text: &str, kind: MachineType) -> Result<Self, InvalidDefinition> {
        machine::definition(text, kind)
    }

    /// Reads the definition of one state, whose transitions lead nowhere, as that of a machine of it alone.
    pub(crate) fn parse_state(text: &str) -> Result<Self, InvalidDefinition> {
        machine::single_state(text)
    }

    /// The machine in which a state of this name stands.
    pub(crate) fn home_of(&self, state: &str) -> Option<MachineId> {
        let home = |machine: &Machine| machine.states.contains_key(state);
        self.machines.iter().position(home).map(MachineId)
    }

    /// The machine's own TimeoutSeconds.
    pub fn timeout_seconds(&self) -> Option<u64> {
        self.timeout_seconds
    }

    /// The workflow variables that each state refers to, by the state's name, as DescribeStateMachine lists them
    /// (`variableReferences`). States that refer to none are left out.
    pub fn variable_references(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.references
    }

    /// What the children of a distributed Map run, by the state's name; `None` where there is no such Map.
    pub fn processor(&self, state: &str) -> Option<Self> {
        // Names are unique across all machines.
        let state = self
            .machines
            .iter()
            .find_map(|machine| machine.states.get(state))?;
        let Work::Map(map) = &state.work else {
            return None;
        };
        let distributed = map.distributed.as_ref()?;
        Some(Self {
            timeout_seconds: distributed.express.then_some(LONGEST_EXPRESS),
            references: self.references.clone(),
            root: map.processor,
            machines: Arc::clone(&self.machines),
        })
    }

    pub(crate) fn root(&self) -> MachineId {
        self.root
    }

    pub(crate) fn machine(&self, id: MachineId) -> Option<&Machine> {
        self.machines.get(id.0)
    }
}

impl State {
    pub(crate) fn kind(&self) -> StateType {
        match self.work {
            Work::Pass { .. } => StateType::Pass,
            Work::Task(_) => StateType::Task,
            Work::Parallel { .. } => StateType::Parallel,
            Work::Map(_) => StateType::Map,
            Work::Wait(_) => StateType::Wait,
            Work::Choice { .. } => StateType::Choice,
            Work::Succeed => StateType::Succeed,
            Work::Fail { .. } => StateType::Fail,
        }
    }

    /// Its Retry and Catch, where its type has them.
    pub(crate) fn handlers(&self) -> Option<&Handlers> {
        match &self.work {
            Work::Task(task) => Some(&task.handlers),
            Work::Parallel { handlers, .. } => Some(handlers),
            Work::Map(map) => Some(&map.handlers),
            _ => None,
        }
    }
}
