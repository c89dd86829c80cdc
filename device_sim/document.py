"""One HTML document with its style and scripts inside."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from device_sim.markup import Markup, tag

PAGE = Path(__file__).parent / "page"


def document(title: str, body: Sequence[Markup], *, scripts: Sequence[str], more_policy: str = "") -> str:
    """HTML with its style and scripts inside; the policy lets nothing else run and nothing be fetched."""
    style = Markup((PAGE / "page.css").read_text(encoding="utf-8"))
    programs = [Markup((PAGE / name).read_text(encoding="utf-8")) for name in scripts]
    allowed = " ".join(f"'sha256-{_sha256(one)}'" for one in programs) or "'none'"
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        f"base-uri 'none'; form-action 'none'{more_policy}"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        tag("style", style),
    )
    skip = tag("a", "Skip to the content", href="#content", class_="skip")
    made = tag("html", head, tag("body", skip, *body, *(tag("script", one) for one in programs)), lang="en")
    return f"<!doctype html>\n{made}\n"


def _sha256(program: str) -> str:
    return base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
