"""Secrets by reference, `countersign config`, `doctor` and `setup`, with moto as AWS: what is missing is made, everything
is then found to be well, and each thing that is broken is named with what to do."""

import base64
import json
import subprocess
import time
import urllib.error

import pytest

from demo import BINARY, PATIENCE, fetch, wait_until
from front import Front
from serve import create_table, environment, free_port, new_key

MASTER, EVIDENCE, OLD = "07" * 32, "08" * 32, "09" * 32


@pytest.fixture(scope="module")
def front(aws, client):
    """Whatever stands before moto, the same for all tests."""
    create_table(client("dynamodb"), "sound")
    recovery = {"PointInTimeRecoveryEnabled": True}
    client("dynamodb").update_continuous_backups(TableName="sound", PointInTimeRecoverySpecification=recovery)
    queues = client("sqs")
    dead = queues.create_queue(QueueName="sound-dead")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
    queues.create_queue(QueueName="sound", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "90"})
    with Front(aws) as front:
        yield front


@pytest.fixture(autouse=True)
def reset(front):
    front.reset()
    front.verified("example.com")
    front.with_set("sound", "DELIVERY", "BOUNCE", "COMPLAINT")


@pytest.fixture
def run(front, tmp_path):
    """Runs a command in an empty folder, over the AWS that the front makes."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [BINARY, *arguments], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
            env=of_aws(front.url, **variables),
        )

    return run


def of_aws(endpoint: str, **variables: str) -> dict[str, str]:
    aws = {
        "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
    }
    return environment(**(aws | variables))


def configured(folder, front, **changed) -> dict:
    """A sound configuration in a folder, with what is changed."""
    for name, key in [("master.key", MASTER), ("evidence.key", EVIDENCE)]:
        (folder / name).write_text(key)
        (folder / name).chmod(0o600)
    values = {
        "public_url": "http://127.0.0.1:1", "organisation": "Example Ltd", "table": "sound",
        "mail_from": "Countersign <countersign@example.com>", "mail_configuration_set": "sound",
        "intake_queues": [f"{front.url}/123456789012/sound"],
        "master_key_file": "master.key", "evidence_key_file": "evidence.key",
    } | changed
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items() if value is not None]
    (folder / "countersign.toml").write_text("\n".join(lines) + "\n" + new_key("requests:write")[1])
    return values


def findings(run, status: int) -> list[dict]:
    ended = run("doctor", "--json")
    assert ended.returncode == status, ended.stdout + ended.stderr
    found = json.loads(ended.stdout)
    assert found["ok"] == (status == 0)
    return found["findings"]


# ---- references --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(client):
    """The keys, kept in the three places; gives the ciphertext."""
    client("secretsmanager").create_secret(Name="keys", SecretString=json.dumps({"master": MASTER, "other": "canary"}))
    client("ssm").put_parameter(Name="/countersign/evidence", Value=EVIDENCE, Type="SecureString")
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    encrypted = kms.encrypt(KeyId=key, Plaintext=bytes.fromhex(OLD))["CiphertextBlob"]
    return base64.b64encode(encrypted).decode()


def test_a_service_starts_with_everything_by_reference(front, client, kept, tmp_path, run):
    port = free_port()
    whole = (
        f'public_url = "http://127.0.0.1:{port}"\nlisten = "127.0.0.1:{port}"\norganisation = "Example Ltd"\ntable = "sound"\n'
        'mail_from = "countersign@example.com"\nmaster_key = "secretsmanager:keys#master"\nmaster_key_id = 2\n'
        f'evidence_key = "ssm:/countersign/evidence"\n\n[[older_keys]]\nid = 1\nkey = "kms:{kept}"\n\n'
        + new_key("requests:write")[1]
    )
    client("ssm").put_parameter(Name="/countersign/whole", Value=whole, Type="String", Overwrite=True)
    place = {"COUNTERSIGN_CONFIG": "ssm:/countersign/whole"}
    shown = run("config", "--json", **place)
    assert shown.returncode == 0, shown.stderr
    keys = {key["key"]: (key["value"], key["from"]) for key in json.loads(shown.stdout)["keys"]}
    assert keys["master_key"] == ("secretsmanager:keys#master", "ssm:/countersign/whole")
    assert keys["older_keys"][0] == [{"id": 1, "key": "kms:…"}]
    for secret in (MASTER, EVIDENCE, OLD, "canary"):
        assert secret not in shown.stdout + run("config", **place).stdout

    process = subprocess.Popen([BINARY, "serve"], cwd=tmp_path, env=of_aws(front.url, **place), stdout=subprocess.PIPE)
    try:
        wait_until("serve is ready", lambda: is_ready(f"http://127.0.0.1:{port}"))
    finally:
        process.kill()
        process.wait(PATIENCE)


def is_ready(url: str) -> bool:
    try:
        return fetch(f"{url}/readyz").status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("secretsmanager:none", "Secrets Manager in us-east-1 says ResourceNotFoundException (no such secret"),
        ("secretsmanager:keys#mastre", "has no key mastre; it has master, other"),
        ("secretsmanager:keys#other", "must be 32 bytes in base64 or hexadecimal"),
        ("ssm:/none", "Parameter Store in us-east-1 says ParameterNotFound (no such parameter)"),
        ("kms:bm9uZQ==", "KMS in us-east-1 says InvalidCiphertextException (not a ciphertext of KMS)"),
        ("ssm:", "isn't complete: write ssm:NAME"),
    ],
)
def test_a_secret_that_is_not_there_is_told_by_its_key(front, kept, tmp_path, run, reference, said):
    configured(tmp_path, front, master_key_file=None, master_key=reference)
    for command in ("serve", "config", "doctor"):
        ended = run(command)
        assert ended.returncode == 2, ended
        assert "master_key: " in ended.stderr and said in ended.stderr, ended.stderr
        assert "canary" not in ended.stderr + ended.stdout
    ended = run("serve", COUNTERSIGN_CONFIG="ssm:/none")
    assert ended.returncode == 2
    assert "COUNTERSIGN_CONFIG: ssm:/none can't be read" in ended.stderr, ended.stderr


def test_what_is_in_force_is_shown_with_where_it_comes_from(front, tmp_path, run):
    configured(tmp_path, front)
    shown = run("config", COUNTERSIGN_TABLE="other", COUNTERSIGN_EVIDENCE_KEY=EVIDENCE, COUNTERSIGN_TIME_ZON="UTC")
    assert shown.returncode == 2
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["table", "other", "COUNTERSIGN_TABLE"] in lines
    assert ["time_zone", "UTC", "default"] in lines
    assert ["master_key_file", "master.key", "countersign.toml"] in lines
    assert ["evidence_key", "(hidden)", "COUNTERSIGN_EVIDENCE_KEY"] in lines
    assert EVIDENCE not in shown.stdout + shown.stderr
    assert "COUNTERSIGN_TIME_ZON: isn't a variable that I know; did you mean COUNTERSIGN_TIME_ZONE?" in shown.stderr
    assert "evidence_key: is given beside evidence_key_file" in shown.stderr


# ---- doctor ------------------------------------------------------------------------------------


def test_the_doctor_finds_nothing_wrong_with_what_is_sound(front, client, tmp_path, run):
    configured(tmp_path, front)
    found = findings(run, 0)
    not_ok = {finding["about"]: finding["verdict"] for finding in found if finding["verdict"] != "ok"}
    # Nobody has started the service.
    assert not_ok == {"public_url": "warning"}, found
    assert client("dynamodb").scan(TableName="sound")["Count"] == 0
    said = run("doctor").stdout
    assert "\x1b" not in said and "click tracking" in said and "Nothing is wrong; 1 to look at." in said, said


def broken_table(client, name: str, **changed):
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    kinds = [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}]
    table = {"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": keys, "AttributeDefinitions": kinds}
    client("dynamodb").create_table(**table | changed)


def with_a_table_without_indexes(front, client):
    broken_table(client, "no-indexes")
    return {"table": "no-indexes"}


def with_a_table_of_another_key(front, client):
    keys = [{"AttributeName": "id", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "id", "AttributeType": "S"}]
    broken_table(client, "other-key", KeySchema=keys, AttributeDefinitions=kinds)
    return {"table": "other-key"}


def with_an_unverified_sender(front, _):
    front.identities["example.com"] |= {"VerifiedForSendingStatus": False, "VerificationStatus": "PENDING"}


def with_a_sender_unknown(front, _):
    front.identities.clear()


def in_the_sandbox(front, _):
    front.account["ProductionAccessEnabled"] = False


def with_sending_paused(front, _):
    front.account |= {"SendingEnabled": False, "EnforcementStatus": "SHUTDOWN"}


def with_the_quota_used_up(front, _):
    front.account["SendQuota"]["SentLast24Hours"] = 49999.0


def without_dkim(front, _):
    front.identities["example.com"]["DkimAttributes"] = {"SigningEnabled": False, "Status": "NOT_STARTED"}


def with_click_tracking(front, _):
    front.with_set("sound", "DELIVERY", "BOUNCE", "COMPLAINT", "CLICK")


def without_events(front, _):
    front.with_set("sound", "DELIVERY")


def with_a_set_that_sends_nothing(front, _):
    front.sets["sound"]["SendingEnabled"] = False


def without_the_set(front, _):
    front.sets.clear()


def without_the_queue(front, _):
    return {"intake_queues": [f"{front.url}/123456789012/none"]}


def with_a_queue_without_dead_letters(front, client):
    client("sqs").create_queue(QueueName="bare", Attributes={"VisibilityTimeout": "30"})
    return {"intake_queues": [f"{front.url}/123456789012/bare"]}


def with_a_clock_behind(front, _):
    front.clock_seconds = 600


def with_expired_credentials(front, _):
    front.refusals["Action=GetCallerIdentity"] = (403, "ExpiredToken")


def with_a_wrong_signature(front, _):
    front.refusals["Action=GetCallerIdentity"] = (403, "SignatureDoesNotMatch")


def not_allowed_to_answer(front, _):
    front.refusals["SendTaskSuccess"] = (400, "AccessDeniedException")


def not_allowed_to_write(front, _):
    front.refusals["PutItem"] = (400, "AccessDeniedException")


def with_the_table_s_key_disabled(front, _):
    front.refusals["DynamoDB_20120810.PutItem"] = (400, "KMSDisabledException")


def not_allowed_to_look(front, _):
    front.refusals["DescribeTable"] = (400, "AccessDeniedException")


def with_something_else_at_the_address(front, _):
    return {"public_url": front.url}


def with_one_key_for_both(front, _):
    return {"evidence_key_file": "master.key"}


@pytest.mark.parametrize(
    ("broken", "verdict", "about", "said"),
    [
        (lambda *_: {"table": "none-such"}, "wrong", "table", "ResourceNotFoundException (no such table or index)"),
        (with_a_table_without_indexes, "wrong", "index due", "isn't there"),
        (with_a_table_without_indexes, "warning", "backups", "point-in-time recovery is off"),
        (with_a_table_of_another_key, "wrong", "table", "its key isn't pk and sk"),
        (with_the_table_s_key_disabled, "wrong", "item", "KMSDisabledException (KMS key disabled)"),
        (not_allowed_to_write, "wrong", "item", "AccessDeniedException (access denied)"),
        (not_allowed_to_look, "warning", "table", "AccessDeniedException (access denied)"),
        (with_an_unverified_sender, "wrong", "mail sender", "example.com isn't verified (PENDING)"),
        (with_a_sender_unknown, "wrong", "mail sender", "neither countersign@example.com nor its domain"),
        (in_the_sandbox, "warning", "mail account", "sandbox"),
        (with_sending_paused, "wrong", "mail account", "sending is paused"),
        (with_the_quota_used_up, "warning", "mail account", "49999 of 50000"),
        (without_dkim, "warning", "DKIM", "aren't signed"),
        (with_click_tracking, "wrong", "click tracking", "is on: the destination countersign of sound"),
        (without_events, "warning", "mail events", "nobody is told of bounces, complaints"),
        (with_a_set_that_sends_nothing, "wrong", "configuration set", "sending is off"),
        (without_the_set, "wrong", "configuration set", "NotFoundException (no such configuration set)"),
        (without_the_queue, "wrong", "queue none", "(no such queue)"),
        (with_a_queue_without_dead_letters, "wrong", "queue bare", "has no dead-letter queue"),
        (with_a_queue_without_dead_letters, "warning", "queue bare", "after 30 s"),
        (with_a_clock_behind, "wrong", "clock", "s behind AWS's"),
        (with_expired_credentials, "wrong", "credentials", "ExpiredToken (credentials expired)"),
        (with_a_wrong_signature, "wrong", "credentials", "SignatureDoesNotMatch (signature not accepted)"),
        (not_allowed_to_answer, "wrong", "task tokens", "states:SendTaskSuccess: Step Functions says AccessDeniedException"),
        (with_something_else_at_the_address, "wrong", "public_url", "isn't Countersign"),
        (with_one_key_for_both, "wrong", "keys", "are the same"),
    ],
)
def test_the_doctor_names_what_is_broken(front, client, tmp_path, run, broken, verdict, about, said):
    try:
        changed = broken(front, client) or {}
    except client("dynamodb").exceptions.ResourceInUseException:
        changed = {"table": "no-indexes"}
    configured(tmp_path, front, **changed)
    ended = run("doctor", "--json")
    found = json.loads(ended.stdout)["findings"]
    match = [it for it in found if (it["about"], it["verdict"]) == (about, verdict) and said in it["found"]]
    assert match, found
    assert all(it["advice"] for it in match)
    wrong = any(it["verdict"] == "wrong" for it in found)
    assert ended.returncode == (1 if wrong else 0)
    assert wrong or verdict == "warning"


def test_keys_that_others_can_read_are_told(front, tmp_path, run):
    configured(tmp_path, front)
    (tmp_path / "master.key").chmod(0o644)
    (finding,) = [it for it in findings(run, 0) if it["about"] == "master_key_file"]
    assert finding["advice"] == "chmod 600 master.key"


def test_the_doctor_ends_although_nothing_answers(front, tmp_path, run):
    configured(tmp_path, front)
    front.silence = 20
    began = time.monotonic()
    found = findings(run, 1)
    assert time.monotonic() - began < 18
    assert any("no answer" in it["found"] for it in found), found


# ---- setup -------------------------------------------------------------------------------------

ASKED = (
    "setup", "--public-url", "http://127.0.0.1:{port}", "--organisation", 'Example "Q" Ltd', "--mail-from",
    "Approvals <approvals@example.org>", "--domain", "--name", "set-up", "--queue",
)


@pytest.mark.parametrize("keys", ["files", "secretsmanager", "ssm"])
def test_what_is_missing_is_made_once_and_then_all_is_well(front, client, tmp_path, run, keys):
    name, port = f"set-up-{keys}", free_port()
    asked = [it.format(port=port) for it in ASKED] + ["--keys", keys]
    asked[asked.index("set-up")] = name

    told = run(*asked, "--dry-run")
    assert (told.returncode, "make   table " + name in told.stdout) == (0, True), told
    unasked = run(*asked)
    assert (unasked.returncode, "say --yes" in unasked.stderr) == (2, True), unasked
    assert list(tmp_path.iterdir()) == []
    assert name not in client("dynamodb").list_tables()["TableNames"]

    made = run(*asked, "--yes")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "one._domainkey.example.org  CNAME  one.dkim.amazonses.com" in made.stdout, made.stdout
    assert "aws events put-rule" in made.stdout
    files = {it.name: it for it in tmp_path.iterdir()}
    assert {"countersign.toml", "workflows.key"} <= set(files)
    assert ("master.key" in files) == (keys == "files")
    for file in files.values():
        assert file.name == "countersign.toml" or file.stat().st_mode & 0o777 == 0o600
    assert not set(front.sets[name]["Destinations"][0]["MatchingEventTypes"]) & {"CLICK", "OPEN"}

    before = {it.name: it.read_bytes() for it in files.values()}
    again = run(*asked, "--yes")
    assert (again.returncode, "Nothing is missing." in again.stdout) == (0, True), again.stdout + again.stderr
    assert {it.name: it.read_bytes() for it in tmp_path.iterdir()} == before

    # A person adds the records to the DNS; then all is well, and the service runs.
    front.verified("example.org")
    with_port = {"COUNTERSIGN_LISTEN": f"127.0.0.1:{port}"}
    process = subprocess.Popen([BINARY, "serve"], cwd=tmp_path, env=of_aws(front.url, **with_port), stdout=subprocess.PIPE)
    try:
        wait_until("serve is ready", lambda: is_ready(f"http://127.0.0.1:{port}"))
        found = findings(run, 0)
        assert [it for it in found if it["verdict"] != "ok"] == []
        key = files["workflows.key"].read_text().strip()
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        request = {"taskToken": f"token-{keys}", "title": "It", "signers": [{"name": "Bob", "email": "bob@example.com"}]}
        asked_for = fetch(f"http://127.0.0.1:{port}/api/v1/requests", "POST", json.dumps(request).encode(), headers)
        assert asked_for.status == 201, asked_for.text
    finally:
        process.kill()
        process.wait(PATIENCE)
