"""Downloads: resumed after interruptions, checked by digest, and written atomically."""

from __future__ import annotations

import hashlib
import http.client
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from filelock import FileLock, Timeout

from ..errors import PosepipeError
from ..runtime.progress import progress

TIMEOUT_S = 20
_BLOCK = 1 << 20
_ALL_THERE = 416  # HTTP's "range not satisfiable"

log = logging.getLogger("posepipe")


class _FailedError(Exception):
    """Why a download from one address failed."""


def download(urls: Sequence[str], target: Path, sha256: str) -> None:
    """Download a file from the first address that has it.

    Received data are kept beside the target as ``*.part``; the next attempt, at any address, resumes there.

    Args:
        urls: http or https addresses of the same content.
        target: the file to write; its folder is created as well.
        sha256: digest of its content in hex digits, or its known first digits.

    Raises:
        PosepipeError: no address has it, or another process is downloading it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    failures = []
    try:
        with FileLock(f"{part}.lock", timeout=0):
            for url in urls:
                try:
                    _fetch(url, part)
                    _check(part, sha256)
                except _FailedError as failure:
                    failures.append(f"{urlsplit(url).hostname} ({failure})")
                    log.info("%s: %s", url, failure)
                else:
                    part.replace(target)
                    return
    except Timeout:
        raise PosepipeError(f"another process is fetching {target.name}; wait for it to end") from None
    kept = f"; the {part.stat().st_size / 1e6:.1f} MB that arrived are kept" if part.is_file() else ""
    raise PosepipeError(f"no server gives {target.name}: {', '.join(failures)}{kept}; try again later")


def adopt(source: Path, target: Path, sha256: str) -> None:
    """Copy a local file to its place, if its digest is correct.

    Raises:
        PosepipeError: no such file, or another content.
    """
    if not source.is_file():
        raise PosepipeError(f"there is no file {source}")
    target.parent.mkdir(parents=True, exist_ok=True)
    making = target.with_name(f"{target.name}.part")
    shutil.copyfile(source, making)
    try:
        _check(making, sha256)
    except _FailedError as failure:
        raise PosepipeError(f"{source} is not {target.name}: {failure}") from None
    making.replace(target)


def _fetch(url: str, part: Path) -> None:
    """Append to ``part`` what it lacks of the content at an address."""
    have = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 (https in all tables)
    try:
        with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            goes_on = answer.status == http.client.PARTIAL_CONTENT
            have = have if goes_on else 0
            missing = int(answer.headers.get("Content-Length") or 0)
            with part.open("ab" if goes_on else "wb") as file, progress(f"fetch {part.stem}", missing) as advance:
                while block := answer.read(_BLOCK):
                    file.write(block)
                    advance(len(block))
    except HTTPError as error:
        if error.code != _ALL_THERE:
            raise _FailedError(f"{error.code} {error.reason}") from error
    except (URLError, OSError, http.client.HTTPException) as error:
        raise _FailedError(str(getattr(error, "reason", error)) or type(error).__name__) from error
    else:
        if missing and part.stat().st_size < have + missing:
            raise _FailedError(f"broke off after {part.stat().st_size} of {have + missing} bytes")


def _check(part: Path, sha256: str) -> None:
    """Remove the file if its digest is wrong."""
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(sha256):
        part.unlink()
        raise _FailedError(f"its SHA-256 begins with {found[: len(sha256)]}, not {sha256}")
