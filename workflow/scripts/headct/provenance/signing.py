"""The root digest signed by a person, and whose signature it is: by ssh-keygen, with SSH keys.

What is signed is a sentence that can be read, in a file of its own beside the list. Statement and
signature are no part of what is sealed. See ``PROTOCOL.sshsig`` of OpenSSH for the form of a signature.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from headct.contracts import untrusted
from headct.contracts.artefacts import STUDY, write_atomically
from headct.contracts.problems import BadInput, Problem
from headct.contracts.run_records import is_sha256
from headct.contracts.terminal import visible
from headct.contracts.untrusted import Unusable
from headct.provenance import manifest
from headct.provenance.checks.folder import Finding, ResultsFolder, guarded
from headct.provenance.inside import located

PROGRAM = "ssh-keygen"
PURPOSE = "headct"
"""What SSH calls a namespace: a signature for another purpose, as e-mail or a commit, does not count here."""

ARMOUR = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\n(?:[A-Za-z0-9+/=]{1,76}\n)+-----END SSH SIGNATURE-----\n"
)
LARGEST_SIGNATURE_BYTES = 1 << 16


def statement(study: str, root: str) -> str:
    """What is signed.

    Args:
        study: its name.
        root: the root digest.
    """
    return (
        f"The results of the study {visible(study)} are sealed with the root digest\n"
        f"{root}\n"
        f"which is the SHA-256 of {manifest.MANIFEST}, the list of all their files.\n"
    )


def statement_of(results: Path) -> str:
    """The statement of a folder as it is sealed now; raises Unusable where its study has no name."""
    return statement(_name_of(results), manifest.root_of(results))


def root_stated(results: Path) -> str:
    """The root digest in a folder's statement, which may be of an earlier seal.

    Raises:
        Unusable: there is none, or it is not, letter by letter, what :func:`statement` says of this study.
    """
    text = _text_of(results, manifest.STATEMENT)
    root = next(filter(is_sha256, text.split("\n")), "")
    if text != statement(_name_of(results), root):
        raise Unusable("is no statement of a root digest of this study, as 'audit sign' writes it")
    return root


def _name_of(results: Path) -> str:
    try:
        return str(untrusted.json_of(results / STUDY)["name"])
    except (Unusable, LookupError, TypeError) as error:
        raise Unusable(f"can't be compared: {STUDY} does not name the study") from error


def _text_of(results: Path, path: str) -> str:
    """The text of one of the files that a person adds; raises Unusable."""
    try:
        file = located(results, path)
    except BadInput as error:
        raise Unusable("is no regular file, or is reached through a link") from error
    if not file.exists():
        raise Unusable("is missing")
    return untrusted.text_of(file)


def _signature_in(results: Path, path: str) -> str:
    """A signature as SSH writes it, and nothing else; raises Unusable."""
    text = _text_of(results, path)
    if len(text) > LARGEST_SIGNATURE_BYTES or not ARMOUR.fullmatch(text):
        raise Unusable("is no signature as ssh-keygen writes it")
    return text


def forms(folder: ResultsFolder) -> Iterator[Finding]:
    """Statement and signatures, which no list holds, are what they seem and nothing else."""
    for path in manifest.SIGNED:
        if path in folder.there:
            yield from guarded(path, _form, folder, path)


def _form(folder: ResultsFolder, path: str) -> Iterator[Finding]:
    if path == manifest.STATEMENT:
        root_stated(folder.results)
    else:
        _signature_in(folder.results, path)
    yield from ()


# -- whose signature it is ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Signed:
    """What came of checking the signature: the root that it stands for and its signer, or what is wrong."""

    root: str = ""
    by: str = ""
    wrong: Finding | None = None


def checked(results: Path, signers: Path) -> Signed:
    """Check the signature of a folder's statement.

    Args:
        results: the folder.
        signers: names and public keys of those whose signature counts, as ssh-keygen reads them (ALLOWED
            SIGNERS in its manual).

    Raises:
        BadInput: there is no such file, it lies in the results, or there is no ssh-keygen.
    """
    if not signers.is_file():
        raise BadInput([Problem(str(signers), "there is no such file", key="--signer")])
    if signers.resolve().is_relative_to(results.resolve()):
        message = "lies in the results: whose signature counts has to be known from elsewhere"
        raise BadInput([Problem(str(signers), message, key="--signer")])
    path = manifest.SIGNATURE
    try:
        signature = _signature_in(results, path)
        path = manifest.STATEMENT
        text, root = _text_of(results, path), root_stated(results)
    except Unusable as error:
        return Signed(wrong=Finding(path, str(error)))
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "signature")
        file.write_text(signature, encoding="ascii")
        found = _ssh_keygen(results, "find-principals", "-f", signers, "-s", file)
        good, messages = "", [found.stderr]
        for name in found.stdout.splitlines():
            words = ("verify", "-f", signers, "-I", name, "-n", PURPOSE, "-s", file)
            verified = _ssh_keygen(results, *words, text=text)
            if verified.returncode == 0:
                good = verified.stdout.strip()
                break
            messages.append(verified.stderr)
    if good:
        return Signed(root, good)
    what = (
        f"no good signature of {manifest.STATEMENT}"
        if found.returncode == 0
        else "by nobody whom --signer names"
    )
    reason = visible(" ".join(" ".join(messages).split()))
    return Signed(wrong=Finding(manifest.SIGNATURE, f"is {what} ({PROGRAM}: {reason})"))


def check_of(signed: Signed) -> Callable[[ResultsFolder], Iterator[Finding]]:
    """The check that a signature is good, and of the root that is known from elsewhere."""

    def check(folder: ResultsFolder) -> Iterator[Finding]:
        if signed.wrong:
            yield signed.wrong
        elif signed.root != folder.root:
            yield Finding(
                manifest.STATEMENT, f"states another root than the one that is given: {signed.root}"
            )

    return check


def _ssh_keygen(results: Path, *words: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """``ssh-keygen -Y …``, with a text on standard input."""
    command = [_program(results), "-Y", *map(str, words)]
    return subprocess.run(command, input=text, capture_output=True, text=True, errors="backslashreplace")


def _program(results: Path) -> str:
    """Where ssh-keygen is; raises BadInput where it is not installed, or comes from the results."""
    found = shutil.which(PROGRAM)
    if not found:
        message = "is not installed, or not in PATH: install OpenSSH 8.1 or later (openssh-client)"
        raise BadInput([Problem(PROGRAM, message)])
    if Path(found).resolve().is_relative_to(results.resolve()):
        raise BadInput([Problem(found, "lies in the results, of which nothing is run: mend PATH")])
    return found


# -- signing -----------------------------------------------------------------------------------------


def refuse_unready(results: Path, key: Path) -> None:
    """End, before anything is read that takes long, where a folder can't be signed.

    Raises:
        BadInput: there is a signature already, no such key, or no ssh-keygen.
    """
    replaced = "is there already, and is not replaced: move it elsewhere, then sign anew"
    present = [
        results / path for path in (manifest.STATEMENT, manifest.SIGNATURE) if (results / path).exists()
    ]
    problems = [Problem(str(path), replaced) for path in present]
    if not key.is_file():
        problems.append(Problem(str(key), "there is no such file", key="--key"))
    if problems:
        raise BadInput(problems)
    _program(results)


def sign(results: Path, key: Path) -> str:
    """Sign the root digest of a folder in which nothing was found; ssh-keygen asks for the passphrase itself.

    Args:
        results: the folder.
        key: of the person who signs; the public half, where the private one is in ssh-agent or on a token.

    Returns:
        What ssh-keygen says of the signature, with the fingerprint of its key.

    Raises:
        BadInput: ssh-keygen did not sign.
        Unusable: the study has no name.
    """
    text = statement_of(results)
    with tempfile.TemporaryDirectory() as scratch:
        file, signature = (
            Path(scratch, Path(path).name) for path in (manifest.STATEMENT, manifest.SIGNATURE)
        )
        file.write_text(text, encoding="utf-8")
        # Its messages go to the terminal as they are: it asks for a passphrase, or for a touch of a token.
        subprocess.run([_program(results), "-Y", "sign", "-f", str(key), "-n", PURPOSE, str(file)])
        if not signature.is_file():
            raise BadInput([Problem(str(key), f"{PROGRAM} did not sign with it; what it said stands above")])
        good = _ssh_keygen(results, "check-novalidate", "-n", PURPOSE, "-s", signature, text=text)
        for source, path in ((file, manifest.STATEMENT), (signature, manifest.SIGNATURE)):
            with write_atomically(results / path) as temporary:
                shutil.copyfile(source, temporary)
    return good.stdout.strip()
