"""Checks a chain of evidence by what docs say of it, with none of the service's own code: each event is RFC 8785 JSON
with the SHA-256 of the one before it, and the head is signed with Ed25519."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def canonical(value) -> bytes:
    """RFC 8785, for values whose keys are ASCII and whose numbers are integers: those of evidence are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(event: dict) -> str:
    return "sha256:" + hashlib.sha256(canonical(event)).hexdigest()


def verify(request: str, events: list[dict], head: dict, seed: bytes):
    """Fails unless `events` are one unbroken chain which `head` signs with the key from `seed`."""
    previous = None
    for number, event in enumerate(events, start=1):
        assert (event["v"], event["approval"], event["seq"]) == (1, request, number), event
        assert event["prev"] == previous, f"event {number} does not follow the one before it"
        previous = digest(event)
    assert (head["seq"], head["hash"]) == (len(events), previous), "the head is not the last event"
    id_bytes = base64.b32decode(request.removeprefix("req_").upper() + "=" * 6)
    message = b"countersign-evidence-v1\0" + id_bytes + head["seq"].to_bytes(4, "big") + bytes.fromhex(previous[7:])
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    public.verify(base64.b64decode(head["signature"]), message)
    assert head["key"] == "sha256:" + hashlib.sha256(public.public_bytes_raw()).hexdigest()
