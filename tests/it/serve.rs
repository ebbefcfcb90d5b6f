//! What a load balancer asks, and how the program refuses to start.

use super::harness::{Fault, Harness};
use http::StatusCode;
use std::process::{Command, Output};

#[tokio::test(start_paused = true)]
async fn it_is_ready_while_the_table_answers() {
    let harness = Harness::start().await;
    assert_eq!(harness.get("/readyz").await.status, StatusCode::OK);
    // The SDK tries three times.
    harness
        .faults
        .next("GetItem", 3, Fault::Refused(400, "ResourceNotFoundException"));
    let answer = harness.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.body.contains("ResourceNotFound"), "{}", answer.body);
    assert_eq!(harness.get("/healthz").await.status, StatusCode::OK);
    harness.faults.clear();
    assert_eq!(harness.get("/readyz").await.status, StatusCode::OK);
    harness.finish().await;
}

/// The program, in an empty folder and an empty environment.
fn countersign(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = std::env::temp_dir().join(format!("countersign-serve-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder)
        .output();
    ended.expect("it runs")
}

#[test]
fn without_a_configuration_it_says_what_is_missing() {
    let ended = countersign(&["serve"], &[]);
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("public_url: is missing"), "{said}");
    assert!(said.contains("countersign keys new"), "{said}");

    let ended = countersign(&["serve", "--config", "elsewhere.toml"], &[]);
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("elsewhere.toml can't be read"), "{said}");
}

#[test]
fn without_a_region_it_does_not_start() {
    let key = "07".repeat(32);
    let api_keys = format!(r#"[{{"id": "ci", "sha256": "{key}", "scopes": ["requests:write"]}}]"#);
    let variables = [
        ("COUNTERSIGN_PUBLIC_URL", "https://sign.example.com"),
        ("COUNTERSIGN_ORGANISATION", "Example Ltd"),
        ("COUNTERSIGN_TABLE", "countersign"),
        ("COUNTERSIGN_MAIL_FROM", "countersign@example.com"),
        ("COUNTERSIGN_MASTER_KEY", &key),
        ("COUNTERSIGN_EVIDENCE_KEY", &key),
        ("COUNTERSIGN_API_KEYS", &api_keys),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let ended = countersign(&["serve"], &variables);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("AWS_REGION"), "{said}");
    assert!(!said.contains(&key), "{said}");
}

#[test]
fn a_fresh_key_is_printed_once_with_its_hash() {
    let ended = countersign(&["keys", "new", "--id", "ci", "--scope", "requests:read"], &[]);
    assert!(ended.status.success());
    let said = String::from_utf8(ended.stdout).unwrap();
    let key = said.lines().find(|line| line.starts_with("csk_")).expect("a key");
    let hash = countersign::domain::digest::Sha256::of(key.as_bytes()).to_string();
    let line = format!("sha256 = \"{}\"", hash.trim_start_matches("sha256:"));
    assert!(said.contains(&line), "{said}");
    assert!(said.contains("scopes = [\"requests:read\"]"), "{said}");
    let other = String::from_utf8(countersign(&["keys", "new"], &[]).stdout).unwrap();
    assert!(!other.contains(key));
    let refused = countersign(&["keys", "new", "--scope", "everything"], &[]);
    assert_eq!(refused.status.code(), Some(2));
}
