//! Commands as functions: small programs that speak the runtime API, and each way in which one can fail.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64;
use http::Response;
use serde_json::{Value, json};

use crate::testing::{Folder, folder, program};
use crate::{AwsLocal, CommandFunction, Happening, Options};

/// An embedded AWS and a folder with a program in it, which is the function `f`.
struct Setting {
    aws: AwsLocal,
    folder: Folder,
}

async fn setting(program: &str, change: impl FnOnce(&mut CommandFunction)) -> Setting {
    let folder = folder("command");
    let options = Options::in_memory(|| "2026-11-21T09:00:00Z".parse().expect("a time"));
    let aws = AwsLocal::start(options).await.expect("it starts");
    let setting = Setting { aws, folder };
    setting.register(program, change);
    setting
}

impl Setting {
    fn register(&self, source: &str, change: impl FnOnce(&mut CommandFunction)) {
        let mut function = program(&self.folder, source);
        change(&mut function);
        self.aws.register_command("f", function);
    }

    async fn answer(&self, event: &str) -> Response<Bytes> {
        let request = http::Request::post("/2015-03-31/functions/f/invocations")
            .header("x-amz-log-type", "Tail")
            .header("x-amz-client-context", BASE64.encode(br#"{"client": 1}"#));
        let request = request.body(event.to_owned().into()).expect("a request");
        self.aws.handle(request).await
    }

    async fn result(&self, event: &str) -> Value {
        let answer = self.answer(event).await;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(!answer.headers().contains_key("x-amz-function-error"), "{text}");
        serde_json::from_slice(answer.body()).expect("JSON")
    }

    /// Error type and message, without the request's id.
    async fn error(&self, event: &str) -> (String, String) {
        let answer = self.answer(event).await;
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        assert!(answer.headers().contains_key("x-amz-function-error"), "{body}");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let message = text("errorMessage");
        let message = match message.strip_prefix("RequestId: ") {
            Some(rest) => rest.split_once(' ').expect("an id").1.to_owned(),
            None => message,
        };
        (text("errorType"), message)
    }
}

/// What is wrong with a process, as Lambda says it.
fn exit(how: &str) -> (String, String) {
    (
        "Runtime.ExitError".to_owned(),
        format!("Error: Runtime exited {how}"),
    )
}

#[tokio::test]
async fn a_program_gets_its_work_and_is_kept() {
    let program = r#"
print("starting up")
while True:
    id, headers, event = next()
    print("working on", event)
    told = {name: headers[name] for name in headers if name.startswith("Lambda-Runtime-") or name == "Content-Type"}
    told["environment"] = {name: os.environ.get(name) for name in event["show"]}
    told["pid"] = os.getpid()
    told["directory"] = os.getcwd()
    answer(id, told)
"#;
    let setting = setting(program, |function| {
        function.command.push("module.handler".to_owned());
        function.environment = vec![("MINE".to_owned(), "yes".to_owned())];
        function.timeout = Duration::from_secs(3);
    })
    .await;
    setting.aws.served_at("http://127.0.0.1:8086");
    let event = json!({"show": [
        "MINE", "_HANDLER", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_REGION", "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_ACCESS_KEY_ID", "TZ", "AWS_PROFILE",
    ]})
    .to_string();
    let first = setting.result(&event).await;
    assert_eq!(
        first["environment"],
        json!({
            "MINE": "yes",
            "_HANDLER": "module.handler",
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:8086",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
            "AWS_ACCESS_KEY_ID": "embedded",
            "TZ": ":UTC",
            "AWS_PROFILE": null,
        })
    );
    let header = |name: &str| {
        let members = first.as_object().expect("an object");
        let found = members
            .iter()
            .find(|(member, _)| member.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let arn = json!("arn:aws:lambda:us-east-1:123456789012:function:f");
    assert_eq!(header("Lambda-Runtime-Invoked-Function-Arn"), Some(arn));
    assert_eq!(
        header("Lambda-Runtime-Client-Context"),
        Some(json!(r#"{"client": 1}"#))
    );
    let due = "2026-11-21T09:00:03Z".parse::<jiff::Timestamp>().expect("a time");
    assert_eq!(
        header("Lambda-Runtime-Deadline-Ms"),
        Some(json!(due.as_millisecond().to_string()))
    );
    assert!(
        header("Lambda-Runtime-Trace-Id").is_some_and(|trace| trace.to_string().starts_with("\"Root=1-"))
    );
    assert_eq!(
        first["directory"],
        json!(setting.folder.path().canonicalize().expect("a path"))
    );
    let second = setting.result(&event).await;
    assert_eq!(first["pid"], second["pid"]);

    // What was printed: in the order of things, to who asks for it.
    let log = setting.answer(r#"{"show": []}"#).await;
    let log = log.headers().get("x-amz-log-result").expect("a log").as_bytes();
    let log = String::from_utf8(BASE64.decode(log).expect("base64")).expect("text");
    let lines: Vec<&str> = log.lines().collect();
    assert!(
        lines[0].starts_with("START RequestId: ") && lines[0].ends_with(" Version: $LATEST"),
        "{log}"
    );
    assert_eq!(lines[1], "working on {'show': []}", "{log}");
    assert!(lines[2].starts_with("END RequestId: "), "{log}");
    assert!(
        lines[3].contains("\tDuration: ") && lines[3].contains("\tMemory Size: 128 MB"),
        "{log}"
    );
}

#[tokio::test]
async fn each_fault_of_a_program_has_lambdas_name() {
    let program = r#"
while True:
    id, headers, event = next()
    if "exit" in event: sys.exit(event["exit"])
    if "signal" in event: os.kill(os.getpid(), event["signal"])
    if "raw" in event: call("POST", f"invocation/{id}/error", event["raw"])
    if "hang" in event: time.sleep(60)
    if "size" in event: call("POST", f"invocation/{id}/response", json.dumps("x" * event["size"]))
    answer(id, "done")
"#;
    let setting = setting(program, |function| function.timeout = Duration::from_secs(1)).await;
    assert_eq!(
        setting.error(r#"{"exit": 7}"#).await,
        exit("with error: exit status 7")
    );
    assert_eq!(
        setting.error(r#"{"exit": 0}"#).await,
        exit("without providing a reason")
    );
    assert_eq!(
        setting.error(r#"{"signal": 9}"#).await,
        exit("with error: signal: killed")
    );
    assert_eq!(
        setting.error(r#"{"hang": 1}"#).await,
        (
            "Sandbox.Timedout".to_owned(),
            "Error: Task timed out after 1.00 seconds".to_owned()
        )
    );
    // After each it goes on with a new process.
    assert_eq!(setting.result("{}").await, json!("done"));
    let posted = r#"{"errorMessage": "no", "errorType": "Mine", "stackTrace": ["here"]}"#;
    let answer = setting.answer(&json!({"raw": posted}).to_string()).await;
    assert_eq!(answer.body(), posted);
    let (error_type, message) = setting.error(r#"{"size": 6291556}"#).await;
    assert_eq!(error_type, "Function.ResponseSizeTooLarge");
    assert!(message.contains("6291556 bytes"), "{message}");
    assert_eq!(
        setting
            .result(r#"{"size": 6291554}"#)
            .await
            .as_str()
            .map(str::len),
        Some(6_291_554)
    );
}

#[tokio::test]
async fn a_program_that_cannot_begin_says_why() {
    let here = setting("sys.exit(3)", |_| {}).await;
    assert_eq!(here.error("{}").await, exit("with error: exit status 3"));
    here.register(
        r#"
call("POST", "init/error", json.dumps({"errorType": "Runtime.ImportModuleError", "errorMessage": "no module"}))
sys.exit(1)
"#,
        |_| {},
    );
    let expected = ("Runtime.ImportModuleError".to_owned(), "no module".to_owned());
    assert_eq!(here.error("{}").await, expected);
    assert_eq!(here.error("{}").await, expected);

    here.register("", |function| function.command[0] = "no-such-program".to_owned());
    let (error_type, message) = here.error("{}").await;
    assert_eq!(error_type, "Runtime.InvalidEntrypoint");
    let directory = here.folder.path().display().to_string();
    assert!(
        message.contains("no-such-program: No such file or directory"),
        "{message}"
    );
    assert!(
        message.contains("'f'") && message.contains(&directory),
        "{message}"
    );

    here.register("", |function| function.directory.push("gone"));
    let (error_type, message) = here.error("{}").await;
    assert_eq!(error_type, "Runtime.InvalidWorkingDir");
    assert!(message.contains(&format!("{directory}/gone")), "{message}");

    here.register("", |function| function.command.clear());
    assert_eq!(here.error("{}").await.0, "Runtime.InvalidEntrypoint");
}

#[tokio::test]
async fn the_runtime_api_refuses_what_is_out_of_turn() {
    let program = r#"
first = next()[0]
again = next()[0]
told = [
    first == again,
    call("POST", "invocation/other/response", "1")[0:3:2],
    call("POST", "init/error", "{}")[0:3:2],
    call("GET", "nothing")[0],
    call("POST", "invocation/next")[0],
    call("GET", "invocation/next", headers={"Origin": "https://example.com"})[0],
    call("POST", f"invocation/{first}/response", "0", {"Lambda-Runtime-Function-Response-Mode": "other"})[0:3:2],
    answer(first, "too late")[0:3:2],
]
second = next()[0]
told.append(answer(first, "too late")[0:3:2])
told.append(call("POST", f"invocation/{second}/response", json.dumps(told), {"Lambda-Runtime-Function-Response-Mode": "streaming"})[0])
"#;
    let setting = setting(program, |function| function.concurrency = 1).await;
    assert_eq!(setting.error("{}").await.0, "Runtime.InvalidResponseModeHeader");
    let told = setting.result("{}").await;
    let invalid = json!([
        400,
        r#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#
    ]);
    let transition = |from: &str, to: &str| {
        let message = format!(
            "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
        );
        json!([
            403,
            json!({"errorMessage": message, "errorType": "InvalidStateTransition"}).to_string()
        ])
    };
    let mode = json!({
        "errorMessage": "Invalid function response mode",
        "errorType": "InvalidFunctionResponseMode",
    });
    assert_eq!(
        told,
        json!([
            true,
            invalid,
            transition("Ready", "InitError"),
            404,
            405,
            403,
            [400, mode.to_string()],
            transition("ResponseSent", "InvocationResponse"),
            invalid,
        ])
    );
}

/// A function that breaks off while it streams says so after its answer.
#[tokio::test]
async fn a_streamed_answer_may_end_in_an_error() {
    let program = r#"
import base64, socket
def stream(end):
    id, _, _ = next()
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        (f"POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\r\nTrailer: Lambda-Runtime-Function-Error-Type, "
        "Lambda-Runtime-Function-Error-Body\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n" + end + "\r\n").encode()
    )
    connection.recv(1000)
stream("")
body = base64.b64encode(b'{"errorType": "Broken", "errorMessage": "off"}').decode()
stream(f"Lambda-Runtime-Function-Error-Type: Broken\r\nLambda-Runtime-Function-Error-Body: {body}\r\n")
next()
"#;
    let setting = setting(program, |function| function.concurrency = 1).await;
    assert_eq!(setting.result("{}").await, json!([1, 2]));
    assert_eq!(setting.error("{}").await, ("Broken".to_owned(), "off".to_owned()));
}

#[tokio::test]
async fn what_is_no_json_is_passed_on_by_invoke() {
    let setting = setting(
        "id = next()[0]\ncall('POST', f'invocation/{id}/response', 'no JSON')\nnext()",
        |_| {},
    )
    .await;
    assert_eq!(setting.answer("{}").await.body(), "no JSON");
}

/// As many as there may be run side by side, the others wait.
#[tokio::test]
async fn there_are_only_so_many_processes() {
    let program = r"
while True:
    id = next()[0]
    time.sleep(0.05)
    answer(id, os.getpid())
";
    let setting = setting(program, |function| function.concurrency = 2).await;
    let all = futures_all((0..8).map(|_| setting.result("{}"))).await;
    let mut processes: Vec<String> = all.iter().map(Value::to_string).collect();
    processes.sort();
    processes.dedup();
    assert!((1..=2).contains(&processes.len()), "{all:?}");
    // One that has died is made up for.
    let number = all[0].as_i64().expect("a number");
    let pid =
        rustix::process::Pid::from_raw(i32::try_from(number).expect("a small number")).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is there");
    assert!(all_gone(&[number]).await);
    let again = futures_all((0..4).map(|_| setting.result("{}"))).await;
    assert!(again.iter().all(|process| *process != all[0]), "{again:?}");
}

async fn futures_all<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(result) => {
                done.push(result);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}

/// Those that hang or were replaced go, with all that they started, and none outlives the AWS.
#[tokio::test]
async fn nobody_is_left_behind() {
    let program = r#"
child = subprocess.Popen(["sleep", "300"])
while True:
    id, _, event = next()
    if "hang" in event:
        print(os.getpid(), child.pid)
        time.sleep(60)
    answer(id, [os.getpid(), child.pid])
"#;
    let setting = setting(program, |function| function.timeout = Duration::from_secs(1)).await;
    let mut printed = setting.aws.subscribe();
    assert_eq!(setting.error(r#"{"hang": 1}"#).await.0, "Sandbox.Timedout");
    let line = match printed.recv().await.expect("a line") {
        Happening::Printed(line) => line.text,
        other @ Happening::Event(_) => panic!("{other:?}"),
    };
    let hung: Vec<i64> = line
        .split(' ')
        .map(|pid| pid.parse().expect("a number"))
        .collect();
    assert!(all_gone(&hung).await, "{hung:?}");

    let replaced: Vec<i64> = serde_json::from_value(setting.result("{}").await).expect("numbers");
    setting.register(program, |_| {});
    assert!(all_gone(&replaced).await, "{replaced:?}");

    let removed: Vec<i64> = serde_json::from_value(setting.result("{}").await).expect("numbers");
    assert_ne!(replaced, removed);
    assert!(setting.aws.remove_function("f"));
    assert!(!setting.aws.remove_function("f"));
    assert!(all_gone(&removed).await, "{removed:?}");
    assert_eq!(setting.answer("{}").await.status(), 404);

    setting.register(program, |_| {});
    let last: Vec<i64> = serde_json::from_value(setting.result("{}").await).expect("numbers");
    setting.aws.stop().await;
    assert!(all_gone(&last).await, "{last:?}");
}

async fn all_gone(processes: &[i64]) -> bool {
    for _ in 0..200 {
        let alive = |pid: &&i64| {
            // One that has ended stays on as a zombie until somebody asks.
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state
                .rsplit(") ")
                .next()
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
        };
        if !processes.iter().any(|pid| alive(&pid)) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// One that prints for ever is still ended, and so much of it kept as is kept of any.
#[tokio::test]
async fn a_flood_of_output_does_not_stop_the_clock() {
    let program = r#"
next()
while True: print("x" * 1000)
"#;
    let setting = setting(program, |function| function.timeout = Duration::from_secs(1)).await;
    assert_eq!(setting.error("{}").await.0, "Sandbox.Timedout");
}
