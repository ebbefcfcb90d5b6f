//! What `local` reads, and how each thing that is wrong is told.

use super::functions::FUNCTION_KEYS;
use super::*;

const BUILTINS: &[&str] = &["sign-document", "lambda-loop"];

const WHOLE: &str = r#"
organisation = "Example Ltd"
time_zone = "Europe/Berlin"
mail_from = "Approvals <approvals@example.com>"
queues = ["validation.fifo", "plain"]
activities = ["validation"]
buckets = ["documents"]
mail_identities = ["reports@example.com", "example.org"]
http_tasks = ["localhost:3000", "127.0.0.1"]
durable_runner = "http://127.0.0.1:5000"
state_data_table = "state-data"
state_data_tables = ["other"]
public_url = "https://sign.example.com/"
table = "countersign"

[[people]]
name = "Carol"
email = "carol@example.com"

[substitutions]
TimeoutSeconds = 3600
Arn = "arn:aws:lambda:us-east-1:123456789012:function:sign-document"
"AWS::Region" = "us-east-1"

[workflows.quick]
type = "EXPRESS"
substitutions = { TimeoutSeconds = 60 }

[functions.init-step]
command = ["./bin/init", "--fast"]
directory = "code"
environment = { QUEUE = "validation.fifo", LEVEL = 3 }
timeout_seconds = 30
concurrency = 2

[functions.plain]
command = ["python3", "handler.py"]

[functions.remote]
url = "http://127.0.0.1:3000/"

[functions.sign-document]
builtin = "sign-document"
"#;

/// A folder with the folder `code` in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
        std::fs::create_dir_all(path.join("code")).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_whole_file_is_read_and_paths_are_meant_from_its_folder() {
    let folder = Folder::new("local-whole");
    let local = read(WHOLE, &folder.0, BUILTINS).expect("right");
    assert_eq!(local.settings.time_zone, "Europe/Berlin");
    assert_eq!(local.settings.people[0].name, "Carol");
    assert_eq!(local.settings.http_tasks, ["localhost:3000", "127.0.0.1"]);
    assert_eq!(
        local.settings.durable_runner.as_deref(),
        Some("http://127.0.0.1:5000")
    );
    let usual = Settings::default().state_data;
    let days = read("state_data_days = 7", Path::new("."), BUILTINS).expect("right");
    assert_eq!(
        days.settings.state_data,
        Places {
            keep_days: 7,
            ..usual.clone()
        }
    );
    assert_eq!(usual.table, "countersign-state-data");
    assert_eq!(
        local.settings.state_data,
        Places {
            table: "state-data".to_owned(),
            other_tables: vec!["other".to_owned()],
            ..usual
        }
    );
    assert_eq!(local.queues, ["validation.fifo", "plain"]);
    assert_eq!(local.mail_identities, ["reports@example.com", "example.org"]);
    assert_eq!(local.substitutions["TimeoutSeconds"], "3600");
    assert_eq!(local.substitutions["AWS::Region"], "us-east-1");
    assert!(local.workflows["quick"].express);
    assert_eq!(local.workflows["quick"].substitutions["TimeoutSeconds"], "60");
    let program = folder.0.join("code/bin/init").to_string_lossy().into_owned();
    assert_eq!(
        local.functions["init-step"],
        Function::Command {
            command: vec![program, "--fast".to_owned()],
            directory: folder.0.join("code"),
            environment: vec![
                ("LEVEL".to_owned(), "3".to_owned()),
                ("QUEUE".to_owned(), "validation.fifo".to_owned())
            ],
            timeout: Duration::from_secs(30),
            concurrency: 2,
        }
    );
    assert_eq!(
        local.functions["plain"],
        Function::Command {
            command: vec!["python3".to_owned(), "handler.py".to_owned()],
            directory: folder.0.clone(),
            environment: Vec::new(),
            timeout: Duration::from_secs(3),
            concurrency: 10,
        }
    );
    assert_eq!(
        local.functions["sign-document"],
        Function::Builtin("sign-document".to_owned())
    );
}

#[test]
fn queues_and_activities_that_countersign_takes_requests_from_go_by_name_or_address() {
    let text = r#"
intake_queues = ["approvals.fifo", "https://sqs.eu-central-1.amazonaws.com/123456789012/requests"]

[activities.validation]
title = "Validate {}"
signer = "Bob"

[activities."arn:aws:states:eu-central-1:123456789012:activity:review"]
title = "Review {}"
signer = "Bob"
"#;
    let local = read(text, Path::new("."), BUILTINS).expect("right");
    assert_eq!(local.settings.intake_queues, ["approvals.fifo", "requests"]);
    let worked: Vec<&str> = local
        .settings
        .worked
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(worked, ["review", "validation"]);
    assert!(local.activities.is_empty());
    let wrong = read("[activities.\"a b\"]\ntitle = 5", Path::new("."), BUILTINS);
    let wrong = wrong.expect_err("wrong").to_string();
    assert!(wrong.contains("an activity's name has 1 to 80"), "{wrong}");
    assert!(wrong.contains("title: must be text"), "{wrong}");
}

#[test]
fn nothing_has_to_be_said() {
    assert_eq!(read("", Path::new("."), BUILTINS), Ok(Local::default()));
    assert_eq!(Local::default().settings.people[0].name, "Bob");
}

#[test]
fn each_mistake_is_told_by_its_key_and_all_of_them_at_once() {
    let wrong = r#"
quues = ["a"]
queues = ["a b", "a.fifo", 5]
activities = "validation"
buckets = ["Documents"]
mail_identities = ["reports"]
http_tasks = ["http://localhost/"]
durable_runner = "https://localhost:5000"
mail_from = "Bob"
time_zone = "Mars"
master_key = "canary"
organisation = 7
people = [{ name = "Carol", mail = "carol@example.com" }]

[substitutions]
"a b" = 1
List = [1]

[workflows.quick]
type = "FAST"
timeout = 5
substitutions = 7

[functions.countersign]
builtin = "sign-document"

[functions.both]
command = ["a"]
url = "http://127.0.0.1/"

[functions.neither]
timeout_seconds = 5

[functions.wrong]
command = []
comand = ["a"]

[functions.text]
command = "python3"

[functions.nowhere]
command = ["python3"]
directory = "not-there"
timeout_seconds = 901
concurrency = 0

[functions.remote]
url = "localhost"
directory = "code"

[functions.sample]
builtin = "sign-documents"

[functions."a b"]
builtin = "lambda-loop"
"#;
    let error = read(wrong, Path::new("."), BUILTINS)
        .expect_err("wrong")
        .to_string();
    for expected in [
        "quues: isn't a key that I know; did you mean queues?",
        "queues[0]: a queue's name has",
        "queues[2]: must be text",
        "activities: must be a list",
        "buckets[0]: a bucket's name has",
        "mail_identities[0]: must be a mail address or a domain",
        "http_tasks[0]: must be a host",
        "durable_runner: must be an address",
        "mail_from: is not a mail address",
        "time_zone: isn't a time zone",
        "master_key: is a secret",
        "organisation: must be text",
        "people[0].mail: isn't a key that I know; did you mean email?",
        "substitutions.a b: a name has letters",
        "substitutions.List: must be text, a number, true or false",
        "workflows.quick.type: must be \"STANDARD\" or \"EXPRESS\"",
        "workflows.quick.timeout: isn't a key that I know",
        "workflows.quick.substitutions: must be a table",
        "functions.countersign: is Countersign's own function",
        "functions.both: must have one of command",
        "functions.neither: must have one of command",
        "functions.wrong.command: must be a list with a program first",
        "functions.wrong.comand: isn't a key that I know; did you mean command?",
        "functions.text.command: must be a list of texts",
        "functions.nowhere.directory: ./not-there is no folder",
        "functions.nowhere.timeout_seconds: must be a whole number from 1 to 900",
        "functions.nowhere.concurrency: must be a whole number from 1 to 1000",
        "functions.remote.url: must be an address",
        "functions.remote.directory: doesn't go with url",
        "functions.sample.builtin: must be one of the samples: sign-document, lambda-loop",
        "functions.a b: a function's name has",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert!(
        !error.contains("queues[1]") && !error.contains("canary"),
        "{error}"
    );
    let error = read("queues = [\n\"a\"\n[", Path::new("."), BUILTINS).expect_err("no TOML");
    assert!(error.to_string().contains("line 3: isn't TOML"), "{error}");
}

#[test]
fn the_guide_documents_every_key_and_no_other() {
    let document = include_str!("../../docs/GUIDE.md");
    let chapter = document
        .split("## What `countersign.toml` says")
        .nth(1)
        .expect("the chapter");
    let chapter = chapter.split("\n## ").next().expect("it");
    let mut named: Vec<&str> = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(key, _)| key)
        .collect();
    let functions = FUNCTION_KEYS.map(|key| format!("functions.NAME.{key}"));
    let further = ["workflows.NAME.type", "workflows.NAME.substitutions"];
    let tables = ["workflows", "functions"];
    let mut known: Vec<&str> = LOCAL_KEYS
        .iter()
        .copied()
        .filter(|key| !tables.contains(key))
        .collect();
    known.extend(further);
    known.extend(functions.iter().map(String::as_str));
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
}
