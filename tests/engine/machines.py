"""State machines that have among them every type of state, and every way in which a task can be answered. What each comes to
depends on its input alone, never on when it was killed."""

import json

ACCOUNT = "123456789012"
STATES = f"arn:aws:states:us-east-1:{ACCOUNT}"
QUEUES = f"http://sqs.us-east-1.amazonaws.com/{ACCOUNT}"
# The functions of `examples/serve.rs`.
ECHO, FAIL, SLOW = "echo", "fail", "slow"
# Messages that the actor answers, answers with a failure, and leaves alone.
ANSWERED, REJECTED, IGNORED = "answered", "rejected", "ignored"
# Its worker is the actor.
ACTIVITY = f"{STATES}:activity:by-hand"
# Longer than any run: what waits so long doesn't time out.
LONG = 3600


def machine(start: str, **states: dict) -> dict:
    return {"StartAt": start, "States": states}


def invoke(function: str, **more) -> dict:
    return {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
        "ResultSelector": {"echoed.$": "$.Payload"}, "ResultPath": "$.function",
    } | more


def ask(queue: str, **more) -> dict:
    body = {"token.$": "$$.Task.Token", "execution.$": "$$.Execution.Name", "state.$": "$$.State.Name"}
    return {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": f"{QUEUES}/{queue}", "MessageBody": body}, "TimeoutSeconds": LONG,
    } | more


def catch(error: str, to: str) -> dict:
    return {"Catch": [{"ErrorEquals": [error], "ResultPath": "$.caught", "Next": to}]}


COUNT = {
    "Type": "Pass", "Next": "Again?",
    "Parameters": {"n.$": "$.n", "rounds.$": "$.rounds", "round.$": "States.MathAdd($.round, 1)"},
}


def again(to: str) -> dict:
    more = {"Variable": "$.round", "NumericLessThanPath": "$.rounds", "Next": to}
    return {"Type": "Choice", "Choices": [more], "Default": "Done"}


DONE = {"Type": "Succeed"}
WAIT = {"Type": "Wait", "Seconds": 1}

CHILD = machine("Rest", Rest=WAIT | {"Next": "Say"}, Say={"Type": "Pass", "Parameters": {"n.$": "$.n"}, "End": True})

# By name. Each is started with `{"n": number, "round": 0, "rounds": 3, "items": […]}`.
MACHINES = {
    "tour": machine(
        "Rest", Rest=WAIT | {"Next": "Echo"}, Echo=invoke(ECHO, Next="Count"), Count=COUNT,
        **{"Again?": again("Rest")}, Done=DONE,
    ),
    "calls": machine(
        "Call",
        Call={
            "Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{ECHO}", "ResultPath": "$.last",
            "TimeoutSeconds": LONG, "Next": "Count",
        },
        Count=COUNT, **{"Again?": again("Call")}, Done=DONE,
    ),
    "jsonata": machine(
        "Set", Set={"Type": "Pass", "Assign": {"round": "{% $states.input.round %}"}, "Next": "Echo"},
        Echo={
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Again?",
            "Arguments": {"FunctionName": ECHO, "Payload": "{% $states.input %}"},
            "Assign": {"round": "{% $round + 1 %}"}, "Output": "{% $states.result.Payload %}",
        },
        **{"Again?": {
            "Type": "Choice", "Default": "Done",
            "Choices": [{"Condition": "{% $round < $states.input.rounds %}", "Next": "Rest"}],
        }},
        Rest={"Type": "Wait", "Seconds": "{% $round %}", "Next": "Echo"},
        Done={"Type": "Succeed", "Output": "{% {'n': $states.input.n, 'rounds': $round} %}"},
    ) | {"QueryLanguage": "JSONata"},
    "queue": machine(
        "Ask", Ask=ask(ANSWERED, ResultPath="$.answer", HeartbeatSeconds=LONG - 1, Next="Count"),
        Count=COUNT, **{"Again?": again("Ask")}, Done=DONE,
    ),
    "token": machine(
        "Ask",
        Ask={
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "ResultPath": "$.answer",
            "Parameters": {"FunctionName": ECHO, "Payload": {"token.$": "$$.Task.Token", "n.$": "$.n"}}, "End": True,
        },
    ),
    "both": machine(
        "Both",
        Both={
            "Type": "Parallel", "ResultPath": "$.both", "Next": "Done",
            "Branches": [
                machine("Ask", Ask=ask(ANSWERED, End=True)),
                machine("Rest", Rest=WAIT | {"Seconds": 2, "Next": "Echo"}, Echo=invoke(ECHO, End=True)),
                machine("Slow", Slow=invoke(SLOW, End=True)),
            ],
        },
        Done=DONE,
    ),
    "each": machine(
        "Each",
        Each={
            "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ResultPath": "$.each", "End": True,
            "ItemSelector": {"n.$": "$.n", "index.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value"},
            "ItemProcessor": machine("Echo", Echo=invoke(ECHO, Next="Rest"), Rest=WAIT | {"End": True}),
        },
    ),
    "retried": machine(
        "Try",
        Try=invoke(
            FAIL, Next="Done",
            Retry=[{"ErrorEquals": ["Example.Failed"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1}],
            **catch("States.ALL", "Mend"),
        ),
        Mend={"Type": "Pass", "ResultPath": "$.mended", "Parameters": {"error.$": "$.caught.Error"}, "Next": "Done"},
        Done=DONE,
    ),
    "failing": machine(
        "Rest", Rest=WAIT | {"Next": "Give up"}, **{"Give up": {"Type": "Fail", "Error": "Given", "Cause": "up"}}
    ),
    "rejected": machine(
        "Ask", Ask=ask(REJECTED, Next="Done", **catch("Approval.Rejected", "Refused")),
        Refused={"Type": "Fail", "ErrorPath": "$.caught.Error", "CausePath": "$.caught.Cause"}, Done=DONE,
    ),
    "late": machine(
        "Ask", Ask=ask(IGNORED, TimeoutSeconds=2, Next="Done", **catch("States.Timeout", "Beat")),
        Beat=ask(IGNORED, HeartbeatSeconds=1, Next="Done", **catch("States.Timeout", "Done")), Done=DONE,
    ),
    "limited": machine("Ask", Ask=ask(IGNORED, End=True)) | {"TimeoutSeconds": 3},
    "broken": machine(
        "Both",
        Both={
            "Type": "Parallel", "Next": "Done",
            "Branches": [
                machine("Ask", Ask=ask(IGNORED, End=True)),
                machine("Rest", Rest=WAIT | {"Next": "Echo"}, Echo=invoke(FAIL, End=True)),
            ],
        } | catch("Example.Failed", "Done"),
        Done=DONE,
    ),
    "nested": machine(
        "Run",
        Run={
            "Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "ResultPath": "$.child",
            "Parameters": {"StateMachineArn": f"{STATES}:stateMachine:child", "Input": {"n.$": "$.n"}},
            "ResultSelector": {"output.$": "$.Output"}, "End": True,
        },
    ),
    "activity": machine(
        "Work",
        Work={
            "Type": "Task", "Resource": ACTIVITY, "Parameters": {"execution.$": "$$.Execution.Name", "state.$": "$$.State.Name"},
            "ResultPath": "$.work", "TimeoutSeconds": LONG, "HeartbeatSeconds": 2, "End": True,
            # A task whose worker was killed with the poll's answer under way is lost to it.
            "Retry": [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 99, "BackoffRate": 1}],
        },
    ),
    "runs": machine(
        "Runs",
        Runs={
            "Type": "Map", "Label": "Runs", "ItemsPath": "$.items", "MaxConcurrency": 2, "ResultPath": "$.runs", "End": True,
            "ItemProcessor": machine("Rest", Rest=WAIT | {"Next": "Say"}, Say={"Type": "Pass", "End": True})
            | {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}},
        },
    ),
    "launch": machine(
        "Launch",
        Launch={
            "Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "ResultPath": "$.launched",
            "Parameters": {"StateMachineArn": f"{STATES}:stateMachine:child", "Input": {"n.$": "$.n"}}, "Next": "Count",
        },
        Count=COUNT, **{"Again?": again("Launch")}, Done=DONE,
    ),
    "stopped": machine("Rest", Rest=WAIT | {"Seconds": LONG, "End": True}),
}


def given(number: int) -> str:
    """What the execution of this number is started with."""
    return json.dumps({"n": number, "round": 0, "rounds": 3, "items": ["a", "ä", {"b": [1]}, None, 5]})
