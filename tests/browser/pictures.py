"""Takes the pictures of docs/pictures/ again: `target/venv/bin/python tests/browser/pictures.py [FOLDER]`, after a
`cargo build` and a `tests/run browser`, which makes the Python environment and installs Chromium."""

import base64
import json
import struct
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

from conftest import ARGUMENTS, program  # noqa: E402
from demo import Demo, answer, link_in, wait_until  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

CONTRACT = """\
1. Example Ltd lets the two rooms on the second floor of 4 Mill Lane, with use of the kitchen.

2. The term is one year from 1 January 2027. It goes on from quarter to quarter unless one of the parties ends it, with \
three months’ notice.

3. The rent is 1,450 euros a month, heating included, due on the third working day."""

REQUEST = {
    "taskToken.$": "$$.Task.Token",
    "title.$": "$.title",
    "message": "Please look at **section 2**: the term is new.",
    "requester": {"name": "Legal", "email": "legal@example.com"},
    "documents": [{"name": "lease.txt", "text": CONTRACT}],
    "signers": [{"name": "Alice Fox", "email": "alice@example.com"}, {"name": "Bob", "email": "bob@example.com"}],
    "timeoutSeconds": 500_000,
    "timeZone": "Europe/Berlin",
}

# What the pictures of an execution show.
ORDER = {
    "StartAt": "How much?",
    "States": {
        "How much?": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.total", "NumericGreaterThan": 1000, "Next": "Look it over"}],
            "Default": "Book",
        },
        "Look it over": {
            "Type": "Parallel",
            "ResultPath": "$.looks",
            "Next": "Book",
            "Catch": [{"ErrorEquals": ["Approval.Rejected"], "Next": "Refuse"}],
            "Branches": [
                {"StartAt": "Ask Bob", "States": {"Ask Bob": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                    "Parameters": {"FunctionName": "countersign", "Payload": {
                        "taskToken.$": "$$.Task.Token",
                        "execution": {"arn.$": "$$.Execution.Id", "stateName.$": "$$.State.Name"},
                        "title": "Approve the order of 12 desks", "signers": [{"name": "Bob"}],
                    }},
                    "End": True,
                }}},
                {"StartAt": "Check items", "States": {"Check items": {
                    "Type": "Map", "ItemsPath": "$.items", "End": True,
                    "ItemProcessor": {"StartAt": "In stock?", "States": {"In stock?": {"Type": "Pass", "End": True}}},
                }}},
            ],
        },
        "Book": {"Type": "Pass", "End": True},
        "Refuse": {"Type": "Fail", "Error": "Refused"},
    },
}

# A picture is kept in these looks; what the others would show is the same in another arrangement.
PHONE, DESK = (360, 740), (1280, 800)
LOOKS = {
    "page": [(PHONE, "light"), (DESK, "light"), (DESK, "dark")],
    "signed": [(PHONE, "light"), (DESK, "dark")],
    "too-late": [(PHONE, "dark"), (DESK, "light")],
    "mail": [(PHONE, "light"), (PHONE, "dark")],
    "mailbox": [(DESK, "light")],
    "execution": [(PHONE, "dark"), (DESK, "light"), (DESK, "dark")],
    "executions": [(DESK, "light")],
    "start": [(PHONE, "light")],
}
MOST_BYTES, MOST_BYTES_IN_ALL = 60_000, 600_000


class Scene(NamedTuple):
    """What is shown: an address, or a mail's HTML, or what comes of signing at one of `links`, one for each picture."""

    address: str | None = None
    html: str | None = None
    links: tuple[str, ...] = ()


def machine(demo: Demo) -> str:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "countersign", "Payload": REQUEST},
        "End": True,
    }
    definition = json.dumps({"StartAt": "Ask", "States": {"Ask": state}})
    role = "arn:aws:iam::123456789012:role/any"
    return demo.client("stepfunctions").create_state_machine(name="lease", definition=definition, roleArn=role)["stateMachineArn"]


def ask(demo: Demo, deed: str, thing: str) -> tuple[str, dict]:
    """An execution that asks Alice, who agrees, and Bob; and Bob's mail."""
    start = {"stateMachineArn": machine(demo), "input": json.dumps({"title": f"{deed} {thing}"})}
    execution = demo.client("stepfunctions").start_execution(**start)["executionArn"]

    def mail(to: str) -> dict:
        return wait_until(f"a mail to {to}", lambda: next((it for it in demo.mails(to) if thing in it["subject"]), None))

    assert answer(link_in(mail("alice@example.com")), "approve", name="Alice Fox").status == 200
    return execution, mail("bob@example.com")


def order(demo: Demo) -> str:
    """An order that waits for Bob; its page."""
    client = demo.client("stepfunctions")
    role = "arn:aws:iam::123456789012:role/any"
    orders = client.create_state_machine(name="orders", definition=json.dumps(ORDER), roleArn=role)["stateMachineArn"]
    for number, total in ((1041, 80), (1042, 4200)):
        given = {"order": number, "total": total, "items": ["desk", "lamp", "chair"]}
        client.start_execution(stateMachineArn=orders, name=f"order-{number}", input=json.dumps(given))
    wait_until("the mail about the desks", lambda: any("desks" in it["subject"] for it in demo.mails("bob@example.com")))
    return f"{demo.aws}/executions/orders/order-1042"


def scenes(demo: Demo) -> dict[str, Scene]:
    """All of them. The mailbox has the demo's own request in it as well."""
    demo.link_about("3")
    stopped, too_late = ask(demo, "Approve", "the budget for 2027")
    demo.client("stepfunctions").stop_execution(executionArn=stopped)
    offers = [ask(demo, "Sign", f"offer {number} to Miller & Sons")[1] for number in (71, 72)]
    _, mail = ask(demo, "Sign", "the lease for 4 Mill Lane")
    return {
        "page": Scene(link_in(mail)),
        "signed": Scene(links=tuple(link_in(offer) for offer in offers)),
        "too-late": Scene(link_in(too_late)),
        "mail": Scene(html=mail["html"]),
        "mailbox": Scene(demo.mailbox),
        "execution": Scene(order(demo)),
        "executions": Scene(f"{demo.aws}/executions"),
        "start": Scene(f"{demo.aws}/executions/start?machine=orders"),
    }


def picture(browser, scene: Scene, number: int, size: tuple[int, int], scheme: str) -> bytes:
    """The whole page as PNG, on a phone with its finer screen. `number` counts the scene's pictures."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1.25 if size == PHONE else 1,
        locale="en-GB",
    )
    page = context.new_page()
    if scene.html:
        page.set_content(scene.html)
    elif scene.links:
        page.goto(scene.links[number])
        page.get_by_role("radio", name="Sign", exact=True).check(force=True)
        page.locator("#comment").fill("Thank you for waiting.")
        page.locator("#name").fill("Bob")
        page.get_by_role("main").get_by_role("button").click()
        page.get_by_role("heading", name="Thank you").wait_for()
    else:
        page.goto(scene.address)
    taken = page.screenshot(full_page=True)
    context.close()
    return taken


# The commonest colours (flat grounds, and the steps between text and ground), and for each pixel the nearest of them.
TO_PALETTE = """async ([png, most]) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
    canvas.drawImage(image, 0, 0);
    const pixels = new Uint32Array(canvas.getImageData(0, 0, image.width, image.height).data.buffer);
    const counts = new Map();
    for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
    const parts = colour => [colour & 255, colour >> 8 & 255, colour >> 16 & 255];
    const distance = (one, other) => parts(one).reduce((sum, part, i) => sum + (part - parts(other)[i]) ** 2, 0);
    const palette = [];
    for (const [colour] of [...counts].sort((a, b) => b[1] - a[1])) {
        const other = palette.length < 4 || palette.every(taken => distance(taken, colour) > 400);
        if (palette.length < most && other) palette.push(colour);
    }
    const nearest = new Map();
    for (const colour of counts.keys()) {
        const far = palette.map(taken => distance(taken, colour));
        nearest.set(colour, far.indexOf(Math.min(...far)));
    }
    let indices = '';
    for (let at = 0; at < pixels.length; at += 8192) {
        indices += String.fromCharCode(...Array.from(pixels.subarray(at, at + 8192), pixel => nearest.get(pixel)));
    }
    return {width: image.width, height: image.height, palette: palette.map(parts), indices: btoa(indices)};
}"""


def with_palette(browser, png: bytes) -> bytes:
    """The picture as a PNG of at most 16 colours."""
    page = browser.new_page()
    made = page.evaluate(TO_PALETTE, [base64.b64encode(png).decode(), 16])
    page.close()
    width, rows = made["width"], base64.b64decode(made["indices"])
    lines = []
    for start in range(0, len(rows), width):
        row = rows[start : start + width] + b"\0" * (width % 2)
        # Two pixels a byte, after the number of the filter.
        lines.append(b"\0" + bytes(left << 4 | right for left, right in zip(row[::2], row[1::2], strict=True)))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, made["height"], 4, 3, 0, 0, 0)
    colours = bytes(part for colour in made["palette"] for part in colour)
    data = zlib.compress(b"".join(lines), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"PLTE", colours) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def main(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    with Demo("--timeout", "3600") as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=ARGUMENTS)
        for name, scene in scenes(demo).items():
            for number, (size, scheme) in enumerate(LOOKS[name]):
                made = with_palette(browser, picture(browser, scene, number, size, scheme))
                assert len(made) <= MOST_BYTES, f"{name} has {len(made)} bytes"
                file = folder / f"{name}-{size[0]}-{scheme}.png"
                file.write_bytes(made)
                total += len(made)
                print(f"{len(made):7,} bytes  {file}")
        browser.close()
    assert total <= MOST_BYTES_IN_ALL, f"the pictures have {total} bytes together"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/pictures")
