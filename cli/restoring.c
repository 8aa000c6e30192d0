#include "cli/restoring.h"

#include <stdlib.h>
#include <string.h>

#include "api/dump_command.h"
#include "api/keys.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/tree.h"
#include "cli/remote.h"
#include "controllers/session_make.h"
#include "controllers/slot.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = tree_text(object, key);

    return text ? text : "";
}

static enum target_class class_of(const json_t *ref)
{
    const struct target_kind *kind = target_kind_in(ref);

    return kind ? kind->class : TARGET_APP;
}

/* A member that both kinds have and mean alike. */
static void share(json_t *to, const json_t *from, const char *key)
{
    tree_put_new(to, key, tree_share(tree_get(from, key)));
}

/* ---- the target ---- */

static bool has_many_hosts(const json_t *ref)
{
    return span_is(tree_span(ref, "kind"), "StatefulSet") ||
           span_is(tree_span(ref, "kind"), "DaemonSet");
}

static json_t *claim_ref(const char *name)
{
    json_t *ref = json_object();

    tree_put_text(ref, "apiVersion", "v1");
    tree_put_text(ref, "kind", "PersistentVolumeClaim");
    tree_put_text(ref, "name", name);
    return ref;
}

/* One that is named with --to: of the same kind, or a claim. */
static json_t *other_ref(const json_t *ref, const char *to, struct error *err)
{
    const char *slash = strchr(to, '/');
    AUTO(free) char *kind = remote_kind(to);
    json_t *other;

    if (!slash || !slash[1]) {
        error_set(err, ERROR_INVALID, "--to %s: expected KIND/NAME, such as pvc/data", to);
        return NULL;
    }
    if (strcmp(kind, "PersistentVolumeClaim") == 0 && class_of(ref) != TARGET_APP)
        return claim_ref(slash + 1);
    if (strcasecmp(kind, text_of(ref, "kind")) != 0) {
        error_set(err, ERROR_INVALID,
                  "--to %s: what was backed up is of kind %s, and goes into another one of these%s",
                  to, text_of(ref, "kind"),
                  class_of(ref) == TARGET_APP ? "" : ", or into a PersistentVolumeClaim");
        return NULL;
    }
    other = tree_copy(ref);
    tree_put_text(other, "name", slash + 1);
    return other;
}

/* Paths are those of the pod: a claim is mounted where the pod has had it. */
static bool check_claim(const struct restore_wish *wish, const json_t *theirs, struct error *err)
{
    const json_t *ref = tree_get(theirs, "ref");

    if (class_of(ref) == TARGET_CLAIM)
        return true;
    if (json_array_size(tree_get(theirs, "volumeMounts")) != 1)
        return error_set(err, ERROR_INVALID,
                         "--to %s: %zu volumes of the %s are backed up, and one claim takes one; "
                         "restore into another %s, or write a RestoreSession (--dry-run prints "
                         "one to begin with)",
                         wish->to, json_array_size(tree_get(theirs, "volumeMounts")),
                         text_of(ref, "kind"), text_of(ref, "kind"));
    return true;
}

static json_t *ref_wanted(const struct restore_wish *wish, const json_t *theirs, struct error *err)
{
    const json_t *ref = tree_get(theirs, "ref");

    if (!text_of(ref, "kind")[0] || !text_of(ref, "name")[0]) {
        error_set(err, ERROR_INVALID, "the BackupConfiguration names no target");
        return NULL;
    }
    if (!wish->to)
        return tree_copy(ref);

    AUTO(json) json_t *other = other_ref(ref, wish->to, err);

    if (!other || (class_of(other) == TARGET_CLAIM && !check_claim(wish, theirs, err)))
        return NULL;
    return TAKE(other);
}

/* ---- the rule ---- */

static json_t *texts(const char *const *list, size_t count)
{
    json_t *made = json_array();

    for (size_t i = 0; i < count; i++)
        tree_push_text(made, list[i]);
    return made;
}

/* What the sidecar backs up when no paths are named: all that it mounts. */
static json_t *paths_of(const json_t *theirs)
{
    json_t *paths = tree_copy(tree_member(theirs, "paths", JSON_ARRAY));
    const json_t *mount;
    size_t i;

    if (json_array_size(paths) > 0)
        return paths;
    json_decref(paths);
    paths = json_array();
    tree_items (tree_get(theirs, "volumeMounts"), i, mount)
        tree_push_text(paths, tree_text(mount, "mountPath"));
    return paths;
}

/* The only host of a claim is another one than that of a StatefulSet. */
static void put_host(json_t *rule, const struct restore_wish *wish, bool same_hosts)
{
    if (!wish->host)
        return;
    if (same_hosts)
        tree_put_new(rule, "targetHosts", texts(&wish->host, 1));
    else
        tree_put_text(rule, "sourceHost", wish->host);
}

static json_t *rule_of(const struct restore_wish *wish, const json_t *theirs, const json_t *ref)
{
    AUTO(json) json_t *paths = paths_of(theirs);
    json_t *rule = json_object();

    put_host(rule, wish,
             has_many_hosts(ref) ||
                 strcmp(text_of(ref, "kind"), text_of(tree_get(theirs, "ref"), "kind")) == 0);
    if (wish->snapshot_count > 0)
        tree_put_new(rule, "snapshots", texts(wish->snapshots, wish->snapshot_count));
    else if (json_array_size(paths) > 0 && class_of(ref) != TARGET_APP)
        tree_put_new(rule, "paths", TAKE(paths));
    tree_put_text(rule, "asOf", wish->as_of);
    return rule;
}

static bool check_hosts(const struct restore_wish *wish, const json_t *theirs, const json_t *ref,
                        struct error *err)
{
    const char *kind = text_of(tree_get(theirs, "ref"), "kind");

    if (wish->host || !has_many_hosts(tree_get(theirs, "ref")))
        return true;
    if (wish->snapshot_count > 0)
        return error_set(err, ERROR_INVALID,
                         "--snapshot: a snapshot is that of one host, and a %s has several: say "
                         "which one with --host (host-0 is its first pod; of a DaemonSet the name "
                         "of the node)",
                         kind);
    return has_many_hosts(ref) ||
           error_set(err, ERROR_INVALID,
                     "--to %s: a %s has several hosts, each with data of its own: say which one "
                     "with --host (host-0 is its first pod; of a DaemonSet the name of the node)",
                     wish->to, kind);
}

static json_t *target_of(const struct restore_wish *wish, const json_t *theirs, struct error *err)
{
    AUTO(json) json_t *ref = ref_wanted(wish, theirs, err);
    AUTO(json) json_t *rules = json_array();
    json_t *target;

    if (!ref || !check_hosts(wish, theirs, ref, err))
        return NULL;
    tree_push_new(rules, rule_of(wish, theirs, ref));
    target = json_object();
    share(target, theirs, "alias");
    if (class_of(ref) != TARGET_APP)
        share(target, theirs, "volumeMounts");
    tree_put_new(target, "ref", TAKE(ref));
    tree_put_new(target, "rules", TAKE(rules));
    return target;
}

/* ---- the Task ---- */

static json_t *param_of(const char *text, struct error *err)
{
    const char *equals = strchr(text, '=');
    json_t *param;

    if (!equals || equals == text) {
        error_set(err, ERROR_INVALID, "--param %s: expected NAME=VALUE", text);
        return NULL;
    }
    param = json_object();
    tree_put_span(param, "name", (struct span){text, (size_t)(equals - text)});
    tree_put_text(param, "value", equals + 1);
    return param;
}

static bool put_params(json_t *task, const struct restore_wish *wish, struct error *err)
{
    AUTO(json) json_t *params = json_array();

    for (size_t i = 0; i < wish->param_count; i++) {
        json_t *param = param_of(wish->params[i], err);

        if (!param)
            return false;
        tree_push_new(params, param);
    }
    if (json_array_size(params) > 0)
        tree_put_new(task, "params", TAKE(params));
    return true;
}

/* "postgres-restore-14.0" of "postgres-backup-14.0"; NULL: it is not called so. */
static char *restoring_name(const char *backs_up)
{
    static const char word[] = "-backup";
    const char *at = strstr(backs_up, word);
    const char *behind = at ? at + sizeof word - 1 : NULL;

    if (!at || (*behind && *behind != '-'))
        return NULL;
    return text_format("%.*s-restore%s", (int)(at - backs_up), backs_up, behind);
}

/* Without a name that of the AppBinding counts, or what is built in. */
static bool put_task(json_t *spec, const struct restore_wish *wish, const json_t *ref,
                     struct error *err)
{
    const char *backs_up = text_of(tree_at(wish->configuration, "spec.task"), "name");
    AUTO(free) char *name = class_of(ref) == TARGET_APP ? restoring_name(backs_up) : NULL;
    AUTO(json) json_t *task = json_object();

    if (class_of(ref) == TARGET_APP && *backs_up && !name)
        return error_set(err, ERROR_INVALID,
                         "the Task %s is not called NAME-backup-VERSION, so it is not known which "
                         "one restores: write a RestoreSession that names it",
                         backs_up);
    if (wish->param_count > 0 && class_of(ref) == TARGET_WORKLOAD)
        return error_set(err, ERROR_INVALID, "--param: no Task restores a %s, so nobody reads it",
                         text_of(ref, "kind"));
    tree_put_text(task, "name", name);
    if (!put_params(task, wish, err))
        return false;
    if (json_object_size(task) > 0)
        tree_put_new(spec, "task", TAKE(task));
    return true;
}

/* ---- all of it ---- */

static json_t *spec_of(const struct restore_wish *wish, struct error *err)
{
    static const char *const alike[] = {"repository", "runtimeSettings", "tempDir",
                                        "interimVolumeTemplate", "fileAccess"};
    const json_t *theirs = tree_get(wish->configuration, "spec");
    AUTO(json) json_t *target = target_of(wish, tree_get(theirs, "target"), err);
    AUTO(json) json_t *spec = json_object();

    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++)
        share(spec, theirs, alike[i]);
    if (!target || !put_task(spec, wish, tree_get(target, "ref"), err))
        return NULL;
    tree_put_new(spec, "target", TAKE(target));
    return TAKE(spec);
}

/* Only who wrote the command knows what reads its output. */
static bool check_command(const struct restore_wish *wish, struct error *err)
{
    return !dump_command_is_of(wish->configuration) ||
           error_set(err, ERROR_INVALID,
                     "its backups are what a command wrote (%s), and no RestoreSession gives them "
                     "back to a program: take %s out of the snapshot with restic",
                     KEY_DUMP_COMMAND, DUMP_COMMAND_PATH);
}

json_t *restoring_make(const struct restore_wish *wish, struct error *err)
{
    const json_t *theirs = tree_get(wish->configuration, "metadata");
    AUTO(free) char *base = text_format("%s-restore", text_of(theirs, "name"));
    AUTO(free) char *name = slot_session_name(base, wish->now_s);
    AUTO(json) json_t *spec = check_command(wish, err) ? spec_of(wish, err) : NULL;
    json_t *session, *metadata;

    if (!spec)
        return NULL;
    session = json_object();
    metadata = json_object();
    tree_put_text(session, "apiVersion", API_STASH_V1BETA1);
    tree_put_text(session, "kind", "RestoreSession");
    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", tree_text(theirs, "namespace"));
    tree_put_new(session, "metadata", metadata);
    tree_put_new(session, "spec", TAKE(spec));
    return session;
}

/* ---- in words ---- */

static void add_list(struct text *text, const json_t *list, const char *otherwise)
{
    const json_t *item;
    size_t i;

    tree_items (list, i, item)
        text_addf(text, "%s%s", i ? ", " : "", json_string_value(item));
    if (json_array_size(list) == 0)
        text_puts(text, otherwise);
}

static const json_t *only_rule(const json_t *session)
{
    return json_array_get(tree_at(session, "spec.target.rules"), 0);
}

static void tell_source(const json_t *session, struct text *text)
{
    const json_t *rule = only_rule(session), *repository = tree_at(session, "spec.repository");
    const char *space = tree_text(repository, "namespace"), *as_of = tree_text(rule, "asOf");
    const json_t *snapshots = tree_get(rule, "snapshots"), *host = tree_get(rule, "targetHosts");

    if (json_array_size(snapshots) > 0) {
        text_puts(text, "all of snapshot ");
        add_list(text, snapshots, "");
    } else {
        add_list(text, tree_get(rule, "paths"), "the data");
        text_puts(text, ", from the newest snapshot");
    }
    if (as_of)
        text_addf(text, " of %s or before", as_of);
    if (host || tree_text(rule, "sourceHost"))
        text_addf(text, " of host %s",
                  host ? json_string_value(json_array_get(host, 0))
                       : tree_text(rule, "sourceHost"));
    text_addf(text, ", in Repository %s/%s\n",
              space && *space ? space : text_of(tree_get(session, "metadata"), "namespace"),
              text_of(repository, "name"));
}

void restoring_tell(const json_t *session, struct text *text)
{
    static const char *const ways[] = {
        [TARGET_WORKLOAD] = "Its pods are replaced; the application of each one starts when its "
                            "data is back. Files that are not in the snapshot stay.\n",
        [TARGET_CLAIM] = "A Job mounts the claim and begins at once: nothing else should write to "
                         "it. Files that are not in the snapshot stay.\n",
        [TARGET_APP] = "A Job gives the dump to the database; one that is not empty is refused "
                       "unless the Task has a parameter that allows it.\n",
    };
    AUTO(json) json_t *target = session_target(session);

    text_addf(text, "RestoreSession %s\n", text_of(tree_get(session, "metadata"), "name"));
    text_addf(text, "Into %s %s/%s: ", text_of(target, "kind"), text_of(target, "namespace"),
              text_of(target, "name"));
    tell_source(session, text);
    text_puts(text, ways[class_of(tree_at(session, "spec.target.ref"))]);
}

char *restoring_remedy(const json_t *session)
{
    const json_t *metadata = tree_get(session, "metadata");
    const char *space = text_of(metadata, "namespace"), *name = text_of(metadata, "name");

    if (class_of(tree_at(session, "spec.target.ref")) == TARGET_WORKLOAD)
        return text_format("a host that was not restored holds its application. Repair what is "
                           "said and restore again; `kubectl -n %s annotate restoresession %s "
                           "%s=true` lets it start all the same",
                           space, name, KEY_START_ANYWAY);
    return text_format("repair what is said and restore again; `kubectl -n %s describe "
                       "restoresession %s` shows all that is known",
                       space, name);
}
