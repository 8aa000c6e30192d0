#include "api/rclone_access.h"

#include <string.h>

#include "api/backend.h"
#include "base/tree.h"

/* The only remote. */
#define REMOTE "RCLONE_CONFIG_PLACE_"

/* Names that are told; one may be as long as a storage lets it be. */
#define OTHERS_TOLD 5
#define OTHER_MAX_CHARS 80

/* Without a key nobody can read the rest. `config` is not among them: it goes last of all. */
const char *const wipe_folders[WIPE_FOLDERS] = {"keys", "snapshots", "index", "locks", "data"};

/* A variable of restic's, and what rclone calls it; NULL: the same. */
struct renamed {
    const char *from, *to;
};

struct remote {
    const char *provider, *type, *bucket; /* the member that names the bucket; NULL: a folder */
    struct renamed fixed[3];              /* settings that are always so: name, value */
    struct renamed keys[5];
    const char *beginnings[3]; /* of variables that are handed on as they are */
};

static const struct remote remotes[] = {
    {"local", "local", NULL, {{0}}, {{0}}, {0}},
    {"s3",
     "s3",
     "bucket",
     {{"NO_CHECK_BUCKET", "true"}},
     {{"AWS_ACCESS_KEY_ID", "ACCESS_KEY_ID"},
      {"AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"},
      {"AWS_SESSION_TOKEN", "SESSION_TOKEN"},
      {"AWS_DEFAULT_REGION", "REGION"}},
     {0}},
    /* lists of access rights are refused where a bucket has none */
    {"gcs",
     "google cloud storage",
     "bucket",
     {{"BUCKET_POLICY_ONLY", "true"}, {"NO_CHECK_BUCKET", "true"}},
     {{"GOOGLE_APPLICATION_CREDENTIALS", "SERVICE_ACCOUNT_FILE"}},
     {0}},
    {"azure",
     "azureblob",
     "container",
     {{0}},
     {{"AZURE_ACCOUNT_NAME", "ACCOUNT"}, {"AZURE_ACCOUNT_KEY", "KEY"}},
     {0}},
    /* both programs have the same library, which reads these variables itself */
    {"swift", "swift", "container", {{"ENV_AUTH", "true"}}, {{0}}, {"OS_", "ST_"}},
    /* else it would only hide what it removes */
    {"b2",
     "b2",
     "bucket",
     {{"HARD_DELETE", "true"}},
     {{"B2_ACCOUNT_ID", "ACCOUNT"}, {"B2_ACCOUNT_KEY", "KEY"}},
     {0}},
};

static const struct remote *remote_of(const char *provider)
{
    for (size_t i = 0; provider && i < sizeof remotes / sizeof *remotes; i++)
        if (strcmp(provider, remotes[i].provider) == 0)
            return &remotes[i];
    return NULL;
}

bool rclone_reaches(const char *provider)
{
    return remote_of(provider) != NULL;
}

static const struct remote *find(const json_t *backend, struct error *err)
{
    const char *provider = backend_provider(backend);
    const struct remote *remote = remote_of(provider);

    if (!remote)
        error_set(err, ERROR_INVALID, "the data of backend %s can not be removed by rclone",
                  provider ? provider : "without provider");
    return remote;
}

/* ---- variables ---- */

static const char *keep(json_t *kept, const char *text)
{
    tree_push_text(kept, text);
    return json_string_value(json_array_get(kept, json_array_size(kept) - 1));
}

static void put(struct message_work *rclone, const char *name, const char *value)
{
    if (rclone->variable_count < MESSAGE_ENVIRONMENT_MAX)
        rclone->environment[rclone->variable_count++] = (struct message_variable){name, value};
}

static void put_setting(struct message_work *rclone, const char *name, const char *value,
                        json_t *kept)
{
    AUTO(free) char *whole = text_format(REMOTE "%s", name);

    put(rclone, keep(kept, whole), value);
}

static bool begins(const char *name, const char *const *beginnings)
{
    for (; *beginnings; beginnings++)
        if (strncmp(name, *beginnings, strlen(*beginnings)) == 0)
            return true;
    return false;
}

static void put_renamed(const struct remote *remote, const struct message_variable *variable,
                        struct message_work *rclone, json_t *kept)
{
    if (strcmp(variable->name, "RESTIC_CACERT") == 0)
        put(rclone, "RCLONE_CA_CERT", variable->value);
    if (begins(variable->name, remote->beginnings))
        put(rclone, variable->name, variable->value);
    for (const struct renamed *key = remote->keys; key->from; key++)
        if (strcmp(variable->name, key->from) == 0)
            put_setting(rclone, key->to, variable->value, kept);
}

static bool has(const struct message_work *work, const char *name)
{
    for (size_t i = 0; i < work->variable_count; i++)
        if (strcmp(work->environment[i].name, name) == 0)
            return true;
    return false;
}

/* Amazon's own is found by its region, any other one by its address. Without a key both programs
 * ask the node they run on. */
static void put_s3(const json_t *backend, const struct message_work *work,
                   struct message_work *rclone, json_t *kept)
{
    const char *endpoint = tree_text(tree_get(backend, "s3"), "endpoint");
    bool amazon = !endpoint || !*endpoint || strstr(endpoint, "amazonaws.com");

    put_setting(rclone, "PROVIDER", amazon ? "AWS" : "Other", kept);
    if (!amazon)
        put_setting(rclone, "ENDPOINT", keep(kept, endpoint), kept);
    if (!has(work, "AWS_ACCESS_KEY_ID"))
        put_setting(rclone, "ENV_AUTH", "true", kept);
}

json_t *rclone_access_make(const json_t *backend, const struct message_work *work,
                           struct message_work *rclone, struct error *err)
{
    const struct remote *remote = find(backend, err);
    json_t *kept;

    if (!remote)
        return NULL;
    kept = json_array();
    rclone->variable_count = 0;
    put_setting(rclone, "TYPE", remote->type, kept);
    for (const struct renamed *one = remote->fixed; one->from; one++)
        put_setting(rclone, one->from, one->to, kept);
    if (strcmp(remote->provider, "s3") == 0)
        put_s3(backend, work, rclone, kept);
    for (size_t i = 0; i < work->variable_count; i++)
        put_renamed(remote, &work->environment[i], rclone, kept);
    if (work->repository.insecure_tls)
        put(rclone, "RCLONE_NO_CHECK_CERTIFICATE", "true");
    memcpy(rclone->files, work->files, sizeof work->files);
    rclone->file_count = work->file_count;
    return kept;
}

/* ---- places ---- */

static bool put_root(struct text *out, const struct remote *remote, const json_t *settings,
                     struct error *err)
{
    const char *bucket = remote->bucket ? tree_text(settings, remote->bucket) : NULL;
    struct span folder = tree_span(settings, "mountPath");

    if (remote->bucket && (!bucket || !*bucket || strpbrk(bucket, ":/")))
        return error_set(err, ERROR_INVALID, "the backend names no %s", remote->bucket);
    if (!remote->bucket && (!folder.length || *folder.data != '/' || text_trim(folder).length < 2))
        return error_set(err, ERROR_INVALID, "the backend names no folder");
    text_puts(out, "place:");
    if (bucket)
        text_puts(out, bucket);
    return true;
}

bool rclone_place(struct text *out, const json_t *backend, const char *path, struct error *err)
{
    const struct remote *remote = find(backend, err);
    const json_t *settings = remote ? tree_get(backend, remote->provider) : NULL;
    struct span prefix = tree_span(settings, remote && remote->bucket ? "prefix" : "mountPath");
    struct span part;

    if (!remote || !put_root(out, remote, settings, err))
        return false;
    while (text_split(&prefix, '/', &part))
        if (part.length)
            text_addf(out, "/%.*s", (int)part.length, part.data);
    if (*path)
        text_addf(out, "/%s", path);
    return true;
}

const char *rclone_filter(const char *folder)
{
    return strcmp(folder, "data") == 0 ? "/{{([0-9a-f]{2}/)?[0-9a-f]{64}(-tmp-[0-9]+)?}}"
                                       : "/{{[0-9a-f]{64}(-tmp-[0-9]+)?}}";
}

/* ---- what is beside ---- */

static bool is_folder(const char *name)
{
    for (size_t i = 0; i < WIPE_FOLDERS; i++)
        if (strcmp(name, wipe_folders[i]) == 0)
            return true;
    return false;
}

static void add_other(struct text *others, const char *name, size_t count)
{
    AUTO(free) char *shown = text_printable(span_of(name), OTHER_MAX_CHARS);

    if (count <= OTHERS_TOLD)
        text_addf(others, "%s%s", count > 1 ? ", " : "", shown);
}

size_t rclone_beside(const json_t *listed, const char **mark, bool *config, bool *folders,
                     struct text *others)
{
    const json_t *entry;
    size_t i, count = 0;

    *mark = NULL;
    *config = *folders = false;
    tree_items (listed, i, entry) {
        const char *name = tree_text(entry, "Name");
        bool folder = tree_true(entry, "IsDir");

        if (!name)
            continue;
        if (folder && is_folder(name))
            *folders = true;
        else if (!folder && strcmp(name, "config") == 0)
            *config = true;
        else if (!folder && strncmp(name, WIPE_MARK, strlen(WIPE_MARK)) == 0)
            *mark = name + strlen(WIPE_MARK);
        else
            add_other(others, name, ++count);
    }
    if (count > OTHERS_TOLD)
        text_addf(others, " and %zu more", count - OTHERS_TOLD);
    return count;
}
