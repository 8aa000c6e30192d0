"""TLS: versions, certificates, clients, rotation. Catalogue H21 to H27."""

import concurrent.futures
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import warnings

import harness
from harness import (SLOW, Authority, Webhook, ask, check, check_allowed, check_equal, ends,
                     eventually, openssl, post, read_answer, review, send, temporary_folder, test,
                     trusting, write)


def permissive(version, ciphers="ALL:@SECLEVEL=0"):
    """A client that itself would agree to anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.create_default_context(cafile=harness.WORLD.ca.cert)
        context.set_ciphers(ciphers)
        context.minimum_version = version
        context.maximum_version = version
    return context


def handshake_error(webhook, **how):
    """What the client learns when the server refuses the handshake; None when it does not."""
    try:
        with webhook.tls(**how) as connection:
            # in TLS 1.3 the server's verdict on a client certificate comes after the handshake
            connection.sendall(post(review()))
            answer = read_answer(connection)
            return None if answer else "closed"
    except ConnectionError as error:
        return str(error)
    except ssl.SSLError as error:
        # libmicrohttpd closes without an alert; anything else is the client's own opinion
        check("EOF" in str(error) or "ALERT" in str(error).upper(), f"not refused: {error}")
        return str(error)


@test("H21")
def only_tls_1_2_and_1_3_are_spoken():
    version = ssl.TLSVersion
    with Webhook() as webhook, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for old in (version.TLSv1, version.TLSv1_1):
            check(handshake_error(webhook, context=permissive(old)), f"{old} is agreed to")
        for new, name in ((version.TLSv1_2, "TLSv1.2"), (version.TLSv1_3, "TLSv1.3")):
            with webhook.tls(context=permissive(new)) as connection:
                check_equal(connection.version(), name, "version")
                connection.sendall(post(review()))
                check_allowed(read_answer(connection))
        for weak in ("eNULL", "aNULL", "3DES", "RC4", "EXPORT", "kRSA"):
            try:
                context = permissive(version.TLSv1_2, f"{weak}:@SECLEVEL=0")
            except ssl.SSLError:
                continue  # this client does not even know them any more
            check(handshake_error(webhook, context=context), f"{weak} is agreed to")


def hello(version, extensions=b"", ciphers=b"\xc0\x2b\xc0\x2f"):
    """A ClientHello in records of 16 KiB at most."""
    body = version + b"\x11" * 32 + b"\0" + len(ciphers).to_bytes(2, "big") + ciphers + b"\1\0"
    if extensions:
        body += len(extensions).to_bytes(2, "big") + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"".join(b"\x16\3\1" + len(part).to_bytes(2, "big") + part
                    for part in (message[at:at + 16384] for at in range(0, len(message), 16384)))


def reply_type(webhook, data):
    """Type of the first TLS record of the reply, b"" when the connection just ends."""
    with webhook.tcp() as connection:
        send(connection, data)
        try:
            return connection.recv(1)
        except ConnectionError:
            return b""


ALERT = b"\x15"
HANDSHAKE = b"\x16"


@test("H21 H22 H23")
def raw_hellos_and_garbage_are_refused():
    with Webhook("--handshake-timeout", "4s") as webhook:
        for data in (hello(b"\3\0"), hello(b"\3\1"), hello(b"\3\2"), b"\x80\x2e\1\0\2" + b"\0" * 41,
                     b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4096), b"\x16\3\1\xff\xff",
                     b"\x17\3\3\0\x10" + b"x" * 16, b"\x16\3\1\0\0" * 100, b"\x15\3\3\0\2\2\x28"):
            check(reply_type(webhook, data) in (b"", ALERT), f"{data[:20]!r} is answered")
        name = b"a" * 60000
        sni = (len(name) + 3).to_bytes(2, "big") + b"\0" + len(name).to_bytes(2, "big") + name
        huge = b"\0\0" + len(sni).to_bytes(2, "big") + sni
        # GnuTLS passes over such a name; names are nothing to us
        check(reply_type(webhook, hello(b"\3\3", huge)) in (b"", ALERT, HANDSHAKE), "a huge name")
        check_allowed(ask(webhook, post(review())))
        eventually(lambda: webhook.metric("tls_handshake_failures_total") >= 8, "counted")


@test("H22")
def names_and_protocols_of_the_hello():
    with Webhook() as webhook:
        for name in ("localhost", "other.example", None):
            context = trusting(check_hostname=False)
            with webhook.tls(context=context, name=name) as connection:
                connection.sendall(post(review()))
                check_allowed(read_answer(connection))
        for offered, agreed in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"),
                                (["h2"], None)):
            context = trusting()
            context.set_alpn_protocols(offered)
            with webhook.tls(context=context) as connection:
                check_equal(connection.selected_alpn_protocol(), agreed, f"ALPN of {offered}")


@test("H23")
def a_renegotiation_ends_the_connection():
    with Webhook() as webhook:
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{webhook.port}", "-tls1_2", "-CAfile",
             harness.WORLD.ca.cert],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        client.stdin.write("R\n")
        client.stdin.flush()
        time.sleep(0.5 * SLOW)
        try:
            client.stdin.write("GET /mutate HTTP/1.1\n\n")
            client.stdin.close()
        except BrokenPipeError:
            pass
        client.stdin = None
        output = client.communicate(timeout=harness.PATIENCE_S * SLOW)[0]
        check("RENEGOTIATING" in output, "the client did not ask for it")
        check("HTTP/1.1" not in output, "answered after a renegotiation")
        check("Compression: NONE" in output, "compressed")
        check_allowed(ask(webhook, post(review())))


@test("H27")
def sessions_are_never_resumed():
    with Webhook() as webhook:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = permissive(version)
            with webhook.tls(context=context) as first:
                first.sendall(post(review()))
                check_allowed(read_answer(first))
                session = first.session
                check(not session or not session.has_ticket, "a ticket was given out")
            raw = webhook.tcp()
            with context.wrap_socket(raw, server_hostname="localhost", session=session) as second:
                check(not second.session_reused, "resumed")
                second.sendall(post(review()))
                check_allowed(read_answer(second))


def mixed(folder, cert, key):
    """A folder with the two files as the program reads them."""
    shutil.copy(cert, os.path.join(folder, "tls.crt"))
    shutil.copy(key, os.path.join(folder, "tls.key"))


@test("H24")
def a_bad_certificate_at_start_means_not_ready():
    ca = harness.WORLD.ca
    good, key = harness.WORLD.cert, harness.WORLD.key
    garbage = os.path.join(temporary_folder(), "garbage")
    write(garbage, "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    rows = [
        (*ca.issue("expired", end="210101000000Z"), "expired at 2021-01-01T00:00:00"),
        (*ca.issue("early", start="480101000000Z"), "not valid before 2048-01-01T00:00:00"),
        (*ca.issue("nameless", san=None), "no subject alternative name"),
        (*ca.issue("sha1", md="sha1"), "signed with .*SHA1"),
        (*ca.issue("short", key="1024"), "RSA key of 1024 bits"),
        (*ca.issue("client-only", usage="clientAuth"), "not for servers"),
        (good, harness.WORLD.second[1], "not the key of"),
        (garbage, key, "no certificate in PEM"), (good, garbage, "no private key in PEM"),
        ("/nowhere", key, "No such file"), (good, "/", "not a file"), ("/dev/null", key, "not a file"),
    ]

    def one(row):
        cert, its_key, reason = row
        folder = temporary_folder()
        with Webhook(cert=cert, key=its_key, wait_ready=False) as webhook:
            webhook.log(f"certificate refused.*{reason}")
            check_equal(webhook.count("level=error"), 1, "error lines")
            status, _, text = webhook.admin("/readyz")
            check_equal(status, 503, "readyz")
            check("[-]certificate: no good certificate" in text, text)
            check_equal(webhook.admin("/livez")[0], 200, "livez")
            check(handshake_error(webhook), "a handshake without a certificate")
        del folder

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(one, rows))


@test("H24")
def a_certificate_with_an_rsa_key_serves_and_is_warned_about():
    cert, key = harness.WORLD.ca.issue("rsa", key="2048")
    with Webhook(cert=cert, key=key) as webhook:
        webhook.log("level=warn .*the certificate has an RSA key")
        check_allowed(ask(webhook, post(review())))
    with Webhook() as webhook:
        webhook.log("certificate taken")
        check_equal(webhook.count("RSA"), 0, "warnings about ECDSA")


@test("H24")
def a_good_certificate_later_makes_it_ready():
    folder = temporary_folder()
    cert, key = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
    with Webhook(cert=cert, key=key, wait_ready=False) as webhook:
        check_equal(webhook.admin("/readyz")[0], 503, "readyz")
        mixed(folder, harness.WORLD.cert, harness.WORLD.key)
        eventually(webhook.ready, "ready")
        check_allowed(ask(webhook, post(review())))
        expiry = webhook.metric("certificate_expiry_timestamp_seconds")
        check_equal(time.gmtime(expiry).tm_year, 2049, "year of expiry")


def serial(webhook):
    context = trusting(check_hostname=False)
    with webhook.tls(context=context) as connection:
        return connection.getpeercert()["serialNumber"]


@test("H24 H26")
def bad_files_leave_the_old_pair_in_use():
    folder = temporary_folder()
    mixed(folder, harness.WORLD.cert, harness.WORLD.key)
    cert, key = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
    expired = harness.WORLD.ca.issue("expired-later", end="210101000000Z")
    with Webhook(cert=cert, key=key) as webhook, webhook.tls() as kept:
        first = serial(webhook)
        for content, reason in ((harness.WORLD.second[0], "not the key of"),
                                (expired[0], "expired|not the key of"),
                                ("/dev/null", "no certificate in PEM")):
            refused = webhook.count("certificate refused")
            with open(content) as file:
                write(cert, file.read())
            eventually(lambda: webhook.count("certificate refused") == refused + 1, reason)
            check_equal(serial(webhook), first, "certificate in use")
            check(webhook.ready(), "not ready with a good pair in use")
        os.unlink(cert)
        eventually(lambda: webhook.count("certificate refused") == 4, "the file is gone")
        check_equal(webhook.metric("certificate_errors_total"), 4, "errors")
        # key first, then certificate: between them they do not belong together
        shutil.copy(harness.WORLD.second[1], key)
        time.sleep(0.7)
        shutil.copy(harness.WORLD.second[0], cert)
        eventually(lambda: serial(webhook) != first, "the new pair is used")
        kept.sendall(post(review()))
        check_allowed(read_answer(kept))


@test("H26")
def a_mounted_secret_is_followed():
    """The kubelet's layout: tls.crt -> ..data/tls.crt, ..data -> ..2024, swapped by rename."""
    folder = temporary_folder()
    for name, (cert, key) in (("..1", (harness.WORLD.cert, harness.WORLD.key)),
                              ("..2", harness.WORLD.second)):
        os.mkdir(os.path.join(folder, name))
        mixed(os.path.join(folder, name), cert, key)
    os.symlink("..1", os.path.join(folder, "..data"))
    for name in ("tls.crt", "tls.key"):
        os.symlink(f"..data/{name}", os.path.join(folder, name))
    with Webhook(cert=os.path.join(folder, "tls.crt"),
                 key=os.path.join(folder, "tls.key")) as webhook:
        first = serial(webhook)
        os.symlink("..2", os.path.join(folder, "..tmp"))
        os.rename(os.path.join(folder, "..tmp"), os.path.join(folder, "..data"))
        eventually(lambda: serial(webhook) != first, "the new pair is used")
        check_equal(webhook.count("certificate refused"), 0, "refusals")


@test("H25")
def clients_are_verified_when_a_ca_is_given():
    clients, other = (Authority(temporary_folder(), name) for name in ("clients", "other-ca"))
    rows = [
        (clients.issue("good", usage="clientAuth"), True),
        (clients.issue("expired", usage="clientAuth", end="210101000000Z"), False),
        (clients.issue("early", usage="clientAuth", start="480101000000Z"), False),
        (clients.issue("server-only", usage="serverAuth"), False),
        (other.issue("foreign", usage="clientAuth"), False),
        (harness.WORLD.ca.issue("servers-ca", usage="clientAuth"), False),
        (None, False),
    ]
    with Webhook("--client-ca", clients.cert) as webhook:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for pair, welcome in rows:
                context = trusting(minimum_version=version, maximum_version=version)
                if pair:
                    context.load_cert_chain(*pair)
                error = handshake_error(webhook, context=context)
                check_equal(error is None, welcome, f"{pair} in {version.name}: {error}")
        check_equal(webhook.count("msg=review"), 2, "reviews")
        eventually(lambda: webhook.metric("tls_handshake_failures_total") == 12, "counted")


@test("H25")
def the_client_ca_is_reloaded_too():
    first, second = (Authority(temporary_folder(), name) for name in ("first", "second"))
    file = os.path.join(temporary_folder(), "ca.crt")
    shutil.copy(first.cert, file)
    contexts = []
    for authority in (first, second):
        context = trusting()
        context.load_cert_chain(*authority.issue("client", usage="clientAuth"))
        contexts.append(context)
    with Webhook("--client-ca", file) as webhook:
        check(not handshake_error(webhook, context=contexts[0]), "the right client is refused")
        check(handshake_error(webhook, context=contexts[1]), "a foreign client is welcome")
        shutil.copy(second.cert, file)
        webhook.kill(signal.SIGHUP)
        eventually(lambda: not handshake_error(webhook, context=contexts[1]), "the new CA counts")
        check(handshake_error(webhook, context=contexts[0]), "the old CA still counts")
        write(file, "")
        webhook.log("certificate refused.*no certificate in PEM")
        check(not handshake_error(webhook, context=contexts[1]), "an empty CA is taken")
    with Webhook("--client-ca", file, wait_ready=False) as webhook:
        check(not webhook.ready(), "ready without the client CA")
        check(handshake_error(webhook), "everybody is welcome")


@test("H26", serial=True)
def rotation_under_load_loses_nothing():
    """1,000 rotations by hand: GRANARY_ROTATIONS=1000."""
    rotations = int(os.environ.get("GRANARY_ROTATIONS", str(100 // SLOW)))
    folder = temporary_folder()
    mixed(folder, harness.WORLD.cert, harness.WORLD.key)
    pairs = [(harness.WORLD.cert, harness.WORLD.key), harness.WORLD.second]
    stop, counts = threading.Event(), [0] * 6

    def load(webhook, number):
        """Some keep their connection, some make a new one for each request."""
        connection = None
        while not stop.is_set():
            connection = connection or webhook.tls()
            connection.sendall(post(review()))
            check_allowed(read_answer(connection))
            counts[number] += 1
            if number % 2:
                connection.close()
                connection = None
        if connection:
            connection.close()

    with Webhook("--log-level", "info", cert=os.path.join(folder, "tls.crt"),
                 key=os.path.join(folder, "tls.key")) as webhook, \
            concurrent.futures.ThreadPoolExecutor(6) as pool:
        tasks = [pool.submit(load, webhook, number) for number in range(6)]
        try:
            for n in range(1, rotations + 1):
                cert, key = pairs[n % 2]
                staged = os.path.join(folder, f"..{n}")
                os.mkdir(staged)
                mixed(staged, cert, key)
                os.replace(os.path.join(staged, "tls.key"), os.path.join(folder, "tls.key"))
                os.replace(os.path.join(staged, "tls.crt"), os.path.join(folder, "tls.crt"))
                webhook.kill(signal.SIGHUP)
                eventually(lambda: webhook.count("certificate taken") > n, f"rotation {n}")
        finally:
            stop.set()
        for task in tasks:
            task.result(timeout=harness.PATIENCE_S * SLOW)
        check(all(counts), f"somebody did nothing: {counts}")
        eventually(lambda: webhook.metric('responses_total{code="200"}') == sum(counts), "answers")
        check_equal(webhook.metric("tls_handshake_failures_total"), 0, "failed handshakes")


@test("H22", serial=False)
def ipv6_is_served():
    if not socket.has_ipv6:
        raise AssertionError("this machine has no IPv6")
    with Webhook(address="[::1]:0") as webhook:
        raw = socket.create_connection(("::1", webhook.port), timeout=harness.PATIENCE_S * SLOW)
        with trusting().wrap_socket(raw, server_hostname="::1") as connection:
            connection.sendall(post(review()))
            check_allowed(read_answer(connection))


@test("H24")
def the_checks_agree_with_a_real_client():
    """An intermediate in the chain is sent along, so that a client that knows the root only agrees."""
    folder = temporary_folder()
    root = Authority(folder, "root")
    extension = os.path.join(folder, "ext")
    write(extension, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    middle = Authority(folder, "middle")
    openssl("req", "-new", "-key", middle.key, "-subj", "/CN=middle", "-out",
            os.path.join(folder, "middle.csr"))
    openssl("x509", "-req", "-in", os.path.join(folder, "middle.csr"), "-CA", root.cert, "-CAkey",
            root.key, "-days", "30", "-extfile", extension, "-out", middle.cert)
    cert, key = middle.issue("leaf")
    with open(middle.cert) as file, open(cert, "a") as chain:
        chain.write(file.read())
    with Webhook(cert=cert, key=key) as webhook:
        context = ssl.create_default_context(cafile=root.cert)
        with webhook.tls(context=context) as connection:
            connection.sendall(post(review()))
            check_allowed(read_answer(connection))
            check(not ends(connection, 0.2), "closed")
