"""The root digest signed by a person with a key of SSH, and what ``verify`` says of the signature."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headct.contracts.problems import BadInput
from headct.provenance import audit, manifest, signing
from support import audit_study

pytestmark = pytest.mark.skipif(
    not shutil.which("ssh-keygen"), reason="no ssh-keygen (Debian package openssh-client)"
)

JANE, JOHN = "jane@trial.example", "john@trial.example"


def new_key(path: Path, passphrase: str = "") -> Path:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", path]
    subprocess.run(words, check=True)
    return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: new_key(folder / name) for name in ("jane", "john", "nobody")}


@pytest.fixture(scope="module")
def signers(keys: dict[str, Path]) -> Path:
    """What an auditor has: names and public keys of two people."""
    lines = [
        f"{name} {keys[key].with_suffix('.pub').read_text()}"
        for key, name in (("jane", JANE), ("john", JOHN))
    ]
    file = keys["jane"].parent / "allowed_signers"
    file.write_text("# of the trial master file\n" + "".join(lines))
    return file


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed")
    return audit_study.sealed_with(folder, {}, tmp_path_factory.mktemp("repository"))


@pytest.fixture
def results(sealed: Path, tmp_path: Path) -> Path:
    """A copy of sealed results."""
    return shutil.copytree(sealed, tmp_path / "results")


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Exit status and report of a verification."""

    def verified(results: Path, signer: Path | None = None, root: str | None = None) -> tuple[int, str]:
        capsys.readouterr()
        try:
            audit.verify_results(results, signer=signer, root=root)
        except SystemExit as ended:
            return int(str(ended.code)), capsys.readouterr().out
        return 0, capsys.readouterr().out

    return verified


Report = Callable[..., tuple[int, str]]


def sign(results: Path, key: Path) -> None:
    audit.sign_results(results, key=key)


def sealed_anew(results: Path) -> None:
    """As one does who hides a change."""
    log = results / "logs/split.log"
    log.write_text(log.read_text() + "a line more\n")
    audit_study.reseal(results)


# -- signing -----------------------------------------------------------------------------------------


def test_a_signature_names_its_signer_and_stands_for_the_root(
    results: Path, keys: dict[str, Path], signers: Path, report: Report
) -> None:
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    sign(results, keys["john"])
    status, text = report(results, signers)
    assert status == 0, text
    assert f'Signed           Good "headct" signature for {JOHN} with ED25519 key SHA256:' in text
    assert "That the folder was not sealed anew" not in text
    added = {path for path in results.rglob("*") if path.is_file()} - before.keys()
    assert added == {results / manifest.STATEMENT, results / manifest.SIGNATURE}
    assert {path: path.read_bytes() for path in before} == before  # list, root and crate among them


def test_what_is_signed_can_be_read_and_checked_by_hand(
    results: Path, keys: dict[str, Path], signers: Path
) -> None:
    sign(results, keys["jane"])
    root = manifest.root_of(results)
    assert (results / "audit/signed.txt").read_text() == (
        "The results of the study mini are sealed with the root digest\n"
        f"{root}\n"
        "which is the SHA-256 of audit/manifest.tsv, the list of all their files.\n"
    )
    words = ["-Y", "verify", "-f", signers, "-I", JANE, "-n", "headct", "-s", "audit/signed.txt.sig"]
    with open(results / "audit/signed.txt") as statement:
        subprocess.run(["ssh-keygen", *words], cwd=results, stdin=statement, check=True)


def test_a_signature_that_is_not_asked_for_is_told_as_unchecked(
    results: Path, keys: dict[str, Path], report: Report
) -> None:
    assert "Signed           no" in report(results)[1]
    sign(results, keys["jane"])
    status, text = report(results)
    assert status == 0
    assert "Signed           there is a signature, of which nothing is known: --signer" in text
    assert "That the folder was not sealed anew" in text


def test_results_that_are_not_as_they_were_sealed_are_not_signed(
    results: Path, keys: dict[str, Path]
) -> None:
    (results / "metrics/unet.tsv").write_text("scan_id\tdice\ns1\t0.91\n")
    with pytest.raises(BadInput, match=r"metrics/unet\.tsv"):
        sign(results, keys["jane"])
    assert not (results / manifest.STATEMENT).exists()


def test_a_signature_is_never_replaced(results: Path, keys: dict[str, Path]) -> None:
    sign(results, keys["jane"])
    before = (results / manifest.SIGNATURE).read_bytes()
    with pytest.raises(BadInput, match=r"signed\.txt\.sig  is there already"):
        sign(results, keys["john"])
    assert (results / manifest.SIGNATURE).read_bytes() == before


@pytest.mark.parametrize("passphrase", ["right", "wrong"])
def test_a_key_with_a_passphrase_is_unlocked_by_ssh_keygen(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passphrase: str
) -> None:
    key = new_key(tmp_path / "locked", "right")
    answer = tmp_path / "answer"
    answer.write_text(f"#!/bin/sh\necho {passphrase}\n")
    answer.chmod(0o700)
    monkeypatch.setenv("SSH_ASKPASS", str(answer))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    if passphrase == "right":
        sign(results, key)
        assert (results / manifest.SIGNATURE).is_file()
        return
    with pytest.raises(BadInput, match="ssh-keygen did not sign"):
        sign(results, key)
    assert not (results / manifest.STATEMENT).exists()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        running.stdout.readline()  # it says where it listens once it does
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
        running.terminate()


@pytest.mark.usefixtures("agent")
def test_a_key_in_an_agent_is_named_by_its_public_half(
    results: Path, tmp_path: Path, signers: Path, report: Report
) -> None:
    key = new_key(tmp_path / "in_agent")
    subprocess.run(["ssh-add", "-q", key], check=True)
    key.unlink()
    sign(results, key.with_suffix(".pub"))
    own = tmp_path / "own"
    own.write_text(f"{JANE} {key.with_suffix('.pub').read_text()}")
    assert report(results, own)[0] == 0
    assert report(results, signers)[0] == 1


@pytest.mark.parametrize("path", ["", "missing"])
def test_without_ssh_keygen_it_says_what_is_lacking(
    results: Path, keys: dict[str, Path], signers: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    sign(results, keys["jane"])
    monkeypatch.setenv("PATH", path and str(results / path))
    with pytest.raises(BadInput, match="OpenSSH"):
        audit.verify_results(results, signer=signers)
    for path in (manifest.STATEMENT, manifest.SIGNATURE):
        (results / path).unlink()
    with pytest.raises(BadInput, match="OpenSSH"):
        sign(results, keys["jane"])


def test_no_ssh_keygen_of_the_folder_is_run(
    results: Path, keys: dict[str, Path], signers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(results, keys["jane"])
    program = results / "ssh-keygen"
    program.write_text(f"#!/bin/sh\ntouch {results / 'ran'}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(results))
    with pytest.raises(BadInput, match="lies in the results"):
        audit.verify_results(results, signer=signers)
    assert not (results / "ran").exists()


def test_a_key_that_is_not_there_is_told(results: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        sign(results, tmp_path / "key")


# -- what verify finds -------------------------------------------------------------------------------


def test_a_folder_that_was_sealed_anew_has_another_root_than_its_signature(
    results: Path, keys: dict[str, Path], signers: Path, report: Report
) -> None:
    sign(results, keys["jane"])
    signed = manifest.root_of(results)
    sealed_anew(results)
    assert f"not the list with the root {signed}" in report(results, signers)[1]
    assert report(results, signers)[0] == 1
    (results / manifest.STATEMENT).write_text(signing.statement("mini", manifest.root_of(results)))
    status, text = report(results, signers)
    assert status == 1
    assert "audit/signed.txt.sig: is no good signature of audit/signed.txt" in text


def test_the_signature_of_one_whom_the_auditor_does_not_know_is_found(
    results: Path, keys: dict[str, Path], signers: Path, report: Report
) -> None:
    sign(results, keys["nobody"])
    status, text = report(results, signers)
    assert status == 1
    assert "audit/signed.txt.sig: is by nobody whom --signer names" in text
    assert "That the folder was not sealed anew" in text


def test_the_signature_must_be_for_this_purpose(
    results: Path, keys: dict[str, Path], signers: Path, report: Report
) -> None:
    """Who signed the same text for another purpose, as e-mail or as code, did not sign results."""
    statement = results / manifest.STATEMENT
    statement.write_text(signing.statement("mini", manifest.root_of(results)))
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-f", keys["jane"], "-n", "file", statement], check=True
    )
    assert report(results, signers)[0] == 1


def test_a_root_and_a_signature_must_agree(
    results: Path, keys: dict[str, Path], signers: Path, report: Report
) -> None:
    sign(results, keys["jane"])
    sealed_anew(results)
    status, text = report(results, signers, root=manifest.root_of(results))
    assert status == 1
    assert "audit/signed.txt: states another root than the one that is given" in text


def test_an_unsigned_folder_is_a_finding_where_a_signature_is_asked_for(
    results: Path, signers: Path, report: Report
) -> None:
    status, text = report(results, signers)
    assert status == 1
    assert "audit/signed.txt.sig: is missing" in text


@pytest.mark.parametrize("text", ["I, Jane Doe, sign this.\n", "The results of the study mini are"])
def test_a_statement_holds_nothing_else(
    results: Path, keys: dict[str, Path], signers: Path, report: Report, text: str
) -> None:
    sign(results, keys["jane"])
    statement = results / manifest.STATEMENT
    statement.write_text(text + statement.read_text())
    for signer in (None, signers):
        status, told_of = report(results, signer)
        assert status == 1
        assert "audit/signed.txt: is no statement" in told_of


@pytest.mark.parametrize("content", [b"", b"Jane Doe, born 7 March 1950", b"\xff\x00"])
def test_a_signature_holds_nothing_else(results: Path, content: bytes, report: Report) -> None:
    for path in (manifest.SIGNATURE, manifest.SIGNATURE_BY_HAND):
        (results / path).write_bytes(content)
        status, text = report(results)
        assert status == 1
        assert f"{path}: is no" in text
        (results / path).unlink()


def test_the_signers_must_come_from_elsewhere(results: Path, keys: dict[str, Path], signers: Path) -> None:
    sign(results, keys["jane"])
    own = shutil.copy(signers, results / "allowed_signers")
    with pytest.raises(BadInput, match="from elsewhere"):
        audit.verify_results(results, signer=Path(own))
    with pytest.raises(BadInput, match="there is no such file"):
        audit.verify_results(results, signer=results.parent / "missing")


def test_a_signature_made_by_hand_of_the_root_alone_may_stay(
    results: Path, keys: dict[str, Path], report: Report
) -> None:
    """As releases before this one told it."""
    words = ["-Y", "sign", "-q", "-f", keys["jane"], "-n", "headct", results / manifest.ROOT]
    subprocess.run(["ssh-keygen", *words], check=True)
    assert report(results)[0] == 0
