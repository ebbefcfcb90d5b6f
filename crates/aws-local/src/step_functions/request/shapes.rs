//! What each operation's request may hold: its members with their bounds, from AWS's own model of the API.

/// A member of a request, or of a structure within one.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) shape: &'static Shape,
}

/// What a member's value must be.
pub(super) enum Shape {
    /// Text of so many characters, which a refusal repeats.
    Text {
        least: usize,
        most: usize,
    },
    /// Text of so many characters that no refusal repeats.
    Secret {
        least: usize,
        most: usize,
    },
    /// Text of so many bytes of UTF-8 that no refusal repeats.
    Data {
        most: usize,
    },
    /// Text that matches a pattern as well; the pattern as AWS shows it, and what it means.
    Pattern {
        least: usize,
        most: usize,
        pattern: &'static str,
        holds: fn(&str) -> bool,
    },
    /// One of a few words, in the order in which AWS lists them.
    Word(&'static [&'static str]),
    /// A whole number.
    Integer {
        least: i64,
        most: i64,
    },
    /// A number.
    Number {
        least: f64,
        most: f64,
    },
    Flag,
    Structure(&'static [Member]),
    List {
        least: usize,
        most: usize,
        of: &'static Shape,
    },
}

use Shape::{Data, Flag, Integer, List, Number, Pattern, Secret, Structure, Text, Word};

/// The longest definition, in characters.
const DEFINITION: usize = 1_048_576;
/// The largest input and output, in bytes of UTF-8.
const PAYLOAD: usize = 262_144;
/// AWS bounds lists of tags by an error of their own.
const ANY: usize = usize::MAX;

static ARN: Shape = Text { least: 1, most: 256 };
static LONG_ARN: Shape = Text { least: 1, most: 2000 };
static NAME: Shape = Text { least: 1, most: 80 };
static BODY: Shape = Secret {
    least: 1,
    most: DEFINITION,
};
static SENSITIVE: Shape = Data { most: PAYLOAD };
static DESCRIPTION: Shape = Secret { least: 0, most: 256 };
static ERROR: Shape = Secret { least: 0, most: 256 };
static CAUSE: Shape = Secret {
    least: 0,
    most: 32_768,
};
static TOKEN: Shape = Secret { least: 1, most: 2048 };
static FREE: Shape = Text {
    least: 0,
    most: usize::MAX,
};
static PAGE: Shape = Integer { least: 0, most: 1000 };
static COUNT: Shape = Integer {
    least: 0,
    most: i64::MAX,
};
static PAGE_TOKEN: Shape = Text { least: 1, most: 1024 };
static LIST_EXECUTIONS_TOKEN: Shape = Text { least: 1, most: 3096 };
static YES_OR_NO: Shape = Flag;
static TYPE: Shape = Word(&["STANDARD", "EXPRESS"]);
static INCLUDED: Shape = Word(&["ALL_DATA", "METADATA_ONLY"]);
static STATUS: Shape = Word(&[
    "SUCCEEDED",
    "TIMED_OUT",
    "PENDING_REDRIVE",
    "ABORTED",
    "FAILED",
    "RUNNING",
]);
static REDRIVEN: Shape = Word(&["REDRIVEN", "NOT_REDRIVEN"]);
static TRACE: Shape = Pattern {
    least: 0,
    most: 256,
    pattern: "\\p{ASCII}*",
    holds: str::is_ascii,
};
static CLIENT_TOKEN: Shape = Pattern {
    least: 1,
    most: 64,
    pattern: "[!-~]+",
    holds: |text| text.bytes().all(|byte| byte.is_ascii_graphic()),
};
static ALIAS_NAME: Shape = Pattern {
    least: 1,
    most: 80,
    pattern: "^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$",
    holds: |text| {
        let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        text.chars().all(known) && !text.chars().all(|c| c.is_ascii_digit())
    },
};

static TAG_KEY: Shape = Text { least: 1, most: 128 };
static TAG: Shape = Structure(&[
    optional("key", &TAG_KEY),
    optional("value", &Text { least: 0, most: 256 }),
]);
static TAGS: Shape = List {
    least: 0,
    most: ANY,
    of: &TAG,
};
static TAG_KEYS: Shape = List {
    least: 0,
    most: ANY,
    of: &TAG_KEY,
};
static ENCRYPTION: Shape = Structure(&[
    optional("kmsKeyId", &Text { least: 1, most: 2048 }),
    optional("kmsDataKeyReusePeriodSeconds", &Integer { least: 60, most: 900 }),
    required("type", &Word(&["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"])),
]);
static LOGGING: Shape = Structure(&[
    optional("level", &Word(&["ALL", "ERROR", "FATAL", "OFF"])),
    optional("includeExecutionData", &Flag),
    optional(
        "destinations",
        &List {
            least: 0,
            most: ANY,
            of: &Structure(&[optional(
                "cloudWatchLogsLogGroup",
                &Structure(&[optional("logGroupArn", &ARN)]),
            )]),
        },
    ),
]);
static TRACING: Shape = Structure(&[optional("enabled", &Flag)]);
static ROUTING: Shape = List {
    least: 1,
    most: 2,
    of: &Structure(&[
        required("stateMachineVersionArn", &ARN),
        required("weight", &Integer { least: 0, most: 100 }),
    ]),
};
static MOCK: Shape = Structure(&[
    optional("result", &SENSITIVE),
    optional(
        "errorOutput",
        &Structure(&[optional("error", &ERROR), optional("cause", &CAUSE)]),
    ),
    optional("fieldValidationMode", &Word(&["STRICT", "PRESENT", "NONE"])),
]);
static STATE_NAME: Shape = Secret { least: 1, most: 80 };
static STATE_CONFIGURATION: Shape = Structure(&[
    optional("retrierRetryCount", &COUNT),
    optional("errorCausedByState", &STATE_NAME),
    optional("mapIterationFailureCount", &COUNT),
    optional("mapItemReaderData", &SENSITIVE),
]);

const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: true,
        shape,
    }
}

const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        required: false,
        shape,
    }
}

/// The members of an operation's request; none for an operation that Step Functions doesn't have.
pub(super) fn members(operation: &str) -> Option<&'static [Member]> {
    let (_, members) = OPERATIONS.iter().find(|(names, _)| names.contains(&operation))?;
    Some(members)
}

/// Operations with the same members stand together.
static OPERATIONS: &[(&[&str], &[Member])] = &[
    (
        &["CreateActivity"],
        &[
            required("name", &NAME),
            optional("tags", &TAGS),
            optional("encryptionConfiguration", &ENCRYPTION),
        ],
    ),
    (
        &["CreateStateMachine"],
        &[
            required("name", &NAME),
            required("definition", &BODY),
            required("roleArn", &ARN),
            optional("type", &TYPE),
            optional("loggingConfiguration", &LOGGING),
            optional("tags", &TAGS),
            optional("tracingConfiguration", &TRACING),
            optional("publish", &YES_OR_NO),
            optional("versionDescription", &DESCRIPTION),
            optional("encryptionConfiguration", &ENCRYPTION),
        ],
    ),
    (
        &["CreateStateMachineAlias"],
        &[
            optional("description", &DESCRIPTION),
            required("name", &ALIAS_NAME),
            required("routingConfiguration", &ROUTING),
        ],
    ),
    (
        &["DeleteActivity", "DescribeActivity"],
        &[required("activityArn", &ARN)],
    ),
    (&["DeleteStateMachine"], &[required("stateMachineArn", &ARN)]),
    (
        &["DeleteStateMachineAlias", "DescribeStateMachineAlias"],
        &[required("stateMachineAliasArn", &ARN)],
    ),
    (
        &["DeleteStateMachineVersion"],
        &[required("stateMachineVersionArn", &LONG_ARN)],
    ),
    (
        &["DescribeExecution", "DescribeStateMachineForExecution"],
        &[
            required("executionArn", &ARN),
            optional("includedData", &INCLUDED),
        ],
    ),
    (&["DescribeMapRun"], &[required("mapRunArn", &LONG_ARN)]),
    (
        &["DescribeStateMachine"],
        &[
            required("stateMachineArn", &ARN),
            optional("includedData", &INCLUDED),
        ],
    ),
    (
        &["GetActivityTask"],
        &[required("activityArn", &ARN), optional("workerName", &NAME)],
    ),
    (
        &["GetExecutionHistory"],
        &[
            required("executionArn", &ARN),
            optional("maxResults", &PAGE),
            optional("reverseOrder", &YES_OR_NO),
            optional("nextToken", &PAGE_TOKEN),
            optional("includeExecutionData", &YES_OR_NO),
        ],
    ),
    (
        &["ListActivities", "ListStateMachines"],
        &[optional("maxResults", &PAGE), optional("nextToken", &PAGE_TOKEN)],
    ),
    (
        &["ListExecutions"],
        &[
            optional("stateMachineArn", &ARN),
            optional("statusFilter", &STATUS),
            optional("maxResults", &PAGE),
            optional("nextToken", &LIST_EXECUTIONS_TOKEN),
            optional("mapRunArn", &LONG_ARN),
            optional("redriveFilter", &REDRIVEN),
        ],
    ),
    (
        &["ListMapRuns"],
        &[
            required("executionArn", &ARN),
            optional("maxResults", &PAGE),
            optional("nextToken", &PAGE_TOKEN),
        ],
    ),
    (
        &["ListStateMachineAliases", "ListStateMachineVersions"],
        &[
            required("stateMachineArn", &ARN),
            optional("nextToken", &PAGE_TOKEN),
            optional("maxResults", &PAGE),
        ],
    ),
    (&["ListTagsForResource"], &[required("resourceArn", &ARN)]),
    (
        &["PublishStateMachineVersion"],
        &[
            required("stateMachineArn", &ARN),
            optional("revisionId", &FREE),
            optional("description", &DESCRIPTION),
        ],
    ),
    (
        &["RedriveExecution"],
        &[
            required("executionArn", &ARN),
            optional("clientToken", &CLIENT_TOKEN),
        ],
    ),
    (
        &["SendTaskFailure"],
        &[
            required("taskToken", &TOKEN),
            optional("error", &ERROR),
            optional("cause", &CAUSE),
        ],
    ),
    (&["SendTaskHeartbeat"], &[required("taskToken", &TOKEN)]),
    (
        &["SendTaskSuccess"],
        &[required("taskToken", &TOKEN), required("output", &SENSITIVE)],
    ),
    (
        &["StartExecution"],
        &[
            required("stateMachineArn", &ARN),
            optional("name", &NAME),
            optional("input", &SENSITIVE),
            optional("traceHeader", &TRACE),
        ],
    ),
    (
        &["StartSyncExecution"],
        &[
            required("stateMachineArn", &ARN),
            optional("name", &NAME),
            optional("input", &SENSITIVE),
            optional("traceHeader", &TRACE),
            optional("includedData", &INCLUDED),
        ],
    ),
    (
        &["StopExecution"],
        &[
            required("executionArn", &ARN),
            optional("error", &ERROR),
            optional("cause", &CAUSE),
        ],
    ),
    (
        &["TagResource"],
        &[required("resourceArn", &ARN), required("tags", &TAGS)],
    ),
    (
        &["TestState"],
        &[
            required("definition", &BODY),
            optional("roleArn", &ARN),
            optional("input", &SENSITIVE),
            optional("inspectionLevel", &Word(&["INFO", "DEBUG", "TRACE"])),
            optional("revealSecrets", &YES_OR_NO),
            optional("variables", &SENSITIVE),
            optional("stateName", &STATE_NAME),
            optional("mock", &MOCK),
            optional("context", &SENSITIVE),
            optional("stateConfiguration", &STATE_CONFIGURATION),
        ],
    ),
    (
        &["UntagResource"],
        &[required("resourceArn", &ARN), required("tagKeys", &TAG_KEYS)],
    ),
    (
        &["UpdateMapRun"],
        &[
            required("mapRunArn", &LONG_ARN),
            optional("maxConcurrency", &COUNT),
            optional(
                "toleratedFailurePercentage",
                &Number {
                    least: 0.0,
                    most: 100.0,
                },
            ),
            optional("toleratedFailureCount", &COUNT),
        ],
    ),
    (
        &["UpdateStateMachine"],
        &[
            required("stateMachineArn", &ARN),
            optional("definition", &BODY),
            optional("roleArn", &ARN),
            optional("loggingConfiguration", &LOGGING),
            optional("tracingConfiguration", &TRACING),
            optional("publish", &YES_OR_NO),
            optional("versionDescription", &DESCRIPTION),
            optional("encryptionConfiguration", &ENCRYPTION),
        ],
    ),
    (
        &["UpdateStateMachineAlias"],
        &[
            required("stateMachineAliasArn", &ARN),
            optional("description", &DESCRIPTION),
            optional("routingConfiguration", &ROUTING),
        ],
    ),
    (
        &["ValidateStateMachineDefinition"],
        &[
            required("definition", &BODY),
            optional("type", &TYPE),
            optional("severity", &Word(&["ERROR", "WARNING"])),
            optional("maxResults", &Integer { least: 0, most: 100 }),
        ],
    ),
];
