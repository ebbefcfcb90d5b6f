"""S3 and SQS of the embedded AWS under clients that nobody here wrote: boto3, the AWS CLI and the JavaScript SDK,
unmodified."""

import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from demo import fetch, wait_until

ROOT = Path(__file__).parents[2]
# Where tests/run puts what the consumer in Node needs.
NODE_PACKAGES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "node"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def s3(demo):
    return demo.client("s3")


@pytest.fixture
def bucket(s3) -> str:
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


def hold_against_model(value, shape, where: str):
    """Fails when an answer in JSON has a member that AWS's own model of the API doesn't."""
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        unknown = set(value) - set(members)
        assert not unknown, f"{where}: {unknown}"
        for name, inner in value.items():
            hold_against_model(inner, members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            hold_against_model(inner, shape.member, f"{where}[]")
    elif shape.type_name == "map":
        for inner in value.values():
            hold_against_model(inner, shape.value, f"{where}{{}}")
    else:
        kind = {"string": str, "integer": int, "boolean": bool, "blob": str}[shape.type_name]
        assert isinstance(value, kind), f"{where}: {value!r} is no {shape.type_name}"


@pytest.fixture(scope="module")
def sqs(demo):
    """Every answer that it gets is held against the model."""
    client = demo.client("sqs")

    def check(http_response, model, **_):
        if http_response.status_code == 200 and model.output_shape:
            hold_against_model(json.loads(http_response.content), model.output_shape, model.name)

    client.meta.events.register("after-call.sqs", check)
    return client


@pytest.fixture
def queue(sqs) -> str:
    return sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex}")["QueueUrl"]


def code(refused) -> str:
    return refused.value.response["Error"]["Code"]


# ---- S3 ----------------------------------------------------------------------------------------


def test_an_object_keeps_its_metadata_and_is_read_in_ranges(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="a/ü b+c", Body=b"Hello, world", ContentType="text/plain", Metadata={"who": "Bob"})
    got = s3.get_object(Bucket=bucket, Key="a/ü b+c")
    assert got["Body"].read() == b"Hello, world"
    assert (got["ContentType"], got["Metadata"], got["ETag"]) == ("text/plain", {"who": "Bob"}, put["ETag"])
    assert s3.get_object(Bucket=bucket, Key="a/ü b+c", Range="bytes=7-")["Body"].read() == b"world"
    assert s3.head_object(Bucket=bucket, Key="a/ü b+c")["ContentLength"] == 12
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="none")
    with pytest.raises(ClientError) as refused:
        s3.head_object(Bucket=bucket, Key="none")
    assert code(refused) == "404"
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="a/ü b+c", Range="bytes=99-")
    assert code(refused) == "InvalidRange"


def test_conditions(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=bucket, Key="k", Body=b"2", **condition)
        assert code(refused) == "PreconditionFailed"
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=tag)
    assert code(refused) == "304"
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=tag)


def test_a_big_file_goes_up_in_parts_and_comes_down_the_same(s3, bucket, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(os.urandom(MIB) * 20)
    s3.upload_file(str(big), bucket, "big", ExtraArgs={"ContentType": "application/pdf"})
    head = s3.head_object(Bucket=bucket, Key="big")
    assert (head["ContentLength"], head["ContentType"]) == (20 * MIB, "application/pdf")
    assert head["ETag"].endswith('-3"')
    s3.download_file(bucket, "big", str(tmp_path / "back"))
    assert hashlib.sha256((tmp_path / "back").read_bytes()).digest() == hashlib.sha256(big.read_bytes()).digest()
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy")
    assert s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == 20 * MIB
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_list_of_many_comes_in_pages_and_many_are_deleted_at_once(s3, bucket):
    keys = sorted(f"{n % 5}/{n:04}" for n in range(2500))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), keys))
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket))
    assert [len(page["Contents"]) for page in pages] == [1000, 1000, 500]
    assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    folders = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [folder["Prefix"] for folder in folders["CommonPrefixes"]] == ["0/", "1/", "2/", "3/", "4/"]
    found = s3.get_paginator("list_objects").paginate(Bucket=bucket, Prefix="3/", PaginationConfig={"PageSize": 70})
    assert sum(len(page["Contents"]) for page in found) == 500
    for begin in range(0, 2500, 1000):
        objects = [{"Key": key} for key in keys[begin : begin + 1000]]
        assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]) == len(objects)
    s3.delete_bucket(Bucket=bucket)
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket=bucket)


def test_a_version_stays_what_it_was(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="contract", Body=b"first")["VersionId"]
    s3.put_object(Bucket=bucket, Key="contract", Body=b"second")
    s3.delete_object(Bucket=bucket, Key="contract")
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=bucket, Key="contract")
    assert s3.get_object(Bucket=bucket, Key="contract", VersionId=first)["Body"].read() == b"first"
    listed = s3.list_object_versions(Bucket=bucket)
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (2, 1)


def test_a_presigned_address_needs_no_client(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"Hello")
    address = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert fetch(address).text == "Hello"


def test_buckets_by_their_host_s_name(demo, s3, bucket):
    s3.put_object(Bucket=bucket, Key="v2/email/account", Body=b"virtual")
    virtual = boto3.client(
        "s3", endpoint_url="http://s3.localhost", region_name="us-east-1",
        aws_access_key_id="any", aws_secret_access_key="any", config=Config(s3={"addressing_style": "virtual"}),
    )
    address = virtual.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "v2/email/account"})
    host = f"{bucket}.s3.localhost"
    assert address.startswith(f"http://{host}/v2/")
    # Not every machine's resolver knows the names below localhost.
    assert fetch(address.replace(f"http://{host}", demo.aws), headers={"host": host}).text == "virtual"


def aws(demo, *arguments) -> str:
    done = subprocess.run(
        [Path(sys.executable).with_name("aws"), "--endpoint-url", demo.aws, "--region", "us-east-1", *arguments],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_aws_cli(demo, bucket, queue, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * (9 * MIB))
    aws(demo, "s3", "cp", str(tmp_path / "file"), f"s3://{bucket}/folder/file")
    assert "folder/" in aws(demo, "s3", "ls", f"s3://{bucket}")
    aws(demo, "s3", "sync", f"s3://{bucket}", str(tmp_path / "back"))
    assert (tmp_path / "back/folder/file").stat().st_size == 9 * MIB
    aws(demo, "sqs", "send-message", "--queue-url", queue, "--message-body", "Hello")
    received = json.loads(aws(demo, "sqs", "receive-message", "--queue-url", queue))
    assert received["Messages"][0]["Body"] == "Hello"


# ---- SQS ---------------------------------------------------------------------------------------


def test_a_message_with_attributes_is_received_once(sqs, queue):
    attributes = {"who": {"DataType": "String", "StringValue": "Alice"}, "raw": {"DataType": "Binary", "BinaryValue": b"\0\1"}}
    sent = sqs.send_message(QueueUrl=queue, MessageBody="Hello", MessageAttributes=attributes)
    received = sqs.receive_message(
        QueueUrl=queue, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5
    )
    (message,) = received["Messages"]
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    numbers = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert numbers["ApproximateNumberOfMessages"] == numbers["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_a_long_poll_gets_the_message_as_it_comes(sqs, queue):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        polled = pool.submit(sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=20)
        time.sleep(0.5)
        sent = time.monotonic()
        sqs.send_message(QueueUrl=queue, MessageBody="now")
        assert polled.result()["Messages"][0]["Body"] == "now"
        assert time.monotonic() - sent < 5


def test_a_fifo_queue_keeps_the_order_of_each_group(sqs):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    queue = sqs.create_queue(QueueName=f"{uuid.uuid4().hex}.fifo", Attributes=attributes)["QueueUrl"]
    for n in range(40):
        for _ in range(2):  # The second is a duplicate.
            sqs.send_message(QueueUrl=queue, MessageBody=str(n), MessageGroupId=f"group-{n % 4}")
    seen: dict[str, list[int]] = {}
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=7, MessageSystemAttributeNames=["MessageGroupId"]
    ).get("Messages"):
        for message in messages:
            seen.setdefault(message["Attributes"]["MessageGroupId"], []).append(int(message["Body"]))
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
        assert "Failed" not in sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    assert seen == {f"group-{group}": list(range(group, 40, 4)) for group in range(4)}


def test_a_message_that_nobody_can_work_on_goes_to_the_dead_letter_queue(sqs, queue):
    dead = sqs.create_queue(QueueName=f"dead-{uuid.uuid4().hex}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})
    sqs.send_message(QueueUrl=queue, MessageBody="poison")
    for _ in range(3):
        assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "poison"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    assert sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "poison"
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]


def test_errors_have_the_names_that_programs_catch(sqs, queue):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as refused:
        sqs.get_queue_url(QueueName="none")
    assert code(refused) == "AWS.SimpleQueueService.NonExistentQueue"
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle="nonsense")
    with pytest.raises(sqs.exceptions.QueueNameExists):
        sqs.create_queue(QueueName=queue.rpartition("/")[2], Attributes={"DelaySeconds": "7"})
    with pytest.raises(sqs.exceptions.TooManyEntriesInBatchRequest):
        sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(11)])


# ---- a workflow that asks by a queue ------------------------------------------------------------


def test_a_consumer_in_node_answers_a_workflow(demo, sqs, queue, bucket):
    if not (NODE_PACKAGES / "node_modules").is_dir() or not shutil.which("node"):
        pytest.skip("no Node or no npm here, so no consumer with the JavaScript SDK")
    client = demo.client("stepfunctions")
    definition = {"StartAt": "Ask", "States": {"Ask": {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSeconds": 120, "End": True,
        "Parameters": {"QueueUrl": queue, "MessageBody": {"order": 7, "token.$": "$$.Task.Token"}},
    }}}
    machine = client.create_state_machine(
        name=f"ask-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/any"
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    consumer = shutil.copy(ROOT / "tests/node/consumer.mjs", NODE_PACKAGES)
    done = subprocess.run(["node", consumer, demo.aws, queue, bucket], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    wait_until("the workflow to end", lambda: client.describe_execution(executionArn=execution)["status"] != "RUNNING")
    described = client.describe_execution(executionArn=execution)
    assert described["status"] == "SUCCEEDED", described
    output = json.loads(described["output"])
    assert (output["order"], output["received"]) == (7, "1")
    assert output == json.loads(done.stdout)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
