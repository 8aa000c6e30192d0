/*
 * What owners write. An input that is a JSON object is all annotations of a target; of any other,
 * the first byte chooses the key and the rest is the value.
 */
#include <jansson.h>
#include <string.h>

#include "api/annotation.h"
#include "api/keys.h"
#include "api/names.h"
#include "api/own.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"

static const char *const keys[] = {
    KEY_BLUEPRINT,    KEY_SCHEDULE,       KEY_TARGET_PATHS, KEY_VOLUME_MOUNTS,
    KEY_BACKUP,       KEY_PAUSED,         KEY_EXCLUDE,      KEY_RETENTION,
    KEY_RESOURCES,    KEY_TIMEOUT,        KEY_PRIORITY,     KEY_RESTORE_IF_EXISTS,
    KEY_DUMP_COMMAND, KEY_DUMP_CONTAINER, KEY_REFRESH,      KEY_PARAMS_PREFIX "args",
};

#define KEYS (sizeof keys / sizeof *keys)

static const char *const overrides =
    "{\"metadata\":{\"name\":\"b\"},\"spec\":{\"overrides\":["
    "{\"key\":\"schedule\",\"min\":\"1h\"},{\"key\":\"paths\"},{\"key\":\"params\"},"
    "{\"key\":\"exclude\"},{\"key\":\"retention\",\"min\":\"last=1\",\"max\":\"last=9,within=9d\"},"
    "{\"key\":\"resources\",\"min\":\"cpu=1m\",\"max\":\"cpu=1,memory=1Gi,limits.cpu=2\"},"
    "{\"key\":\"timeout\",\"min\":\"1m\",\"max\":\"1h\"},{\"key\":\"dump\"},"
    "{\"key\":\"priority\",\"min\":\"nice=0,ionice=best-effort:0\",\"max\":\"nice=10\"}]}}";

static void path_must_be_safe(const char *path, bool absolute)
{
    struct span rest = span_of(path), part;

    FUZZ_MUST((path[0] == '/') == absolute);
    for (const char *c = path; *c; c++)
        FUZZ_MUST((unsigned char)*c >= 0x20 && *c != 0x7f && *c != ',');
    while (text_split(&rest, '/', &part))
        FUZZ_MUST(!span_is(part, "..") && !span_is(part, "."));
    FUZZ_MUST(!strstr(path, "//"));
}

static void mount_must_be_safe(const json_t *mount)
{
    const char *path = tree_text(mount, "mountPath"), *sub_path = tree_text(mount, "subPath");

    FUZZ_MUST(name_is_label(tree_span(mount, "name")));
    path_must_be_safe(path, true);
    FUZZ_MUST(strncmp(path, "/proc/", 6) != 0 && strcmp(path, "/") != 0 &&
              strncmp(path, "/var/run/secrets", 16) != 0);
    if (sub_path)
        path_must_be_safe(sub_path, false);
    FUZZ_MUST(json_object_size(mount) == 2u + (sub_path != NULL));
}

static void strings_must_be_whole(const json_t *list, size_t max)
{
    const json_t *value;
    size_t i;

    FUZZ_MUST(!list || (json_array_size(list) > 0 && json_array_size(list) <= max));
    tree_items (list, i, value)
        FUZZ_MUST(json_is_string(value) &&
                  strlen(json_string_value(value)) == json_string_length(value));
}

static void findings_must_be_lines(const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        FUZZ_MUST(findings->items[i].level == FINDING_WARNING && findings->items[i].message[0]);
        for (const char *c = findings->items[i].message; *c; c++)
            FUZZ_MUST((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
}

static void must_be_bounded(const struct annotations *a)
{
    const json_t *value;
    size_t i;

    FUZZ_MUST(a->blueprint_count <= BLUEPRINTS_MAX);
    for (i = 0; i < a->blueprint_count; i++)
        FUZZ_MUST(a->blueprints[i][0]);
    strings_must_be_whole(a->paths, PATHS_MAX);
    tree_items (a->paths, i, value)
        path_must_be_safe(json_string_value(value), true);
    tree_items (a->mounts, i, value)
        mount_must_be_safe(value);
    strings_must_be_whole(a->exclude, PATHS_MAX);
    strings_must_be_whole(a->dump_command, 64);
    FUZZ_MUST(json_array_size(a->params) <= PARAMS_MAX);
}

/* What was taken, written down again (with a slash behind, for names that end in a blank), is taken
 * again and as it is. */
static void paths_must_be_stable(const struct annotations *a)
{
    AUTO(annotations) struct annotations again = {0};
    AUTO(findings) struct findings findings = {0};
    AUTO(text) struct text joined = {0};
    AUTO(json) json_t *tree = json_object();
    const json_t *value;
    size_t i;

    if (!a->paths)
        return;
    tree_items (a->paths, i, value)
        text_addf(&joined, "%s%s/", i ? "," : "", json_string_value(value));
    tree_put_text(tree, KEY_TARGET_PATHS, text_get(&joined));
    annotations_parse(&again, tree, &findings);
    FUZZ_MUST(tree_equal(a->paths, again.paths) && findings.count == 0);
}

/* Bounding a second time changes nothing more. */
static void bounds_must_hold(const struct annotations *a)
{
    AUTO(json) json_t *blueprint = json_loads(overrides, 0, NULL);
    AUTO(annotations) struct annotations bounded = {0};
    AUTO(findings) struct findings first = {0};
    AUTO(findings) struct findings second = {0};

    FUZZ_MUST(blueprint);
    annotations_copy(&bounded, a);
    annotations_bound(&bounded, blueprint, &first);
    findings_must_be_lines(&first);
    annotations_bound(&bounded, blueprint, &second);
    FUZZ_MUST(second.count == 0);
    FUZZ_MUST(!bounded.paused && !bounded.restore_if_exists);
    if (bounded.has_retention)
        FUZZ_MUST(bounded.retention.keep[KEEP_LAST] >= 1 && bounded.retention.keep[KEEP_LAST] <= 9);
    if (bounded.timeout_ns)
        FUZZ_MUST(bounded.timeout_ns >= 60 * SECOND_NS && bounded.timeout_ns <= 3600 * SECOND_NS);

    AUTO(json) json_t *own = own_settings(&bounded, tree_get(blueprint, "spec"));

    FUZZ_MUST(json_is_object(own));
}

static void judge(const json_t *tree)
{
    AUTO(annotations) struct annotations annotations = {0};
    AUTO(findings) struct findings findings = {0};

    annotations_parse(&annotations, tree, &findings);
    findings_must_be_lines(&findings);
    must_be_bounded(&annotations);
    paths_must_be_stable(&annotations);
    bounds_must_hold(&annotations);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json) json_t *tree = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);

    if (size < 1)
        return 0;
    if (json_is_object(tree)) {
        judge(tree);
        return 0;
    }

    const char *key = keys[data[0] % KEYS];
    struct span value = {(const char *)data + 1, size - 1};
    AUTO(json) json_t *text = json_stringn(value.length ? value.data : "", value.length);
    AUTO(json) json_t *one = json_object();
    struct error err = {0};
    bool fine = annotation_value_check(key, value, &err);

    FUZZ_MUST(fine == (err.code == ERROR_NONE));
    if (!text) {
        FUZZ_MUST(!fine);
        return 0;
    }
    tree_put_new(one, key, TAKE(text));
    judge(one);
    return 0;
}
