"""Do to a disk in memory what a process did to a real one, and say what is left of it after a crash.

A killed process loses nothing that it wrote: the kernel has it. A power cut loses what no ``fsync`` has made
durable, and a kernel is free to have written any part of that already: a name before its bytes, the unlinking
of one file before the commit that was to come first.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.crash.strace import Call, Opened

Tree = Mapping[str, bytes | None]  # paths below the folder; None is a folder


@dataclass(eq=False)
class File:
    """Hold the bytes, those of the last fsync, and the writes since then as (offset, bytes)."""

    data: bytes = b""
    synced: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def write(self, offset: int, data: bytes | None) -> None:
        """Write at an offset; None cuts the file off there, or fills it up to there."""
        self.data = _written(self.data, offset, data)
        self.pending.append((offset, data))

    def sync(self) -> None:
        """Make all bytes durable."""
        self.synced = self.data
        self.pending.clear()


@dataclass(eq=False)
class Folder:
    """Hold the names, those of the last fsync, and the changes since then, each of which is atomic."""

    names: "dict[str, Node]" = field(default_factory=dict)
    synced: "dict[str, Node]" = field(default_factory=dict)
    pending: "list[dict[str, Node | None]]" = field(default_factory=list)

    def change(self, changes: "Mapping[str, Node | None]") -> None:
        """Give names to nodes, or take them away."""
        _rename(self.names, changes)
        self.pending.append(dict(changes))

    def sync(self) -> None:
        """Make all names durable."""
        self.synced = dict(self.names)
        self.pending.clear()


Node = File | Folder
Names = Callable[[Folder], "dict[str, Node]"]
Bytes = Callable[[File], bytes]


class Disk:
    """The folder ``root``, at first as ``start`` is; ``ignored`` tells what in it is not kept book of."""

    def __init__(self, root: Path, start: Path, ignored: Callable[[str], bool]) -> None:
        self._prefix = f"{root}/"
        self._ignored = ignored
        self._root = Folder()
        self._offsets: dict[tuple[int, str], int] = {}
        self._appending: set[tuple[int, str]] = set()
        for path in sorted(start.rglob("*")):
            name = path.relative_to(start).as_posix()
            if not ignored(name):
                self._link(name, Folder() if path.is_dir() else File(path.read_bytes()))
        self.sync()

    def do(self, call: Call) -> bool:
        """Do a call again; returns whether it is one that could change or save something here."""
        return getattr(self, f"_do_{call.name}", self._refuse)(call) is True

    def sync(self) -> None:
        """Make everything durable."""
        for node in _nodes(self._root):
            node.sync()

    def killed(self) -> Tree:
        """Return what a process leaves that is killed now."""
        return _tree(self._root, lambda folder: folder.names, lambda file: file.data)

    def lost(self) -> Tree:
        """Return what a power cut leaves that takes away everything which is not durable."""
        return _tree(self._root, lambda folder: folder.synced, lambda file: file.synced)

    def hollow(self) -> Tree:
        """Return what a power cut leaves when every name had been written already, and no byte."""
        return _tree(self._root, lambda folder: folder.names, lambda file: file.synced)

    def mixed(self, draw: Random) -> Tree:
        """Return what a power cut leaves when some had been written already, whatever the order."""

        def names(folder: Folder) -> "dict[str, Node]":
            left = dict(folder.synced)
            for changes in folder.pending:
                if draw.random() < 0.5:
                    _rename(left, changes)
            return left

        def data(file: File) -> bytes:
            left = file.synced
            for offset, written in file.pending:
                if draw.random() < 0.5:
                    left = _written(left, offset, written)
            return left

        return _tree(self._root, names, data)

    def _do_openat(self, call: Call) -> bool:
        assert call.opened is not None, call
        if not self._ours(call.opened):
            return False
        path = self._path(call.opened.path)
        key = call.opened.number, path
        self._offsets[key] = 0
        self._appending.discard(key)
        if call.has("O_APPEND"):
            self._appending.add(key)
        if call.has("O_CREAT") and self._find(path) is None:
            self._link(path, File())
            return True
        if call.has("O_TRUNC"):
            self._file(path).write(0, None)
            return True
        return False

    def _do_write(self, call: Call) -> bool:
        opened = call.file()
        if not self._ours(opened):
            return False
        path = self._path(opened.path)
        file, key = self._file(path), (opened.number, path)
        offset = len(file.data) if key in self._appending else self._offsets[key]
        file.write(offset, call.text(1)[: call.result])
        self._offsets[key] = offset + call.result
        return True

    def _do_pwrite64(self, call: Call) -> bool:
        if not self._ours(call.file()):
            return False
        self._file(self._path(call.file().path)).write(call.number(3), call.text(1)[: call.result])
        return True

    def _do_ftruncate(self, call: Call) -> bool:
        if not self._ours(call.file()):
            return False
        self._file(self._path(call.file().path)).write(call.number(1), None)
        return True

    def _do_lseek(self, call: Call) -> bool:
        if self._ours(call.file()):
            self._offsets[call.file().number, self._path(call.file().path)] = call.result
        return False

    def _do_mmap(self, call: Call) -> bool:
        mapped = [argument for argument in call.arguments if isinstance(argument, Opened)]
        shared = call.has("MAP_SHARED") and call.has("PROT_WRITE")
        assert not (mapped and shared and self._ours(mapped[0])), f"it cannot be followed: {call}"
        return False

    def _do_fsync(self, call: Call) -> bool:
        if not self._ours(call.file()):
            return False
        node = self._find(self._path(call.file().path))
        assert node is not None, call
        node.sync()
        return True

    _do_fdatasync = _do_fsync

    def _do_sync(self, call: Call) -> bool:
        self.sync()
        return True

    _do_syncfs = _do_sync

    def _do_rename(self, call: Call) -> bool:
        return self._move(*map(self._named, (call.arguments[0], call.arguments[1])))

    def _do_renameat(self, call: Call) -> bool:
        return self._move(self._beside(call, 0), self._beside(call, 2))

    _do_renameat2 = _do_renameat

    def _do_unlink(self, call: Call) -> bool:
        return self._unlink(self._named(call.arguments[0]))

    _do_rmdir = _do_unlink

    def _do_unlinkat(self, call: Call) -> bool:
        return self._unlink(self._beside(call, 0))

    def _do_mkdir(self, call: Call) -> bool:
        return self._make_folder(self._named(call.arguments[0]))

    def _do_mkdirat(self, call: Call) -> bool:
        return self._make_folder(self._beside(call, 0))

    def _refuse(self, call: Call) -> bool:
        """Let no call pass that changes this folder in a way unknown here."""
        paths = [call.opened, *call.arguments]
        ours = [path for path in paths if isinstance(path, Opened) and self._ours(path)]
        named = [path for path in paths if isinstance(path, bytes) and path.startswith(self._prefix.encode())]
        assert not ours + named, f"it cannot be followed: {call}"
        return False

    def _move(self, source: str, target: str) -> bool:
        if not source and not target:
            return False
        assert source, "something was moved into the folder"
        assert target, "something was moved out of the folder"
        (old, old_name), (new, new_name) = self._parent(source), self._parent(target)
        node = old.names[old_name]
        if old is new:
            old.change({old_name: None, new_name: node})
        else:
            new.change({new_name: node})
            old.change({old_name: None})
        return True

    def _unlink(self, path: str) -> bool:
        if path:
            parent, name = self._parent(path)
            parent.change({name: None})
        return bool(path)

    def _make_folder(self, path: str) -> bool:
        if path:
            self._link(path, Folder())
        return bool(path)

    def _link(self, path: str, node: Node) -> None:
        parent, name = self._parent(path)
        parent.change({name: node})

    def _parent(self, path: str) -> tuple[Folder, str]:
        above, _, name = path.rpartition("/")
        folder = self._find(above)
        assert isinstance(folder, Folder), path
        return folder, name

    def _find(self, path: str) -> Node | None:
        node: Node | None = self._root
        for name in path.split("/") if path not in ("", ".") else ():
            node = node.names.get(name) if isinstance(node, Folder) else None
        return node

    def _file(self, path: str) -> File:
        node = self._find(path)
        assert isinstance(node, File), path
        return node

    def _ours(self, opened: Opened) -> bool:
        return not opened.gone and bool(self._path(opened.path))

    def _named(self, path: Opened | bytes | str) -> str:
        assert isinstance(path, bytes), path
        return self._path(path.decode())

    def _beside(self, call: Call, place: int) -> str:
        return self._path(str(Path(call.file(place).path, call.text(place + 1).decode())))

    def _path(self, path: str) -> str:
        """Return a path relative to the folder, ``.`` for the folder itself, or nothing for any other."""
        if f"{path}/" == self._prefix:
            return "."
        below = path.removeprefix(self._prefix) if path.startswith(self._prefix) else ""
        return "" if self._ignored(below) else below


def put(tree: Tree, folder: Path) -> None:
    """Write a tree into a folder that is empty."""
    for path, data in tree.items():
        if data is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(data)


def _written(data: bytes, offset: int, written: bytes | None) -> bytes:
    if written is None:
        return data[:offset].ljust(offset, b"\0")
    return data[:offset].ljust(offset, b"\0") + written + data[offset + len(written) :]


def _rename(names: "dict[str, Node]", changes: "Mapping[str, Node | None]") -> None:
    for name, node in changes.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Folder):
        for below in node.names.values():
            yield from _nodes(below)


def _tree(folder: Folder, names: Names, data: Bytes, above: str = "") -> dict[str, bytes | None]:
    tree: dict[str, bytes | None] = {}
    for name, node in names(folder).items():
        path = f"{above}{name}"
        if isinstance(node, Folder):
            tree[path] = None
            tree |= _tree(node, names, data, f"{path}/")
        else:
            tree[path] = data(node)
    return tree
