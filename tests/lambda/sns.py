"""SNS, as far as a function sees it: messages with SNS's signature, and the certificate that they are checked with, at its
address on SNS's own host. The function finds that host here."""

import base64
import datetime
import json
import ssl
import subprocess
import uuid
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from runtime import Server

HOST = "sns.us-east-1.amazonaws.com"
TOPIC = "arn:aws:sns:us-east-1:123456789012:mails"
NAME = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"


def certificate(subject: str, key, issuer=None, is_authority: bool = False):
    """A certificate for `key`, signed by `issuer`: a certificate and its key; or by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(issuer[0].subject if issuer else name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
    )
    return built.sign(issuer[1] if issuer else key, hashes.SHA256())


def pem(made) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


class Sns:
    """Use as a context manager. `variables` are those by which a function finds it, and takes its topic's word."""

    def __init__(self, folder: Path):
        authority, host, self._key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3))
        root = certificate("Tests", authority, is_authority=True)
        (folder / "roots.pem").write_bytes(pem(root))
        private = host.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "host.pem").write_bytes(pem(certificate(HOST, host, (root, authority))) + private)
        self._signs = pem(certificate("sns.amazonaws.com", self._key))
        # The paths that were asked for.
        self.asked: list[str] = []
        self._server = Server(self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "host.pem")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        library, source = folder / "sns_here.so", Path(__file__).with_name("sns_here.c")
        subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.variables = {
            "LD_PRELOAD": str(library), "SNS_HOST": HOST, "SNS_PORT": str(self._server.server_address[1]),
            "SSL_CERT_FILE": str(folder / "roots.pem"), "COUNTERSIGN_MAIL_TOPICS": json.dumps([TOPIC]),
        }

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop()

    def event(self, *published: dict, **changes: str) -> dict:
        """What Lambda makes of messages that were published: one record for each. `changes` come after the signature."""
        return {"Records": [self._record(json.dumps(message), changes) for message in published]}

    def _record(self, message: str, changes: dict[str, str]) -> dict:
        # https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
        signed = {
            "Message": message, "MessageId": str(uuid.uuid4()), "Subject": "Amazon SES Email Event Notification",
            "Timestamp": "2026-11-21T09:00:31.000Z", "TopicArn": TOPIC, "Type": "Notification",
        }
        text = "".join(f"{name}\n{value}\n" for name, value in signed.items())
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        # https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
        of_sns = signed | {
            "SignatureVersion": "2", "Signature": base64.b64encode(signature).decode(),
            "SigningCertUrl": f"https://{HOST}/{NAME}", "UnsubscribeUrl": f"https://{HOST}/?Action=Unsubscribe",
            "MessageAttributes": {},
        }
        return {
            "EventVersion": "1.0", "EventSubscriptionArn": f"{TOPIC}:{uuid.uuid4()}", "EventSource": "aws:sns",
            "Sns": of_sns | changes,
        }

    def _handler(sns):  # noqa: N805 - the handler's own `self` is another
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                sns.asked.append(self.path)
                found = self.path == f"/{NAME}"
                body = sns._signs if found else b""
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler
