"""Data of an application that changes by chance: all that a file system has and a backup must bring back."""

import os
import stat

NAMES = [b"plain", b"with blank", b"new\nline", b"-o", b"\xff\xfe\x80", b"n" * 255, "ümlaut".encode(), b"$HOME", b"a:b",
         b"%s", b".hidden", b"\\back\\slash", b"*", b"'quoted\"", b"tab\there", b"~", b"#", b"end."]
TARGETS = [b"plain", b"../../../etc/passwd", b"/nowhere", b"\xff\xfe", b"t" * 1000, b"new\nline", b".", b"loop"]


class Data:
    """A folder; `chance` decides what is done to it."""

    def __init__(self, folder, chance):
        self.folder, self.chance = folder.encode(), chance
        for _ in range(12):
            self._new()

    def change(self):
        for _ in range(self.chance.randrange(2, 10)):
            self.chance.choice([self._new, self._new, self._append, self._overwrite, self._cut, self._remove, self._move,
                                self._mode, self._owner, self._time, self._attribute, self._hard_link, self._link,
                                self._folder, self._sparse, self._large, self._special])()

    # --- places ---

    def _all(self, kind=None):
        found = []
        for root, folders, files in os.walk(self.folder):
            found += [os.path.join(root, name) for name in folders + files]
        return [path for path in sorted(found) if (kind is None or kind(os.lstat(path).st_mode)) and
                os.path.basename(path) != b".granary-restore"]

    def _some(self, kind=stat.S_ISREG):
        found = self._all(kind)
        return self.chance.choice(found) if found else None

    def _free(self):
        """A name that is not taken, in some folder that is not too deep."""
        folders = [path for path in self._all(stat.S_ISDIR) if path.count(b"/") < self.folder.count(b"/") + 5]
        folder = self.chance.choice([self.folder, *folders])
        name = self.chance.choice(NAMES)
        if os.path.lexists(os.path.join(folder, name)):
            name = b"%d" % self.chance.randrange(10**6)
        path = os.path.join(folder, name)
        return None if os.path.lexists(path) else path

    # --- changes ---

    def _write(self, path, mode, content):
        if path:
            with open(path, mode) as file:
                file.write(content)

    def _new(self):
        self._write(self._free(), "wb", self.chance.randbytes(self.chance.choice([0, 1, 100, 5000, 70000])))

    def _append(self):
        self._write(self._some(), "ab", self.chance.randbytes(300))

    def _overwrite(self):
        self._write(self._some(), "r+b", self.chance.randbytes(50))

    def _large(self):
        self._write(self._free(), "wb", self.chance.randbytes(self.chance.randrange(1 << 20, 3 << 20)))

    def _sparse(self):
        path = self._free()
        self._write(path, "wb", b"begin")
        if path:
            os.truncate(path, self.chance.randrange(1 << 20, 8 << 20))
            self._write(path, "ab", b"end")

    def _cut(self):
        path = self._some()
        if path:
            os.truncate(path, os.path.getsize(path) // 2)

    def _remove(self):
        path = self._some(lambda mode: not stat.S_ISDIR(mode))
        if path and len(self._all()) > 8:
            os.unlink(path)

    def _move(self):
        path, free = self._some(lambda mode: not stat.S_ISDIR(mode)), self._free()
        if path and free:
            os.rename(path, free)

    def _mode(self):
        path = self._some(lambda mode: not stat.S_ISLNK(mode))
        if path:
            os.chmod(path, self.chance.choice([0o644, 0o600, 0o4755, 0o2711, 0o1777, 0o000, 0o444]))

    def _owner(self):
        path = self._some(None)
        if path:
            os.lchown(path, self.chance.choice([0, 1000, 65534, 2**31]), self.chance.choice([0, 4321, 2**31]))

    def _time(self):
        path = self._some(None)
        if path:
            when = self.chance.randrange(0, 2 * 10**18)
            os.utime(path, ns=(when, when), follow_symlinks=False)

    def _attribute(self):
        path = self._some(lambda mode: stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        if path:
            os.setxattr(path, b"user." + self.chance.choice([b"note", b"a.b", b"\xc3\xbc"]), self.chance.randbytes(20))

    def _hard_link(self):
        path, free = self._some(), self._free()
        if path and free:
            os.link(path, free)

    def _link(self):
        free = self._free()
        if free:
            os.symlink(self.chance.choice(TARGETS), free)

    def _folder(self):
        free = self._free()
        if free:
            os.mkdir(free)

    def _special(self):
        free = self._free()
        if free:
            os.mkfifo(free)

    # --- destruction, before a restore ---

    def destroy(self, kept):
        """Some of it or all, and all that is not in the picture `kept`: a restore removes nothing."""
        all_of_it = self.chance.randrange(2)
        for path in reversed(self._all()):
            if all_of_it or os.path.relpath(path, self.folder) not in kept or self.chance.randrange(3) == 0:
                folder = stat.S_ISDIR(os.lstat(path).st_mode)
                if not folder:
                    os.unlink(path)
                elif not os.listdir(path):
                    os.rmdir(path)
