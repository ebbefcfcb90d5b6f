"""The pictures in docs/pictures/: small, and where the documents look for them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/pictures"


def test_they_are_small():
    sizes = {picture.name: picture.stat().st_size for picture in PICTURES.iterdir()}
    assert len(sizes) >= 10
    assert {name: size for name, size in sizes.items() if size > 60_000} == {}
    assert sum(sizes.values()) <= 600_000


def test_links_between_documents_lead_somewhere():
    checked = 0
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = document.read_text()
        links = re.findall(r"\]\(([^)#\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
        for link in links:
            if "://" not in link:
                checked += 1
                assert (document.parent / link).is_file(), f"{document.name}: {link}"
    assert checked >= 8
