#include "cli/status.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/output.h"
#include "cli/overview.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "kube/time.h"

/* Seconds between two looks with --watch. */
#define WATCH_S 2

/* Clears a terminal and goes to its first line. Spec: ECMA-48, ED and CUP. */
#define CLEAR "\033[H\033[2J"

/* ---- reading ---- */

/* What one look has read. */
struct look {
    json_t *configurations, *sessions, *restores, *repositories;
};

static void auto_look(struct look *look)
{
    json_decref(look->configurations);
    json_decref(look->sessions);
    json_decref(look->restores);
    json_decref(look->repositories);
}

static bool read_all(const struct remote *remote, const struct output *output, struct look *look,
                     struct error *err)
{
    return (look->configurations = remote_list(remote, &remote_configurations, err)) &&
           (look->sessions = remote_list(remote, &remote_sessions, err)) &&
           (look->restores = remote_list_beside(remote, &remote_restores, output, err)) &&
           (look->repositories = remote_list_beside(remote, &remote_repositories, output, err));
}

static void keep_named(json_t *rows, const char *operand)
{
    for (size_t i = json_array_size(rows); i > 0; i--) {
        const json_t *row = json_array_get(rows, i - 1);

        if (!remote_is_named(tree_text(row, "configuration"), tree_get(row, "target"), operand))
            (void)json_array_remove(rows, i - 1);
    }
}

/* New list of rows; NULL on failure. */
static json_t *look_once(const struct remote *remote, const struct arguments *arguments,
                         const struct output *output, int64_t now_s, struct error *err)
{
    AUTO(look) struct look look = {0};
    json_t *rows;

    if (!read_all(remote, output, &look, err))
        return NULL;
    if (arguments->operand && !remote_find(look.configurations, arguments->operand, err) &&
        err->code != ERROR_CONFLICT)
        return NULL;
    /* all of them count where it is asked who else writes to a repository */
    rows = overview_make(&(struct overview_seen){.configurations = look.configurations,
                                                 .sessions = look.sessions,
                                                 .restores = look.restores,
                                                 .repositories = look.repositories,
                                                 .now_s = now_s});
    if (arguments->operand)
        keep_named(rows, arguments->operand);
    return rows;
}

/* ---- for people ---- */

static enum colour colour_of(const char *health)
{
    static const struct {
        const char *health;
        enum colour colour;
    } rows[] = {{"Healthy", COLOUR_GREEN}, {"Running", COLOUR_CYAN}, {"New", COLOUR_CYAN},
                {"Paused", COLOUR_YELLOW}, {"Late", COLOUR_YELLOW},  {"Unseen", COLOUR_YELLOW}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].health, health) == 0)
            return rows[i].colour;
    return COLOUR_RED;
}

/* "12m ago", "in 3h5m". */
static void cell_moment(struct table *table, const json_t *row, const char *key, int64_t now_s)
{
    AUTO(text) struct text text = {0};
    int64_t moment_s;

    if (!time_parse(tree_span(row, key), &moment_s)) {
        table_cell(table, COLOUR_PLAIN, NULL);
        return;
    }
    text_puts(&text, moment_s > now_s ? "in " : "");
    table_span(&text, moment_s > now_s ? moment_s - now_s : now_s - moment_s);
    text_puts(&text, moment_s > now_s ? "" : " ago");
    table_cell(table, COLOUR_PLAIN, text_get(&text));
}

static void cell_target(struct table *table, const json_t *row)
{
    const json_t *target = tree_get(row, "target");
    const char *space = tree_text(target, "namespace"), *kind = tree_text(target, "kind");
    AUTO(free)
    char *text = kind ? text_format("%s/%s%s%s", kind, tree_text(target, "name"),
                                    space ? " in " : "", space ? space : "")
                      : NULL;

    table_cell(table, COLOUR_BOLD, text);
}

static void note_said(struct table *table, enum colour colour, const char *first,
                      const char *second)
{
    AUTO(free)
    char *text = text_format("   %s%s%s", first ? first : "", first && second ? ": " : "",
                             second ? second : "");

    table_note(table, colour, text);
}

static void note_session(struct table *table, const json_t *session, int64_t now_s)
{
    AUTO(text) struct text text = {0};
    const char *duration = tree_text(session, "duration"), *phase = tree_text(session, "phase"),
               *message = tree_text(session, "message"),
               *remaining = tree_text(session, "remaining");
    bool failed = strcmp(phase, "Failed") == 0;
    int64_t moment_s, percent = tree_int(session, "percent", -1);

    text_addf(&text, "   %s/%s %s", tree_text(session, "kind"), tree_text(session, "name"), phase);
    if (percent >= 0)
        text_addf(&text, " %lld %%", (long long)percent);
    if (remaining)
        text_addf(&text, ", %s left", remaining);
    if (time_parse(tree_span(session, "time"), &moment_s)) {
        text_puts(&text, ", ");
        table_span(&text, now_s - moment_s);
        text_puts(&text, " ago");
    }
    if (duration)
        text_addf(&text, ", took %s", duration);
    if (message)
        text_addf(&text, ": %s", message);
    table_note(table, failed ? COLOUR_RED : COLOUR_PLAIN, text_get(&text));
}

/* What is at work, what failed last, and restores; -o wide: all that is kept. */
static void note_sessions(struct table *table, const json_t *row, bool wide, int64_t now_s)
{
    const json_t *session;
    bool newest = true;
    size_t i;

    tree_items (tree_get(row, "sessions"), i, session) {
        const char *phase = tree_text(session, "phase");
        bool backup = span_is(tree_span(session, "kind"), "BackupSession");

        if (wide || !backup || (newest && strcmp(phase, "Succeeded") != 0))
            note_session(table, session, now_s);
        newest = newest && !backup;
    }
}

static void note_repository(struct table *table, const json_t *row, bool wide)
{
    const json_t *repository = tree_get(row, "repository"), *message;
    int64_t snapshots = tree_int(repository, "snapshots", -1);
    const char *size = tree_text(repository, "size");
    size_t i;

    tree_items (tree_get(repository, "messages"), i, message)
        note_said(table, COLOUR_YELLOW, json_string_value(message), NULL);
    if (wide && snapshots >= 0) {
        AUTO(free)
        char *text =
            text_format("   Repository %s: %lld snapshots%s%s", tree_text(repository, "name"),
                        (long long)snapshots, size ? ", " : "", size ? size : "");

        table_note(table, COLOUR_PLAIN, text);
    }
}

static void add_row(struct table *table, const json_t *row, const struct arguments *arguments,
                    int64_t now_s)
{
    bool wide = arguments->form == FORM_WIDE;
    const char *health = tree_text(row, "health"), *message = tree_text(row, "message");
    const json_t *repository = tree_get(row, "repository");

    table_row(table);
    if (arguments->all_spaces)
        table_cell(table, COLOUR_PLAIN, tree_text(row, "namespace"));
    cell_target(table, row);
    table_cell(table, colour_of(health), health);
    cell_moment(table, row, "lastBackup", now_s);
    cell_moment(table, row, "nextRun", now_s);
    table_cell(table, COLOUR_PLAIN, tree_text(row, "schedule"));
    table_cell(table, COLOUR_PLAIN, tree_text(row, "configuration"));
    if (wide) {
        table_cell(table, COLOUR_PLAIN, tree_text(row, "blueprint"));
        table_cell(table, COLOUR_PLAIN, tree_text(repository, "name"));
    }
    if (message && strcmp(health, "Failing") != 0)
        note_said(table, colour_of(health), tree_text(row, "reason"), message);
    note_sessions(table, row, wide, now_s);
    note_repository(table, row, wide);
}

static void write_table(const json_t *rows, const struct arguments *arguments,
                        const struct output *output, int64_t now_s)
{
    static const char *const heads[] = {"NAMESPACE",     "TARGET",    "HEALTH",
                                        "LAST BACKUP",   "NEXT RUN",  "SCHEDULE",
                                        "CONFIGURATION", "BLUEPRINT", "REPOSITORY"};
    size_t end = sizeof heads / sizeof *heads - (arguments->form == FORM_WIDE ? 0 : 2);
    size_t begin = arguments->all_spaces ? 0 : 1, i;
    AUTO(table) struct table table = {0};
    const json_t *row;

    table_head(&table, heads + begin, end - begin);
    tree_items (rows, i, row)
        add_row(&table, row, arguments, now_s);
    table_write(&table, output);
}

static void write_nothing(const struct remote *remote, const struct output *output)
{
    AUTO(free) char *text = NULL;

    if (remote->space)
        text = text_format("nothing is backed up in namespace %s; -A shows all namespaces",
                           remote->space);
    fprintf(output->side, "%s\n", text ? text : "nothing is backed up in this cluster");
}

static void write_rows(const struct remote *remote, const struct arguments *arguments,
                       const struct output *output, const json_t *rows, int64_t now_s)
{
    if (arguments->form == FORM_JSON || arguments->form == FORM_YAML)
        output_document(output, arguments->form, rows, true);
    else if (json_array_size(rows) == 0)
        write_nothing(remote, output);
    else
        write_table(rows, arguments, output, now_s);
}

/* ---- the command ---- */

static enum exit_status verdict(const json_t *rows)
{
    const json_t *row;
    size_t i;

    tree_items (rows, i, row)
        if (overview_is_bad(tree_text(row, "health")))
            return STATUS_FINDINGS;
    return STATUS_FINE;
}

/* Until Ctrl-C, which ends the program; on a terminal in one place, else each change by itself. */
static enum exit_status watch(const struct remote *remote, const struct arguments *arguments,
                              const struct output *output)
{
    struct error err = {.message = ""};
    AUTO(json) json_t *before = NULL;

    while (true) {
        int64_t now_s = clock_now_s();
        json_t *rows = look_once(remote, arguments, output, now_s, &err);

        if (!rows && err.code != ERROR_UNAVAILABLE && err.code != ERROR_TIMEOUT) {
            output_error(output, err.message);
            return STATUS_CANNOT;
        }
        if (!rows)
            output_warning(output, err.message);
        if (rows && (output->out_colour || !before || !tree_equal(before, rows))) {
            if (output->out_colour)
                fputs(CLEAR, output->out);
            else if (before && arguments->form != FORM_JSON)
                fputs(arguments->form == FORM_YAML ? "---\n" : "\n", output->out);
            write_rows(remote, arguments, output, rows, now_s);
            if (fflush(output->out) != 0)
                return STATUS_CANNOT;
            json_decref(before);
            before = TAKE(rows);
        }
        json_decref(rows);
        (void)nanosleep(&(struct timespec){.tv_sec = WATCH_S}, NULL);
    }
}

static enum exit_status status_run(const struct arguments *arguments, const struct output *output)
{
    AUTO(remote) struct remote remote = {0};
    AUTO(json) json_t *rows = NULL;
    struct error err = {.message = ""};
    int64_t now_s;

    if (!remote_open(&remote, arguments, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    if (arguments->watch)
        return watch(&remote, arguments, output);
    now_s = clock_now_s();
    rows = look_once(&remote, arguments, output, now_s, &err);
    if (!rows) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }
    write_rows(&remote, arguments, output, rows, now_s);
    return verdict(rows);
}

static const char *const options[] = {"all-namespaces", "watch", NULL};
static const enum form forms[] = {FORM_TEXT, FORM_WIDE, FORM_JSON, FORM_YAML};

const struct command command_status = {
    .name = "status",
    .summary = "what is backed up, whether it is in order, and what comes next",
    .side = SIDE_CLUSTER,
    .operand = "[NAME]",
    .about =
        "One line for each BackupConfiguration of the namespace, and below it what is at work,\n"
        "what failed, and restores. NAME is that of a BackupConfiguration, or its target as\n"
        "KIND/NAME.\n"
        "\n"
        "  Healthy   the newest backup succeeded, and the schedule is kept\n"
        "  Running   a backup is at work or waits for its turn\n"
        "  New       none has ended yet\n"
        "  Paused    spec.paused; `kubectl granary resume` ends that\n"
        "  Unseen    no controller has looked at it yet\n"
        "  Failing   the newest backup failed\n"
        "  Late      backups do not begin when they are due\n"
        "  NotReady  something that it needs is missing\n"
        "  Damaged   the last check found its repository damaged\n"
        "\n"
        "Needs the right to list BackupConfigurations and BackupSessions there.\n"
        "\n"
        "exit: 0 fine, 1 something is Failing, Late, NotReady or Damaged, 2 could not run\n",
    .examples = "  kubectl granary status -A\n"
                "  kubectl granary status -n shop deployment/web -o wide\n"
                "  kubectl granary status -A -o json | jq '.[] | select(.health == \"Failing\")'\n",
    .only = options,
    .forms = forms,
    .form_count = sizeof forms / sizeof *forms,
    .run = status_run,
};
