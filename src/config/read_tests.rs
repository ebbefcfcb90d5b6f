//! What is read, and how each thing that is wrong is told.

use super::*;
use crate::config::{self, gathered::Gathered};
use crate::intake::Ways;
use crate::state_data::Places;

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

const WHOLE: &str = r#"
public_url = "https://sign.example.com/"
organisation = "Example Ltd"
time_zone = "Europe/Berlin"
listen = "0.0.0.0:9000"
table = "countersign"
mail_from = "Countersign <countersign@example.com>"
look_every_seconds = 5
master_key_file = "master.key"
master_key_id = 2
evidence_key_file = "evidence.key"

[[older_keys]]
id = 1
file = "old.key"

[[people]]
name = "Bob"
email = "bob@example.com"

[[api_keys]]
id = "ci"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
scopes = ["requests:write", "requests:read"]
"#;

fn read_with(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Serve, String> {
    let variables = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let files = |path: &Path| match path.to_str() {
        Some("master.key" | "evidence.key") => Ok(format!("{KEY}\n").into_bytes()),
        Some("old.key") => Ok("0a".repeat(32).into_bytes()),
        Some("short.key") => Ok(b"c2hvcnQtY2FuYXJ5".to_vec()),
        _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
    };
    let file = file.map(|text| ("countersign.toml".to_owned(), text.to_owned()));
    Gathered::new(Ok(file), variables)
        .read(Runs::Service, &files)
        .map_err(|error| error.to_string())
}

#[test]
fn a_whole_file_is_read() {
    let serve = read_with(Some(WHOLE), &[]).expect("right");
    assert_eq!(serve.listen.port(), 9000);
    assert_eq!(serve.config.public_url, "https://sign.example.com");
    assert_eq!(serve.config.look_every, SignedDuration::from_secs(5));
    assert_eq!(serve.config.evidence_seed, [7; 32]);
    assert_eq!(serve.config.older_keys.len(), 1);
    assert_eq!(serve.config.people[0].email.as_deref(), Some("bob@example.com"));
    assert_eq!(
        serve.config.api_keys[0].scopes,
        BTreeSet::from([Scope::Write, Scope::Read])
    );
    assert!(!format!("{serve:?}").contains("0, 0, 0"));
}

#[test]
fn a_function_is_what_operations_says() {
    let function =
        |said: &str| read_with(Some(WHOLE), &[("COUNTERSIGN_OPERATIONS", said)]).map(|serve| serve.function);
    assert_eq!(function(""), Ok(Function::Intake));
    assert_eq!(function("off"), Ok(Function::Intake));
    assert_eq!(function("on"), Ok(Function::Operations));
    assert_eq!(function("task-tools"), Ok(Function::TaskTools));
    assert!(
        function("yes")
            .expect_err("wrong")
            .contains("operations: must be \"on\"")
    );
}

#[test]
fn where_state_data_goes_is_read_and_checked() {
    assert_eq!(
        read_with(Some(WHOLE), &[]).expect("right").config.state_data,
        None
    );
    let places = |lines: &str, variables: &[(&str, &str)]| {
        read_with(Some(&format!("{lines}\n{WHOLE}")), variables).map(|serve| serve.config.state_data)
    };
    let table = |table: &str| Places {
        table: table.into(),
        bucket: None,
        other_tables: vec![],
        keep_days: 30,
    };
    assert_eq!(
        places("state_data_table = \"data\"", &[]),
        Ok(Some(table("data")))
    );
    let all = "state_data_table = \"data\"\nstate_data_bucket = \"my.bucket-1\"\nstate_data_days = 7";
    let others = ("COUNTERSIGN_STATE_DATA_TABLES", r#"["one", "other"]"#);
    assert_eq!(
        places(all, &[others]),
        Ok(Some(Places {
            bucket: Some("my.bucket-1".into()),
            other_tables: vec!["one".into(), "other".into()],
            keep_days: 7,
            ..table("data")
        }))
    );
    for (lines, told) in [
        (
            "state_data_table = \"a b\"",
            "state_data_table: must be a table's name",
        ),
        (
            "state_data_bucket = \"bucket\"",
            "state_data_bucket: needs a state_data_table beside it",
        ),
        (
            "state_data_table = \"data\"\nstate_data_bucket = \"My_Bucket\"",
            "state_data_bucket: a bucket's name has",
        ),
        (
            "state_data_table = \"data\"\nstate_data_tables = [\"one\", 2]",
            "state_data_tables[1]: must be text",
        ),
        (
            "state_data_table = \"data\"\nstate_data_days = 0",
            "state_data_days: must be a number from 1 to 3650",
        ),
    ] {
        let refused = places(lines, &[]).expect_err(lines);
        assert!(refused.contains(told), "{lines}: {refused}");
    }
}

#[test]
fn variables_do_without_a_file_and_win_over_one() {
    let keys = r#"[{"id": "ci", "sha256": "sha256:0000000000000000000000000000000000000000000000000000000000000000", "scopes": ["requests:operate"]}]"#;
    let old = format!(r#"[{{"id": 9, "key": "{KEY}"}}]"#);
    let serve = read_with(
        None,
        &[
            ("COUNTERSIGN_PUBLIC_URL", "http://127.0.0.1:8080"),
            ("COUNTERSIGN_ORGANISATION", "Example Ltd"),
            ("COUNTERSIGN_TABLE", "countersign"),
            ("COUNTERSIGN_MAIL_FROM", "countersign@example.com"),
            ("COUNTERSIGN_MASTER_KEY", KEY),
            ("COUNTERSIGN_EVIDENCE_KEY", &"07".repeat(32)),
            ("COUNTERSIGN_OLDER_KEYS", &old),
            (
                "COUNTERSIGN_PEOPLE",
                r#"[{"name": "Bob", "email": "bob@example.com"}]"#,
            ),
            ("COUNTERSIGN_API_KEYS", keys),
            ("COUNTERSIGN_LOOK_EVERY_SECONDS", "60"),
            ("COUNTERSIGN_API_KEY", "of another command"),
            ("COUNTERSIGN_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("COUNTERSIGN_TIME_ZONE", ""),
            ("PATH", "/bin"),
        ],
    )
    .expect("right");
    assert_eq!(serve.config.look_every, SignedDuration::from_mins(1));
    assert_eq!(serve.config.evidence_seed, [7; 32]);
    assert_eq!(serve.config.time_zone, "UTC");
    assert_eq!(serve.listen.to_string(), "127.0.0.1:8080");

    let serve = read_with(Some(WHOLE), &[("COUNTERSIGN_TABLE", "other")]).expect("right");
    assert_eq!(serve.config.table, "other");
}

#[test]
fn everything_that_is_missing_is_named_with_what_to_do() {
    let error = read_with(None, &[]).expect_err("nothing is there");
    for expected in [
        "public_url: is missing: where signers reach the pages",
        "COUNTERSIGN_PUBLIC_URL",
        "organisation: is missing",
        "table: is missing",
        "mail_from: is missing",
        "master_key_file: is missing",
        "openssl rand -base64 32 > master.key",
        "evidence_key_file: is missing",
        "api_keys: there are none",
        "countersign keys new --id NAME",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn each_mistake_is_told_by_its_key() {
    for (wrong, right, expected) in [
        (
            "organization = \"x\"",
            "organisation",
            "organization: isn't a key that I know; did you mean organisation?",
        ),
        (
            "zyx = 1",
            "",
            "zyx: isn't a key that I know; docs/OPERATIONS.md and docs/GUIDE.md list them",
        ),
        (
            "master_key = \"canary\"",
            "",
            "master_key: is a secret, and doesn't belong in this file",
        ),
        ("table = 5", "table", "table: must be text"),
        ("table = \"a b\"", "table", "table: must be a table's name"),
        (
            "public_url = \"sign.example.com\"",
            "public_url",
            "public_url: must be an address",
        ),
        (
            "public_url = \"https://sign.example.com/?a=b\"",
            "public_url",
            "public_url: must be an address",
        ),
        (
            "public_url = \"https://sign.example.com/#a\"",
            "public_url",
            "public_url: must be an address",
        ),
        (
            "listen = \"8080\"",
            "listen",
            "listen: must be an address and a port",
        ),
        (
            "time_zone = \"Mars\"",
            "time_zone",
            "time_zone: isn't a time zone",
        ),
        (
            "mail_from = \"Bob\"",
            "mail_from",
            "mail_from: is not a mail address",
        ),
        (
            "look_every_seconds = 0",
            "look_every_seconds",
            "look_every_seconds: must be a number from 1 to 3600",
        ),
        (
            "master_key_id = 1",
            "master_key_id",
            "older_keys[0].id: is the number of another key",
        ),
        (
            "master_key_file = \"none.key\"",
            "master_key_file",
            "master_key_file: none.key can't be read",
        ),
        (
            "master_key_file = \"short.key\"",
            "master_key_file",
            "master_key_file: must be 32 bytes",
        ),
        (
            "file = \"none.key\"",
            "file",
            "older_keys[0].file: none.key can't be read",
        ),
        (
            "email = \"bob\"",
            "email",
            "people[0].email: is not a mail address",
        ),
        (
            "mail = \"bob\"",
            "email",
            "people[0].mail: isn't a key that I know; did you mean email?",
        ),
        (
            "sha256 = \"csk_canary\"",
            "sha256",
            "api_keys[0].sha256: must be the 64 hexadecimal digits",
        ),
        (
            "scopes = [\"request:write\"]",
            "scopes",
            "api_keys[0].scopes: isn't a scope that I know; did you mean requests:write?",
        ),
        (
            "scopes = []",
            "scopes",
            "api_keys[0].scopes: must be a list of scopes: requests:write,",
        ),
        ("table = canary", "table", "countersign.toml, line 6: isn't TOML"),
    ] {
        let is_replaced = |line: &&str| right.is_empty() || line.split(" = ").next() != Some(right);
        let mut lines: Vec<&str> = WHOLE.lines().collect();
        match lines.iter().position(|line| !is_replaced(line)) {
            Some(at) => lines[at] = wrong,
            None => lines.insert(0, wrong),
        }
        let error = read_with(Some(&lines.join("\n")), &[]).expect_err(wrong);
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("canary"), "{error}");
    }
    for (name, text, expected) in [
        (
            "COUNTERSIGN_TABEL",
            "x",
            "COUNTERSIGN_TABEL: isn't a variable that I know; did you mean COUNTERSIGN_TABLE?",
        ),
        ("COUNTERSIGN_PEOPLE", "canary", "COUNTERSIGN_PEOPLE: isn't JSON"),
        (
            "COUNTERSIGN_MASTER_KEY",
            KEY,
            "master_key: is given beside master_key_file",
        ),
    ] {
        let error = read_with(Some(WHOLE), &[(name, text)]).expect_err(name);
        assert!(
            error.contains(expected) && !error.contains("canary"),
            "{expected}: {error}"
        );
    }
}

/// What it says isn't known, and so not what is missing.
#[tokio::test]
async fn of_a_file_that_can_t_be_used_only_that_is_told() {
    let nothing = async || unreachable!("nothing is fetched");
    let file = ("here.toml".to_owned(), WHOLE.replace("table = ", "table "));
    for (gathered, expected) in [
        (
            config::gather(Some("none.toml"), [], nothing).await,
            "--config: none.toml can't be read: ",
        ),
        (
            config::gather(Some("ssm:"), [], nothing).await,
            "COUNTERSIGN_CONFIG: isn't complete: write ssm:NAME",
        ),
        (Gathered::new(Ok(Some(file)), []), "here.toml, line 6: isn't TOML"),
    ] {
        let read = gathered.read(Runs::Service, &|_| Ok(KEY.as_bytes().to_vec()));
        let error = read.expect_err(expected).to_string();
        assert!(error.contains(&format!("\n  {expected}")), "{error}");
        assert_eq!(error.lines().count(), 2, "{error}");
        assert!(gathered.unusable_file().is_some());
    }
    for none in [None, Some("")] {
        let gathered = config::gather(none, [], nothing).await;
        assert!(gathered.unusable_file().is_none(), "{none:?}");
    }
}

/// What is read when the references came to this.
fn read_referred(
    file: &str,
    variables: &[(&str, &str)],
    fetched: &[(&str, Result<&[u8], &str>)],
) -> Result<Serve, String> {
    let files = |_: &Path| Ok(KEY.as_bytes().to_vec());
    let variables = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let mut gathered = Gathered::new(
        Ok(Some(("countersign.toml".to_owned(), file.to_owned()))),
        variables,
    );
    let asked: Vec<String> = gathered.references().iter().map(ToString::to_string).collect();
    for (reference, came) in fetched {
        assert!(
            asked.contains(&(*reference).to_owned()),
            "{reference} isn't asked for: {asked:?}"
        );
        let came = came
            .map(|bytes| Secret::new(bytes.to_vec()))
            .map_err(str::to_owned);
        let reference = Reference::parse(reference).expect("one").expect("right");
        gathered.fetched.insert(reference, came);
    }
    assert_eq!(asked.len(), fetched.len(), "{asked:?}");
    let shown = format!("{:?}", gathered.shown());
    assert!(!shown.contains(KEY) && !shown.contains("canary"), "{shown}");
    gathered
        .read(Runs::Service, &files)
        .map_err(|error| error.to_string())
}

#[test]
fn a_reference_stands_for_a_secret() {
    let file = WHOLE
        .replace(
            "master_key_file = \"master.key\"",
            "master_key = \"secretsmanager:keys#master\"",
        )
        .replace("file = \"old.key\"", "key = \"ssm:/countersign/old\"");
    let keys = br#"[{"id": "ci", "sha256": "1111111111111111111111111111111111111111111111111111111111111111", "scopes": ["requests:write"]}]"#;
    let serve = read_referred(
        &file,
        &[("COUNTERSIGN_API_KEYS", "ssm:/countersign/api-keys")],
        &[
            ("secretsmanager:keys#master", Ok(&[9; 32])),
            ("ssm:/countersign/old", Ok(format!("{KEY}\n").as_bytes())),
            ("ssm:/countersign/api-keys", Ok(keys)),
        ],
    )
    .expect("right");
    assert_eq!(serve.config.older_keys.len(), 1);
    assert_eq!(serve.config.api_keys[0].sha256.as_bytes(), &[0x11; 32]);
}

#[test]
fn a_secret_that_can_t_be_had_is_told_by_its_key_and_never_shown() {
    let file = WHOLE
        .replace("master_key_file = \"master.key\"", "master_key = \"ssm:/master\"")
        .replace("file = \"old.key\"", "key = \"secretsmanager:old\"");
    let denied = "can't be read: Parameter Store in eu-central-1 says AccessDeniedException";
    let error = read_referred(
        &file,
        &[("COUNTERSIGN_PEOPLE", "secretsmanager:people")],
        &[
            ("ssm:/master", Err(denied)),
            ("secretsmanager:old", Ok(b"canary")),
            ("secretsmanager:people", Ok(b"canary")),
        ],
    )
    .expect_err("wrong");
    assert!(
        error.contains(&format!("\n  master_key: ssm:/master {denied}")),
        "{error}"
    );
    assert!(error.contains("older_keys[0].key: must be 32 bytes"), "{error}");
    assert!(
        error.contains("people: secretsmanager:people isn't a list in JSON"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");

    for (written, expected) in [
        (
            "key = \"canary\"",
            "older_keys[0].key: is a secret, and doesn't belong in this file",
        ),
        (
            "key = \"ssm:\"",
            "older_keys[0].key: isn't complete: write ssm:NAME",
        ),
    ] {
        let file = WHOLE.replace("file = \"old.key\"", written);
        let error = read_referred(&file, &[], &[]).expect_err(written);
        assert!(error.contains(expected) && !error.contains("canary"), "{error}");
    }
}

#[test]
fn a_function_needs_no_api_key() {
    let file = WHOLE.split("[[api_keys]]").next().expect("the rest");
    let error = read_with(Some(file), &[]).expect_err("a service does");
    assert!(error.contains("api_keys: there are none"), "{error}");
    let read = Gathered::new(Ok(Some(("countersign.toml".to_owned(), file.to_owned()))), [])
        .read(Runs::Function, &|_| Ok(KEY.as_bytes().to_vec()));
    assert!(read.is_ok_and(|serve| serve.config.api_keys.is_empty()));
}

#[test]
fn each_key_is_shown_with_where_it_comes_from() {
    let variables = [
        ("COUNTERSIGN_TABLE".to_owned(), "other".to_owned()),
        ("COUNTERSIGN_EVIDENCE_KEY".to_owned(), KEY.to_owned()),
        (
            "COUNTERSIGN_OLDER_KEYS".to_owned(),
            format!(r#"[{{"id": 9, "key": "{KEY}"}}]"#),
        ),
    ];
    let shown = Gathered::new(Ok(Some(("here.toml".to_owned(), WHOLE.to_owned()))), variables).shown();
    assert!(
        shown
            .iter()
            .map(|shown| shown.key)
            .eq(source::KEYS.iter().copied())
    );
    let find = |key: &str| {
        let found = shown.iter().find(|shown| shown.key == key).expect("known");
        let value = found.value.as_ref().map(ToString::to_string).unwrap_or_default();
        (value, found.origin.to_string())
    };
    let text = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(find("table"), text("\"other\"", "COUNTERSIGN_TABLE"));
    assert_eq!(find("organisation"), text("\"Example Ltd\"", "here.toml"));
    assert_eq!(
        find("evidence_key"),
        text("\"(hidden)\"", "COUNTERSIGN_EVIDENCE_KEY")
    );
    assert_eq!(
        find("older_keys"),
        text("[{\"id\":9,\"key\":\"(hidden)\"}]", "COUNTERSIGN_OLDER_KEYS")
    );
    assert_eq!(find("master_key"), text("", "default"));
}

/// The chapter of docs/OPERATIONS.md about the configuration.
fn chapter() -> &'static str {
    let document = include_str!("../../docs/OPERATIONS.md");
    let after = document
        .split("\n## Configuration\n")
        .nth(1)
        .expect("the chapter");
    after.split("\n##").next().expect("it")
}

#[test]
fn operations_md_says_each_default_and_each_field_of_a_list() {
    let row = |key: &str| {
        let begin = format!("| `{key}` |");
        let line = chapter().lines().find(|line| line.starts_with(&begin));
        line.unwrap_or_else(|| panic!("no row for {key}")).to_owned()
    };
    for (key, text) in source::DEFAULTS {
        let last = row(key)
            .trim_end_matches(" |")
            .rsplit('|')
            .next()
            .expect("a cell")
            .trim()
            .replace(['`', '"'], "");
        assert_eq!(last, *text, "{key}");
    }
    for (list, fields) in source::FIELDS {
        for field in *fields {
            assert!(
                row(list).contains(&format!("`{field}`")),
                "{list} doesn't say {field}"
            );
        }
    }
}

const WAYS: &str = r#"
intake_queues = ["https://sqs.eu-central-1.amazonaws.com/123456789012/approvals"]
dead_letter_queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/graves"

[activities."arn:aws:states:eu-central-1:123456789012:activity:validation"]
title = "Validate {id}"
signers = [{ name = "Bob" }]
timeout_seconds = 86400
output = "envelope"
"#;

#[test]
fn the_ways_in_are_read_from_the_file_and_from_variables() {
    let arn = "arn:aws:states:eu-central-1:123456789012:activity:validation";
    let ways = read_with(
        Some(&WHOLE.replace("[[older_keys]]", &format!("{WAYS}\n[[older_keys]]"))),
        &[],
    )
    .expect("right")
    .config
    .ways;
    assert_eq!(
        ways.queues,
        ["https://sqs.eu-central-1.amazonaws.com/123456789012/approvals"]
    );
    assert!(ways.dead_letter_queue.expect("one").ends_with("/graves"));
    assert_eq!(ways.activities[0].arn, arn);
    let request = ways.activities[0]
        .asks
        .request("t", &serde_json::json!({"id": 7}))
        .expect("filled in");
    assert_eq!(
        (&request["title"], &request["timeoutSeconds"]),
        (&"Validate 7".into(), &86400.into())
    );

    let by_variables = [
        (
            "COUNTERSIGN_INTAKE_QUEUES",
            r#"["http://127.0.0.1:4566/000000000000/a", "http://127.0.0.1:4566/000000000000/b.fifo"]"#,
        ),
        (
            "COUNTERSIGN_ACTIVITIES",
            &format!(r#"{{"{arn}": {{"title": "{{}}", "signer": "Bob"}}}}"#),
        ),
    ];
    let ways = read_with(Some(WHOLE), &by_variables).expect("right").config.ways;
    assert_eq!(
        (ways.queues.len(), ways.activities.len(), ways.dead_letter_queue),
        (2, 1, None)
    );
    // `countersign local` has a list under this name.
    let list = read_with(Some(&format!("activities = [\"validation\"]\n{WHOLE}")), &[]).expect("right");
    assert_eq!(list.config.ways, Ways::default());
}

#[test]
fn what_is_wrong_with_a_way_in_is_told_by_its_key() {
    let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/approvals";
    let activity = |text: &str| WAYS.split_once("title").expect("a title").0.to_owned() + text;
    let whole = WAYS.replace("graves", "approvals");
    for (lines, expected) in [
        (
            r#"intake_queues = "approvals""#,
            "intake_queues: must be a list of texts",
        ),
        (
            r#"intake_queues = ["approvals"]"#,
            "intake_queues[0]: must be a queue's address",
        ),
        (
            &format!(r#"intake_queues = ["{queue}", "{queue}"]"#),
            "intake_queues[1]: is named twice",
        ),
        (
            r#"dead_letter_queue = "graves""#,
            "dead_letter_queue: must be a queue's address",
        ),
        (&whole, "would come in again"),
        ("activities = 5", "activities: must be a table for each activity"),
        (
            "[activities.validation]\ntitle = \"a\"\nsigner = \"Bob\"",
            "must be an activity's ARN",
        ),
        (&activity("signer = \"Bob\""), "validation\".title: is missing"),
        (
            &activity("title = \"{\"\nsigner = \"Bob\""),
            "validation\".title: has a brace that is no reference",
        ),
        (
            &activity("title = \"a\"\nsigner = \"Carol\""),
            "validation\".signer: is not in the people directory",
        ),
        (
            &activity("title = \"a\"\nsigner = \"Bob\"\noutput = \"form\""),
            "validation\".output: isn't there yet, because forms aren't",
        ),
        (
            &activity("title = \"a\"\nsigner = \"Bob\"\noutput = \"envelop\""),
            "did you mean envelope?",
        ),
    ] {
        let file = WHOLE.replace("[[older_keys]]", &format!("{lines}\n[[older_keys]]"));
        let error = read_with(Some(&file), &[]).expect_err(expected);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn operations_md_documents_every_key_and_no_other() {
    let mut named: Vec<&str> = chapter()
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(key, _)| key)
        .collect();
    let mut known = source::KEYS.to_vec();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
}
