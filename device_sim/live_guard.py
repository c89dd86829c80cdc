"""Who may look at a live page: its own readers, not whatever other site a browser is on."""

import hmac
import ipaddress


def is_loopback(host: str) -> bool:
    """This machine's own address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(*, host: str, origin: str | None, token: str, expected: str | None) -> str:
    """Why not, or nothing; host is the name a browser asked for, which a trick may have pointed here."""
    if origin is not None and origin.partition("://")[2] != host:
        return "another site's page may not look"
    if expected is None:
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        return "" if is_loopback(name.strip("[]")) else "not this machine's own address"
    if not hmac.compare_digest(token.encode(), expected.encode()):
        return "the address that `wristlead serve` printed has a token"
    return ""
