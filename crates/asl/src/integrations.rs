//! Which services a state machine may call: the optimised integrations with their patterns, and the services that
//! AWS's SDKs know. From the developer guide's "Integrating optimized services" and "AWS SDK integrations".

use crate::resource::Pattern;

use Pattern::{RequestResponse, Sync, SyncAsJson, WaitForTaskToken};

const RESPONSE: &[Pattern] = &[RequestResponse];
const TOKEN: &[Pattern] = &[RequestResponse, WaitForTaskToken];
const JOB: &[Pattern] = &[RequestResponse, Sync];
const JOB_OR_TOKEN: &[Pattern] = &[RequestResponse, Sync, WaitForTaskToken];
const EXECUTION: &[Pattern] = &[RequestResponse, Sync, SyncAsJson, WaitForTaskToken];

/// Service, actions, and how they may end.
const OPTIMISED: [(&str, &[&str], &[Pattern]); 32] = [
    ("apigateway", &["invoke"], TOKEN),
    ("athena", &["startQueryExecution"], JOB),
    (
        "athena",
        &["stopQueryExecution", "getQueryExecution", "getQueryResults"],
        RESPONSE,
    ),
    ("batch", &["submitJob"], JOB),
    ("bedrock", &["invokeModel"], RESPONSE),
    ("bedrock", &["createModelCustomizationJob"], JOB),
    ("codebuild", &["startBuild", "startBuildBatch"], JOB),
    (
        "codebuild",
        &[
            "stopBuild",
            "stopBuildBatch",
            "retryBuildBatch",
            "batchDeleteBuilds",
            "batchGetReports",
        ],
        RESPONSE,
    ),
    ("databrew", &["startJobRun"], JOB),
    (
        "dynamodb",
        &["getItem", "putItem", "updateItem", "deleteItem"],
        RESPONSE,
    ),
    ("ecs", &["runTask"], JOB_OR_TOKEN),
    ("eks", &["call"], RESPONSE),
    (
        "eks",
        &[
            "runJob",
            "createCluster",
            "deleteCluster",
            "createNodegroup",
            "deleteNodegroup",
        ],
        JOB,
    ),
    ("eks", &["createFargateProfile", "deleteFargateProfile"], JOB),
    (
        "elasticmapreduce",
        &["createCluster", "terminateCluster", "addStep"],
        JOB,
    ),
    (
        "elasticmapreduce",
        &[
            "cancelStep",
            "setClusterTerminationProtection",
            "modifyInstanceFleetByName",
        ],
        RESPONSE,
    ),
    ("elasticmapreduce", &["modifyInstanceGroupByName"], RESPONSE),
    ("emr-containers", &["createVirtualCluster"], RESPONSE),
    ("emr-containers", &["deleteVirtualCluster", "startJobRun"], JOB),
    (
        "emr-serverless",
        &[
            "createApplication",
            "startApplication",
            "stopApplication",
            "deleteApplication",
        ],
        JOB,
    ),
    ("emr-serverless", &["startJobRun", "cancelJobRun"], JOB),
    ("events", &["putEvents"], TOKEN),
    ("glue", &["startJobRun"], JOB),
    ("http", &["invoke"], RESPONSE),
    ("lambda", &["invoke"], TOKEN),
    ("mediaconvert", &["createJob"], JOB),
    (
        "sagemaker",
        &["createTrainingJob", "createTransformJob", "createProcessingJob"],
        JOB,
    ),
    (
        "sagemaker",
        &["createHyperParameterTuningJob", "createLabelingJob"],
        JOB,
    ),
    (
        "sagemaker",
        &[
            "createEndpoint",
            "createEndpointConfig",
            "createModel",
            "updateEndpoint",
        ],
        RESPONSE,
    ),
    ("sns", &["publish"], TOKEN),
    ("sqs", &["sendMessage"], TOKEN),
    ("states", &["startExecution"], EXECUTION),
];

/// The services of AWS's SDKs, as `aws-sdk:` names them.
const SDK: &str = include_str!("sdk_services.txt");

/// Whether an optimised integration of this name may end by `pattern`.
pub(crate) fn is_optimised(service: &str, action: &str, pattern: Pattern) -> bool {
    OPTIMISED.iter().any(|(of, actions, patterns)| {
        *of == service && actions.contains(&action) && patterns.contains(&pattern)
    })
}

/// Whether AWS's SDKs know `service`, and `action` is written as one of its actions.
pub(crate) fn is_of_sdk(service: &str, action: &str, pattern: Pattern) -> bool {
    let mut letters = action.chars();
    matches!(pattern, RequestResponse | WaitForTaskToken)
        && SDK.split_whitespace().any(|known| known == service)
        && letters.next().is_some_and(|first| first.is_ascii_lowercase())
        && letters.all(|letter| letter.is_ascii_alphanumeric())
}

/// The parameters of an optimised integration: those that must be given, and all that may be. `None` where a
/// definition's parameters are not looked at.
pub(crate) fn parameters(
    service: &str,
    action: &str,
) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match (service, action) {
        ("lambda", "invoke") => (
            &["FunctionName"],
            &[
                "FunctionName",
                "Payload",
                "ClientContext",
                "InvocationType",
                "LogType",
                "Qualifier",
            ],
        ),
        ("sqs", "sendMessage") => (
            &["QueueUrl", "MessageBody"],
            &[
                "QueueUrl",
                "MessageBody",
                "DelaySeconds",
                "MessageAttribute",
                "MessageAttributes",
                "MessageDeduplicationId",
                "MessageGroupId",
                "MessageSystemAttributes",
            ],
        ),
        ("events", "putEvents") => (&["Entries"], &["Entries", "EndpointId"]),
        ("states", "startExecution") => (
            &["StateMachineArn"],
            &["StateMachineArn", "Input", "Name", "TraceHeader"],
        ),
        ("http", "invoke") => (
            &["ApiEndpoint", "Method"],
            &[
                "ApiEndpoint",
                "Method",
                "Authentication",
                "InvocationConfig",
                "Headers",
                "QueryParameters",
                "RequestBody",
                "Transform",
            ],
        ),
        _ => return None,
    })
}
