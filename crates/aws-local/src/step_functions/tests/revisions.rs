//! Versions, aliases, tags and settings of state machines.

use super::*;

fn commented(comment: &str) -> String {
    let mut machine = pass();
    machine["Comment"] = comment.into();
    machine.to_string()
}

#[tokio::test(start_paused = true)]
async fn versions_stand_for_revisions() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let machine = create(&aws, "m", &pass()).await;
    let publish = json!({"stateMachineArn": machine, "description": "first", "revisionId": "INITIAL"});
    let first = ok(&aws, "PublishStateMachineVersion", publish).await;
    let again = ok(
        &aws,
        "PublishStateMachineVersion",
        json!({"stateMachineArn": machine}),
    )
    .await;
    assert_eq!(again, first, "a revision is published once");
    let update = json!({"stateMachineArn": machine, "definition": commented("two"), "publish": true, "versionDescription": "second"});
    let second = ok(&aws, "UpdateStateMachine", update).await;
    let (first, second) = (
        &first["stateMachineVersionArn"],
        &second["stateMachineVersionArn"],
    );
    assert_eq!(
        second.as_str(),
        Some("arn:aws:states:us-east-1:123456789012:stateMachine:m:2")
    );
    let described = ok(&aws, "DescribeStateMachine", json!({"stateMachineArn": first})).await;
    assert_eq!(
        (
            &described["description"],
            &described["definition"],
            described.get("revisionId")
        ),
        (&json!("first"), &json!(pass().to_string()), None)
    );
    let execution = start(&aws, first, &json!({})).await;
    let described = ended(&aws, &execution).await;
    assert_eq!(&described["stateMachineVersionArn"], first);
    assert_eq!(described["stateMachineArn"], machine);
    let of_execution = json!({"executionArn": execution});
    let ran = ok(&aws, "DescribeStateMachineForExecution", of_execution).await;
    assert_eq!(ran["definition"], pass().to_string());

    ok(
        &aws,
        "DeleteStateMachineVersion",
        json!({"stateMachineVersionArn": first}),
    )
    .await;
    let gone = refused(&aws, "StartExecution", json!({"stateMachineArn": first})).await;
    assert!(gone.starts_with("StateMachineDoesNotExist"), "{gone}");
    let update = json!({"stateMachineArn": machine, "definition": commented("three"), "publish": true});
    let third = ok(&aws, "UpdateStateMachine", update).await;
    assert!(
        third["stateMachineVersionArn"]
            .as_str()
            .is_some_and(|arn| arn.ends_with(":3"))
    );
    let listed = ok(
        &aws,
        "ListStateMachineVersions",
        json!({"stateMachineArn": machine, "maxResults": 1}),
    )
    .await;
    assert_eq!(
        listed["stateMachineVersions"][0]["stateMachineVersionArn"],
        third["stateMachineVersionArn"]
    );
    let rest = json!({"stateMachineArn": machine, "nextToken": listed["nextToken"]});
    let rest = ok(&aws, "ListStateMachineVersions", rest).await;
    assert_eq!(&rest["stateMachineVersions"][0]["stateMachineVersionArn"], second);
    let stale = json!({"stateMachineArn": machine, "revisionId": "INITIAL"});
    let stale = refused(&aws, "PublishStateMachineVersion", stale).await;
    assert!(
        stale.starts_with(
            "ConflictException: Failed to publish the State Machine version for revision INITIAL."
        ),
        "{stale}"
    );
}

#[tokio::test(start_paused = true)]
async fn creating_is_idempotent_in_publishing_too() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let body = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE, "publish": true});
    let created = ok(&aws, "CreateStateMachine", body.clone()).await;
    assert_eq!(ok(&aws, "CreateStateMachine", body.clone()).await, created);
    let mut other_role = body.clone();
    other_role["roleArn"] = "arn:aws:iam::123456789012:role/other".into();
    assert_eq!(ok(&aws, "CreateStateMachine", other_role).await, created);
    let mut unpublished = body;
    unpublished["publish"] = false.into();
    let refused = refused(&aws, "CreateStateMachine", unpublished).await;
    assert!(refused.starts_with("StateMachineAlreadyExists"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn aliases_lead_to_versions() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let machine = create(&aws, "m", &pass()).await;
    let mut versions = Vec::new();
    for comment in ["1", "2"] {
        let update = json!({"stateMachineArn": machine, "definition": commented(comment), "publish": true});
        versions.push(ok(&aws, "UpdateStateMachine", update).await["stateMachineVersionArn"].clone());
    }
    let route = |n: usize, weight: u8| json!({"stateMachineVersionArn": versions[n], "weight": weight});
    let create = json!({"name": "PROD", "routingConfiguration": [route(0, 100)]});
    let alias = ok(&aws, "CreateStateMachineAlias", create.clone()).await;
    assert_eq!(ok(&aws, "CreateStateMachineAlias", create).await, alias);
    let arn = &alias["stateMachineAliasArn"];
    assert_eq!(
        arn.as_str(),
        Some("arn:aws:states:us-east-1:123456789012:stateMachine:m:PROD")
    );
    let described = ended(&aws, &start(&aws, arn, &json!({})).await).await;
    assert_eq!(
        (
            &described["stateMachineAliasArn"],
            &described["stateMachineVersionArn"]
        ),
        (arn, &versions[0])
    );
    let update = json!({"stateMachineAliasArn": arn, "routingConfiguration": [route(0, 50), route(1, 50)]});
    ok(&aws, "UpdateStateMachineAlias", update).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let described = ended(&aws, &start(&aws, arn, &json!({})).await).await;
        seen.insert(described["stateMachineVersionArn"].to_string());
    }
    assert_eq!(seen.len(), 2, "both versions run");
    let listed = ok(
        &aws,
        "ListExecutions",
        json!({"stateMachineArn": arn, "maxResults": 1000}),
    )
    .await;
    assert_eq!(listed["executions"].as_array().map(Vec::len), Some(201));
    let in_use = json!({"stateMachineVersionArn": versions[1]});
    let in_use = refused(&aws, "DeleteStateMachineVersion", in_use).await;
    assert!(
        in_use.ends_with("Current list of aliases referencing this version: [PROD]"),
        "{in_use}"
    );
    let of_version = ok(
        &aws,
        "ListStateMachineAliases",
        json!({"stateMachineArn": versions[1]}),
    )
    .await;
    assert_eq!(&of_version["stateMachineAliases"][0]["stateMachineAliasArn"], arn);
    let nothing = json!({"stateMachineAliasArn": arn});
    let nothing = refused(&aws, "UpdateStateMachineAlias", nothing).await;
    assert!(nothing.starts_with("ValidationException"), "{nothing}");
    ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": machine})).await;
    let gone = refused(
        &aws,
        "DescribeStateMachineAlias",
        json!({"stateMachineAliasArn": arn}),
    )
    .await;
    assert!(gone.starts_with("ResourceNotFound"), "{gone}");
}

#[tokio::test(start_paused = true)]
async fn tags_have_a_limit_and_settings_are_shown() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let tags = |range: std::ops::Range<usize>| -> Value {
        range
            .map(|n| json!({"key": format!("k{n}"), "value": ""}))
            .collect()
    };
    let destination =
        json!({"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:1:log-group:g:*"}});
    let body = json!({
        "name": "m", "definition": pass().to_string(), "roleArn": ROLE, "tags": tags(0..50),
        "loggingConfiguration": {"level": "ALL", "includeExecutionData": true, "destinations": [destination]},
        "tracingConfiguration": {"enabled": true},
        "encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"},
    });
    let machine = ok(&aws, "CreateStateMachine", body).await["stateMachineArn"].clone();
    let described = ok(&aws, "DescribeStateMachine", json!({"stateMachineArn": machine})).await;
    assert_eq!(
        described["loggingConfiguration"]["destinations"],
        json!([destination])
    );
    assert_eq!(described["tracingConfiguration"], json!({"enabled": true}));
    assert_eq!(
        described["encryptionConfiguration"]["kmsDataKeyReusePeriodSeconds"],
        300
    );
    let tag = |tags: Value| json!({"resourceArn": machine, "tags": tags});
    ok(&aws, "TagResource", tag(json!([{"key": "k0", "value": "new"}]))).await;
    assert!(
        refused(&aws, "TagResource", tag(tags(50..51)))
            .await
            .starts_with("TooManyTags")
    );
    let listed = ok(&aws, "ListTagsForResource", json!({"resourceArn": machine})).await;
    assert_eq!(listed["tags"].as_array().map(Vec::len), Some(50));
    assert_eq!(listed["tags"][0], json!({"key": "k0", "value": "new"}));
    for (name, value, expected) in [
        (
            "loggingConfiguration",
            json!({"level": "ERROR"}),
            "InvalidLoggingConfiguration",
        ),
        (
            "encryptionConfiguration",
            json!({"type": "CUSTOMER_MANAGED_KMS_KEY"}),
            "InvalidEncryptionConfiguration",
        ),
    ] {
        let mut body = json!({"name": "other", "definition": pass().to_string(), "roleArn": ROLE});
        body[name] = value;
        assert!(
            refused(&aws, "CreateStateMachine", body)
                .await
                .starts_with(expected)
        );
    }
    let unknown = json!({"resourceArn": "arn:aws:states:us-east-1:123456789012:activity:none"});
    assert!(
        refused(&aws, "ListTagsForResource", unknown)
            .await
            .starts_with("ResourceNotFound")
    );
}

#[tokio::test(start_paused = true)]
async fn executions_of_a_machine_that_is_deleted_end_at_their_next_transition() {
    let aws = AwsLocal::start(options(None)).await.expect("it starts");
    let wait = |next: Value| {
        let mut wait = json!({"Type": "Wait", "Seconds": 30});
        for (name, value) in next.as_object().expect("a field") {
            wait[name] = value.clone();
        }
        wait
    };
    let two =
        json!({"StartAt": "A", "States": {"A": wait(json!({"Next": "B"})), "B": wait(json!({"End": true}))}});
    let machine = create(&aws, "m", &two).await;
    let execution = start(&aws, &machine, &json!({})).await;
    ok(&aws, "DeleteStateMachine", json!({"stateMachineArn": machine})).await;
    let described = ok(&aws, "DescribeStateMachine", json!({"stateMachineArn": machine})).await;
    assert_eq!(described["status"], "DELETING");
    assert_eq!(ended(&aws, &execution).await["status"], "ABORTED");
    let gone = refused(&aws, "DescribeStateMachine", json!({"stateMachineArn": machine})).await;
    assert!(gone.starts_with("StateMachineDoesNotExist"), "{gone}");
    // One of the same name is another one.
    let again = create(&aws, "m", &two).await;
    let execution = start(&aws, &again, &json!({})).await;
    assert_eq!(ended(&aws, &execution).await["status"], "SUCCEEDED");
}
