"""Whom the result goes to: mail addresses in one text, with commas between them."""

import re


class NoAddress(Exception):
    """There is nobody to write to."""


class InvalidAddress(Exception):
    """Something between the commas is no mail address."""


def addresses(event: dict) -> list[str]:
    """Those in the event's `email`, in their order, each once."""
    given = event.get("email")
    if given is not None and not isinstance(given, str):
        raise InvalidAddress("email: must be one text, with commas between the addresses")
    found = list(dict.fromkeys(filter(None, (part.strip() for part in (given or "").split(",")))))
    if not found:
        raise NoAddress("email: names nobody to send the result to, such as ann@example.com, ben@example.com")
    for address in found:
        if not re.fullmatch(r"[^@\s<>;\"]+@[^@\s<>;\"]+", address):
            raise InvalidAddress(f"email: {address!r} is no mail address")
    return found
