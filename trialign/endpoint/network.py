"""The way to a server: its address, the proxy that the environment names, and the certificates."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

import httpx2

from trialign.errors import UserError

_PROXY_PROTOCOLS = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True)
class Way:
    """How requests travel.

    Attributes:
        proxy: address of the proxy; None: they go to the server itself. It may hold a password: show it to nobody.
        variable: the environment variable that names the proxy; None without one.
        certificates: the environment variable that names the trusted certificates; None: the system's are trusted.
        tls: whom to trust; None where nothing is encrypted.
    """

    proxy: str | None = None
    variable: str | None = None
    certificates: str | None = None
    tls: ssl.SSLContext | None = None

    @classmethod
    def to(cls, base_url: str) -> Way:
        """The way to an address, by the environment; loopback goes past every proxy.

        Raises:
            UserError: a variable of the environment names no proxy that can be used, or no certificates.
        """
        parts = urlsplit(base_url)
        variable, proxy = (None, None) if is_loopback(parts.hostname or "") else _proxy(parts)
        if parts.scheme == "http" and not (proxy or "").startswith("https:"):
            return cls(proxy, variable)
        certificates, tls = _trust()
        return cls(proxy, variable, certificates, tls)

    def client(
        self,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        timeout: float,
        connections: int,
        transport: httpx2.BaseTransport | None = None,
    ) -> httpx2.Client:
        """A client that goes this way, and follows no redirect.

        Args:
            headers: of every request.
            query: behind the question mark of every address.
            timeout: seconds without a sign of life.
            connections: at most.
            transport: in place of the network.
        """
        return httpx2.Client(
            headers=dict(headers),
            params=dict(query),
            timeout=timeout,
            transport=transport,
            limits=httpx2.Limits(max_connections=connections),
            follow_redirects=False,
            verify=self.tls if self.tls is not None else False,  # False: nothing is encrypted that could be verified
            proxy=None if self.proxy is None or transport else httpx2.Proxy(self.proxy, ssl_context=self.tls),
            trust_env=False,  # what the environment says is read above, where a fault in it can be named
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or number (127.1 and 0.0.0.0 as well)."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _proxy(parts: SplitResult) -> tuple[str | None, str | None]:
    """The variable that names a proxy for an address, and the proxy."""
    known = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if known.get(kind)), None)
    if kind is None or goes_past_proxy(parts, known.get("no", "")):
        return None, None
    name = next(
        (n for n in (f"{kind}_proxy", f"{kind.upper()}_PROXY") if os.environ.get(n)), f"the system's {kind}_proxy"
    )
    proxy = known[kind] if "://" in known[kind] else f"http://{known[kind]}"
    unset = f"Unset it, or add {parts.hostname} to NO_PROXY, where the server needs no proxy"
    try:
        protocol = httpx2.URL(proxy).scheme
        sound = bool(httpx2.URL(proxy).host) and protocol in _PROXY_PROTOCOLS
        httpx2.Proxy(proxy)
    except (httpx2.InvalidURL, ValueError):
        protocol, sound = "", False
    if not sound:
        fault = f"The environment variable {name} names no proxy that can be used"
        spelled = ", ".join(f"{p}://" for p in _PROXY_PROTOCOLS)
        raise UserError(fault, f"{unset}; else write it as one of {spelled} with host and port")
    if protocol.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise UserError(
            f"The environment variable {name} names a SOCKS proxy, and the package for it is not installed",
            f"{unset}; else install it: pip install socksio",
        )
    return name, proxy


def goes_past_proxy(parts: SplitResult, exceptions: str) -> bool:
    """Whether ``NO_PROXY`` lets an address go past the proxy: hosts, domains, networks, ``*``; a host with a port."""
    host = (parts.hostname or "").lower().rstrip(".")
    for entry in exceptions.lower().split(","):
        name, _, port = entry.strip().rpartition(":") if entry.count(":") == 1 else (entry.strip(), "", "")
        if port and port != str(parts.port or {"http": 80, "https": 443}[parts.scheme]):
            continue
        name = name.strip("[]").removeprefix("*.").lstrip(".").rstrip(".") if name != "*" else name
        if name and (name == "*" or host == name or host.endswith(f".{name}") or _in_network(host, name)):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except (ValueError, TypeError):
        return False


def _trust() -> tuple[str | None, ssl.SSLContext]:
    """The variable that names certificates, and whom to trust."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        return None, httpx2.create_ssl_context(trust_env=False)
    name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
    try:
        if file:
            return name, ssl.create_default_context(cafile=file)
        if not any(Path(one).is_dir() for one in (folder or "").split(os.pathsep)):
            raise FileNotFoundError(f"{folder} is no folder")
        return name, ssl.create_default_context(capath=folder)
    except (OSError, ValueError) as error:
        raise UserError(
            f"The environment variable {name} names no certificates that can be read ({file or folder}: {_why(error)})",
            "Set it to the certificates of whom to trust, or unset it to trust whom this system trusts",
        ) from error


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
