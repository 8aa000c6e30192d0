#include "http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/span.h"

#define BACKLOG 1024

static bool invalid(struct error *err, const char *text)
{
    return error_set(err, ERROR_INVALID,
                     "\"%s\" is no address: ADDR:PORT was expected, such as 127.0.0.1:8443, "
                     "[::1]:8443 or :8443",
                     text);
}

static bool port_parse(const char *text, in_port_t *port)
{
    unsigned value = 0;

    if (!*text || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    if (value > UINT16_MAX)
        return false;
    *port = htons((in_port_t)value);
    return true;
}

static struct address make_4(struct in_addr host, in_port_t port)
{
    struct address made = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port, .sin_addr = host};

    memcpy(&made.socket, &in, sizeof in);
    return made;
}

static struct address make_6(struct in6_addr host, in_port_t port)
{
    struct address made = {.size = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = host};

    memcpy(&made.socket, &in, sizeof in);
    return made;
}

bool address_parse(const char *text, struct address *address, struct error *err)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2] = "";
    struct in6_addr six = in6addr_any;
    struct in_addr four;
    in_port_t port;

    if (!colon || !port_parse(colon + 1, &port) || (size_t)(colon - text) >= sizeof host)
        return invalid(err, text);
    memcpy(host, text, (size_t)(colon - text));

    size_t length = strlen(host);

    if (length == 0) {
        *address = make_6(six, port);
        return true;
    }
    if (inet_pton(AF_INET, host, &four) == 1) {
        *address = make_4(four, port);
        return true;
    }
    if (host[0] != '[' || host[length - 1] != ']')
        return invalid(err, text);
    host[length - 1] = '\0';
    if (inet_pton(AF_INET6, host + 1, &six) != 1)
        return invalid(err, text);
    *address = make_6(six, port);
    return true;
}

void address_format(const struct address *address, char text[ADDRESS_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->socket.ss_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, &address->socket, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        snprintf(text, ADDRESS_TEXT_BYTES, "%s:%u", host, ntohs(in.sin_port));
        return;
    }

    struct sockaddr_in6 in;

    memcpy(&in, &address->socket, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof host);
    snprintf(text, ADDRESS_TEXT_BYTES, "[%s]:%u", host, ntohs(in.sin6_port));
}

int address_listen(struct address *address, struct error *err)
{
    AUTO(close)
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr *name = (struct sockaddr *)&address->socket;
    char text[ADDRESS_TEXT_BYTES];
    int on = 1, off = 0;

    address_format(address, text);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (address->socket.ss_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (fd < 0 || bind(fd, name, address->size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, name, &address->size) != 0) {
        error_set(err, ERROR_UNAVAILABLE, "can not listen on %s: %s", text, strerror(errno));
        return -1;
    }

    int listening = fd;

    fd = -1;
    return listening;
}
