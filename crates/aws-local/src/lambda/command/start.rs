//! How a function's process is started: its environment is that of a Lambda function, as far as it can be, in that of
//! this process without what it says of AWS, so that no function reaches a real account by mistake.

use std::process::Stdio;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use tokio::process::Command;

use super::Inner;
use super::children::Process;
use crate::REGION;
use crate::lambda::api::MEMORY;
use crate::lambda::function::FunctionError;

/// Starts a process that will ask for its work at `port`.
pub(super) fn start(pool: &Arc<Inner>, port: u16, request_id: &str) -> Result<Process, FunctionError> {
    let function = &pool.function;
    let (program, arguments) = function.command.split_first().ok_or_else(|| {
        let what = format!("the command of function '{}' is empty", pool.name);
        FunctionError::of_lambda("Runtime.InvalidEntrypoint", request_id, what)
    })?;
    let directory = function.directory.display();
    // Told apart beforehand: to the system both are «no such file».
    if !function.directory.is_dir() {
        let what = format!(
            "chdir {directory}: no such directory (function '{}' is to be run there)",
            pool.name
        );
        return Err(FunctionError::of_lambda(
            "Runtime.InvalidWorkingDir",
            request_id,
            what,
        ));
    }
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_about_aws) {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .current_dir(&function.directory)
        .envs(environment(pool, port))
        .envs(function.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    pool.children.spawn(&mut command).map_err(|error| {
        let what = format!(
            "fork/exec {program}: {error} (the command of function '{}', run in {directory})",
            pool.name
        );
        FunctionError::of_lambda("Runtime.InvalidEntrypoint", request_id, what)
    })
}

fn is_about_aws(name: &str) -> bool {
    name.starts_with("AWS_")
        || name.starts_with("LAMBDA_")
        || ["_HANDLER", "_X_AMZN_TRACE_ID"].contains(&name)
}

fn environment(pool: &Inner, port: u16) -> Vec<(&'static str, String)> {
    let function = &pool.function;
    // Runtime clients may take it from wherever they are.
    let root = std::path::absolute(&function.directory).unwrap_or_else(|_| function.directory.clone());
    let stream = HEXLOWER.encode(&pool.source.bytes::<16>());
    let today = pool.source.now().strftime("%Y/%m/%d");
    let mut variables = vec![
        ("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}")),
        ("AWS_LAMBDA_FUNCTION_NAME", pool.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", pool.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("{today}/[$LATEST]{stream}")),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "embedded".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "embedded".to_owned()),
        ("AWS_SESSION_TOKEN", "embedded".to_owned()),
        ("LAMBDA_TASK_ROOT", root.to_string_lossy().into_owned()),
        ("TZ", ":UTC".to_owned()),
    ];
    if let Some(handler) = handler(function) {
        variables.push(("_HANDLER", handler.to_owned()));
    }
    if let Some(endpoint) = pool.children.endpoint() {
        variables.push(("AWS_ENDPOINT_URL", endpoint));
    }
    variables
}

/// The command's last word, where it has the form `module.name`, perhaps in a folder, and is no file.
fn handler(function: &super::CommandFunction) -> Option<&str> {
    let [_, .., last] = function.command.as_slice() else {
        return None;
    };
    let (module, name) = last.rsplit_once('.')?;
    let plain = |character: char| character.is_alphanumeric() || "_-./$".contains(character);
    let formed = !module.is_empty() && !name.is_empty() && last.chars().all(plain) && !last.starts_with('-');
    (formed && !function.directory.join(last).is_file()).then_some(last)
}
