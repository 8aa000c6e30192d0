#include "controllers/progress_status.h"

#include "base/tree.h"

void progress_leave(json_t *status, const char *host)
{
    json_t *hosts = json_object_get(json_object_get(status, "progress"), "hosts");
    long index = tree_item_index(hosts, "hostname", host);

    if (index >= 0)
        (void)json_array_remove(hosts, (size_t)index);
    if (json_array_size(hosts) == 0)
        progress_end(status);
}

void progress_end(json_t *status)
{
    json_object_del(status, "progress");
}

json_t *progress_without(const json_t *session)
{
    json_t *whole = json_copy((json_t *)session);
    json_t *metadata = json_copy((json_t *)tree_get(session, "metadata"));
    json_t *status = json_copy((json_t *)tree_get(session, "status"));

    json_object_del(metadata, "resourceVersion");
    json_object_del(metadata, "managedFields");
    progress_end(status);
    if (metadata)
        tree_put_new(whole, "metadata", metadata);
    if (status)
        tree_put_new(whole, "status", status);
    return whole;
}
