#include "cli/explanation.h"

#include <stdlib.h>
#include <string.h>

#include "api/dump_command.h"
#include "api/keys.h"
#include "api/pod.h"
#include "base/tree.h"

/* Characters of a value that are shown. */
#define SHOWN_MAX_CHARS 200

void explain_head(const struct explanation *it, const char *title)
{
    const struct output *output = it->output;

    fprintf(output->out, "\n%s%s%s\n", output_begin(output->out_colour, COLOUR_CYAN), title,
            output_end(output->out_colour));
}

void explain_line(const struct explanation *it, const char *format, ...)
{
    va_list args;

    fputs("  ", it->output->out);
    va_start(args, format);
    vfprintf(it->output->out, format, args);
    va_end(args);
    fputc('\n', it->output->out);
}

/* ---- annotations ---- */

static const struct effect {
    const char *key;    /* or, ending in "/", how it begins */
    const char *effect; /* what it does */
    const char *result; /* where its result stands in the BackupConfiguration, or NULL */
} effects[] = {
    {KEY_BLUEPRINT, "asks for a backup by this blueprint", NULL},
    {KEY_SCHEDULE, "sets the schedule", "spec.schedule"},
    {KEY_TARGET_PATHS, "names the paths", "spec.target.paths"},
    {KEY_VOLUME_MOUNTS, "names the mounts", "spec.target.volumeMounts"},
    {KEY_PARAMS_PREFIX, "is a parameter of the task", "spec.task.params"},
    {KEY_BACKUP, "\"false\" takes this object out", NULL},
    {KEY_PAUSED, "\"true\" lets no new session start", "spec.paused"},
    {KEY_EXCLUDE, "leaves files out", "spec.target.exclude"},
    {KEY_RETENTION, "sets what is kept", "spec.retentionPolicy"},
    {KEY_RESOURCES, "sets the resources of our container",
     "spec.runtimeSettings.container.resources"},
    {KEY_TIMEOUT, "sets how long a session may take", "spec.timeOut"},
    {KEY_PRIORITY, "sets nice and ionice of our container", "spec.runtimeSettings.container"},
    {KEY_RESTORE_IF_EXISTS, "\"true\" restores into an empty volume first", NULL},
    {KEY_REFRESH, "a new value takes today's settings, with one rollout", NULL},
    {KEY_DUMP_COMMAND, "backs up what this command writes", NULL},
    {KEY_DUMP_CONTAINER, "says where the dump command runs", NULL},
    {KEY_STAMP, "is written by the controller: a new value makes admission look again", NULL},
};

static const struct effect *effect_of(const char *key)
{
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++) {
        size_t length = strlen(effects[i].key);
        bool prefix = effects[i].key[length - 1] == '/';

        if (prefix ? !strncmp(key, effects[i].key, length) : !strcmp(key, effects[i].key))
            return &effects[i];
    }
    return NULL;
}

static bool is_ours(const char *key)
{
    return !strncmp(key, KEY_STASH_PREFIX, strlen(KEY_STASH_PREFIX)) ||
           !strncmp(key, KEY_PREFIX, strlen(KEY_PREFIX)) ||
           !strncmp(key, KEY_PARAMS_PREFIX, strlen(KEY_PARAMS_PREFIX));
}

/* What each BackupConfiguration got of it. */
static void say_results(const struct explanation *it, const struct effect *effect)
{
    for (size_t i = 0; effect->result && i < it->plan.backup_count; i++) {
        const json_t *configuration = it->plan.backups[i].configuration;
        const json_t *result = tree_at(configuration, effect->result);

        if (!result)
            continue;

        AUTO(free) char *text = json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
        AUTO(free) char *shown = text_printable(span_of(text), SHOWN_MAX_CHARS);

        explain_line(it, "  %s of %s is %s", effect->result,
                     tree_text(tree_get(configuration, "metadata"), "name"), shown);
    }
}

static bool is_about(const struct finding *finding, const char *key)
{
    static const char before[] = "metadata.annotations[";
    size_t length = strlen(key);

    return !strncmp(finding->field, before, strlen(before)) &&
           !strncmp(finding->field + strlen(before), key, length) &&
           finding->field[strlen(before) + length] == ']';
}

static void say_mistakes(const struct explanation *it, const struct findings *findings,
                         const char *key)
{
    for (size_t i = 0; i < findings->count; i++)
        if (is_about(&findings->items[i], key))
            explain_line(it, "  but: %s", findings->items[i].message);
}

static void explain_annotation(const struct explanation *it, const char *key, const json_t *value)
{
    const struct effect *effect = effect_of(key);
    AUTO(free) char *shown_key = text_printable(span_of(key), SHOWN_MAX_CHARS);
    AUTO(free) char *shown = text_printable(tree_value(value), SHOWN_MAX_CHARS);

    explain_line(it, "%s: \"%s\" %s", shown_key, shown,
                 effect ? effect->effect : "means nothing to granary");
    say_mistakes(it, &it->plan.mistakes, key);
    say_mistakes(it, &it->plan.cautions, key);
    if (effect)
        say_results(it, effect);
}

void explain_annotations(const struct explanation *it)
{
    const json_t *annotations = tree_get(it->target.metadata, "annotations"), *value;
    const char *key;
    bool any = false;

    tree_each (annotations, key, value) {
        if (!is_ours(key))
            continue;
        if (!any)
            explain_head(it, "Annotations");
        any = true;
        explain_annotation(it, key, value);
    }
}

/* ---- data ---- */

static const char *why_these(const struct explanation *it, const json_t *configuration)
{
    if (dump_command_is_of(configuration))
        return "what the command of " KEY_DUMP_COMMAND " writes to standard output; no volume";
    if (it->annotations.paths && it->annotations.mounts)
        return "as the annotations " KEY_TARGET_PATHS " and " KEY_VOLUME_MOUNTS " say";
    if (it->annotations.paths)
        return "as the annotation " KEY_TARGET_PATHS " says; the mounts are those of the pod that "
               "cover it";
    if (it->annotations.mounts)
        return "as the annotation " KEY_VOLUME_MOUNTS " says; the paths are where it mounts";
    return "since no annotation names paths or mounts: every volume backed by a claim, where its "
           "container mounts it";
}

static void say_mounts(const struct explanation *it, const json_t *mounts)
{
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount) {
        const char *sub = tree_text(mount, "subPath");

        explain_line(it, "  volume %s at %s%s%s", tree_text(mount, "name"),
                     tree_text(mount, "mountPath"), sub ? ", its folder " : "", sub ? sub : "");
    }
}

void explain_data(const struct explanation *it)
{
    if (it->target.kind->class != TARGET_WORKLOAD)
        return;
    for (size_t i = 0; i < it->plan.backup_count; i++) {
        const json_t *target = tree_at(it->plan.backups[i].configuration, "spec.target");
        const json_t *paths = tree_get(target, "paths"), *path;
        size_t p;

        if (!target)
            continue;
        if (i == 0)
            explain_head(it, "Data");
        tree_items (paths, p, path)
            explain_line(it, "%s", json_string_value(path));
        say_mounts(it, tree_get(target, "volumeMounts"));
        explain_line(it, "  %s", why_these(it, it->plan.backups[i].configuration));
    }
}

/* ---- pods ---- */

static void say_root(const struct explanation *it, const struct pod_user *user)
{
    const char *why = "the container that mounts the data runs as root";

    if (it->plan.carry.file_access == FILE_ACCESS_ROOT)
        why = "fileAccess: Root asks for that";
    else if (user->several)
        why = "the containers that mount the data run as different users";
    else if (!user->known)
        why = "the pod does not say whose the files are (no runAsUser)";
    explain_line(it, "It runs as UID 0, since %s;", why);
    explain_line(it, "  without any capability but DAC_OVERRIDE, which reads all files.");
}

static void say_user(const struct explanation *it)
{
    struct pod_user user = pod_user_of(it->target.template, it->plan.carry.mounts);

    switch (pod_run_as(&user, it->plan.carry.file_access)) {
    case POD_RUN_AS_UID:
        explain_line(it, "It runs as UID %lld, %s that mounts the data.", (long long)user.uid,
                     user.several ? "the user of the first container"
                                  : "the user of the container");
        break;
    case POD_RUN_AS_IMAGE:
        explain_line(it, "It runs as the user of its own image, since the pod promises "
                         "runAsNonRoot and names no UID;");
        explain_line(it, "  files that others may not read can be missed.");
        break;
    case POD_RUN_AS_ROOT:
        say_root(it, &user);
        break;
    }
}

void explain_pods(const struct explanation *it)
{
    const struct carry *carry = &it->plan.carry;

    if (!carry->backup && !carry->restore && !carry->restore_if_exists)
        return;
    explain_head(it, "Pods");
    if (carry->backup)
        explain_line(it, "The container `" CONTAINER_SIDECAR "` is added, and its volumes.");
    if (carry->restore || carry->restore_if_exists)
        explain_line(it, "The init container `" CONTAINER_INIT "` is added, first in the list.");
    say_user(it);
    explain_line(it, "It has no rights in the cluster, and the pod is as restricted as before.");
}
