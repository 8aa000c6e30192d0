#include "agent/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"

static bool address_is(struct span line)
{
    const char *colon = memrchr(line.data, ':', line.length);
    size_t host = colon ? (size_t)(colon - line.data) : 0, port = 0, digits = 0;

    if (host == 0 || line.length >= IDENTITY_ADDRESS_MAX_BYTES)
        return false;
    for (const char *c = colon + 1; c < line.data + line.length; c++, digits++) {
        if (*c < '0' || *c > '9' || digits == 5)
            return false;
        port = port * 10 + (size_t)(*c - '0');
    }
    if (digits == 0 || port == 0 || port > 65535)
        return false;

    bool six = line.data[0] == '[' && line.data[host - 1] == ']' && host > 2;
    const char *allowed = six ? "0123456789abcdefABCDEF:."
                              : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

    for (size_t i = six; i < host - six; i++)
        if (!line.data[i] || !strchr(allowed, line.data[i]))
            return false;
    return true;
}

bool identity_addresses_parse(struct span text, struct identity_addresses *addresses,
                              struct error *err)
{
    struct identity_addresses read = {.count = 0};
    struct span line;

    while (text_split(&text, '\n', &line)) {
        line = text_trim(line);
        if (line.length == 0)
            continue;
        if (!address_is(line))
            return error_set(err, ERROR_INVALID, "a line is not host:port");
        if (read.count == IDENTITY_ADDRESSES_MAX)
            return error_set(err, ERROR_INVALID, "more than %u addresses", IDENTITY_ADDRESSES_MAX);
        memcpy(read.list[read.count], line.data, line.length);
        read.list[read.count++][line.length] = '\0';
    }
    if (read.count == 0)
        return error_set(err, ERROR_INVALID, "no address");
    *addresses = read;
    return true;
}

size_t identity_certificates(struct span pem)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    size_t count = 0;

    for (;;) {
        const char *from = memmem(pem.data, pem.length, begin, sizeof begin - 1);
        const char *to =
            from ? memmem(from, (size_t)(pem.data + pem.length - from), end, sizeof end - 1) : NULL;

        if (!to)
            return count;
        count++;
        pem.length -= (size_t)(to + sizeof end - 1 - pem.data);
        pem.data = to + sizeof end - 1;
    }
}

/* O_NONBLOCK: a FIFO must not hold us. */
static enum identity_state read_file(const char *folder, const char *name, struct text *text,
                                     struct error *err)
{
    AUTO(free) char *path = text_format("%s/%s", folder, name);
    AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    AUTO(free) char *bytes = NULL;
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0) {
        bool absent = errno == ENOENT;

        error_set(err, ERROR_NOT_FOUND, "%s: %s", name, absent ? "not there" : strerror(errno));
        return absent ? IDENTITY_ABSENT : IDENTITY_BAD;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > (off_t)CERTS_MAX_BYTES) {
        error_set(err, ERROR_INVALID, "%s: not a file, or too large", name);
        return IDENTITY_BAD;
    }
    bytes = text_alloc((size_t)status.st_size + 1);

    ssize_t got = read(fd, bytes, (size_t)status.st_size);

    if (got <= 0) {
        error_set(err, ERROR_INVALID, "%s: %s", name, got < 0 ? strerror(errno) : "empty");
        return IDENTITY_BAD;
    }
    if (text)
        text_add(text, bytes, (size_t)got);
    explicit_bzero(bytes, (size_t)got);
    return IDENTITY_GOOD;
}

enum identity_state identity_read(const char *folder, struct identity_addresses *addresses,
                                  struct text *ca, struct text *token, struct error *err)
{
    AUTO(text) struct text list = {0};
    const struct {
        const char *name;
        struct text *text;
    } files[] = {{IDENTITY_CA, ca}, {IDENTITY_ADDRESSES, &list}, {IDENTITY_TOKEN, token}};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        enum identity_state state = read_file(folder, files[i].name, files[i].text, err);

        if (state != IDENTITY_GOOD)
            return state;
    }
    if (identity_certificates((struct span){ca->data, ca->length}) == 0) {
        error_set(err, ERROR_INVALID, IDENTITY_CA ": no certificate in PEM");
        return IDENTITY_BAD;
    }
    if (!identity_addresses_parse((struct span){list.data, list.length}, addresses, err)) {
        error_wrap(err, IDENTITY_ADDRESSES);
        return IDENTITY_BAD;
    }
    return IDENTITY_GOOD;
}

enum identity_state identity_look(const char *folder, struct identity_addresses *addresses,
                                  struct error *err)
{
    AUTO(text) struct text ca = {0};

    return identity_read(folder, addresses, &ca, NULL, err);
}
