#include "api/plan.h"

#include <stdlib.h>

#include "api/annotation.h"
#include "api/backend.h"
#include "api/demand.h"
#include "api/dump_command.h"
#include "api/keys.h"
#include "api/objects.h"
#include "api/own.h"
#include "api/part.h"
#include "api/selection.h"
#include "api/selector.h"
#include "api/substitute.h"
#include "api/validate.h"
#include "base/limits.h"
#include "base/tree.h"

/* One planning under way. */
struct planning {
    const struct plan_request *request;
    struct plan *plan;
    struct annotations annotations; /* what the owner wrote */
    json_t *owners;                 /* owned: the owner's part of the template, or NULL */
    struct pod_claims claims;       /* of that part */
    json_t *inputs;                 /* owned: list of what each backup says about the container */
};

static const struct target *target_of(const struct planning *planning)
{
    return planning->request->target;
}

static bool is_workload(const struct planning *planning)
{
    return target_of(planning)->kind->class == TARGET_WORKLOAD;
}

static void trace(const struct planning *planning, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void trace(const struct planning *planning, const char *format, ...)
{
    va_list args;

    if (!planning->request->trace)
        return;
    va_start(args, format);
    text_addv(planning->request->trace, format, args);
    va_end(args);
    text_putc(planning->request->trace, '\n');
}

static void note(const struct planning *planning, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(const struct planning *planning, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_addv(&planning->plan->notes, format, args);
    va_end(args);
    text_putc(&planning->plan->notes, '\n');
}

static void decide(const struct planning *planning, enum plan_state state, const char *why)
{
    planning->plan->state = state;
    planning->plan->why = why;
}

static void broken(const struct planning *planning, const char *why)
{
    if (planning->plan->state != PLAN_BROKEN)
        decide(planning, PLAN_BROKEN, why);
}

/* ---- never ours ---- */

static bool is_foreign(const struct planning *planning)
{
    const struct target *target = target_of(planning);

    if (target->kind->owned_is_foreign && target_is_controlled(target)) {
        decide(planning, PLAN_FOREIGN, "owned");
        trace(planning, "%s %s is made by another object, which is backed up in its place.",
              target->kind->kind, target->name);
        return true;
    }
    if (settings_excludes(planning->request->settings, target->space)) {
        decide(planning, PLAN_FOREIGN, "excluded-namespace");
        trace(planning, "Namespace %s is excluded by the settings of the installation.",
              target->space);
        return true;
    }
    return false;
}

/* ---- a blueprint's backup ---- */

/* One blueprint on its way to a backup. */
struct resolving {
    const struct planning *planning;
    const char *name;
    enum plan_reason reason;
    const json_t *blueprint;
    json_t *spec;                   /* owned: resolved */
    json_t *own;                    /* owned */
    struct annotations annotations; /* within the administrator's bounds */
    bool primary;
};

static const char *blueprint_field(const struct resolving *resolving)
{
    return resolving->reason == REASON_ANNOTATION ? "metadata.annotations[" KEY_BLUEPRINT "]" : "";
}

static bool find_blueprint(struct resolving *resolving)
{
    const struct planning *planning = resolving->planning;
    const struct cluster *cluster = planning->request->cluster;
    const char *meant;

    resolving->blueprint = cluster_blueprint(cluster, resolving->name);
    if (resolving->blueprint)
        return true;
    meant = text_did_you_mean(span_of(resolving->name), cluster_blueprint_names(cluster));
    findings_add(&planning->plan->mistakes, FINDING_WARNING, REASON_NOT_FOUND,
                 blueprint_field(resolving), "no BackupBlueprint \"%s\"%s%s%s", resolving->name,
                 meant ? ": did you mean \"" : ", nothing is backed up by it yet",
                 meant ? meant : "", meant ? "\"?" : "");
    trace(planning, "  There is none of that name.");
    broken(planning, "blueprint-missing");
    return false;
}

static bool is_sound(const struct resolving *resolving)
{
    const struct planning *planning = resolving->planning;
    const char *fault = cluster_fault(planning->request->cluster, resolving->blueprint);

    if (!fault)
        return true;
    findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_INVALID, "",
                 "BackupBlueprint \"%s\" is not valid (%s): please tell its administrator",
                 resolving->name, fault);
    trace(planning, "  It is not valid: %s.", fault);
    broken(planning, "blueprint-invalid");
    return false;
}

static bool is_allowed(const struct resolving *resolving)
{
    const struct planning *planning = resolving->planning;
    const struct cluster *cluster = planning->request->cluster;
    const char *space = target_of(planning)->space;
    const json_t *allowed = tree_at(resolving->blueprint, "spec.allowedNamespaces");

    if (!allowed || json_is_null(allowed) ||
        usage_allowed(allowed, "", space, cluster_namespace(cluster, space)) == USAGE_ALLOWED)
        return true;
    findings_add(&planning->plan->mistakes, FINDING_WARNING, REASON_FORBIDDEN,
                 blueprint_field(resolving),
                 "BackupBlueprint \"%s\" may not be used in namespace %s", resolving->name, space);
    trace(planning, "  Its allowedNamespaces leave namespace %s out.", space);
    broken(planning, "blueprint-forbidden");
    return false;
}

static void trace_variable(void *context, const struct variable *variable, const char *field)
{
    const struct resolving *resolving = context;

    trace(resolving->planning, "  ${%s} in %s is \"%.*s\", %s.", variable->name, field,
          (int)variable->value.length, variable->value.data ? variable->value.data : "",
          variable->origin);
}

static bool unresolved(const struct resolving *resolving, const char *why)
{
    const struct planning *planning = resolving->planning;

    findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_INVALID, "", "%s", why);
    trace(planning, "  Its variables can not be replaced: %s.", why);
    broken(planning, "blueprint-unresolved");
    return false;
}

/* A value of this target may make of a sound blueprint what no pod can carry. */
static bool still_sound(const struct resolving *resolving, const json_t *spec)
{
    AUTO(findings) struct findings found = {0};

    validate_resolved(spec, resolving->spec, &found);
    for (size_t i = 0; i < found.count; i++) {
        if (found.items[i].level != FINDING_ERROR)
            continue;

        AUTO(free)
        char *why = text_format("BackupBlueprint \"%s\", %s of this target: %s", resolving->name,
                                found.items[i].field, found.items[i].message);

        return unresolved(resolving, why);
    }
    return true;
}

static bool resolve_spec(struct resolving *resolving)
{
    const struct planning *planning = resolving->planning;
    const struct target *target = target_of(planning);
    const json_t *spec = tree_get(resolving->blueprint, "spec");
    AUTO(variables) struct variables variables = {0};
    struct error err;

    variables_of_target(&variables, target->api_version, target->kind->kind, target->space,
                        target->name, target->spec);

    struct substitution how = {.variables = &variables,
                               .blueprint = resolving->name,
                               .used = planning->request->trace ? trace_variable : NULL,
                               .context = resolving};

    resolving->spec = substitute_tree(spec, &how, "spec", &err);
    return resolving->spec ? still_sound(resolving, spec) : unresolved(resolving, err.message);
}

static void bound(struct resolving *resolving)
{
    annotations_copy(&resolving->annotations, &resolving->planning->annotations);
    annotations_bound(&resolving->annotations, resolving->blueprint,
                      &resolving->planning->plan->mistakes);
    resolving->own = own_settings(&resolving->annotations, resolving->spec);
}

static bool settle_data(const struct resolving *resolving, struct selection *selection)
{
    const struct planning *planning = resolving->planning;
    struct plan *plan = planning->plan;
    struct selecting in = {.claims = planning->claims,
                           .paths = resolving->annotations.paths,
                           .mounts = resolving->annotations.mounts,
                           .paths_field = "metadata.annotations[" KEY_TARGET_PATHS "]",
                           .mounts_field = "metadata.annotations[" KEY_VOLUME_MOUNTS "]"};

    selection_make(selection, &in, &plan->mistakes, &plan->cautions);
    if (json_array_size(selection->paths))
        return true;
    findings_add(&plan->mistakes, FINDING_WARNING, REASON_REQUIRED, "",
                 "there is nothing to back up: %s",
                 in.paths || in.mounts ? "none of the paths and mounts asked for is in the pod"
                                       : "the pod mounts no volume of a PersistentVolumeClaim");
    trace(planning, "  Its pods mount nothing that could be backed up.");
    broken(planning, "nothing-to-back-up");
    return false;
}

/* What keeps a command from being run, and the field that says so. NULL: nothing. */
static const char *dump_fault(const struct resolving *resolving, const char **field)
{
    const struct planning *planning = resolving->planning;
    const char *container = resolving->annotations.dump_container;
    const json_t *pod = tree_get(planning->claims.template, "spec");

    *field = "metadata.annotations[" KEY_DUMP_COMMAND "]";
    if (!strcmp(target_of(planning)->kind->kind, "DaemonSet"))
        return "a DaemonSet has a pod on each node, and no one that could be asked for all";
    *field = "metadata.annotations[" KEY_DUMP_CONTAINER "]";
    if (container && !tree_named(tree_get(pod, "containers"), container))
        return "the pod has no container of that name";
    *field = "metadata.annotations[" KEY_TARGET_PATHS "]";
    if (resolving->annotations.paths || resolving->annotations.mounts)
        return "either paths or a command can be backed up: " KEY_DUMP_COMMAND
               " asks for what a command writes";
    return NULL;
}

static bool settle_dump(const struct resolving *resolving, struct selection *selection)
{
    const struct planning *planning = resolving->planning;
    const char *field, *fault = dump_fault(resolving, &field);

    if (fault) {
        findings_add(&planning->plan->mistakes, FINDING_WARNING, REASON_INVALID, field, "%s",
                     fault);
        trace(planning, "  Its command can not be run: %s.", fault);
        broken(planning, "dump-invalid");
        return false;
    }
    selection->paths = json_array();
    tree_push_text(selection->paths, DUMP_COMMAND_PATH);
    trace(planning, "  A Job: what the command of " KEY_DUMP_COMMAND " writes is backed up.");
    return true;
}

/* A hand-made configuration of the name that ours would have: it is never touched. */
static bool name_is_taken(const struct resolving *resolving, const struct objects *in)
{
    const struct planning *planning = resolving->planning;
    const char *space;
    AUTO(free) char *name = objects_configuration_name(in, &space);
    const json_t *existing = cluster_configuration(planning->request->cluster, space, name);

    if (!existing || !configuration_is_hand_made(existing))
        return false;
    findings_add(&planning->plan->mistakes, FINDING_WARNING, REASON_DUPLICATE,
                 blueprint_field(resolving),
                 "a BackupConfiguration %s/%s that was made by hand stands in the way of "
                 "BackupBlueprint \"%s\": it is left as it is",
                 space, name, resolving->name);
    trace(planning, "  BackupConfiguration %s/%s has the name, and was made by hand.", space, name);
    if (!planning->plan->in_the_way)
        planning->plan->in_the_way = text_format("%s/%s", space, name);
    broken(planning, "name-taken");
    return true;
}

static void note_location(const struct planning *planning, const struct plan_backup *backup)
{
    const json_t *repository = tree_get(backup->repository, "metadata");
    const json_t *configuration = tree_get(backup->configuration, "metadata");
    AUTO(text) struct text where = {0};

    backend_describe(&where, tree_at(backup->repository, "spec.backend"));
    note(planning, "Repository %s/%s: %s", tree_text(repository, "namespace"),
         tree_text(repository, "name"), text_get(&where));
    note(planning, "BackupConfiguration %s/%s follows; when the backup is stopped, the data stays",
         tree_text(configuration, "namespace"), tree_text(configuration, "name"));
}

static void add_paths(struct text *out, const struct selection *selection)
{
    const json_t *path;
    size_t i;

    tree_items (selection->paths, i, path)
        text_addf(out, "%s%s", i ? ", " : "", json_string_value(path));
}

/* Something that the backup lacks, though it can be planned. */
static void judge_backup(const struct resolving *resolving, const struct plan_backup *backup)
{
    const struct planning *planning = resolving->planning;
    const struct target *target = target_of(planning);
    const json_t *spec = tree_get(backup->configuration, "spec");

    if (!tree_text(spec, "schedule"))
        findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_REQUIRED, "",
                     "BackupBlueprint \"%s\" names no schedule: backups run by hand only",
                     resolving->name);
    if (target->kind->class == TARGET_APP && !tree_text(tree_get(spec, "task"), "name") &&
        !tree_text(tree_at(target->spec, "parameters.stash.addon.backupTask"), "name"))
        findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_REQUIRED, "",
                     "neither BackupBlueprint \"%s\" nor the AppBinding names the Task that backs "
                     "it up",
                     resolving->name);
}

static void note_backup(const struct resolving *resolving, const struct plan_backup *backup,
                        const struct selection *selection)
{
    const struct planning *planning = resolving->planning;
    const json_t *spec = tree_get(backup->configuration, "spec");
    const char *schedule = tree_text(spec, "schedule");
    AUTO(text) struct text what = {0};

    if (resolving->annotations.dump_command && is_workload(planning))
        text_puts(&what, "What the command of " KEY_DUMP_COMMAND " writes");
    else if (selection->paths)
        add_paths(&what, selection);
    else
        text_puts(&what, target_of(planning)->kind->kind);
    note(planning, "%s is backed up by blueprint %s, schedule \"%s\"%s", text_get(&what),
         resolving->name, schedule ? schedule : "none",
         tree_true(spec, "paused") ? ", paused" : "");
    note_location(planning, backup);
}

/* Its objects go with it. */
static void add_backup(struct plan *plan, struct plan_backup *made, const char *origin)
{
    made->origin = text_format("%s", origin);
    plan->backups = text_realloc(plan->backups, (plan->backup_count + 1) * sizeof *plan->backups);
    plan->backups[plan->backup_count++] = *made;
    *made = (struct plan_backup){0};
}

static void auto_plan_backup(struct plan_backup *backup)
{
    json_decref(backup->repository);
    json_decref(backup->configuration);
    free(backup->origin);
}

static void say_job(const struct planning *planning, const char *why)
{
    findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_NOT_SUPPORTED, "",
                 "no sidecar, a Job backs this up: %s", why);
}

/* Why there can be no sidecar for it, or NULL. */
static const char *obstacle_of(const struct planning *planning, const struct demand *demand)
{
    const json_t *template = planning->claims.template;
    const char *obstacle = demand_obstacle(demand, template);

    return obstacle ? obstacle : demand_conflict(&planning->plan->carry, demand, template);
}

/* What the pods carry for this backup; false when it is a Job's. */
static bool settle_pods(const struct planning *planning, const struct demand *demand,
                        const char *obstacle)
{
    tree_push_new(planning->inputs, demand_inputs(demand));
    if (demand_wants_job(demand)) {
        trace(planning, "  No sidecar: %s asks for a Job.", demand->name);
        return false;
    }
    if (obstacle) {
        say_job(planning, obstacle);
        trace(planning, "  No sidecar: %s.", obstacle);
        return false;
    }
    demand_add(&planning->plan->carry, demand, &planning->plan->cautions);
    trace(planning, "  A sidecar, since the workload's own pods can read the data best.");
    return true;
}

static void say_unfit(const struct resolving *resolving, const char *why)
{
    const struct planning *planning = resolving->planning;

    findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_INVALID, "",
                 "BackupBlueprint \"%s\": %s", resolving->name, why);
    trace(planning, "  It does not fit: %s.", why);
    broken(planning, "blueprint-unfit");
}

/* Two retention policies in one restic repository would forget each other's snapshots. */
static bool has_place_of_its_own(const struct resolving *resolving, const struct plan_backup *made)
{
    const struct plan *plan = resolving->planning->plan;
    AUTO(text) struct text location = {0};

    backend_location(&location, tree_at(made->repository, "spec.backend"));
    for (size_t i = 0; i < plan->backup_count; i++) {
        AUTO(text) struct text other = {0};

        backend_location(&other, tree_at(plan->backups[i].repository, "spec.backend"));
        if (!made->repository || strcmp(text_get(&location), text_get(&other)) != 0)
            continue;

        AUTO(free)
        char *why = text_format("its location already holds the backup by \"%s\": spec.backend "
                                "needs another prefix",
                                plan->backups[i].origin);

        say_unfit(resolving, why);
        return false;
    }
    return true;
}

static bool make_objects(const struct resolving *resolving, const struct objects *in,
                         struct plan_backup *made)
{
    struct error err;

    if (objects_make(in, made, &err))
        return has_place_of_its_own(resolving, made);
    say_unfit(resolving, err.message);
    return false;
}

static void make_backup(const struct resolving *resolving)
{
    const struct planning *planning = resolving->planning;
    AUTO(selection) struct selection selection = {0};
    AUTO(plan_backup) struct plan_backup made = {.reason = resolving->reason};
    bool workload = is_workload(planning);
    bool dump = workload && resolving->annotations.dump_command;
    struct demand demand = {.spec = resolving->spec,
                            .own = resolving->own,
                            .backend = tree_get(resolving->spec, "backend"),
                            .paths = resolving->annotations.paths,
                            .mounts = resolving->annotations.mounts,
                            .selection = &selection,
                            .name = resolving->name};
    struct objects in = {.cluster = planning->request->cluster,
                         .target = target_of(planning),
                         .blueprint = resolving->blueprint,
                         .spec = resolving->spec,
                         .own = resolving->own,
                         .params = resolving->annotations.params,
                         .selection = workload ? &selection : NULL,
                         .dump = dump,
                         .primary = resolving->primary};

    if ((workload && !(dump ? settle_dump : settle_data)(resolving, &selection)) ||
        name_is_taken(resolving, &in))
        return;

    const char *obstacle = workload && !dump ? obstacle_of(planning, &demand) : NULL;

    in.job = workload && (dump || obstacle || demand_wants_job(&demand));
    if (!make_objects(resolving, &in, &made))
        return;
    if (dump)
        tree_push_new(planning->inputs, demand_inputs(&demand));
    else if (workload)
        settle_pods(planning, &demand, obstacle);
    else
        trace(planning, "  A Job: %s %s has no pods of its own.", target_of(planning)->kind->kind,
              target_of(planning)->name);
    if (made.configuration) {
        judge_backup(resolving, &made);
        note_backup(resolving, &made, &selection);
    }
    add_backup(planning->plan, &made, resolving->name);
}

static void auto_resolving(struct resolving *resolving)
{
    json_decref(resolving->spec);
    json_decref(resolving->own);
    annotations_done(&resolving->annotations);
}

static void plan_blueprint(const struct planning *planning, const char *name,
                           enum plan_reason reason, bool primary)
{
    AUTO(resolving)
    struct resolving resolving = {
        .planning = planning, .name = name, .reason = reason, .primary = primary};

    trace(planning, "BackupBlueprint %s, named by %s.", name,
          reason == REASON_ANNOTATION ? "the annotation " KEY_BLUEPRINT
                                      : "the label " LABEL_BLUEPRINT " of the namespace");
    if (!find_blueprint(&resolving))
        return;
    if (span_is(tree_span(tree_get(resolving.blueprint, "spec"), "enforcement"), "Deny"))
        planning->plan->deny = true;
    if (!is_sound(&resolving) || !is_allowed(&resolving) || !resolve_spec(&resolving))
        return;
    bound(&resolving);
    make_backup(&resolving);
}

/* ---- which blueprints ---- */

static bool is_too_large(const struct planning *planning)
{
    return pod_size(&planning->claims) > POD_MAX_PARTS;
}

static const char *namespace_label(const struct planning *planning)
{
    const json_t *space = cluster_namespace(planning->request->cluster, target_of(planning)->space);
    const char *name = tree_text(tree_at(space, "metadata.labels"), LABEL_BLUEPRINT);

    return name && *name && (is_workload(planning) || planning->request->bare) ? name : NULL;
}

/* Claims are not looked for where there is too much to look at. */
static const char *namespace_blueprint(const struct planning *planning)
{
    const char *name = namespace_label(planning);

    return name && (planning->request->bare || is_too_large(planning) ||
                    pod_has_claims(&planning->claims) || planning->annotations.dump_command)
               ? name
               : NULL;
}

/* The plain name belongs to the blueprint whose Repository already has it, so that a list can be
 * reordered without moving data; else to the first of the list. */
static size_t primary_of(const struct planning *planning)
{
    const struct target *target = target_of(planning);
    const struct annotations *annotations = &planning->annotations;
    const json_t *existing =
        cluster_repositories_of(planning->request->cluster, target->kind->group, target->kind->kind,
                                target->space, target->name);
    const json_t *repository;
    size_t i;

    tree_items (existing, i, repository) {
        for (size_t b = 0; b < annotations->blueprint_count; b++)
            if (objects_has_plain_name(repository, target) &&
                objects_is_of_blueprint(repository, annotations->blueprints[b]))
                return b;
    }
    return 0;
}

static void plan_blueprints(const struct planning *planning)
{
    const struct annotations *annotations = &planning->annotations;
    const char *label = namespace_blueprint(planning);
    size_t primary = primary_of(planning);

    for (size_t i = 0; i < annotations->blueprint_count; i++)
        plan_blueprint(planning, annotations->blueprints[i], REASON_ANNOTATION, i == primary);
    if (annotations->blueprint_count == 0 && label)
        plan_blueprint(planning, label, REASON_NAMESPACE, true);
    else if (annotations->blueprint_count && label)
        trace(planning, "The label of the namespace (%s) does not count: the target names its own.",
              label);
}

/* ---- configurations made by hand ---- */

static bool has_sidecar(const json_t *configuration)
{
    struct span driver = tree_span(tree_get(configuration, "spec"), "driver");

    return (!driver.length || span_is(driver, "Restic")) &&
           !tree_at(configuration, "metadata.deletionTimestamp");
}

/* A manifest may leave its namespace to whoever applies it. */
static const char *space_of(const json_t *object)
{
    const char *space = tree_text(tree_get(object, "metadata"), "namespace");

    return space ? space : "default";
}

/* Of an object that is valid, so it names one. */
static const json_t *repository_of(const struct planning *planning, const json_t *object)
{
    const json_t *ref = tree_at(object, "spec.repository");
    const char *space = tree_text(ref, "namespace");

    return cluster_repository(planning->request->cluster,
                              space && *space ? space : space_of(object), tree_text(ref, "name"));
}

/* An object that slipped past validation must not make the pod invalid. */
static bool is_usable(const struct planning *planning, const json_t *object)
{
    const char *fault = cluster_fault(planning->request->cluster, object);
    const char *kind = tree_text(object, "kind"),
               *name = tree_text(tree_get(object, "metadata"), "name");

    if (!fault)
        return true;
    findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_INVALID, "",
                 "%s %s/%s is not valid (%s): it is not used", kind, space_of(object), name, fault);
    trace(planning, "%s %s is not valid: %s.", kind, name, fault);
    return false;
}

static void plan_configuration(const struct planning *planning, const json_t *configuration)
{
    const json_t *spec = tree_get(configuration, "spec"), *target = tree_get(spec, "target");
    const char *name = tree_text(tree_get(configuration, "metadata"), "name");
    AUTO(selection) struct selection selection = {0};
    struct selecting in = {.claims = planning->claims,
                           .paths = tree_member(target, "paths", JSON_ARRAY),
                           .mounts = tree_member(target, "volumeMounts", JSON_ARRAY),
                           .paths_field = "spec.target.paths",
                           .mounts_field = "spec.target.volumeMounts"};
    struct demand demand = {.spec = spec,
                            .backend =
                                tree_at(repository_of(planning, configuration), "spec.backend"),
                            .paths = in.paths,
                            .mounts = in.mounts,
                            .selection = &selection,
                            .name = name};
    struct plan_backup made = {.reason = REASON_CONFIGURATION};

    trace(planning, "BackupConfiguration %s, made by hand, names this workload.", name);
    selection_make(&selection, &in, &planning->plan->cautions, &planning->plan->cautions);
    add_backup(planning->plan, &made, name);
    if (json_array_size(selection.mounts) == 0)
        tree_push_new(planning->inputs, demand_inputs(&demand));
    else if (settle_pods(planning, &demand, obstacle_of(planning, &demand)))
        note(planning, "BackupConfiguration %s backs this workload up by a sidecar", name);
}

static void plan_configurations(const struct planning *planning)
{
    const struct target *target = target_of(planning);
    const json_t *all = cluster_configurations_of(planning->request->cluster, target->kind->group,
                                                  target->kind->kind, target->space, target->name);
    const json_t *configuration;
    size_t i;

    tree_items (all, i, configuration) {
        if (!configuration_is_hand_made(configuration) || !has_sidecar(configuration))
            continue;
        if (is_usable(planning, configuration))
            plan_configuration(planning, configuration);
        else
            broken(planning, "invalid");
    }
}

/* ---- a waiting RestoreSession ---- */

static bool is_waiting(const json_t *session)
{
    const json_t *spec = tree_get(session, "spec");
    const char *anyway = tree_text(tree_at(session, "metadata.annotations"), KEY_START_ANYWAY);

    return has_sidecar(session) && tree_span(tree_get(spec, "task"), "name").length == 0 &&
           json_array_size(tree_at(spec, "target.volumeClaimTemplates")) == 0 &&
           !span_is(tree_span(tree_get(session, "status"), "phase"), "Succeeded") &&
           !(anyway && !strcmp(anyway, "true"));
}

static const json_t *waiting_restore(const struct planning *planning)
{
    const struct target *target = target_of(planning);
    const json_t *all = cluster_restores_of(planning->request->cluster, target->kind->group,
                                            target->kind->kind, target->space, target->name);
    const json_t *session;
    size_t i;

    tree_items (all, i, session) {
        if (is_waiting(session))
            return session;
    }
    return NULL;
}

/* The hosts that a valid session covers, or NULL when some rule is for all of them, or when they
 * are too many to be named. */
static json_t *hosts_of(const json_t *spec)
{
    const json_t *rules = tree_at(spec, "target.rules"), *rule;
    AUTO(json) json_t *hosts = json_array();
    size_t i;

    if (json_array_size(rules) == 0)
        rules = tree_get(spec, "rules");
    tree_items (rules, i, rule) {
        const json_t *named = tree_member(rule, "targetHosts", JSON_ARRAY);

        if (json_array_size(named) == 0)
            return NULL;
        json_array_extend(hosts, (json_t *)named);
    }
    return json_array_size(hosts) > RESTORE_HOSTS_MAX ? NULL : TAKE(hosts);
}

static json_t *session_part(const json_t *session)
{
    const json_t *metadata = tree_get(session, "metadata"), *spec = tree_get(session, "spec");
    const json_t *target = tree_get(spec, "target");
    json_t *part = json_object();

    tree_put_text(part, "uid", tree_text(metadata, "uid") ? tree_text(metadata, "uid") : "");
    tree_put_text(part, "namespace", space_of(session));
    tree_put_text(part, "name", tree_text(metadata, "name"));
    if (tree_span(target, "alias").length)
        tree_put_text(part, "alias", tree_text(target, "alias"));
    tree_put_new(part, "hosts", hosts_of(spec));
    return part;
}

static void carry_restore(const struct planning *planning, const json_t *session,
                          const struct demand *demand)
{
    struct carry *carry = &planning->plan->carry;
    AUTO(carry) struct carry restore = {0};

    demand_add(&restore, demand, &planning->plan->cautions);
    if (!carry->backup) {
        carry->file_access = restore.file_access;
        carry->temp_dir = TAKE(restore.temp_dir);
    }
    if (!carry->local)
        carry->local = TAKE(restore.local);
    carry->restore = true;
    carry->restore_mounts = TAKE(restore.mounts);
    carry->restore_container = TAKE(restore.container);
    carry->session = session_part(session);
    trace(planning, "  An init container restores before the containers of each new pod start.");
    note(planning, "RestoreSession %s is restored before the containers of each new pod start",
         demand->name);
}

static void plan_restore(const struct planning *planning)
{
    const json_t *session = waiting_restore(planning);
    const json_t *target = tree_at(session, "spec.target");
    AUTO(selection) struct selection selection = {0};
    struct selecting in = {.claims = planning->claims,
                           .mounts = tree_member(target, "volumeMounts", JSON_ARRAY),
                           .paths_field = "spec.target.rules",
                           .mounts_field = "spec.target.volumeMounts"};
    struct demand demand = {
        .spec = tree_get(session, "spec"), .mounts = in.mounts, .selection = &selection};
    const char *obstacle;

    planning->plan->restore_broken = session && !is_usable(planning, session);
    if (!session || planning->plan->restore_broken)
        return;
    demand.name = tree_text(tree_get(session, "metadata"), "name");
    demand.backend = tree_at(repository_of(planning, session), "spec.backend");
    trace(planning, "RestoreSession %s waits for this workload.", demand.name);
    selection_make(&selection, &in, &planning->plan->cautions, &planning->plan->cautions);
    obstacle = demand_obstacle(&demand, planning->claims.template);
    if (!obstacle)
        obstacle = demand_local_conflict(&planning->plan->carry, &demand);
    if (!obstacle && json_array_size(selection.mounts) == 0)
        obstacle = "they mount nothing that could be restored";
    if (!obstacle) {
        carry_restore(planning, session, &demand);
        return;
    }
    findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_NOT_SUPPORTED, "",
                 "RestoreSession %s can not restore in these pods: %s", demand.name, obstacle);
    trace(planning, "  No init container: %s.", obstacle);
}

/* ---- what the pods carry ---- */

static void caution_user(const struct planning *planning)
{
    const struct carry *carry = &planning->plan->carry;
    const json_t *settings = carry->backup ? carry->container : carry->restore_container;
    struct pod_user user = pod_user_of(planning->claims.template,
                                       carry->backup ? carry->mounts : carry->restore_mounts);

    if (tree_int(tree_get(settings, "securityContext"), "runAsUser", -1) >= 0)
        return;
    if (user.nonroot && carry->file_access == FILE_ACCESS_ROOT)
        findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_INVALID, "",
                     "fileAccess Root: our container runs as UID 0 in a pod that promises "
                     "runAsNonRoot");
    else if (pod_run_as(&user, carry->file_access) == POD_RUN_AS_IMAGE)
        findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_REQUIRED, "",
                     "the pod names no runAsUser: files that others may not read can be missed; "
                     "set runAsUser to be sure");
    else if (user.nonroot && user.several)
        findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_INVALID, "",
                     "the containers run as different users: the backup reads as UID %lld",
                     (long long)user.uid);
}

static void caution_scratch(const struct planning *planning)
{
    if (tree_get(planning->plan->carry.temp_dir, "sizeLimit"))
        findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_INVALID, "",
                     "tempDir.sizeLimit: the whole pod is evicted when our scratch space outgrows "
                     "it");
}

static void caution_pods(const struct planning *planning)
{
    caution_user(planning);
    caution_scratch(planning);
}

static json_t *inputs_of(const struct planning *planning)
{
    const struct carry *carry = &planning->plan->carry;
    json_t *inputs = json_object();

    tree_put_new(inputs, "backups", tree_share(planning->inputs));
    if (carry->restore_if_exists)
        tree_put_bool(inputs, "restoreIfExists", true);
    if (carry->restore) {
        tree_put_new(inputs, "session", tree_share(carry->session));
        tree_put_new(inputs, "restoreMounts", tree_share(carry->restore_mounts));
        tree_put_new(inputs, "restoreContainer", tree_share(carry->restore_container));
    }
    return inputs;
}

static void say_taken(const struct planning *planning)
{
    trace(planning, "A container or volume of its pods has one of our names: nothing is injected.");
    findings_add(&planning->plan->mistakes, FINDING_WARNING, REASON_DUPLICATE, "spec.template.spec",
                 "the pod has a container or volume \"%s\", a name of ours: nothing is injected, "
                 "please rename it",
                 template_name_of_ours(target_of(planning)->template));
}

static void settle_carry(const struct planning *planning)
{
    struct carry *carry = &planning->plan->carry;

    carry->kind = target_of(planning)->kind->kind;
    carry->restore_if_exists = carry->backup && planning->annotations.restore_if_exists;
    if (carry->backup || carry->restore)
        caution_pods(planning);
    if (planning->plan->taken && (carry->backup || carry->restore))
        say_taken(planning);
    carry->inputs = inputs_of(planning);
}

/* ---- the order ---- */

static bool plan_windows(const struct planning *planning)
{
    if (!is_workload(planning) || !pod_is_windows(planning->claims.template))
        return false;
    findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_NOT_SUPPORTED, "",
                 "Windows pods can not be backed up: nothing is injected");
    trace(planning, "Its pods are Windows pods, which can not be backed up.");
    decide(planning, PLAN_BROKEN, "windows");
    return true;
}

/* Every volume is held against every mount, so their number is bounded first. */
static bool plan_too_large(const struct planning *planning)
{
    if (!is_workload(planning) || !is_too_large(planning))
        return false;
    findings_add(&planning->plan->cautions, FINDING_WARNING, REASON_TOO_MANY, "",
                 "a pod with more than %u containers, volumes and mounts is not looked at: nothing "
                 "is injected",
                 POD_MAX_PARTS);
    trace(planning, "Its pods have more parts than are looked at.");
    decide(planning, PLAN_BROKEN, "too-large");
    return true;
}

static bool has_reason(const struct planning *planning)
{
    const struct target *target = target_of(planning);
    const struct cluster *cluster = planning->request->cluster;

    return planning->annotations.blueprint_count || namespace_blueprint(planning) ||
           (is_workload(planning) &&
            (cluster_configurations_of(cluster, target->kind->group, target->kind->kind,
                                       target->space, target->name) ||
             waiting_restore(planning)));
}

/* What the owner wrote for another class of target. */
static void judge_class(const struct planning *planning)
{
    const struct annotations *annotations = &planning->annotations;
    struct findings *mistakes = &planning->plan->mistakes;
    bool app = target_of(planning)->kind->class == TARGET_APP;

    if (!is_workload(planning) && (annotations->paths || annotations->mounts))
        findings_add(mistakes, FINDING_WARNING, REASON_FORBIDDEN,
                     "metadata.annotations[" KEY_TARGET_PATHS "]",
                     "target-paths and volume-mounts are for workloads: %s is backed up as a whole",
                     app ? "an AppBinding" : "a PersistentVolumeClaim");
    if (!is_workload(planning) && annotations->dump_command)
        findings_add(mistakes, FINDING_WARNING, REASON_FORBIDDEN,
                     "metadata.annotations[" KEY_DUMP_COMMAND "]",
                     "a command runs in the pods of a workload: %s has none",
                     app ? "an AppBinding" : "a PersistentVolumeClaim");
    if (!app && annotations->params)
        findings_add(mistakes, FINDING_WARNING, REASON_FORBIDDEN,
                     "metadata.annotations[" KEY_PARAMS_PREFIX "*]",
                     "parameters are for the Task of an AppBinding: a %s has none",
                     target_of(planning)->kind->kind);
}

static void plan_reasons(const struct planning *planning)
{
    judge_class(planning);
    if (planning->annotations.opted_out) {
        trace(planning, KEY_BACKUP " is \"false\": not this one, whatever else names it.");
    } else {
        plan_blueprints(planning);
        if (is_workload(planning))
            plan_configurations(planning);
    }
    if (is_workload(planning))
        plan_restore(planning);
}

/* One backup that could not be planned does not hold up the others; while none could, what is there
 * must not be taken away. */
static void conclude(const struct planning *planning)
{
    struct plan *plan = planning->plan;

    if (is_workload(planning))
        settle_carry(planning);
    plan->backup_broken = plan->state == PLAN_BROKEN && plan->backup_count == 0;
    if (plan->backup_count || plan->carry.restore)
        decide(planning, PLAN_MADE, plan->backup_broken ? plan->why : "planned");
    else if (!plan->backup_broken)
        decide(planning, PLAN_NONE, planning->annotations.opted_out ? "opted-out" : "no-reason");
}

static void auto_planning(struct planning *planning)
{
    annotations_done(&planning->annotations);
    json_decref(planning->owners);
    json_decref(planning->inputs);
}

/* Our own container mounts what it backs up: it must not be the reason for doing so again. */
static json_t *owners_part(const json_t *template)
{
    return template ? template_strip(template, template_owner_of(template)) : NULL;
}

void plan_make(struct plan *plan, const struct plan_request *request)
{
    const struct target *target = request->target;
    AUTO(planning)
    struct planning planning = {
        .request = request,
        .plan = plan,
        .owners = owners_part(target->template),
        .inputs = json_array(),
    };

    planning.claims = (struct pod_claims){.template = planning.owners,
                                          .claim_templates = target->claim_templates};
    *plan = (struct plan){.state = PLAN_NONE,
                          .why = "no-reason",
                          .taken = target->template &&
                                   template_owner_of(target->template) == TEMPLATE_FOREIGN,
                          .deny = settings_deny(request->settings)};
    if (is_foreign(&planning))
        return;
    annotations_parse(&planning.annotations, tree_get(target->metadata, "annotations"),
                      &plan->mistakes);
    if (!has_reason(&planning)) {
        decide(&planning, PLAN_NONE, "no-reason");
        trace(&planning, "No annotation, namespace label, BackupConfiguration or RestoreSession "
                         "asks for anything here.");
        if (namespace_label(&planning))
            trace(&planning, "  The label of the namespace (%s) is for workloads with claims.",
                  namespace_label(&planning));
        return;
    }
    if (plan_windows(&planning) || plan_too_large(&planning))
        return;
    plan_reasons(&planning);
    conclude(&planning);
}

static bool belongs_to_target(const json_t *metadata)
{
    const json_t *owners = tree_get(metadata, "ownerReferences"), *owner;
    size_t i;

    tree_items (owners, i, owner)
        if (tree_true(owner, "controller") && target_kind_in(owner))
            return true;
    return false;
}

bool configuration_is_hand_made(const json_t *configuration)
{
    const json_t *metadata = tree_get(configuration, "metadata");

    return !tree_text(tree_get(metadata, "labels"), LABEL_BLUEPRINT) &&
           !belongs_to_target(metadata);
}

void carry_done(struct carry *carry)
{
    json_decref(carry->inputs);
    json_decref(carry->mounts);
    json_decref(carry->restore_mounts);
    json_decref(carry->container);
    json_decref(carry->restore_container);
    json_decref(carry->temp_dir);
    json_decref(carry->local);
    json_decref(carry->session);
    *carry = (struct carry){0};
}

void plan_done(struct plan *plan)
{
    for (size_t i = 0; i < plan->backup_count; i++)
        auto_plan_backup(&plan->backups[i]);
    free(plan->backups);
    free(plan->in_the_way);
    carry_done(&plan->carry);
    findings_done(&plan->mistakes);
    findings_done(&plan->cautions);
    text_done(&plan->notes);
    *plan = (struct plan){0};
}

bool plan_carries_nothing(const struct plan *plan)
{
    return !plan->carry.backup && !plan->carry.restore && !plan->carry.restore_if_exists;
}

bool plan_same_carry(const struct plan *a, const struct plan *b)
{
    const struct carry *one = &a->carry, *other = &b->carry;

    if ((a->state == PLAN_BROKEN) != (b->state == PLAN_BROKEN))
        return false;
    if (plan_carries_nothing(a) && plan_carries_nothing(b))
        return true;
    return one->backup == other->backup && one->restore == other->restore &&
           one->restore_if_exists == other->restore_if_exists &&
           one->file_access == other->file_access && tree_equal(one->inputs, other->inputs) &&
           tree_equal(one->mounts, other->mounts) &&
           tree_equal(one->restore_mounts, other->restore_mounts) &&
           tree_equal(one->container, other->container) &&
           tree_equal(one->restore_container, other->restore_container) &&
           tree_equal(one->temp_dir, other->temp_dir) && tree_equal(one->local, other->local) &&
           tree_equal(one->session, other->session);
}

/* What both objects have, written: growing takes time. */
#define SEALED_USUAL_BYTES 2000

void plan_seal(const json_t *repository, const json_t *configuration, char hex[65])
{
    AUTO(text) struct text both = {0};

    text_reserve(&both, SEALED_USUAL_BYTES);
    tree_write(&both, repository, true);
    text_putc(&both, '\n');
    tree_write(&both, configuration, true);
    text_putc(&both, '\n');
    text_sha256((struct span){both.data, both.length}, hex);
}

static json_t *without_seal(const json_t *object)
{
    json_t *plain = tree_copy(object), *metadata = json_object_get(plain, "metadata");
    json_t *annotations = json_object_get(metadata, "annotations");

    json_object_del(metadata, "ownerReferences");
    json_object_del(annotations, KEY_PLAN_SHA256);
    json_object_del(annotations, KEY_BLUEPRINT_GENERATION);
    return plain;
}

void plan_sha256(const json_t *repository, const json_t *configuration, char hex[65])
{
    AUTO(json) json_t *one = without_seal(repository), *other = without_seal(configuration);

    plan_seal(one, other, hex);
}
