#include "agent/secret_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/dir.h"
#include "api/agent_messages.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/base64.h"
#include "base/text.h"
#include "base/tree.h"

/* One byte more than a key may have, so that what is too long is seen to be. */
static bool read_file(int folder, const char *name, struct text *out)
{
    AUTO(close) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    char piece[4096];
    ssize_t got = 0;

    while (fd >= 0 && out->length <= MESSAGE_SECRET_MAX_BYTES &&
           (got = read(fd, piece, sizeof piece)) > 0)
        text_add(out, piece, (size_t)got);
    explicit_bzero(piece, sizeof piece);
    return fd >= 0 && got >= 0;
}

static void read_key(int folder, const char *name, json_t *data)
{
    AUTO(secret_text) struct text bytes = {0};
    AUTO(secret_text) struct text base64 = {0};

    if (!read_file(folder, name, &bytes))
        return; /* a folder of the kubelet's; a key that is missing is said later */
    base64_encode(&base64, (struct span){text_get(&bytes), bytes.length});
    tree_put_text(data, name, text_get(&base64));
}

json_t *secret_folder_read(const char *path, struct error *err)
{
    AUTO(closedir) DIR *folder = opendir(path);
    const struct dirent *entry;
    json_t *data;

    if (!folder) {
        error_set(err, ERROR_NOT_FOUND, "%s: %s", path, strerror(errno));
        return NULL;
    }
    data = json_object();
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            read_key(dirfd(folder), entry->d_name, data);
    return data;
}

static bool add_secret(const char *folder, const char *name, json_t *secrets, const char *key,
                       json_t *list)
{
    AUTO(free) char *path = text_format("%s/%s", folder, name);
    struct error err;
    json_t *read = secret_folder_read(path, &err);

    if (list)
        tree_push_new(list, read);
    else
        tree_put_new(secrets, key, read);
    return read != NULL;
}

json_t *app_secrets_read(const char *folder)
{
    json_t *secrets = json_object(), *from = json_array();

    (void)add_secret(folder, APP_SECRET, secrets, "secret", NULL);
    (void)add_secret(folder, APP_TLS, secrets, "tls", NULL);
    for (unsigned i = 0;; i++) {
        AUTO(free) char *name = text_format(APP_FROM "%u", i);

        if (!add_secret(folder, name, NULL, NULL, from))
            break;
    }
    tree_put_new(secrets, "from", from);
    return secrets;
}

static void wipe(const json_t *value)
{
    const json_t *one;
    const char *key;
    size_t i;

    if (json_is_string(value))
        explicit_bzero((char *)json_string_value(value), json_string_length(value));
    tree_each (value, key, one)
        wipe(one);
    tree_items (value, i, one)
        wipe(one);
}

void secret_folder_done(json_t *data)
{
    wipe(data);
    json_decref(data);
}
