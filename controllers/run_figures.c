#include "controllers/run_figures.h"

#include <stdlib.h>
#include <string.h>

#include "api/duration.h"
#include "base/tree.h"
#include "kube/meta.h"

/* No honest number of bytes, files or seconds comes near; a double still holds it. */
#define FIGURE_MAX 9.0e15

void run_figures_done(struct run_figures *run)
{
    for (size_t i = 0; i < run->host_count; i++)
        free(run->hosts[i].name);
    free(run->hosts);
    *run = (struct run_figures){0};
}

int64_t figure_bytes(const char *text)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    char *end = NULL;
    double size = text && *text >= '0' && *text <= '9' ? strtod(text, &end) : -1;

    if (size < 0 || !end || *end != ' ')
        return FIGURE_ABSENT;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end + 1, units[i]) == 0)
            return size <= FIGURE_MAX ? (int64_t)(size + 0.5) : FIGURE_ABSENT;
        size *= 1024;
    }
    return FIGURE_ABSENT;
}

/* h:mm:ss or m:ss, as Stash writes it. */
static int64_t clock_seconds(struct span text)
{
    int64_t seconds = 0, part = 0;

    for (size_t i = 0; i < text.length; i++) {
        bool digit = text.data[i] >= '0' && text.data[i] <= '9';

        if (seconds + part > (int64_t)FIGURE_MAX / 1000 || (!digit && text.data[i] != ':'))
            return FIGURE_ABSENT;
        seconds = digit ? seconds : (seconds + part) * 60;
        part = digit ? part * 10 + (text.data[i] - '0') : 0;
    }
    return seconds + part;
}

int64_t figure_seconds(const char *text)
{
    struct span span = span_of(text ? text : "");
    struct error ignored;
    int64_t ns;

    if (text && strchr(text, ':'))
        return clock_seconds(span);
    if (!text || !duration_parse(span, &ns, &ignored) || ns < 0)
        return FIGURE_ABSENT;
    return ns / SECOND_NS;
}

static void add(int64_t *sum, int64_t more)
{
    if (more < 0 || (double)more > FIGURE_MAX)
        return;
    *sum = (*sum == FIGURE_ABSENT ? 0 : *sum) + more;
    if ((double)*sum > FIGURE_MAX)
        *sum = (int64_t)FIGURE_MAX;
}

static void add_snapshot(struct host_figures *host, const json_t *snapshot)
{
    const json_t *files = tree_get(snapshot, "fileStats");

    add(&host->bytes, figure_bytes(tree_text(snapshot, "totalSize")));
    add(&host->uploaded, figure_bytes(tree_text(snapshot, "uploaded")));
    add(&host->processing_s, figure_seconds(tree_text(snapshot, "processingTime")));
    add(&host->files, tree_int(files, "totalFiles", -1));
    add(&host->files_new, tree_int(files, "newFiles", -1));
    add(&host->files_modified, tree_int(files, "modifiedFiles", -1));
    add(&host->files_unmodified, tree_int(files, "unmodifiedFiles", -1));
}

static struct host_figures read_host(const json_t *stat, const char *name)
{
    struct host_figures host = {
        .name = text_dup(name, strlen(name)),
        .succeeded = span_is(tree_span(stat, "phase"), "Succeeded"),
        .duration_s = figure_seconds(tree_text(stat, "duration")),
        .processing_s = FIGURE_ABSENT,
        .bytes = FIGURE_ABSENT,
        .uploaded = FIGURE_ABSENT,
        .files = FIGURE_ABSENT,
        .files_new = FIGURE_ABSENT,
        .files_modified = FIGURE_ABSENT,
        .files_unmodified = FIGURE_ABSENT,
    };
    const json_t *snapshot;
    size_t i;

    tree_items (tree_get(stat, "snapshots"), i, snapshot)
        add_snapshot(&host, snapshot);
    return host;
}

/* A host is named once; a second entry of its name would be a second series of the same labels. */
static void read_hosts(struct run_figures *run, const json_t *stats)
{
    size_t count = json_array_size(stats), i;
    const json_t *stat;

    run->hosts = text_alloc(((count < FIGURE_HOSTS_MAX ? count : FIGURE_HOSTS_MAX) + 1) *
                            sizeof *run->hosts);
    tree_items (stats, i, stat) {
        const char *name = tree_text(stat, "hostname");

        if (run->host_count < FIGURE_HOSTS_MAX && name && !run_figures_host(run, name))
            run->hosts[run->host_count++] = read_host(stat, name);
    }
}

bool run_figures_read(struct run_figures *run, const json_t *session)
{
    const json_t *status = tree_get(session, "status");
    bool restore = span_is(tree_span(session, "kind"), "RestoreSession");
    const json_t *target =
        restore ? status : json_array_get(tree_member(status, "targets", JSON_ARRAY), 0);
    struct span phase = tree_span(status, "phase");
    struct run_figures read = {.succeeded = span_is(phase, "Succeeded")};

    if (!read.succeeded && !span_is(phase, "Failed") && !(restore && span_is(phase, "Unknown")))
        return false;
    if (!meta_made(session, &read.created_s))
        return false;
    read.duration_s = figure_seconds(tree_text(status, "sessionDuration"));
    read.targets = restore ? 1 : (int64_t)json_array_size(tree_get(status, "targets"));
    read.target_succeeded = span_is(tree_span(target, "phase"), "Succeeded");
    read.hosts_wanted = tree_int(target, "totalHosts", FIGURE_ABSENT);
    read_hosts(&read, tree_member(target, "stats", JSON_ARRAY));
    *run = read;
    return true;
}

int64_t run_figures_sum(const struct run_figures *run, size_t member)
{
    int64_t sum = FIGURE_ABSENT;

    for (size_t i = 0; i < run->host_count; i++) {
        int64_t value;

        memcpy(&value, (const char *)&run->hosts[i] + member, sizeof value);
        add(&sum, value);
    }
    return sum;
}

const struct host_figures *run_figures_host(const struct run_figures *run, const char *name)
{
    for (size_t i = 0; i < run->host_count; i++)
        if (strcmp(run->hosts[i].name, name) == 0)
            return &run->hosts[i];
    return NULL;
}
