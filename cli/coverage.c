#include "cli/coverage.h"

#include <string.h>

#include "api/cluster.h"
#include "api/keys.h"
#include "api/settings.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/covering.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "controllers/known.h"
#include "settings/file.h"

/* Where the installation has its settings. */
#define SETTINGS_MAP "granary-settings"
#define SETTINGS_KEY "settings.yaml"

/* What one look has read. */
struct look {
    const struct remote *remote;
    const struct output *output;
    json_t *claims, *workloads, *configurations; /* owned */
    const struct cluster *cluster;               /* owned; NULL: may not be read */
    struct settings settings;
};

static void auto_look(struct look *look)
{
    json_decref(look->claims);
    json_decref(look->workloads);
    json_decref(look->configurations);
    cluster_unref(look->cluster);
    settings_done(&look->settings);
}

/* ---- reading ---- */

static json_t *list_in(const struct look *look, enum known_kind kind, const char *space,
                       struct error *err)
{
    const struct kube_resource *resource = known_resource(kind);
    const struct kube_watched watched = {
        .resource = *resource, .space = resource->namespaced ? space : NULL, .optional = true};
    json_t *list = kube_list(look->remote->client, &watched, NULL, err);

    if (!list)
        (void)error_wrap(err, "%s", resource->plural);
    return list;
}

/* What this person may not read is left out, and said. NULL: another failure. */
static json_t *list_beside(const struct look *look, enum known_kind kind, const char *without,
                           struct error *err)
{
    json_t *list = list_in(look, kind, look->remote->space, err);

    if (list || err->code != ERROR_FORBIDDEN)
        return list;

    AUTO(free) char *text = text_format("%s; %s", err->message, without);

    output_warning(look->output, text);
    return json_array();
}

static bool append(json_t *list, json_t *more_new)
{
    AUTO(json) json_t *more = more_new;

    return more && json_array_extend(list, more) == 0;
}

static bool read_workloads(struct look *look, struct error *err)
{
    look->workloads = json_array();
    for (int kind = KNOWN_TARGET_FIRST; kind < KNOWN_CLAIM; kind++)
        if (!append(look->workloads,
                    list_beside(look, (enum known_kind)kind,
                                "volumes that only these use seem to be used by nobody", err)))
            return false;
    return true;
}

/* One may back up what is in another namespace. */
static bool read_configurations(struct look *look, struct error *err)
{
    look->configurations = list_in(look, KNOWN_CONFIGURATION, NULL, err);
    if (look->configurations || err->code != ERROR_FORBIDDEN || !look->remote->space)
        return look->configurations != NULL;
    output_warning(look->output, "BackupConfigurations of other namespaces may not be read: what "
                                 "they back up here seems unprotected");
    look->configurations = remote_list(look->remote, &remote_configurations, err);
    return look->configurations != NULL;
}

/* What a plan is made from. Where it may not be read no plan says why. */
static bool read_plan(struct look *look, struct error *err)
{
    static const enum known_kind kinds[] = {KNOWN_BLUEPRINT, KNOWN_NAMESPACE, KNOWN_REPOSITORY};
    AUTO(json) json_t *objects = json_array();

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        json_t *list = list_in(look, kinds[i], look->remote->space, err);

        if (!list && err->code != ERROR_FORBIDDEN)
            return false;
        if (!list && kinds[i] == KNOWN_BLUEPRINT) {
            output_warning(look->output, "BackupBlueprints may not be read: why a backup that was "
                                         "asked for is not there can not be said");
            return true;
        }
        (void)(list && append(objects, list));
    }
    (void)json_array_extend(objects, look->configurations);
    look->cluster = cluster_make(objects);
    return true;
}

/* Namespaces that are never touched stand there; who may not read it sees the built-in settings. */
static bool read_settings(struct look *look, struct error *err)
{
    static const struct kube_resource maps = {"", "v1", "configmaps", "ConfigMap", true};
    AUTO(json)
    json_t *map = kube_get(look->remote->client,
                           &(struct kube_ref){&maps, NAMESPACE_SYSTEM, SETTINGS_MAP, NULL}, err);

    settings_default(&look->settings);
    if (!map && err->code != ERROR_FORBIDDEN && err->code != ERROR_NOT_FOUND)
        return error_wrap(err, "ConfigMap " NAMESPACE_SYSTEM "/" SETTINGS_MAP);
    if (!map) {
        output_warning(look->output, "ConfigMap " NAMESPACE_SYSTEM "/" SETTINGS_MAP
                                     " can not be read: its excludedNamespaces are not known");
        return true;
    }

    struct settings read = {0};

    if (!settings_read_text(&read, tree_span(tree_get(map, "data"), SETTINGS_KEY), err))
        return error_wrap(err, "ConfigMap " NAMESPACE_SYSTEM "/" SETTINGS_MAP);
    settings_done(&look->settings);
    look->settings = read;
    return true;
}

static bool read_all(struct look *look, struct error *err)
{
    look->claims = list_in(look, KNOWN_CLAIM, look->remote->space, err);
    return look->claims && read_configurations(look, err) && read_workloads(look, err) &&
           read_settings(look, err) && read_plan(look, err);
}

/* ---- for people ---- */

static enum colour colour_of(const char *state)
{
    if (strcmp(state, "Protected") == 0)
        return COLOUR_GREEN;
    return strcmp(state, "Excluded") == 0 ? COLOUR_YELLOW : COLOUR_RED;
}

static void cell_users(struct table *table, const json_t *users)
{
    AUTO(text) struct text text = {0};
    const json_t *user;
    size_t i;

    tree_items (users, i, user)
        text_addf(&text, "%s%s/%s", i ? ", " : "", tree_text(user, "kind"),
                  tree_text(user, "name"));
    table_cell(table, COLOUR_BOLD, text.length ? text_get(&text) : NULL);
}

static void add_row(struct table *table, const json_t *row, const struct arguments *arguments)
{
    const char *state = tree_text(row, "state"), *reason = tree_text(row, "reason");

    table_row(table);
    if (arguments->all_spaces)
        table_cell(table, COLOUR_PLAIN, tree_text(row, "namespace"));
    table_cell(table, COLOUR_PLAIN, tree_text(row, "claim"));
    cell_users(table, tree_get(row, "usedBy"));
    if (arguments->form == FORM_WIDE) {
        table_cell(table, COLOUR_PLAIN, tree_text(row, "size"));
        table_cell(table, COLOUR_PLAIN, tree_text(row, "class"));
    }
    table_cell(table, colour_of(state), state);
    table_cell(table, COLOUR_PLAIN, tree_text(row, "by"));
    if (reason) {
        AUTO(free) char *note = text_format("   %s", reason);

        table_note(table, COLOUR_RED, note);
    }
}

static void write_table(const json_t *rows, const struct arguments *arguments,
                        const struct output *output)
{
    static const struct {
        const char *head;
        bool all_spaces, wide; /* only then */
    } columns[] = {{"NAMESPACE", true, false}, {"VOLUME", false, false}, {"USED BY", false, false},
                   {"SIZE", false, true},      {"CLASS", false, true},   {"STATE", false, false},
                   {"BY", false, false}};
    AUTO(table) struct table table = {0};
    const json_t *row;
    size_t i;

    table_row(&table);
    for (i = 0; i < sizeof columns / sizeof *columns; i++)
        if ((!columns[i].all_spaces || arguments->all_spaces) &&
            (!columns[i].wide || arguments->form == FORM_WIDE))
            table_cell(&table, COLOUR_PLAIN, columns[i].head);
    tree_items (rows, i, row)
        add_row(&table, row, arguments);
    table_write(&table, output);
    fprintf(output->out, "\n%zu volumes: %zu protected, %zu excluded, %zu unprotected\n",
            json_array_size(rows), covering_count(rows, "Protected"),
            covering_count(rows, "Excluded"), covering_count(rows, "Unprotected"));
}

static void write_rows(const json_t *rows, const struct look *look,
                       const struct arguments *arguments)
{
    const struct output *output = look->output;

    if (arguments->form == FORM_JSON || arguments->form == FORM_YAML)
        output_document(output, arguments->form, rows, true);
    else if (json_array_size(rows) > 0)
        write_table(rows, arguments, output);
    else if (look->remote->space)
        fprintf(output->side, "no volumes in namespace %s; -A shows all namespaces\n",
                look->remote->space);
    else
        fputs("no volumes in this cluster\n", output->side);
}

/* ---- the command ---- */

static enum exit_status coverage_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(remote) struct remote remote = {0};
    AUTO(look) struct look look = {.remote = &remote, .output = output};
    AUTO(json) json_t *rows = NULL;
    struct error err = {.message = ""};

    if (!remote_open(&remote, arguments, &err) || !read_all(&look, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    rows = covering_make(&(struct covering_seen){.claims = look.claims,
                                                 .workloads = look.workloads,
                                                 .configurations = look.configurations,
                                                 .settings = &look.settings,
                                                 .cluster = look.cluster});
    write_rows(rows, &look, arguments);
    return arguments->fail_on_unprotected && covering_count(rows, "Unprotected") > 0
               ? STATUS_FINDINGS
               : STATUS_FINE;
}

static const char *const options[] = {"all-namespaces", "fail-on-unprotected", NULL};
static const enum form forms[] = {FORM_TEXT, FORM_WIDE, FORM_JSON, FORM_YAML};

const struct command command_coverage = {
    .name = "coverage",
    .summary = "which volumes are backed up, and why others are not",
    .side = SIDE_CLUSTER,
    .about = "One line for each PersistentVolumeClaim of the namespace, counted as the controller\n"
             "counts them for the status of blueprints and for its metrics.\n"
             "\n"
             "  Protected    a BackupConfiguration that is Ready backs it up\n"
             "  Excluded     somebody wants it so: annotation granary.dev/backup=false, a pause,\n"
             "               volumeMounts that leave it out, excludedNamespaces of the settings\n"
             "  Unprotected  all others; below it stands why, and what to do\n"
             "\n"
             "A BackupConfiguration that is Ready says nothing about its last backup: `kubectl\n"
             "granary status` does.\n"
             "\n"
             "Needs the right to list PersistentVolumeClaims and BackupConfigurations there; with\n"
             "those to list workloads and BackupBlueprints it says more.\n"
             "\n"
             "exit: 0 fine, 1 with --fail-on-unprotected: something is unprotected,\n"
             "      2 could not run\n",
    .examples = "  kubectl granary coverage -A\n"
                "  kubectl granary coverage -n shop --fail-on-unprotected\n"
                "  kubectl granary coverage -A -o json | jq '.[] | select(.state == "
                "\"Unprotected\")'\n",
    .only = options,
    .forms = forms,
    .form_count = sizeof forms / sizeof *forms,
    .run = coverage_run,
};
