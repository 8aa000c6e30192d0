#include "http/admin.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/library.h"

struct admin {
    const struct http_route *routes;
    void *context;
    struct MHD_Daemon *daemon;
};

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **request_context)
{
    const struct admin *admin = context;

    (void)version, (void)data, (void)size, (void)request_context;
    return http_routes_answer(admin->routes, admin->context, connection, url, method);
}

struct admin *admin_start(struct address *address, const struct http_route *routes, void *context,
                          struct error *err)
{
    AUTO(close) int fd = address_listen(address, err);
    char text[ADDRESS_TEXT_BYTES];

    if (fd < 0)
        return NULL;

    struct admin *admin = text_alloc(sizeof *admin);

    *admin = (struct admin){.routes = routes, .context = context};
    admin->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, admin,
        MHD_OPTION_EXTERNAL_LOGGER, library_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_UNESCAPE_CALLBACK, library_leave_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)ADMIN_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(HEADER_TIMEOUT_MS / 1000), MHD_OPTION_END);
    if (!admin->daemon) {
        free(admin);
        error_set(err, ERROR_UNAVAILABLE, "can not start the thread of the admin address");
        return NULL;
    }
    fd = -1; /* the daemon's now */
    address_format(address, text);
    log_info("listening", LOG_S("address", text), LOG_S("for", "admin"));
    return admin;
}

void admin_stop(struct admin *admin)
{
    if (!admin)
        return;
    MHD_stop_daemon(admin->daemon);
    free(admin);
}
