"""A live page is for its own readers: other sites, other names and other tokens are turned away."""

import pytest

from device_sim.live_guard import is_loopback, refusal

TOKEN = "a-token-of-the-day"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machines_own_addresses_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "::", "localhost.example", "device.local"])
def test_others_are_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "origin", "token", "expected", "why"),
    [
        ("127.0.0.1:8480", None, "", None, ""),
        ("localhost", "http://localhost", "", None, ""),
        ("[::1]:8480", "http://[::1]:8480", "", None, ""),
        ("127.0.0.1:8480", "http://evil.example", "", None, "another site's page"),
        ("127.0.0.1:8480", "null", "", None, "another site's page"),
        ("evil.example:8480", "http://evil.example:8480", "", None, "not this machine's own address"),
        ("pi.local:8480", "http://pi.local:8480", TOKEN, TOKEN, ""),
        ("pi.local:8480", None, "", TOKEN, "has a token"),
        ("pi.local:8480", None, TOKEN + "x", TOKEN, "has a token"),
        ("pi.local:8480", "http://evil.example", TOKEN, TOKEN, "another site's page"),
        ("127.0.0.1:8480", None, "é", TOKEN, "has a token"),
    ],
)
def test_who_may_look(host: str, origin: str | None, token: str, expected: str | None, why: str) -> None:
    found = refusal(host=host, origin=origin, token=token, expected=expected)
    assert (why in found) if why else found == ""
