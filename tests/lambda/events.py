"""The events that a function gets, made as each sender makes them."""

import base64
import urllib.parse
import uuid

# Where the pages are, as signers see it: nothing listens there, every request is made an event of.
PUBLIC = "https://sign.example.com"
CLIENT = "198.51.100.7"


def _parts(url: str) -> tuple[str, str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.netloc, parts.path, parts.query


def http_api(method: str, url: str, body: str = "", headers: dict | None = None, stage: str = "$default") -> dict:
    """API Gateway's HTTP API, and with the stage `$default` a function URL. It encodes bodies that aren't JSON."""
    host, path, query = _parts(url)
    raw = path if stage == "$default" else f"/{stage}{path}"
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": raw, "rawQueryString": query,
        "headers": {"host": host, "x-forwarded-for": CLIENT, "x-forwarded-proto": "https"} | (headers or {}),
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": host, "stage": stage, "requestId": str(uuid.uuid4()),
            "http": {"method": method, "path": raw, "protocol": "HTTP/1.1", "sourceIp": CLIENT, "userAgent": "tests"},
        },
        "body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True,
    }


def rest_api(method: str, url: str, body: str = "", headers: dict | None = None, stage: str = "prod") -> dict:
    """API Gateway's REST API, called by its own address: the stage stands in the context alone."""
    host, path, query = _parts(url)
    headers = {"Host": host, "X-Forwarded-For": f"10.0.0.1, {CLIENT}"} | (headers or {})
    pairs = urllib.parse.parse_qs(query)
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": method,
        "headers": headers, "multiValueHeaders": {name: [text] for name, text in headers.items()},
        "queryStringParameters": {name: texts[-1] for name, texts in pairs.items()} or None,
        "multiValueQueryStringParameters": pairs or None,
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "stage": stage, "path": f"/{stage}{path}", "httpMethod": method,
            "identity": {"sourceIp": CLIENT, "userAgent": "tests"}, "requestId": str(uuid.uuid4()),
            "authorizer": {"principalId": "admin", "role": "operations"},
        },
        "body": body or None, "isBase64Encoded": False,
    }


def load_balancer(method: str, url: str, body: str = "", headers: dict | None = None) -> dict:
    """A load balancer whose target group has one value for each header."""
    host, path, query = _parts(url)
    pairs = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/t/1"}},
        "httpMethod": method, "path": path, "queryStringParameters": pairs,
        "headers": {"host": host, "x-forwarded-for": f"10.0.0.1, {CLIENT}", "x-forwarded-proto": "https"} | (headers or {}),
        "body": body, "isBase64Encoded": False,
    }


def load_balancer_multi_value(method: str, url: str, body: str = "", headers: dict | None = None) -> dict:
    """A load balancer whose target group has several."""
    event = load_balancer(method, url, body, headers)
    event["multiValueHeaders"] = {name: [text] for name, text in event.pop("headers").items()}
    event["multiValueQueryStringParameters"] = {name: [text] for name, text in event.pop("queryStringParameters").items()}
    return event


HTTP = {
    "http_api": http_api,
    "rest_api": rest_api,
    "load_balancer": load_balancer,
    "load_balancer_multi_value": load_balancer_multi_value,
}


def messages(*bodies: str, queue: str = "countersign-requests") -> dict:
    """What an event source mapping makes of the messages of a queue."""
    return {
        "Records": [
            {
                "messageId": str(uuid.uuid4()), "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body, "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
                "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}", "awsRegion": "us-east-1",
            }
            for body in bodies
        ]
    }


def tick() -> dict:
    """EventBridge Scheduler's payload where the schedule has no input of its own."""
    return {
        "version": "0", "id": str(uuid.uuid4()), "detail-type": "Scheduled Event", "source": "aws.scheduler",
        "account": "123456789012", "time": "2026-11-21T09:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/countersign"], "detail": "{}",
    }
