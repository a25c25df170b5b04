"""Real round trips without netem: a network namespace and a TUN device per site, and one router process between them.

Opens namespaces, devices and the router's process; starts short-lived threads (a namespace belongs to a thread).
Nothing here has a name outside the kernel's handles, so all of it vanishes with the processes that hold it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from edgeclient.lab.faults import LabError
from edgeclient.lab.process import Process, python_command

T = TypeVar("T")

CLIENT = "(client)"

_TUN = "/dev/net/tun"
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
_SIOCSIFTXQLEN = 0x8943
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_QUEUE = 5000
# The /24 blocks of 198.18.0.0/15 (RFC 2544: never a real destination), without the first, which other tools like too.
_SLOTS = range(1, 512)
MOST_POPS = 200

_HOW = "run as root, or through `edgeclient.lab.run_in_namespace(argv)`, or use mode='loopback'"


def best_mode() -> tuple[str, str]:
    """`("tun", why)` when this process may make devices and namespaces, else `("loopback", what is missing)`."""
    lack = what_tun_lacks()
    if lack:
        return "loopback", lack
    return "tun", "this process may create TUN devices and network namespaces"


def what_tun_lacks() -> str | None:
    """What keeps this process from tun mode, or None.  Tries the real thing and leaves nothing behind."""
    if not sys.platform.startswith("linux"):
        return f"tun mode needs Linux, this is {sys.platform}: use mode='loopback'"
    if not os.path.exists(_TUN):
        return f"there is no {_TUN}: load the module tun (in a container: add the device), or use mode='loopback'"
    if not os.access(_TUN, os.R_OK | os.W_OK):
        return f"this user may not open {_TUN}: run as root, or give it mode 0666, or use mode='loopback'"
    try:
        os.close(_open_tun("edgelabtry%d"))
    except OSError as error:
        return f"no TUN device can be made in this network namespace ({error.strerror}): {_HOW}"
    try:
        _in_thread(_unshare)
    except OSError as error:
        return f"no network namespace can be made ({error.strerror}): {_HOW}"
    return None


def run_in_namespace(argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` as root of a new user and network namespace, where tun mode needs no rights.

    Only the lab is reachable from there: no DNS, no internet.
    """
    return ["unshare", "--user", "--map-root-user", "--net", "--", *argv]


def rootless_possible() -> bool:
    """Whether tun mode works behind `run_in_namespace` for this user (tries it: one short process)."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    command = run_in_namespace(python_command("network"))
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
        return done.returncode == 0
    return False


def main() -> None:
    """The trial process of `rootless_possible`."""
    sys.exit(0 if what_tun_lacks() is None else 1)


def raise_loopback() -> None:
    """Brings 127.0.0.1 up in a fresh namespace; does nothing where it is up or may not be touched."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            _set_up("lo")


class Namespace:
    """A network namespace without a name: it lives as long as this descriptor, its sockets and its processes."""

    def __init__(self) -> None:
        self._descriptor = _in_thread(_unshare)

    def run(self, work: Callable[[], T]) -> T:
        """Runs `work` inside the namespace and returns its result; processes started there live there."""

        def enter() -> T:
            if _libc().setns(self._descriptor, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            return work()

        return _in_thread(enter)

    def close(self) -> None:
        """Lets go of it."""
        os.close(self._descriptor)


class Network:
    """The sites' addresses and the paths between them.  Takes a free /24 block, so several labs can run at once."""

    def __init__(self, sites: Sequence[str]) -> None:
        """Builds everything; raises LabError and leaves nothing when it cannot."""
        lack = what_tun_lacks()
        if lack:
            raise LabError(f"mode='tun' is not possible here: {lack}")
        self._rtt_ms: dict[tuple[str, str], float] = {}
        self._holes: set[str] = set()
        self._spaces: dict[str, Namespace] = {}
        self._router: Process | None = None
        devices: dict[str, int] = {}
        try:
            block, device = _take_block()
            self.addresses = {CLIENT: f"{block}.1"}
            devices[f"{block}.1"] = device
            for i, site in enumerate(sites):
                address = self.addresses[site] = f"{block}.{10 + i}"
                self._spaces[site] = Namespace()
                devices[address] = self._spaces[site].run(partial(_site_device, address))
            self._router = Process("router", descriptors=devices.values())
            self._router.post_start(devices=devices)
            self._router.await_start()
        except OSError as error:
            self.close()
            raise LabError(f"the lab's network cannot be built: {error}") from error
        except BaseException:
            self.close()
            raise
        finally:
            for device in devices.values():  # the router holds its own copies
                os.close(device)

    def run_at(self, site: str, work: Callable[[], T]) -> T:
        """Runs `work` inside the site's namespace; processes started there live there."""
        return self._spaces[site].run(work)

    def set_rtts(self, rtts: Iterable[tuple[str, str, float]]) -> None:
        """Each: two sites and the round trip between them in ms.  Takes effect with the next packet."""
        changed = []
        for a, b, ms in rtts:
            self._rtt_ms[a, b] = self._rtt_ms[b, a] = ms
            changed += [(a, b), (b, a)]
        self._push(changed)

    def set_hole(self, site: str, lost: bool) -> None:
        """Loses every packet from and to the site, or stops losing them."""
        (self._holes.add if lost else self._holes.discard)(site)
        self._push([pair for pair in self._rtt_ms if site in pair])

    def close(self) -> None:
        """Ends the router; devices and namespaces go with it and with the processes inside."""
        if self._router is not None:
            self._router.end()
        for space in self._spaces.values():
            space.close()
        self._spaces.clear()

    def _push(self, pairs: Iterable[tuple[str, str]]) -> None:
        assert self._router is not None
        at = self.addresses
        lines = [[at[a], at[b], self._rtt_ms[a, b] / 2, bool(self._holes & {a, b})] for a, b in pairs]
        self._router.ask("paths", paths=lines)


# -- the kernel's side


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _in_thread(work: Callable[[], T]) -> T:
    """Runs `work` in a throw-away thread, whose namespace may then change, and returns or raises what it did."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="edgelab-namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _unshare() -> int:
    """Puts this thread into a new network namespace and returns a descriptor of it."""
    if _libc().unshare(_CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _open_tun(name: str) -> int:
    device = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    except OSError:
        os.close(device)
        raise
    return device


def _take_block() -> tuple[str, int]:
    """A free block ("198.18.7") and this side's device in it; the device's name is the lock between labs."""
    with open("/proc/self/net/fib_trie", encoding="ascii") as routes:
        known = routes.read()
    for slot in _SLOTS:
        block = f"198.{18 + slot // 256}.{slot % 256}"
        if f" {block}." in known:
            continue
        name = f"edgelab{slot}"
        try:
            device = _open_tun(name)
        except OSError as error:
            if error.errno == errno.EBUSY:
                continue
            raise
        try:
            raise_loopback()
            _configure(name, f"{block}.1")
        except OSError:
            os.close(device)
            raise
        return block, device
    raise LabError("all 511 address blocks of 198.18.0.0/15 are in use: stop other labs first")


def _site_device(address: str) -> int:
    device = _open_tun("edge0")
    try:
        _set_up("lo")
        _configure("edge0", address)
    except OSError:
        os.close(device)
        raise
    return device


def _configure(name: str, address: str) -> None:
    """Gives the device an address, the route to its /24 block, and brings it up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.0")):
            packed = struct.pack("16sHH4s16x", name.encode(), socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(handle, request, packed)
        with contextlib.suppress(PermissionError):  # the machine's root only; else 500 packets, enough without bulk
            fcntl.ioctl(handle, _SIOCSIFTXQLEN, struct.pack("16si20x", name.encode(), _QUEUE))
    _set_up(name)


def _set_up(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        answer = fcntl.ioctl(handle, _SIOCGIFFLAGS, struct.pack("16sh22x", name.encode(), 0))
        (flags,) = struct.unpack("16xH22x", answer)
        if not flags & _IFF_UP:
            fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), flags | _IFF_UP | _IFF_RUNNING))
