# Importing pathlib would cost each sandbox several milliseconds.
# ruff: noqa: PTH101, PTH102, PTH103, PTH110, PTH112, PTH114, PTH115, PTH116, PTH120, PTH123
# ruff: noqa: PTH211
"""Build the root a sandboxed program sees: system files read-only, the workspace on a capped layer.

Takes: a `Plan` and the identity the program will have; must run with CAP_SYS_ADMIN in a mount
namespace of its own. Gives: a new root, entered; the old one is gone. Does not know: limits.

Nothing is hidden here: what is not listed below is never put into the new root.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from clean_room_agent.sandbox.inside import kernel
from clean_room_agent.sandbox.inside.copying import copy_tree
from clean_room_agent.sandbox.inside.layout import HOME, SYSTEM_PATHS

if TYPE_CHECKING:
    from clean_room_agent.sandbox.inside.plan import Plan

ETC_DIRECTORIES = ("alternatives", "ssl/certs", "ca-certificates", "pki/tls", "pki/ca-trust")
_ETC_FILES = ("ld.so.cache", "localtime", "ssl/openssl.cnf", "mime.types", "protocols", "services")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
                 "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}  # fmt: skip
_BASES = ("/tmp", "/run", "/mnt", "/var", "/usr")
_LOCKED = kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV
_LIMITED = kernel.MS_NOSUID | kernel.MS_NODEV
SHM_BYTES = 64 * 1024**2


class Identity(NamedTuple):
    """Who the program will be.

    `id_map`: a user namespace by which it sees the owner's files as its own, or -1.
    """

    uid: int
    gid: int
    privileged: bool
    id_map: int


def etc_files(uid: int, gid: int) -> dict[str, bytes]:
    """Return the small files of /etc: made up where the host's would tell about the host."""
    files = {
        "passwd": f"root:x:0:0:root:/:/bin/sh\ncra:x:{uid}:{gid}:cra:{HOME}:/bin/sh\n".encode(),
        "group": f"root:x:0:\ncra:x:{gid}:\n".encode(),
        "hosts": b"127.0.0.1 localhost sandbox\n::1 localhost\n",
        "hostname": b"sandbox\n",
        "nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
    }
    for name in _ETC_FILES:
        try:
            with open("/etc/" + name, "rb") as source:
                files[name] = source.read(4 * 1024**2)
        except OSError:
            continue
    return files


def enter(plan: Plan, identity: Identity) -> str:
    """Build the new root and move into it; return how the workspace was made: overlay or copy."""
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    trees = _open_trees(plan, identity)
    root = next(base for base in _BASES if os.path.isdir(base))
    kernel.mount("tmpfs", root, "tmpfs", _LIMITED, "mode=755,size=64m,nr_inodes=20000")
    _system(root, trees)
    _etc(root, identity, trees)
    _devices(root, trees)
    kernel.mount("proc", _directory(root + "/proc"), "proc", _LIMITED | kernel.MS_NOEXEC)
    _scratch(root, plan, identity)
    made = _places(root, plan, identity, trees)
    _files(root, plan)
    os.chdir(root)
    kernel.pivot_root(".", ".")
    kernel.umount(".")
    os.chdir("/")
    kernel.set_mount("/", kernel.ATTR_RDONLY)
    return made


def _open_trees(plan: Plan, identity: Identity) -> dict[str, int]:
    """Take hold of everything the host gives, before anything is mounted over it."""
    trees: dict[str, int] = {}
    for name in SYSTEM_PATHS:
        if os.path.isdir(name) and not os.path.islink(name):
            trees[name] = _locked(name, -1)
    for name in ETC_DIRECTORIES:
        if os.path.isdir("/etc/" + name):
            trees["/etc/" + name] = _locked("/etc/" + name, -1)
    for name in _DEVICES:
        trees["/dev/" + name] = kernel.open_tree("/dev/" + name)
    owner = os.stat(plan["workspace"]).st_uid
    for path in plan["read_only"]:
        same = os.stat(path).st_uid == owner
        trees[path] = _locked(path, identity.id_map if same else -1)
    trees["workspace"] = _locked(plan["workspace"], identity.id_map)
    return trees


def _locked(path: str, id_map: int) -> int:
    """Return a detached read-only copy of the mounts at `path`, seen as its owner if possible."""
    if id_map >= 0:
        tree = kernel.open_tree(path)
        try:
            kernel.set_tree(tree, _LOCKED, id_map=id_map)
        except OSError:
            os.close(tree)  # this file system cannot be mapped; the plain view must do
        else:
            return tree
    tree = kernel.open_tree(path)
    kernel.set_tree(tree, _LOCKED)
    return tree


def _directory(path: str) -> str:
    os.makedirs(path, mode=0o755, exist_ok=True)
    return path


def _attach(root: str, path: str, trees: dict[str, int], *, is_file: bool = False) -> None:
    target = root + path
    if is_file:
        _directory(os.path.dirname(target))
        if not os.path.exists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    else:
        _directory(target)
    tree = trees.pop(path)
    kernel.attach_tree(tree, target)
    os.close(tree)


def _system(root: str, trees: dict[str, int]) -> None:
    for name in SYSTEM_PATHS:
        if os.path.islink(name):
            os.symlink(os.readlink(name), root + name)
        elif name in trees:
            _attach(root, name, trees)


def _etc(root: str, identity: Identity, trees: dict[str, int]) -> None:
    for name, data in etc_files(identity.uid, identity.gid).items():
        write_file(f"{root}/etc/{name}", data)
    for name in ETC_DIRECTORIES:
        if "/etc/" + name in trees:
            _attach(root, "/etc/" + name, trees)


def write_file(path: str, data: bytes) -> None:
    _directory(os.path.dirname(path))
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(handle, "wb") as target:
        target.write(data)


def _devices(root: str, trees: dict[str, int]) -> None:
    _directory(root + "/dev")
    for name in _DEVICES:
        _attach(root, "/dev/" + name, trees, is_file=True)
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{root}/dev/{name}")
    options = "newinstance,ptmxmode=0666,mode=620,max=64"
    kernel.mount("devpts", _directory(root + "/dev/pts"), "devpts", kernel.MS_NOSUID, options)


def _scratch(root: str, plan: Plan, identity: Identity) -> None:
    """Mount /tmp and /dev/shm: private, capped, gone with the sandbox."""
    bounds = plan["bounds"]
    owner = f"uid={identity.uid},gid={identity.gid},nr_inodes={bounds['workspace_inodes']}"
    size = f"mode=1777,size={bounds['workspace_bytes']},{owner}"
    kernel.mount("tmpfs", _directory(root + "/tmp"), "tmpfs", _LIMITED, size)
    shared = min(SHM_BYTES, bounds["memory_bytes"])
    options = f"mode=1777,size={shared},{owner}"
    kernel.mount("tmpfs", _directory(root + "/dev/shm"), "tmpfs", _LIMITED, options)
    os.makedirs(root + HOME, mode=0o755)
    os.chown(root + HOME, identity.uid, identity.gid)
    _directory(root + "/run")
    _directory(root + "/var")
    os.symlink("/tmp", root + "/var/tmp")


def _places(root: str, plan: Plan, identity: Identity, trees: dict[str, int]) -> str:
    """Put the workspace and the read-only paths where they belong, parents first."""
    made = ""
    target = plan["target"]
    for path in sorted({target, *plan["read_only"]}):
        if path == target:
            made = _workspace(root, plan, identity, trees)
        elif path in trees:
            _attach(root, path, trees, is_file=not os.path.isdir(path_of(trees[path])))
    return made


def path_of(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"


def _workspace(root: str, plan: Plan, identity: Identity, trees: dict[str, int]) -> str:
    bounds = plan["bounds"]
    target = _directory(root + plan["target"])
    stage = _directory(root + "/.stage")
    lower, layer = _directory(stage + "/lower"), _directory(stage + "/layer")
    kernel.attach_tree(trees["workspace"], lower)
    size = f"size={bounds['workspace_bytes']},nr_inodes={bounds['workspace_inodes']}"
    owner = f"uid={identity.uid},gid={identity.gid}"
    kernel.mount("tmpfs", layer, "tmpfs", _LIMITED, f"mode=755,{size},{owner}")
    made = "copy"
    if not plan["copy_workspace"] and _overlay(plan, identity, stage, target):
        made = "overlay"
    else:
        tree = _directory(layer + "/tree")
        copy_tree(lower, tree, hide=_absent(plan), owner=_owner(identity))
        _own(tree, identity, stat.S_IMODE(os.stat(lower).st_mode))
        kernel.mount(tree, target, "", kernel.MS_BIND)
    kernel.umount(layer)
    kernel.umount(lower)
    return made


def fill_workspace(plan: Plan, identity: Identity, workspace_fd: int) -> None:
    """Copy the workspace into the tmpfs that bubblewrap has put at its target."""
    owner, target = _owner(identity), plan["target"]
    copy_tree(path_of(workspace_fd), target, hide=_absent(plan), owner=owner)
    _own(target, identity, stat.S_IMODE(os.fstat(workspace_fd).st_mode))
    os.close(workspace_fd)
    os.chown(HOME, identity.uid, identity.gid)


def _absent(plan: Plan) -> set[str]:
    """Return the relative names not to copy: the hidden ones, and what is bound on top."""
    prefix = plan["target"].rstrip("/") + "/"
    above = [*plan["read_only"], *plan["python_paths"]]
    bound = {path.removeprefix(prefix) for path in above if path.startswith(prefix)}
    return set(plan["hide"]) | bound


def _owner(identity: Identity) -> tuple[int, int] | None:
    return (identity.uid, identity.gid) if identity.privileged else None


def _overlay(plan: Plan, identity: Identity, stage: str, target: str) -> bool:
    """Lay a capped writable layer over the tree. False where this kernel or tree cannot."""
    lower, upper, work = stage + "/lower", stage + "/layer/upper", stage + "/layer/work"
    top = os.stat(lower)
    if top.st_uid != identity.uid:
        return False  # the program could not write to its own workspace
    os.mkdir(upper)
    os.mkdir(work)
    _own(upper, identity, stat.S_IMODE(top.st_mode))
    for name in plan["hide"]:
        _hide(lower, upper, name, identity)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    # Without privilege the kernel offers no redirects: renaming a folder of the tree is EXDEV.
    options += ",redirect_dir=on" if identity.privileged else ",userxattr"
    try:
        kernel.mount("overlay", target, "overlay", _LIMITED, options)
    except OSError:
        return False
    return True


def _own(path: str, identity: Identity, mode: int) -> None:
    os.chmod(path, mode)
    os.chown(path, identity.uid, identity.gid)


def _hide(lower: str, upper: str, name: str, identity: Identity) -> None:
    """Leave a whiteout for `name` in the upper layer: it is absent, not merely unreadable."""
    if not os.path.lexists(f"{lower}/{name}"):
        return
    parents = name.split("/")[:-1]
    for depth in range(1, len(parents) + 1):
        part = "/".join(parents[:depth])
        if not os.path.isdir(f"{upper}/{part}"):
            os.mkdir(f"{upper}/{part}")
            _own(f"{upper}/{part}", identity, stat.S_IMODE(os.stat(f"{lower}/{part}").st_mode))
    os.mknod(f"{upper}/{name}", stat.S_IFCHR, os.makedev(0, 0))


def _files(root: str, plan: Plan) -> None:
    """Add the caller's files, read-only also where they lie in a writable place."""
    for number, (path, data) in enumerate(sorted(plan["files"].items())):
        staged = f"{root}/.stage/files/{number}"
        write_file(staged, data)
        tree = kernel.open_tree(staged)
        kernel.set_tree(tree, _LOCKED)
        _attach(root, path, {path: tree}, is_file=True)
