#include "cli/snapshots.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/snapshot_list.h"
#include "cli/table.h"
#include "kube/time.h"

/* What one look has read. */
struct look {
    json_t *configurations, *sessions, *repositories; /* owned */
};

static void auto_look(struct look *look)
{
    json_decref(look->configurations);
    json_decref(look->sessions);
    json_decref(look->repositories);
}

static bool keep_named(struct look *look, const char *operand, struct error *err)
{
    const json_t *found = remote_find(look->configurations, operand, err);
    json_t *only;

    if (!found)
        return false;
    only = json_array();
    tree_push_new(only, tree_share(found));
    json_decref(look->configurations);
    look->configurations = only;
    return true;
}

static bool read_all(const struct remote *remote, const struct arguments *arguments,
                     const struct output *output, struct look *look, struct error *err)
{
    if (!(look->configurations = remote_list(remote, &remote_configurations, err)) ||
        (arguments->operand && !keep_named(look, arguments->operand, err)) ||
        !(look->sessions = remote_list(remote, &remote_sessions, err)))
        return false;
    look->repositories = remote_list(remote, &remote_repositories, err);
    if (look->repositories || err->code != ERROR_FORBIDDEN)
        return look->repositories != NULL;
    output_warning(output, err->message);
    look->repositories = json_array();
    return true;
}

/* ---- for people ---- */

static void cell_age(struct table *table, const json_t *row, int64_t now_s)
{
    AUTO(text) struct text text = {0};
    int64_t moment_s;

    if (time_parse(tree_span(row, "time"), &moment_s)) {
        table_span(&text, now_s - moment_s);
        text_puts(&text, " ago");
    }
    table_cell(table, COLOUR_PLAIN, text_get(&text));
}

static void add_row(struct table *table, const json_t *row, const struct arguments *arguments,
                    int64_t now_s)
{
    const json_t *target = tree_get(row, "target");
    const char *kind = tree_text(target, "kind"), *name = tree_text(target, "name");
    AUTO(free) char *of = text_format("%s/%s", kind ? kind : "", name ? name : "");

    table_row(table);
    if (arguments->all_spaces)
        table_cell(table, COLOUR_PLAIN, tree_text(row, "namespace"));
    table_cell(table, COLOUR_BOLD, of);
    table_cell(table, COLOUR_GREEN, tree_text(row, "snapshot"));
    cell_age(table, row, now_s);
    table_cell(table, COLOUR_PLAIN, tree_text(row, "host"));
    table_cell(table, COLOUR_PLAIN, tree_text(row, "path"));
    table_cell(table, COLOUR_PLAIN, tree_text(row, "size"));
    if (arguments->form == FORM_WIDE) {
        table_cell(table, COLOUR_PLAIN, tree_text(row, "uploaded"));
        table_cell(table, COLOUR_PLAIN, tree_text(row, "session"));
    }
}

static void write_table(const json_t *rows, const struct arguments *arguments,
                        const struct output *output, int64_t now_s)
{
    static const char *const heads[] = {"NAMESPACE", "TARGET", "SNAPSHOT", "TAKEN",  "HOST",
                                        "PATH",      "SIZE",   "NEW",      "SESSION"};
    size_t end = sizeof heads / sizeof *heads - (arguments->form == FORM_WIDE ? 0 : 2);
    size_t begin = arguments->all_spaces ? 0 : 1, i;
    AUTO(table) struct table table = {0};
    const json_t *row;

    table_head(&table, heads + begin, end - begin);
    tree_items (rows, i, row)
        add_row(&table, row, arguments, now_s);
    table_write(&table, output);
}

/* Beside the result, in every form: a list that is not whole looks like one that is. */
static void tell_rest(const struct snapshots_seen *seen, const json_t *rows,
                      const struct output *output)
{
    AUTO(text) struct text text = {0};

    snapshots_not_told(seen, rows, &text);
    output_lines(output, text_get(&text));
    if (text.length)
        output_lines(output, "Sessions that are deleted name no snapshots any more, and retention "
                             "may have removed some of these;\nwhat there really is stands only in "
                             "the repository. `kubectl granary restore --as-of TIME` finds all.\n");
}

static void write_rows(const struct snapshots_seen *seen, const json_t *rows,
                       const struct arguments *arguments, const struct output *output)
{
    if (arguments->form == FORM_JSON || arguments->form == FORM_YAML)
        output_document(output, arguments->form, rows, true);
    else if (json_array_size(rows) > 0)
        write_table(rows, arguments, output, clock_now_s());
    else
        fputs("no session that is still there names a snapshot\n", output->side);
    fflush(output->out);
    tell_rest(seen, rows, output);
}

/* ---- the command ---- */

static enum exit_status snapshots_run(const struct arguments *arguments,
                                      const struct output *output)
{
    AUTO(remote) struct remote remote = {0};
    AUTO(look) struct look look = {0};
    AUTO(json) json_t *rows = NULL;
    struct error err = {.message = ""};

    if (!remote_open(&remote, arguments, &err) ||
        !read_all(&remote, arguments, output, &look, &err)) {
        output_error(output, err.message);
        return STATUS_CANNOT;
    }

    const struct snapshots_seen seen = {look.configurations, look.sessions, look.repositories};

    rows = snapshot_list(&seen);
    write_rows(&seen, rows, arguments, output);
    return STATUS_FINE;
}

static const char *const options[] = {"all-namespaces", NULL};
static const enum form forms[] = {FORM_TEXT, FORM_WIDE, FORM_JSON, FORM_YAML};

const struct command command_snapshots = {
    .name = "snapshots",
    .summary = "snapshots that sessions name, and how many more there are",
    .side = SIDE_CLUSTER,
    .operand = "[NAME]",
    .about =
        "One line for each snapshot that a BackupSession names which is still there, the newest\n"
        "first. NAME is that of a BackupConfiguration, or its target as KIND/NAME. The repository\n"
        "is not opened for it: sessions that were deleted (backupHistoryLimit) name nothing any\n"
        "more, and retention removes snapshots that are still named. Where the Repository's last\n"
        "count differs from what is named, or is not known, that is said.\n"
        "\n"
        "Needs the right to list BackupConfigurations and BackupSessions there.\n"
        "\n"
        "exit: 0 fine, 2 could not run\n",
    .examples = "  kubectl granary snapshots -n shop\n"
                "  kubectl granary snapshots -n shop sts/db -o json | jq -r '.[].snapshot'\n",
    .only = options,
    .forms = forms,
    .form_count = sizeof forms / sizeof *forms,
    .run = snapshots_run,
};
