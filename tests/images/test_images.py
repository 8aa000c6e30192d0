"""What is in the images, that they are the same each time, and that Dockerfiles say the same."""

import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import image
import oci
from harness import check, check_equal, test

FILES = os.environ["GRANARY_IMAGES"].split()
NAMES = [os.path.basename(path).removesuffix(".tar") for path in FILES]
CATALOG = "usr/share/granary/catalog"
SIZE_MB = {"granary-webhook": 25, "granary-controller": 25, "granary-agent": 31, "granary-etcd": 110, "granary-wipe": 88, "granary-postgres": 60, "granary-mariadb": 60, "granary-redis": 50}
TOOLS = {"granary-agent": {"usr/bin/restic"}, "granary-wipe": {"usr/bin/restic", "usr/bin/rclone"},
         "granary-postgres": {"usr/bin/restic"},
         "granary-mariadb": {"usr/bin/restic", "usr/bin/mariadb", "usr/bin/mariadb-dump"},
         "granary-redis": {"usr/bin/restic", "usr/bin/redis-cli"}}


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="granary-images-")


def write(path, content):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def program_of(archive):
    """What is of granary in it: the program of its name, or the agent."""
    return "usr/bin/" + re.sub("^granary-(etcd|wipe|postgres|mariadb|redis)$", "granary-agent", archive.name)


class Archive:
    """One OCI archive, every blob compared with its digest."""

    def __init__(self, path):
        self.name = os.path.basename(path).removesuffix(".tar")
        with tarfile.open(path) as tar:
            self.files = {member.name: tar.extractfile(member).read() for member in tar}
        (entry,) = json.loads(self.files["index.json"])["manifests"]
        self.tag = entry["annotations"]["io.containerd.image.name"]
        manifest = json.loads(self.blob(entry))
        self.config = json.loads(self.blob(manifest["config"]))
        (self.layer,) = manifest["layers"]

    def blob(self, descriptor):
        content = self.files["blobs/" + descriptor["digest"].replace(":", "/")]
        check_equal("sha256:" + hashlib.sha256(content).hexdigest(), descriptor["digest"], "digest")
        check_equal(len(content), descriptor["size"], "size")
        return content

    def unpack(self, folder):
        """The layer in a folder; returns its members by name."""
        path = os.path.join(folder, "layer.tar")
        write(path, self.blob(self.layer))
        tree = os.path.join(folder, "root")
        with tarfile.open(path) as tar:
            tar.extractall(tree)
            return tree, {member.name: member for member in tar}


def archives():
    check(FILES, "there are no images")
    return [Archive(path) for path in FILES]


@test("image")
def nothing_is_there_but_program_libraries_authorities_and_accounts():
    wanted = re.compile(r"usr/bin/(NAME|restic|rclone|mariadb|mariadb-dump|redis-cli)|usr/lib/etcd/3\.[456]/etcd(ctl|utl)|"
                        r"usr/lib/postgresql/bin/(psql|pg_dump|pg_dumpall)|bin/sh|"
                        r"lib(64)?(/x86_64-linux-gnu|/aarch64-linux-gnu)?/(lib|ld-)\S+\.so\.\d+|"
                        r"etc/(passwd|group|nsswitch\.conf|ssl/certs/ca-certificates\.crt)")
    for archive in archives():
        with temporary_folder() as folder:
            _, members = archive.unpack(folder)
        files = {name for name, member in members.items() if not member.isdir()}
        catalog = {name for name in files if name.startswith(CATALOG + "/")} if archive.name == "granary-controller" else set()
        strange = {name for name in files - catalog if not wanted.fullmatch(name.replace(program_of(archive), "usr/bin/NAME"))}
        check_equal(strange, set(), f"{archive.name}: what does not belong there")
        check_equal({name for name in files if name.startswith("usr/bin/")},
                    {program_of(archive), *TOOLS.get(archive.name, ())}, "programs")
        for name, member in members.items():
            check(member.isdir() or member.isreg(), f"{archive.name}: {name} is neither file nor folder")
            executable = member.isdir() or name.startswith(("usr/bin/", "usr/lib/etcd/", "usr/lib/postgresql/", "bin/", "lib"))
            check_equal((member.mode, member.uid, member.gid, member.mtime),
                        (0o755 if executable else 0o644, 0, 0, 0), f"{archive.name}: mode, owner, time of {name}")
        total = sum(member.size for member in members.values()) / 1e6
        check(total < SIZE_MB[archive.name], f"{archive.name} has {total:.1f} MB")


@test("image")
def the_controller_carries_its_functions_and_tasks():
    here = os.path.join(image.ROOT, "manifests", "catalog")
    wanted = {name for name in os.listdir(here) if name != "kustomization.yaml"}
    for archive in archives():
        with temporary_folder() as folder:
            tree, _ = archive.unpack(folder)
            place = os.path.join(tree, CATALOG)
            found = set(os.listdir(place)) if os.path.isdir(place) else set()
            check_equal(found, wanted if archive.name == "granary-controller" else set(), archive.name)
            for name in found:
                with open(f"{place}/{name}", "rb") as got, open(f"{here}/{name}", "rb") as file:
                    check_equal(got.read(), file.read(), name)


@test("image")
def they_run_as_somebody_else_than_root_and_name_no_shell():
    for archive in archives():
        config = archive.config["config"]
        check_equal(archive.tag, f"localhost/{archive.name}:dev", "name")
        check_equal(config["User"], "65532:65532", f"user of {archive.name}")
        check_equal(config["Entrypoint"], [f"/{program_of(archive)}"], "entry point")
        check_equal(config["Env"], ["PATH=/usr/bin"], "variables")
        with temporary_folder() as folder:
            tree, _ = archive.unpack(folder)
            with open(f"{tree}/etc/passwd", encoding="ascii") as file:
                check("granary:x:65532:65532:" in file.read(), f"{archive.name}: 65532 has no name")


@test("image")
def programs_run_with_nothing_but_what_is_in_the_image():
    for archive in archives():
        with temporary_folder() as folder:
            tree, members = archive.unpack(folder)
            loaders = glob.glob(f"{tree}/lib*/ld-*.so.*") + glob.glob(f"{tree}/lib/*/ld-*.so.*")
            libraries = ":".join(glob.glob(f"{tree}/lib/*-linux-gnu"))
            for name in sorted(name for name in members if name.startswith("usr/bin/") and members[name].isreg()):
                start = [loaders[0], "--inhibit-cache", "--library-path", libraries] if loaders else []
                if start and image.libraries(f"{tree}/{name}"):
                    listed = subprocess.run([*start, "--list", f"{tree}/{name}"], capture_output=True, text=True)
                    check_equal(listed.returncode, 0, f"{name}: {listed.stderr}")
                    outside = [path for path in re.findall(r"=> (\S+)", listed.stdout) if not path.startswith(tree)]
                    check_equal(outside, [], f"{name}: libraries that are not in {archive.name}")
                else:
                    start = []
                word = "version" if name.endswith(("restic", "rclone")) else "--version"
                done = subprocess.run([*start, f"{tree}/{name}", word], capture_output=True, text=True, cwd=tree)
                check_equal(done.returncode, 0, f"{name} {word}: {done.stderr}")
                check(re.match(r"(granary-\w+|restic|rclone|redis-cli|\S*mariadb\S*  ?Ver) v?\d+\.\d+", done.stdout), f"{name} {word}: {done.stdout}")


@test("image")
def authorities_are_those_of_the_package_and_none_of_this_machine():
    with temporary_folder() as folder:
        tree, _ = archives()[0].unpack(folder)
        with open(f"{tree}/etc/ssl/certs/ca-certificates.crt", encoding="ascii") as file:
            found = re.findall(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", file.read(), re.S)
    check_equal(len(found), len(glob.glob("/usr/share/ca-certificates/mozilla/*.crt")), "authorities")
    for path in glob.glob("/usr/local/share/ca-certificates/*.crt"):
        with open(path, encoding="ascii", errors="replace") as file:
            check(file.read().strip() + "\n" not in found, f"{path} is in the image")


@test("image", serial=True)
def the_same_program_gives_the_same_bytes():
    build = os.path.dirname(os.path.dirname(FILES[0]))
    for name, path in zip(NAMES, FILES):
        with temporary_folder() as folder:
            before = os.umask(0o077)
            try:
                line = image.build(os.path.abspath(f"{build}/{name}"), folder)
            finally:
                os.umask(before)
            with open(path, "rb") as one, open(f"{folder}/{name}.tar", "rb") as two:
                check(one.read() == two.read(), f"{name} is another one the second time: {line}")
            check(" MB" in line and "sha256:" in line, f"it says {line}")


@test("image", serial=True)
def source_date_epoch_is_the_time_of_everything():
    with temporary_folder() as folder:
        os.mkdir(f"{folder}/tree")
        write(f"{folder}/tree/file", "content")
        environment = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
        command = [sys.executable, oci.__file__, "--tree", f"{folder}/tree", "--tag", "localhost/granary-agent:dev",
                   "--out", f"{folder}/out.tar"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        check_equal(done.returncode, 0, done.stderr)
        archive = Archive(f"{folder}/out.tar")
        check_equal(archive.config["created"], "2023-11-14T22:13:20Z", "created")
        _, members = archive.unpack(folder)
        check_equal([member.mtime for member in members.values()], [1700000000], "times of files")
        done = subprocess.run(command, env=dict(environment, SOURCE_DATE_EPOCH="yesterday"), capture_output=True,
                              text=True)
        check(done.returncode != 0 and "SOURCE_DATE_EPOCH" in done.stderr, f"a bad time: {done.stderr}")


# --- Dockerfiles ----------------------------------------------------------------------------------


@test("image")
def each_dockerfile_gathers_by_the_same_command_as_make():
    """Runs what the RUN line says, with another folder for /image, and compares with the archive byte for byte."""
    build = os.path.dirname(os.path.dirname(FILES[0]))
    for archive in archives():
        with open(f"manifests/images/{archive.name}.Dockerfile", encoding="utf-8") as file:
            found = image.instructions(file.read())
        last = max(i for i, (word, _) in enumerate(found) if word == "FROM")
        program = os.path.basename(program_of(archive))
        command = found[last - 1][1].split(" && ")[1].split()
        check_equal(command[0], "manifests/images/image.py", "what gathers")
        with temporary_folder() as folder:
            at = {"/image": f"{folder}/image", f"build/{program}": f"{build}/{program}"}
            done = subprocess.run([at.get(word, word) for word in command], capture_output=True, text=True)
            check_equal(done.returncode, 0, done.stderr)
            tree, members = archive.unpack(folder)
            gathered = {os.path.relpath(os.path.join(below, name), f"{folder}/image")
                        for below, folders, files in os.walk(f"{folder}/image") for name in folders + files}
            check_equal(gathered, set(members), f"paths of {archive.name}")
            for name in gathered:
                one, two = f"{folder}/image/{name}", f"{tree}/{name}"
                check_equal(os.stat(one).st_mode, os.stat(two).st_mode, f"mode of {name}")
                if os.path.isfile(one):
                    with open(one, "rb") as a, open(two, "rb") as b:
                        check(a.read() == b.read(), f"{archive.name}: {name} differs")


GOOD = """FROM debian:12-slim AS build
RUN make COMMIT=$COMMIT build/NAME && \\
    manifests/images/image.py tree build/NAME /image --with restic

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
# a comment
ENV A="b c"
LABEL org.example.title=d
ENTRYPOINT ["/usr/bin/NAME", "x"]
"""
BAD = {
    "another file": ("USER", "COPY --from=build /bin/sh /\nUSER"),
    "a command in the last stage": ("USER", "RUN id\nUSER"),
    "another base": ("FROM scratch", "FROM debian:12-slim"),
    "another list": ("image.py tree build/NAME /image", "image.py tree build/NAME /other"),
    "more after the list": ("--with restic", "--with restic && cp /bin/sh /image"),
    "something unknown": ("--with restic", "--with bash"),
    "root": ("USER 65532:65532", "USER 0:0"),
    "group root": ("USER 65532:65532", "USER 65532:0"),
    "a user by name": ("USER 65532:65532", "USER granary"),
    "no user": ("USER 65532:65532\n", ""),
    "a shell": ('ENTRYPOINT ["/usr/bin/NAME", "x"]', "ENTRYPOINT /usr/bin/NAME"),
    "words that are none": ('"x"]', "1]"),
    "a variable": ('A="b c"', "A=$COMMIT"),
    "two variables": ('A="b c"', "A=b C=d"),
    "no first stage": (GOOD[:GOOD.index("FROM scratch")], ""),
}


def read_text(text):
    """What read_dockerfile() says of a text."""
    with temporary_folder() as folder:
        write(f"{folder}/NAME.Dockerfile", text)
        here, image.HERE = image.HERE, folder
        try:
            return image.read_dockerfile("NAME")
        finally:
            image.HERE = here


@test("image", serial=True)
def a_dockerfile_that_says_more_is_refused():
    program, tools, config = read_text(GOOD)
    check_equal(program, "NAME", "its program")
    check_equal(tools, ["restic"], "what the list has beside the program")
    check_equal(config, {"User": "65532:65532", "Env": ["A=b c"], "Labels": {"org.example.title": "d"},
                         "Entrypoint": ["/usr/bin/NAME", "x"]}, "config")
    for what, (old, new) in BAD.items():
        check(old in GOOD, f"{what}: {old} is not there")
        try:
            _, tools, _ = read_text(GOOD.replace(old, new))
            check(not set(tools) <= set(image.TOOLS), f"taken in spite of {what}")
        except image.Refused:
            pass


@test("image")
def what_can_not_be_made_is_said_and_leaves_nothing():
    with temporary_folder() as folder:
        write(f"{folder}/granary-webhook", "no program")
        done = subprocess.run([sys.executable, image.__file__, "build", folder, f"{folder}/granary-webhook"],
                              capture_output=True, text=True)
        check(done.returncode == 1 and done.stderr.startswith("image.py: "), f"{done.returncode} {done.stderr}")
        check(not glob.glob(f"{folder}/*.tar*"), "a file is left")
        shutil.copy(FILES[0], f"{folder}/granary-none")
        done = subprocess.run([sys.executable, image.__file__, "build", folder, f"{folder}/granary-none"],
                              capture_output=True, text=True)
        check(done.returncode == 1 and "granary-none.Dockerfile" in done.stderr, f"{done.returncode} {done.stderr}")
