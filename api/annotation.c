#include "api/annotation.h"

#include <assert.h>
#include <stdlib.h>

#include "api/cron.h"
#include "api/keys.h"
#include "api/names.h"
#include "base/tree.h"

/* Characters of a value in a message. */
#define SHOWN 48

/* No schedule needs more: a list of all minutes has 170. */
#define SCHEDULE_MAX_BYTES 256

/* Words of one command, bytes of one word. */
#define WORDS_MAX 64
#define WORD_MAX_BYTES 4096

/* One annotation that is being read. */
struct reading {
    struct annotations *out;
    struct findings *findings;
    const char *key;
};

static void mistake(const struct reading *in, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void mistake(const struct reading *in, const char *reason, const char *format, ...)
{
    AUTO(free) char *field = text_format("metadata.annotations[%s]", in->key);
    AUTO(text) struct text message = {0};
    va_list args;

    va_start(args, format);
    text_addv(&message, format, args);
    va_end(args);
    findings_add(in->findings, FINDING_WARNING, reason, field, "%s", text_get(&message));
}

static int shown(struct span text)
{
    return text.length < SHOWN ? (int)text.length : SHOWN;
}

static const char *chars(struct span text)
{
    return text.length ? text.data : "";
}

static bool has_nul(struct span text)
{
    return text.length && memchr(text.data, '\0', text.length);
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    return false;
}

static json_t *string_of(struct span text)
{
    json_t *string = json_stringn(chars(text), text.length);

    assert(string);
    return string;
}

/* ---- lists ---- */

/* Puts what a list's element means into `list`; false: the element was a mistake, and told. */
typedef bool take_element(const struct reading *in, size_t number, struct span element,
                          json_t *list);

static bool holds(const json_t *list, const json_t *value)
{
    const json_t *other;
    size_t i;

    tree_items (list, i, other)
        if (tree_equal(other, value))
            return true;
    return false;
}

/* Appends a value that is not there yet. */
static bool push_once(const struct reading *in, size_t number, struct span element, json_t *list,
                      json_t *value)
{
    if (holds(list, value)) {
        json_decref(value);
        mistake(in, REASON_DUPLICATE, "element %zu (\"%.*s\") stands there twice", number,
                shown(element), chars(element));
        return false;
    }
    tree_push_new(list, value);
    return true;
}

/* The elements without fault, or NULL when there is none. */
static json_t *read_list(const struct reading *in, struct span value, size_t max,
                         take_element *take)
{
    AUTO(json) json_t *list = json_array();
    struct span element;

    if (!text_trim(value).length) {
        mistake(in, REASON_REQUIRED, "it is empty, so it says nothing");
        return NULL;
    }
    for (size_t number = 1; text_split(&value, ',', &element); number++) {
        element = text_trim(element);
        if (number > max) {
            mistake(in, REASON_TOO_MANY, "only the first %zu elements count", max);
            break;
        }
        if (element.length)
            take(in, number, element, list);
        else
            mistake(in, REASON_REQUIRED, "element %zu is empty", number);
    }
    return json_array_size(list) ? TAKE(list) : NULL;
}

/* ---- paths ---- */

/* Without double, leading and closing slashes and without "."; "" is the root. False: "..". */
static bool normalise(struct text *out, struct span path)
{
    struct span part;

    while (text_split(&path, '/', &part)) {
        if (span_is(part, ".."))
            return false;
        if (!part.length || span_is(part, "."))
            continue;
        text_puts(out, out->length ? "/" : "");
        text_add(out, part.data, part.length);
    }
    return true;
}

/* What is wrong with a path, or NULL and the normalised one in `out`. */
static const char *read_path(struct text *out, struct span path, bool absolute)
{
    if ((path.length && path.data[0] == '/') != absolute)
        return absolute ? "is not absolute" : "is not relative";
    if (path.length > PATH_MAX_BYTES)
        return "is too long";
    if (has_control(path))
        return "holds a control character";

    AUTO(text) struct text rest = {0};

    if (!normalise(&rest, path))
        return "holds \"..\"";
    text_puts(out, absolute ? "/" : "");
    text_add(out, text_get(&rest), rest.length);
    return NULL;
}

static bool take_path(const struct reading *in, size_t number, struct span element, json_t *list)
{
    AUTO(text) struct text path = {0};
    const char *wrong = read_path(&path, element, true);

    if (!wrong)
        return push_once(in, number, element, list,
                         string_of((struct span){path.data, path.length}));
    mistake(in, REASON_INVALID, "path %zu (\"%.*s\") %s: it is not backed up", number,
            shown(element), chars(element), wrong);
    return false;
}

static bool lies_within(struct span path, const char *folder)
{
    size_t length = strlen(folder);

    return path.length >= length && memcmp(path.data, folder, length) == 0 &&
           (path.length == length || path.data[length] == '/');
}

/* Where our container has something of its own, or the kernel has. */
static bool is_reserved(struct span path)
{
    static const char *const folders[] = {
        "/proc", "/sys", "/dev", "/var/run/secrets", "/run/secrets", MOUNT_SCRATCH, MOUNT_VOLUMES};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (lies_within(path, folders[i]))
            return true;
    return span_is(path, "/");
}

/* The mount that `volume:path[:subPath]` asks for; or NULL and what is wrong with it. */
static json_t *read_mount(struct span element, const char **wrong)
{
    struct span parts[3] = {{0}}, rest = element;
    AUTO(text) struct text path = {0};
    AUTO(text) struct text sub_path = {0};
    size_t count = 1;

    for (size_t i = 0; i < element.length; i++)
        count += element.data[i] == ':';
    *wrong = "is not volume:path or volume:path:subPath";
    if (count != 2 && count != 3)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!text_split(&rest, ':', &parts[i]) || !(parts[i] = text_trim(parts[i])).length)
            return NULL;
    *wrong = "names no volume";
    if (!name_is_label(parts[0]))
        return NULL;
    *wrong = read_path(&path, parts[1], true);
    if (!*wrong && is_reserved((struct span){path.data, path.length}))
        *wrong = "would hide what the backup itself needs";
    if (!*wrong && count == 3)
        *wrong = read_path(&sub_path, parts[2], false);
    if (*wrong)
        return NULL;

    json_t *mount = json_object();

    tree_put_span(mount, "name", parts[0]);
    tree_put_text(mount, "mountPath", text_get(&path));
    if (sub_path.length)
        tree_put_text(mount, "subPath", text_get(&sub_path));
    return mount;
}

static bool is_mounted(const json_t *list, const char *path)
{
    const json_t *mount;
    size_t i;

    tree_items (list, i, mount)
        if (strcmp(tree_text(mount, "mountPath"), path) == 0)
            return true;
    return false;
}

static bool take_mount(const struct reading *in, size_t number, struct span element, json_t *list)
{
    const char *wrong = NULL;
    AUTO(json) json_t *mount = read_mount(element, &wrong);

    if (mount && holds(list, mount))
        return push_once(in, number, element, list, TAKE(mount));
    if (mount && is_mounted(list, tree_text(mount, "mountPath")))
        wrong = "wants a path that another one has";
    if (!wrong)
        return push_once(in, number, element, list, TAKE(mount));
    mistake(in, REASON_INVALID, "mount %zu (\"%.*s\") %s: it is ignored", number, shown(element),
            chars(element), wrong);
    return false;
}

static bool take_pattern(const struct reading *in, size_t number, struct span element, json_t *list)
{
    if (!has_control(element) && element.length <= PATH_MAX_BYTES)
        return push_once(in, number, element, list, string_of(element));
    mistake(in, REASON_INVALID, "pattern %zu %s: it is ignored", number,
            has_control(element) ? "holds a control character" : "is too long");
    return false;
}

static bool take_name(const struct reading *in, size_t number, struct span element, json_t *list)
{
    AUTO(free) char *name = text_printable(element, OBJECT_NAME_MAX_CHARS);

    return push_once(in, number, element, list, string_of(span_of(name)));
}

/* ---- one function for each key ---- */

static void read_blueprints(const struct reading *in, struct span value)
{
    const json_t *name;
    size_t i;

    in->out->names = read_list(in, value, BLUEPRINTS_MAX, take_name);
    tree_items (in->out->names, i, name)
        in->out->blueprints[in->out->blueprint_count++] = json_string_value(name);
}

static void read_paths(const struct reading *in, struct span value)
{
    in->out->paths = read_list(in, value, PATHS_MAX, take_path);
}

static void read_mounts(const struct reading *in, struct span value)
{
    in->out->mounts = read_list(in, value, PATHS_MAX, take_mount);
}

static void read_exclude(const struct reading *in, struct span value)
{
    in->out->exclude = read_list(in, value, PATHS_MAX, take_pattern);
}

static void ignored(const struct reading *in, const struct error *err)
{
    mistake(in, REASON_INVALID, "%s: it is ignored", err->message);
}

static void read_schedule(const struct reading *in, struct span value)
{
    struct span text = text_trim(value);
    struct error err = {0};
    struct cron cron;

    if (text.length > SCHEDULE_MAX_BYTES)
        mistake(in, REASON_TOO_LONG, "longer than %d bytes: it is ignored", SCHEDULE_MAX_BYTES);
    else if (cron_parse(&cron, text, &err))
        in->out->schedule = text_dup(text.data, text.length);
    else
        ignored(in, &err);
}

static bool read_flag(const struct reading *in, struct span value, bool otherwise)
{
    struct span text = text_trim(value);

    if (span_is(text, "true"))
        return true;
    if (span_is(text, "false"))
        return false;
    mistake(in, REASON_NOT_SUPPORTED, "\"%.*s\" is neither \"true\" nor \"false\": it is ignored",
            shown(text), chars(text));
    return otherwise;
}

static void read_backup(const struct reading *in, struct span value)
{
    in->out->opted_out = !read_flag(in, value, true);
}

static void read_paused(const struct reading *in, struct span value)
{
    in->out->paused = read_flag(in, value, false);
}

static void read_restore_if_exists(const struct reading *in, struct span value)
{
    in->out->restore_if_exists = read_flag(in, value, false);
}

static void read_retention(const struct reading *in, struct span value)
{
    struct error err = {0};

    in->out->has_retention = retention_parse(value, &in->out->retention, &err);
    if (!in->out->has_retention)
        ignored(in, &err);
}

static void read_resources(const struct reading *in, struct span value)
{
    struct error err = {0};

    in->out->has_resources = resources_parse(value, &in->out->resources, &err);
    if (!in->out->has_resources)
        ignored(in, &err);
}

static void read_priority(const struct reading *in, struct span value)
{
    struct error err = {0};

    in->out->has_priority = priority_parse(value, &in->out->priority, &err);
    if (!in->out->has_priority)
        ignored(in, &err);
}

static void read_timeout(const struct reading *in, struct span value)
{
    struct error err = {0};
    int64_t ns;

    if (!duration_parse(text_trim(value), &ns, &err))
        ignored(in, &err);
    else if (ns < SECOND_NS)
        mistake(in, REASON_INVALID, "less than a second: it is ignored");
    else
        in->out->timeout_ns = ns;
}

static const char *command_fault(const json_t *command)
{
    const json_t *word;
    size_t i;

    if (!json_is_array(command) || !json_array_size(command))
        return "wants a list of strings in JSON, such as [\"pg_dump\", \"-Fc\"]";
    if (json_array_size(command) > WORDS_MAX)
        return "has too many words";
    tree_items (command, i, word) {
        struct span text = tree_value(word);

        if (!text.data)
            return "holds something else than strings";
        if (has_nul(text) || text.length > WORD_MAX_BYTES || (i == 0 && !text.length))
            return "has a word that is empty, too long or holds a NUL";
    }
    return NULL;
}

static void read_dump_command(const struct reading *in, struct span value)
{
    AUTO(json)
    json_t *command =
        json_loadb(chars(value), value.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const char *fault = command_fault(command);

    if (fault)
        mistake(in, REASON_INVALID, "%s: it is ignored", fault);
    else
        in->out->dump_command = TAKE(command);
}

static void read_dump_container(const struct reading *in, struct span value)
{
    struct span name = text_trim(value);

    if (name_is_label(name))
        in->out->dump_container = text_dup(name.data, name.length);
    else
        mistake(in, REASON_INVALID, "\"%.*s\" can not be a container: it is ignored", shown(name),
                chars(name));
}

static void read_nothing(const struct reading *in, struct span value)
{
    (void)in;
    (void)value;
}

/* What owners write. A refresh is compared with the one before, not read. */
static const struct {
    const char *key;
    void (*read)(const struct reading *in, struct span value);
} owners[] = {
    {KEY_BLUEPRINT, read_blueprints},
    {KEY_SCHEDULE, read_schedule},
    {KEY_TARGET_PATHS, read_paths},
    {KEY_VOLUME_MOUNTS, read_mounts},
    {KEY_BACKUP, read_backup},
    {KEY_PAUSED, read_paused},
    {KEY_EXCLUDE, read_exclude},
    {KEY_RETENTION, read_retention},
    {KEY_RESOURCES, read_resources},
    {KEY_TIMEOUT, read_timeout},
    {KEY_PRIORITY, read_priority},
    {KEY_RESTORE_IF_EXISTS, read_restore_if_exists},
    {KEY_DUMP_COMMAND, read_dump_command},
    {KEY_DUMP_CONTAINER, read_dump_container},
    {KEY_REFRESH, read_nothing},
};

#define OWNERS (sizeof owners / sizeof *owners)

/* ---- parameters ---- */

/* Names that tasks compute; a parameter of the owner never stands in for one. Stash behaviour,
 * section 6. */
static bool is_computed(const char *name)
{
    static const char *const prefixes[] = {"REPOSITORY_", "TARGET_",     "RETENTION_", "RESTORE_",
                                           "INVOKER_",    "PROMETHEUS_", "STASH_",     NULL};
    static const char *const names[] = {"MAX_CONNECTIONS",
                                        "EXCLUDE_PATTERNS",
                                        "INCLUDE_PATTERNS",
                                        "DRIVER_ARGS",
                                        "HOSTNAME",
                                        "SOURCE_HOSTNAME",
                                        "ENABLE_CACHE",
                                        "INTERIM_DATA_DIR",
                                        "NAMESPACE",
                                        "LICENSE_APISERVICE",
                                        "BACKUP_SESSION",
                                        "ADDON_IMAGE",
                                        NULL};

    for (const char *const *prefix = prefixes; *prefix; prefix++)
        if (strncmp(name, *prefix, strlen(*prefix)) == 0)
            return true;
    for (const char *const *known = names; *known; known++)
        if (strcmp(name, *known) == 0)
            return true;
    return false;
}

static void read_param(const struct reading *in, struct span value)
{
    const char *name = in->key + strlen(KEY_PARAMS_PREFIX);

    if (!*name || !name_is_label_value(span_of(name)))
        mistake(in, REASON_INVALID, "what follows the \"/\" can not be the name of a parameter");
    else if (is_computed(name))
        mistake(in, REASON_FORBIDDEN, "%s is computed, it can not be set: it is ignored", name);
    else if (value.length > RESOLVED_MAX_BYTES)
        mistake(in, REASON_TOO_LONG, "longer than %u bytes: it is ignored", RESOLVED_MAX_BYTES);
    else if (json_array_size(in->out->params) == PARAMS_MAX)
        mistake(in, REASON_TOO_MANY, "only %u parameters count: it is ignored", PARAMS_MAX);
    else {
        json_t *param = json_object();

        tree_put_text(param, "name", name);
        tree_put_span(param, "value", value.data ? value : span_of(""));
        in->out->params = in->out->params ? in->out->params : json_array();
        tree_push_new(in->out->params, param);
    }
}

/* ---- keys ---- */

/* What is written by programs, ours and Stash's. */
static const char *const bookkeeping[] = {
    KEY_STAMP,
    KEY_AGENT,
    KEY_TARGET,
    KEY_PLAN_SHA256,
    KEY_BLUEPRINT_GENERATION,
    KEY_STASH_BACKUP_INVOKER,
    KEY_STASH_BACKUP_INVOKER_KIND,
    KEY_STASH_BACKUP_HASH,
    KEY_STASH_RESTORE_INVOKER,
    KEY_STASH_RESTORE_INVOKER_KIND,
    KEY_STASH_RESTORE_HASH,
};

/* Ours, but not on a target. */
static const struct {
    const char *key, *hint;
} elsewhere[] = {
    {LABEL_BLUEPRINT, "is a label of namespaces; here the key is " KEY_BLUEPRINT},
    {KEY_START_ANYWAY, "belongs on a RestoreSession"},
    {KEY_ROLLBACK, "belongs on a RestoreSession"},
    {KEY_ADOPT, "belongs on a Repository"},
    {KEY_UNLOCK, "belongs on a Repository"},
    {LABEL_TARGET_KIND, "is a label of what a backup makes"},
    {LABEL_TARGET_NAME, "is a label of what a backup makes"},
};

static bool is_bookkeeping(const char *key)
{
    for (size_t i = 0; i < sizeof bookkeeping / sizeof *bookkeeping; i++)
        if (strcmp(key, bookkeeping[i]) == 0)
            return true;
    return false;
}

static const char *elsewhere_hint(const char *key)
{
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if (strcmp(key, elsewhere[i].key) == 0)
            return elsewhere[i].hint;
    return NULL;
}

static struct span domain_of(const char *key)
{
    const char *slash = strchr(key, '/');

    return (struct span){key, slash ? (size_t)(slash - key) : 0};
}

/* The key with this name in the other of the two domains: granary.dev/schedule. */
static const char *same_name(struct span name)
{
    for (size_t i = 0; i < OWNERS; i++)
        if (span_is(name, strchr(owners[i].key, '/') + 1))
            return owners[i].key;
    return NULL;
}

static const char *nearest_key(const char *key)
{
    const char *candidates[OWNERS + 1] = {NULL};

    for (size_t i = 0; i < OWNERS; i++)
        candidates[i] = owners[i].key;
    return text_did_you_mean(span_of(key), candidates);
}

/* The same, whatever stands before the "/". */
static const char *nearest_name(struct span name)
{
    const char *candidates[OWNERS + 1] = {NULL};

    for (size_t i = 0; i < OWNERS; i++)
        candidates[i] = strchr(owners[i].key, '/') + 1;
    return same_name(span_of(text_did_you_mean(name, candidates)));
}

static void unknown(const struct reading *in, struct span domain)
{
    const char *hint = elsewhere_hint(in->key);
    struct span name = span_of(in->key + domain.length + 1);
    const char *meant = same_name(name);

    meant = meant ? meant : nearest_key(in->key);
    meant = meant ? meant : nearest_name(name);
    if (hint)
        mistake(in, REASON_NOT_SUPPORTED, "%s", hint);
    else if (meant)
        mistake(in, REASON_NOT_SUPPORTED, "no such annotation: did you mean %s?", meant);
    else
        mistake(in, REASON_NOT_SUPPORTED, "no such annotation: it means nothing");
}

static bool is_nearly(struct span domain, const char *known)
{
    return text_is_near(domain, span_of(known), 2);
}

/* A key of another domain that looks like one of ours: of a parameter, any name does; of the
 * others, only a name that we know; and without a domain, only a name that can not be a word of
 * somebody else's. */
static void foreign(const struct reading *in, struct span domain)
{
    const char *name = in->key + (domain.length ? domain.length + 1 : 0);

    if (is_nearly(domain, "params." GROUP_STASH)) {
        mistake(in, REASON_NOT_SUPPORTED, "no such annotation: did you mean %s%s?",
                KEY_PARAMS_PREFIX, name);
        return;
    }

    bool near = domain.length ? is_nearly(domain, GROUP_STASH) || is_nearly(domain, "granary.dev")
                              : strchr(name, '-') != NULL;
    const char *meant = near ? same_name(span_of(name)) : NULL;

    if (meant)
        mistake(in, REASON_NOT_SUPPORTED, "no such annotation: did you mean %s?", meant);
}

static void read_owned(const struct reading *in, struct span value, struct span domain)
{
    for (size_t i = 0; i < OWNERS; i++)
        if (strcmp(in->key, owners[i].key) == 0) {
            owners[i].read(in, value);
            return;
        }
    if (!is_bookkeeping(in->key))
        unknown(in, domain);
}

/* A NUL is legal in an annotation and in none of ours; but what cannot be read is not removed. */
static bool is_readable(const struct reading *in, const json_t *value)
{
    if (json_is_string(value) && !has_nul(tree_value(value)))
        return true;
    if (strcmp(in->key, KEY_REFRESH) == 0 || is_bookkeeping(in->key))
        return true;
    mistake(in, REASON_INVALID,
            json_is_string(value) ? "holds a NUL: it is ignored"
                                  : "is not a string: it is ignored");
    if (strcmp(in->key, KEY_BLUEPRINT) == 0)
        read_blueprints(in, json_is_string(value) ? tree_value(value) : span_of("?"));
    return false;
}

static void read_annotation(const struct reading *in, const json_t *value)
{
    struct span domain = domain_of(in->key);
    bool param = span_is(domain, "params." GROUP_STASH);

    if (!param && !span_is(domain, GROUP_STASH) && !span_is(domain, "granary.dev")) {
        foreign(in, domain);
        return;
    }
    if (!is_readable(in, value))
        return;
    if (param)
        read_param(in, tree_value(value));
    else
        read_owned(in, tree_value(value), domain);
}

void annotations_parse(struct annotations *annotations, const json_t *tree,
                       struct findings *findings)
{
    struct reading in = {.out = annotations, .findings = findings};
    const json_t *value;

    *annotations = (struct annotations){.blueprint_count = 0};
    tree_each (tree, in.key, value)
        read_annotation(&in, value);
    if (annotations->dump_container && !annotations->dump_command) {
        in.key = KEY_DUMP_CONTAINER;
        mistake(&in, REASON_REQUIRED, "means nothing without %s", KEY_DUMP_COMMAND);
    }
}

void annotations_copy(struct annotations *copy, const struct annotations *annotations)
{
    const char *container = annotations->dump_container, *schedule = annotations->schedule;

    *copy = *annotations;
    json_incref(copy->paths);
    json_incref(copy->mounts);
    json_incref(copy->params);
    json_incref(copy->exclude);
    json_incref(copy->dump_command);
    json_incref(copy->names);
    copy->dump_container = container ? text_dup(container, strlen(container)) : NULL;
    copy->schedule = schedule ? text_dup(schedule, strlen(schedule)) : NULL;
}

void annotations_done(struct annotations *annotations)
{
    json_decref(annotations->paths);
    json_decref(annotations->mounts);
    json_decref(annotations->params);
    json_decref(annotations->exclude);
    json_decref(annotations->dump_command);
    json_decref(annotations->names);
    free(annotations->dump_container);
    free(annotations->schedule);
    *annotations = (struct annotations){.blueprint_count = 0};
}

static bool is_owners(const char *key)
{
    for (size_t i = 0; i < OWNERS; i++)
        if (strcmp(key, owners[i].key) == 0)
            return true;
    return strncmp(key, KEY_PARAMS_PREFIX, strlen(KEY_PARAMS_PREFIX)) == 0;
}

bool annotation_value_check(const char *key, struct span value, struct error *err)
{
    AUTO(annotations) struct annotations annotations = {0};
    AUTO(findings) struct findings findings = {0};
    struct reading in = {.out = &annotations, .findings = &findings, .key = key};

    if (!is_owners(key))
        return error_set(err, ERROR_NOT_FOUND, "%s is no annotation of an owner", key);

    AUTO(json) json_t *text = json_stringn(chars(value), value.length);

    if (!text)
        return error_set(err, ERROR_INVALID, "it is not UTF-8");
    read_annotation(&in, text);
    return findings.count == 0 || error_set(err, ERROR_INVALID, "%s", findings.items[0].message);
}
