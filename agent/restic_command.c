#include "agent/restic_command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/child.h"
#include "agent/restic_line.h"
#include "api/restic_args.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

/* What of our own environment restic gets: how the network is reached. */
static const char *const inherited[] = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
                                        "http_proxy", "https_proxy", "no_proxy"};

/* Where little memory is, Go's collector runs more often: percent of what is alive. */
#define GOGC_BOUNDED "GOGC=50"

/* Of the memory that restic may take, the part that Go's collector keeps to. */
#define GO_MEMORY_PERCENT 75

/* In a value: the folder of the files that came with it. */
#define FILES "$GRANARY_FILES/"

/* Variables that restic is given: none that names a program, another repository or a library. */
static const char *const variables[] = {"RESTIC_PASSWORD",
                                        "RESTIC_CACERT",
                                        "RESTIC_REST_USERNAME",
                                        "RESTIC_REST_PASSWORD",
                                        "GOOGLE_PROJECT_ID",
                                        "GOOGLE_APPLICATION_CREDENTIALS",
                                        "AZURE_ACCOUNT_NAME",
                                        "AZURE_ACCOUNT_KEY",
                                        "B2_ACCOUNT_ID",
                                        "B2_ACCOUNT_KEY",
                                        "ST_AUTH",
                                        "ST_USER",
                                        "ST_KEY",
                                        NULL};

/* And those that begin so, which only the storages' libraries read. */
static const char *const families[] = {"AWS_", "OS_", NULL};

/* Where they would be files or programs of this container. */
static const char *const refused[] = {"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
                                      "AWS_CA_BUNDLE", NULL};

/* What an address begins with, and how restic's options call that backend. */
static const struct {
    const char *scheme, *backend;
} schemes[] = {{"/", "local"},      {"s3:", "s3"}, {"gs:", "gs"},    {"azure:", "azure"},
               {"swift:", "swift"}, {"b2:", "b2"}, {"rest:", "rest"}};

/* Room for one more, and the end. */
static void grow(struct words *words)
{
    if (words->list && words->count + 1 < words->room)
        return;
    words->room = words->room ? words->room * 2 : 32;
    words->list = text_realloc(words->list, words->room * sizeof *words->list);
}

void words_add(struct words *words, const char *word)
{
    grow(words);
    words->list[words->count++] = text_dup(word, strlen(word));
}

void words_addf(struct words *words, const char *format, ...)
{
    AUTO(secret_text) struct text word = {0};
    va_list args;

    va_start(args, format);
    text_addv(&word, format, args);
    va_end(args);
    words_add(words, text_get(&word));
}

const char *const *words_list(struct words *words)
{
    grow(words);
    words->list[words->count] = NULL;
    return (const char *const *)words->list;
}

void words_done(struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        explicit_bzero(words->list[i], strlen(words->list[i]));
        free(words->list[i]);
    }
    free(words->list);
    *words = (struct words){0};
}

static bool is_one_of(const char *name, const char *const *list, bool beginning)
{
    for (; *list; list++)
        if (beginning ? strncmp(name, *list, strlen(*list)) == 0 : strcmp(name, *list) == 0)
            return true;
    return false;
}

static bool is_variable(const char *name)
{
    return !is_one_of(name, refused, false) &&
           (is_one_of(name, variables, false) || is_one_of(name, families, true));
}

static const char *backend_of(const char *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0)
            return schemes[i].backend;
    return NULL;
}

bool command_variable(struct words *out, const struct message_work *work,
                      const struct message_variable *variable, struct error *err)
{
    size_t prefix = strlen(FILES);

    if (strncmp(variable->value, FILES, prefix) != 0) {
        words_addf(out, "%s=%s", variable->name, variable->value);
        return true;
    }
    for (size_t i = 0; i < work->file_count; i++)
        if (strcmp(work->files[i].name, variable->value + prefix) == 0) {
            words_addf(out, "%s=/proc/self/fd/%zu", variable->name, CHILD_FILE_FIRST + i);
            return true;
        }
    return error_set(err, ERROR_INVALID, "the file that %s names did not come", variable->name);
}

static bool add_variable(struct words *out, const struct message_work *work,
                         const struct message_variable *variable, struct error *err)
{
    return is_variable(variable->name)
               ? command_variable(out, work, variable, err)
               : error_set(err, ERROR_INVALID, "restic is given no variable %s", variable->name);
}

static void add_inherited(struct words *out, const char *const *environment)
{
    for (; environment && *environment; environment++)
        for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++) {
            size_t length = strlen(inherited[i]);

            if (strncmp(*environment, inherited[i], length) == 0 && (*environment)[length] == '=')
                words_add(out, *environment);
        }
}

void command_environment(struct words *out, const struct restic_place *place)
{
    words_add(out, "PATH=/usr/bin:/bin");
    words_addf(out, "HOME=%s", place->scratch);
    words_addf(out, "TMPDIR=%s", place->scratch);
    if (place->memory_bytes > 0) {
        words_addf(out, "GOMEMLIMIT=%lld",
                   (long long)place->memory_bytes / 100 * GO_MEMORY_PERCENT);
        words_add(out, GOGC_BOUNDED);
    }
    add_inherited(out, place->environment);
}

bool restic_environment(struct words *out, const struct restic_place *place, struct error *err)
{
    const struct message_work *work = place->work;

    command_environment(out, place);
    words_addf(out, "RESTIC_CACHE_DIR=%s/restic-cache", place->scratch);
    words_addf(out, "RESTIC_REPOSITORY=%s", work->repository.url);
    words_add(out, "RESTIC_PROGRESS_FPS=1");
    for (size_t i = 0; i < work->variable_count; i++)
        if (!add_variable(out, work, &work->environment[i], err))
            return false;
    return true;
}

bool restic_url_check(const char *url, struct error *err)
{
    return backend_of(url) ||
           error_set(err, ERROR_INVALID, "a repository of this kind is not supported");
}

/* What each command begins with. */
static void begin(struct words *out, const struct restic_place *place, const char *command)
{
    const struct message_work *work = place->work;
    const char *backend = backend_of(work->repository.url);

    words_add(out, "restic");
    words_add(out, command);
    words_add(out, "--json");
    if (!work->has_limits || !work->limits.cache)
        words_add(out, "--no-cache");
    else
        words_add(out, "--cleanup-cache");
    if (work->repository.insecure_tls)
        words_add(out, "--insecure-tls");
    if (work->has_limits && work->limits.connections > 0 && backend)
        words_addf(out, "--option=%s.connections=%lld", backend,
                   (long long)work->limits.connections);
}

void restic_owners(struct words *out, const struct restic_place *place)
{
    begin(out, place, "snapshots");
    words_add(out, "--no-lock");
    words_add(out, "--host=" OWNER_HOST);
    words_add(out, "--tag=" OWNER_TAG);
}

bool restic_maintenance(struct words *out, const struct restic_place *place, const json_t *vector,
                        struct error *err)
{
    static const char *const commands[] = {"forget", "prune",     "check", "unlock",
                                           "stats",  "snapshots", NULL};
    const char *command = json_string_value(json_array_get(vector, 0));

    if (!command || !is_one_of(command, commands, false))
        return error_set(err, ERROR_INVALID, "\"%.40s\" is no command of maintenance",
                         command ? command : "");
    begin(out, place, command);
    for (size_t i = 1; i < json_array_size(vector); i++) {
        const char *word = json_string_value(json_array_get(vector, i));

        if (!word || strncmp(word, "--", 2) != 0 || !word[2])
            return error_set(err, ERROR_INVALID, "run %s: word %zu is no option", command, i);
        words_add(out, word);
    }
    return true;
}

void restic_keys(struct words *out, const struct restic_place *place)
{
    begin(out, place, "key");
    words_add(out, "list");
    words_add(out, "--no-lock");
}

void restic_key_add(struct words *out, const struct restic_place *place)
{
    begin(out, place, "key");
    words_add(out, "add");
    words_add(out, LOCK_WAIT);
}

void restic_key_remove(struct words *out, const struct restic_place *place, const char *id)
{
    begin(out, place, "key");
    words_add(out, "remove");
    words_add(out, LOCK_WAIT);
    words_add(out, "--");
    words_add(out, id);
}

void restic_list_locks(struct words *out, const struct restic_place *place)
{
    begin(out, place, "list");
    words_add(out, "--no-lock");
    words_add(out, "locks");
}

void restic_read_lock(struct words *out, const struct restic_place *place, const char *name)
{
    begin(out, place, "cat");
    words_add(out, "--no-lock");
    words_add(out, "lock");
    words_add(out, name);
}

void restic_unlock(struct words *out, const struct restic_place *place)
{
    begin(out, place, "unlock");
}

void restic_init(struct words *out, const struct restic_place *place)
{
    begin(out, place, "init");
}

void restic_mark_owner(struct words *out, const struct restic_place *place, const char *from)
{
    begin(out, place, "backup");
    words_add(out, LOCK_WAIT);
    words_add(out, "--host=" OWNER_HOST);
    words_addf(out, "--tag=" OWNER_TAG ",%s%s%s", place->work->repository.cluster,
               from ? "," ADOPTS_TAG : "", from ? from : "");
    words_add(out, "--stdin");
    words_add(out, "--stdin-filename=cluster");
}

/* "--tag a" is one element of Stash's args and two words of restic. */
static void add_argument(struct words *out, const char *argument)
{
    const char *blank = strchr(argument, ' '), *equals = strchr(argument, '=');

    if (argument[0] != '-' || !blank || (equals && equals < blank)) {
        words_add(out, argument);
        return;
    }
    words_addf(out, "%.*s", (int)(blank - argument), argument);
    words_add(out, blank + 1);
}

/* Judged again: nothing that runs a program is passed on because another side was wrong. */
static bool add_arguments(struct words *out, const struct message_backup *backup, struct error *err)
{
    AUTO(json) json_t *list = json_array();
    size_t index = 0;

    for (size_t i = 0; i < backup->arg_count; i++)
        tree_push_text(list, backup->args[i]);
    if (!restic_args_check(list, RESTIC_BACKUP, &index, err))
        return error_wrap(err, "args[%zu]", index);
    for (size_t i = 0; i < backup->arg_count; i++)
        add_argument(out, backup->args[i]);
    return true;
}

/* With what a snapshot is found by. */
static void begin_backup(struct words *out, const struct restic_place *place)
{
    const struct message_backup *backup = &place->work->backup;

    begin(out, place, "backup");
    words_add(out, LOCK_WAIT);
    words_addf(out, "--host=%s", place->work->host);
    for (size_t i = 0; i < backup->tag_count; i++)
        words_addf(out, "--tag=%s", backup->tags[i]);
}

bool restic_backup(struct words *out, const struct restic_place *place, const char *path,
                   struct error *err)
{
    const struct message_backup *backup = &place->work->backup;

    begin_backup(out, place);
    for (size_t i = 0; i < backup->exclude_count; i++)
        words_addf(out, "--exclude=%s", backup->exclude[i]);
    words_add(out, "--exclude=" MARK_FILE);
    if (!add_arguments(out, backup, err))
        return false;
    words_add(out, "--");
    words_add(out, path);
    return true;
}

void restic_backup_output(struct words *out, const struct restic_place *place, const char *file,
                          const struct words *argv)
{
    begin_backup(out, place);
    words_addf(out, "--stdin-filename=%s", file);
    words_add(out, "--stdin-from-command");
    words_add(out, "--");
    for (size_t i = 0; i < argv->count; i++)
        words_add(out, argv->list[i]);
}

void restic_output(struct words *out, const struct restic_place *place, const char *id,
                   const char *path)
{
    begin(out, place, "dump");
    words_add(out, LOCK_WAIT);
    words_add(out, "--");
    words_add(out, id);
    words_add(out, path);
}

void restic_listed(struct words *out, const struct restic_place *place, const char *id)
{
    begin(out, place, "snapshots");
    words_add(out, "--no-lock");
    words_add(out, "--");
    words_add(out, id);
}

void restic_snapshots(struct words *out, const struct restic_place *place, const char *host,
                      const char *path)
{
    begin(out, place, "snapshots");
    words_add(out, "--no-lock");
    if (host)
        words_addf(out, "--host=%s", host);
    if (path)
        words_addf(out, "--path=%s", path);
}

void restic_tagged(struct words *out, const struct restic_place *place, const char *tag)
{
    begin(out, place, "snapshots");
    words_add(out, "--no-lock");
    words_addf(out, "--tag=%s", tag);
}

void restic_contents(struct words *out, const struct restic_place *place, const char *id)
{
    begin(out, place, "ls");
    words_add(out, "--no-lock");
    words_add(out, "--");
    words_add(out, id);
}

void restic_drill(struct words *out, const struct restic_place *place, const char *id,
                  const char *folder, const struct words *patterns)
{
    begin(out, place, "restore");
    words_add(out, LOCK_WAIT);
    words_addf(out, "--target=%s", folder);
    words_add(out, "--verify");
    for (size_t i = 0; i < patterns->count; i++)
        words_addf(out, "--include=%s", patterns->list[i]);
    words_add(out, "--");
    words_add(out, id);
}

/* Inside of "id:/data" the pattern "/data/a" is "/a". */
static void add_pattern(struct words *out, const char *option, const char *from,
                        const char *pattern)
{
    size_t length = strlen(from);

    while (length > 0 && from[length - 1] == '/')
        length--;
    if (strncmp(pattern, from, length) == 0 && pattern[length] == '/')
        pattern += length;
    words_addf(out, "--%s=%s", option, pattern);
}

void restic_restore(struct words *out, const struct restic_place *place, const char *id,
                    const char *path, const struct message_rule *rule, enum restic_care care)
{
    begin(out, place, "restore");
    words_add(out, LOCK_WAIT);
    words_addf(out, "--target=%s", path);
    words_add(out, "--exclude-xattr=" MARK_ATTRIBUTE);
    /* what was a hole takes no room, or the volume may be too small for its own data */
    words_add(out, "--sparse");
    if (care == RESTIC_DRY) {
        words_add(out, "--dry-run");
        words_add(out, "--verbose=2");
    }
    if (care == RESTIC_VERIFY)
        words_add(out, "--verify");
    for (size_t i = 0; i < rule->include_count; i++)
        add_pattern(out, "include", path, rule->include[i]);
    for (size_t i = 0; i < rule->exclude_count; i++)
        add_pattern(out, "exclude", path, rule->exclude[i]);
    /* restic takes either of the two kinds */
    if (rule->include_count == 0)
        words_add(out, "--exclude=/" MARK_FILE);
    words_add(out, "--");
    words_addf(out, "%s:%s", id, path);
}
