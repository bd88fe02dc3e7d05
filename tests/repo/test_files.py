"""Scanning the working tree: nothing odd is opened, nothing bad ends the scan, nothing stale."""

from __future__ import annotations

import os
import resource
import socket
import time
from pathlib import Path

import pytest

from clean_room_agent.errors import RepositoryError
from clean_room_agent.repo import listing
from clean_room_agent.repo.files import KnownFile, Scan, ScanPolicy, scan
from clean_room_agent.repo.git import open_repository
from clean_room_agent.repo.ignore import is_secret_name
from tests.support.git import GitRepo

POLICY = ScanPolicy(
    language_of=lambda path, data, executable: "python" if path.endswith(".py") else None,
    is_test=lambda path, language: "test" in path,
)
LATER_NS = 4_000_000_000_000_000_000


def scan_root(root: Path, policy: ScanPolicy = POLICY) -> Scan:
    return scan(open_repository(root), {}, policy)


def paths(found: Scan) -> list[str]:
    return [file.path for file in found.files]


def reasons(found: Scan) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in found.skipped}


def known(found: Scan) -> dict[str, KnownFile]:
    return {
        file.path: KnownFile(
            file.blob_id,
            file.language,
            file.size_bytes,
            file.mtime_ns,
            found.identities[file.path].inode,
            found.identities[file.path].ctime_ns,
        )
        for file in found.files
    }


def test_files_carry_gits_own_hash_and_the_callers_labels(repo: GitRepo) -> None:
    repo.write({"test_new.py": "z\n"})
    (repo.root / "a.py").chmod(0o755)
    files = {file.path: file for file in scan_root(repo.root).files}

    assert list(files) == ["a.py", "pkg/b.py", "test_new.py"]
    assert files["a.py"].blob_id == repo.git("hash-object", "a.py")
    assert files["a.py"].executable
    assert files["pkg/b.py"].language == "python"
    assert files["test_new.py"].is_test
    assert not files["a.py"].is_test


def test_an_unchanged_file_is_not_hashed_again(repo: GitRepo) -> None:
    first = scan_root(repo.root)
    again = scan(open_repository(repo.root), known(first), POLICY, previous_started_ns=LATER_NS)
    assert first.hashed_files == 2
    assert again.hashed_files == 0
    assert again.files == first.files


def test_a_file_whose_time_was_set_back_while_the_last_scan_ran_is_hashed_again(
    repo: GitRepo,
) -> None:
    """The time of the inode tells: a later write within the same tick would leave it as it is."""
    os.utime(repo.root / "a.py", (1_600_000_000, 1_600_000_000))
    first = scan_root(repo.root)
    began_ns = (repo.root / "a.py").stat().st_ctime_ns
    again = scan(open_repository(repo.root), known(first), POLICY, previous_started_ns=began_ns)
    assert again.hashed_files == 2
    later = scan(open_repository(repo.root), known(first), POLICY, previous_started_ns=LATER_NS)
    assert later.hashed_files == 0


def test_a_file_as_young_as_the_last_scan_is_hashed_again(repo: GitRepo) -> None:
    """The racy case: same size, same time, other bytes, written while the last scan ran."""
    first = scan_root(repo.root)
    place = repo.root / "a.py"
    status = place.stat()
    place.write_text("x = 9\n")
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    weak = {
        p: KnownFile(k.blob_id, k.language, k.size_bytes, k.mtime_ns)
        for p, k in known(first).items()
    }

    again = scan(open_repository(repo.root), weak, POLICY, previous_started_ns=status.st_mtime_ns)
    assert again.files[0].blob_id == repo.git("hash-object", "a.py")


@pytest.mark.parametrize("how", ["replaced", "rewritten"])
def test_a_forged_time_is_seen_by_inode_or_change_time(repo: GitRepo, how: str) -> None:
    first = scan_root(repo.root)
    place = repo.root / "a.py"
    status = place.stat()
    if how == "replaced":
        (repo.root / "other").write_text("x = 8\n")
        (repo.root / "other").rename(place)
    else:
        time.sleep(0.02)
        place.write_text("x = 8\n")
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))

    again = scan(open_repository(repo.root), known(first), POLICY, previous_started_ns=LATER_NS)
    assert again.files[0].blob_id == repo.git("hash-object", "a.py")
    assert again.hashed_files == 1


@pytest.mark.reliability(case=78)
def test_links_fifos_and_sockets_are_listed_but_never_opened(repo: GitRepo, tmp_path: Path) -> None:
    (repo.root / "loop").symlink_to("loop")
    (repo.root / "root").symlink_to("/")
    (repo.root / "zero").symlink_to("/dev/zero")
    (repo.root / "dangling").symlink_to("nowhere")
    repo.commit()
    # Tracked as files, then turned into what nobody should open.
    repo.commit({"fifo.py": "1", "socket.py": "1", "dir.py": "1"})
    for name in ("fifo.py", "socket.py", "dir.py"):
        (repo.root / name).unlink()
    os.mkfifo(repo.root / "fifo.py")
    (repo.root / "dir.py").mkdir()
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(repo.root)
    server.bind("socket.py")
    os.chdir(here)
    try:
        found = reasons(scan_root(repo.root))
    finally:
        server.close()
    assert {name: found[name] for name in ("loop", "root", "zero", "dangling")} == dict.fromkeys(
        ("loop", "root", "zero", "dangling"), "symbolic link"
    )
    assert (found["fifo.py"], found["socket.py"]) == ("fifo", "socket")
    assert found["dir.py"] == "directory"


@pytest.mark.reliability(case=78)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_device_is_not_opened(repo: GitRepo) -> None:
    (repo.root / "a.py").unlink()
    try:
        os.mknod(repo.root / "a.py", 0o020666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this kernel lets nobody make device nodes here")
    assert reasons(scan_root(repo.root))["a.py"] == "character device"


@pytest.mark.reliability(case=78)
def test_a_directory_swapped_for_a_link_leads_nowhere(repo: GitRepo, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (repo.root / "pkg").rename(outside)
    (repo.root / "pkg").symlink_to(outside)
    found = scan_root(repo.root)
    assert paths(found) == ["a.py"]
    assert found.skipped[0].path == "pkg"
    assert reasons(found)["pkg/b.py"] == "a parent is a link or no directory"


@pytest.mark.reliability(case=79)
def test_vanished_changed_and_forbidden_files_are_recorded(repo: GitRepo) -> None:
    repo.commit({"gone.py": "1", "turned/x.py": "1"})
    (repo.root / "gone.py").unlink()
    (repo.root / "turned" / "x.py").unlink()
    (repo.root / "turned").rmdir()
    (repo.root / "turned").write_text("now a file")
    found = scan_root(repo.root)
    assert paths(found) == ["a.py", "pkg/b.py", "turned"]
    assert reasons(found) == {
        "gone.py": "vanished",
        "turned/x.py": "a parent is a link or no directory",
    }


@pytest.mark.reliability(case=75)
def test_odd_names_and_contents_are_files_like_any_other(repo: GitRepo) -> None:
    names = [
        "new\nline.py",
        "\udcff\udcfe.py",
        "n" * 255,
        "esc\x1b[2J.py",
        " lead",
        "tab\t",
        "ü.py",
    ]
    contents = [b"\xff\xfe", b"a\0b", "é".encode("utf-16"), b"", b"\r\n", b"\xed\xa0\x80", b"x"]
    repo.write(dict(zip(names, contents, strict=True)))
    repo.commit()
    found = scan_root(repo.root)
    assert set(names) <= set(paths(found))
    assert found.skipped == ()


@pytest.mark.reliability(case=76)
def test_a_sparse_giant_is_skipped_by_its_size_and_never_read(repo: GitRepo) -> None:
    with (repo.root / "giant.py").open("wb") as file:
        file.truncate(1 << 40)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = scan_root(repo.root)
    assert reasons(found) == {"giant.py": f"too large: {1 << 40} bytes"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.reliability(case=76)
def test_deep_directories_end_in_a_reason(repo: GitRepo) -> None:
    deep = "/".join(["d"] * 230)
    repo.write({f"{deep}/x.py": "1", "/".join(["e"] * 150) + "/y.py": "1"})
    found = scan_root(repo.root)
    assert reasons(found)[f"{deep}/x.py"] == "too deep or too long a path"
    assert len(found.files) == 3


@pytest.mark.reliability(case=76)
def test_a_directory_too_deep_for_git_is_named(repo: GitRepo) -> None:
    handle = os.open(repo.root, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 100, dir_fd=handle)
        deeper = os.open("d" * 100, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(os.open("x.py", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    found = scan_root(repo.root)
    assert paths(found) == ["a.py", "pkg/b.py"]
    assert [skip.reason for skip in found.skipped] == ["directory that cannot be listed"]


@pytest.mark.reliability(case=78)
def test_an_ignore_file_that_is_a_fifo_ends_in_an_error_that_names_it(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(repo.root / "pkg" / ".gitignore")
    monkeypatch.setattr(listing, "_LIST_SECONDS", 0.5)
    with pytest.raises(RepositoryError, match=r"pkg/\.gitignore is no regular file"):
        scan_root(repo.root)


@pytest.mark.reliability(case=15)
def test_submodules_and_nested_repositories_are_skipped(repo: GitRepo) -> None:
    head = repo.git("rev-parse", "HEAD")
    nested = GitRepo(repo.root / "nested")
    nested.commit({"inner.py": "1"})
    (repo.root / ".gitmodules").symlink_to("/etc/passwd")
    for path in ("sub", "odd/../sub2"):
        repo.run("update-index", "--add", "--cacheinfo", f"160000,{head},{path}")
    found = reasons(scan_root(repo.root))
    assert found["sub"] == "submodule"
    assert found["nested"] == "nested repository"
    assert found[".gitmodules"] == "symbolic link"
    assert not any(path.startswith("nested/") for path in found)


def test_a_file_left_out_by_a_sparse_checkout_says_so(repo: GitRepo) -> None:
    repo.git("sparse-checkout", "set", "--no-cone", "/a.py")
    assert reasons(scan_root(repo.root)) == {"pkg/b.py": "left out by a sparse checkout"}


def test_a_split_index_is_read(repo: GitRepo) -> None:
    repo.git("update-index", "--split-index")
    repo.commit({"c.py": "1"})
    assert list((repo.root / ".git").glob("sharedindex.*"))
    assert paths(scan_root(repo.root)) == ["a.py", "c.py", "pkg/b.py"]


def test_a_conflict_lists_its_path_once(repo: GitRepo) -> None:
    repo.git("checkout", "--quiet", "-b", "side", "HEAD~1")
    repo.commit({"pkg/b.py": "y = 3\n"})
    repo.run("merge", "main")
    assert paths(scan_root(repo.root)) == ["a.py", "pkg/b.py"]


@pytest.mark.reliability(case=91)
@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "deploy/.env.production",
        "id_rsa",
        "x/id_ed25519",
        "cert.pem",
        "KEY.PEM",
        ".netrc",
        "home/.ssh/config",
        ".aws/credentials",
        "credentials",
        "server.key",
        ".npmrc",
        "secrets.yaml",
        "prod.tfvars",
        "service-account-1.json",
        "dot/.kube/config",
        ".docker/config.json",
        ".azure/accessTokens.json",
        ".vault-token",
    ],
)
def test_key_files_are_known_by_name(path: str) -> None:
    assert is_secret_name(path)


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        "id_rsa.pub",
        "environment.py",
        "src/credentials.py",
        "keys.py",
        "monkey.py",
        "secret_santa.py",
        "services/account.json",
        "docs/pem.md",
        "solid_rsa.py",
        ".docker/Dockerfile",
        ".azure/pipelines.yml",
    ],
)
def test_ordinary_names_are_no_key_files(path: str) -> None:
    assert not is_secret_name(path)


@pytest.mark.reliability(case=91)
def test_a_tracked_key_file_is_skipped_whatever_the_rules_say(repo: GitRepo) -> None:
    repo.commit({".env": "TOKEN=1", ".gitignore": "!.env\n", ".craignore": "!.env\n"})
    found = scan_root(repo.root)
    assert reasons(found) == {".env": "secret file name"}
