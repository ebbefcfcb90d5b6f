//! Redrives of executions with distributed Maps: their Map Runs go on, where that can mend anything.

use asl::{Event, Failure, Happened, Status};
use serde_json::{Value, json};

use crate::driver::Driver;

fn map(each: &str, more: &Value) -> Value {
    let mut map = json!({"Type": "Map", "End": true, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": each, "States": {each: {"Type": "Pass", "End": true}}
    }});
    for (name, value) in more.as_object().unwrap() {
        map[name] = value.clone();
    }
    map
}

fn machine(more: &Value) -> Value {
    json!({"StartAt": "All", "States": {"All": map("Each", more)}})
}

fn fail(driver: &mut Driver, arn: &str, error: &str) {
    let failure = Failure {
        error: Some(error.into()),
        cause: Some("why".into()),
        also: None,
    };
    let arn = arn.to_owned();
    assert_eq!(driver.tell(Happened::MapRunFailed { arn, failure }), None);
}

#[test]
fn the_run_that_failed_goes_on() {
    let mut driver = Driver::start(&machine(&json!({})), "[1, 2]");
    let run = driver.map_runs[0].clone();
    for count in 1..=2 {
        fail(&mut driver, &run.arn, "States.ExceedToleratedFailureThreshold");
        assert_eq!(driver.failure().0, "States.ExceedToleratedFailureThreshold");
        let before = driver.history().len();
        driver.redrive();
        assert_eq!(driver.events()[before..], ["ExecutionRedriven", "MapRunRedriven"]);
        let event = &driver.history()[before + 1];
        assert_eq!(
            event["mapRunRedrivenEventDetails"],
            json!({"mapRunArn": run.arn, "redriveCount": count})
        );
        assert_eq!(event["previousEventId"], before + 1);
        assert_eq!(driver.execution.open_map_runs(), driver.map_runs);
        assert_eq!(driver.redriven.len(), count);
        driver.restart();
    }
    let selecting = driver.execution.selecting(&run.arn, driver.now);
    assert_eq!(selecting.unwrap().given(), (&[json!(1), json!(2)][..], false));
    driver.tell(Happened::MapRunSucceeded {
        arn: run.arn,
        output: json!(["a", "b"]),
    });
    assert_eq!(driver.output(), &json!(["a", "b"]));
    assert_eq!(driver.map_runs.len(), 1);
}

#[test]
fn what_no_child_can_mend_begins_another_run() {
    for (error, again) in [
        ("States.DataLimitExceeded", true),
        ("States.Runtime", true),
        ("States.ItemReaderFailed", false),
        ("States.ResultWriterFailed", false),
    ] {
        let mut driver = Driver::start(&machine(&json!({})), "[1]");
        let first = driver.map_runs[0].arn.clone();
        fail(&mut driver, &first, error);
        driver.redrive();
        let open = driver.execution.open_map_runs();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].arn != first, again, "{error}");
        assert_eq!(driver.redriven.is_empty(), again, "{error}");
        driver.restart();
    }
    // Its result could not be placed.
    let mut driver = Driver::start(&machine(&json!({"OutputPath": "$.none"})), "[1]");
    let arn = driver.map_runs[0].arn.clone();
    driver.tell(Happened::MapRunSucceeded {
        arn,
        output: json!([]),
    });
    assert_eq!(driver.failure().0, "States.Runtime");
    driver.redrive();
    assert_eq!((driver.map_runs.len(), driver.redriven.len()), (2, 0));
}

#[test]
fn runs_that_were_given_up_go_on_beside_the_one_that_failed() {
    let branch =
        |name: &str| json!({"StartAt": name, "States": {name: map(&format!("Each{name}"), &json!({}))}});
    let parallel = json!({"StartAt": "P", "States": {"P": {
        "Type": "Parallel", "End": true, "Branches": [branch("A"), branch("B")],
    }}});
    let mut driver = Driver::start(&parallel, "[1]");
    let runs = driver.map_runs.clone();
    fail(&mut driver, &runs[0].arn, "Mine");
    assert_eq!(driver.map_runs.len(), 1, "the other one is given up");
    driver.redrive();
    let arns: Vec<&String> = runs.iter().map(|run| &run.arn).collect();
    assert_eq!(driver.redriven.iter().collect::<Vec<_>>(), arns);
    assert_eq!(driver.execution.open_map_runs().len(), 2);
    for run in &runs {
        let arn = run.arn.clone();
        driver.tell(Happened::MapRunSucceeded {
            arn,
            output: json!([0]),
        });
    }
    assert_eq!(driver.output(), &json!([[0], [0]]));

    for stopped in [true, false] {
        let timed =
            json!({"TimeoutSeconds": 60, "StartAt": "All", "States": {"All": map("Each", &json!({}))}});
        let mut driver = Driver::start(&timed, "[1]");
        if stopped {
            let (error, cause) = (None, None);
            driver.tell(Happened::Stopped { error, cause });
        } else {
            driver.pass(60);
            assert_eq!(driver.execution.status(), &Status::TimedOut);
        }
        driver.redrive();
        assert_eq!(
            (driver.redriven.len(), driver.execution.open_map_runs().len()),
            (1, 1)
        );
    }
}

#[test]
fn of_several_runs_the_latest_goes_on() {
    let retry = json!({"Retry": [{"ErrorEquals": ["Mine"], "MaxAttempts": 1, "IntervalSeconds": 1}]});
    let mut driver = Driver::start(&machine(&retry), "[1]");
    let first = driver.map_runs[0].arn.clone();
    fail(&mut driver, &first, "Mine");
    driver.pass(1);
    let second = driver.map_runs[1].arn.clone();
    fail(&mut driver, &second, "Mine");
    driver.redrive();
    assert_eq!(driver.redriven, std::slice::from_ref(&second));
    // Its retries begin anew, with runs of their own.
    fail(&mut driver, &second, "Mine");
    driver.pass(1);
    assert_eq!(driver.map_runs.len(), 3);
}

#[test]
fn a_thousand_times_and_no_more() {
    let mut driver = Driver::start(&machine(&json!({})), "[1]");
    let arn = driver.map_runs[0].arn.clone();
    fail(&mut driver, &arn, "Mine");
    driver.redrive();
    // As if it had been so often: the journal is long, and each redrive reads it.
    for entry in &mut driver.journal {
        if let Event::MapRunRedriven { count, .. } = &mut entry.event {
            *count = 1_000;
        }
    }
    fail(&mut driver, &arn, "Mine");
    driver.redrive();
    assert_eq!(driver.failure().0, "States.Runtime");
}
