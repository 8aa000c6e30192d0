#include "cli/follow.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/overview.h"

/* Milliseconds between two looks. */
#define LOOK_MS 1000

/* How long the API server may be away. */
#define AWAY_MS (5 * 60 * 1000)

/* Characters of the bar. */
#define BAR 30

/* Back to the beginning of the line, and clears it. Spec: ECMA-48, EL. */
#define AGAIN "\r\033[K"

/* One session that is followed. */
struct following {
    const struct output *output;
    char phase[32]; /* the last that was shown; "": none */
    bool bar;       /* one stands in the last line */
};

static const char *phase_of(const json_t *session)
{
    const char *phase = tree_text(tree_get(session, "status"), "phase");

    return phase && *phase ? phase : "Pending";
}

static bool is_one_of(const char *phase, const char *const *phases)
{
    for (; *phases; phases++)
        if (strcmp(phase, *phases) == 0)
            return true;
    return false;
}

static bool has_ended(const json_t *session)
{
    static const char *const ends[] = {"Succeeded", "Failed",  "Skipped",
                                       "Unknown",   "Invalid", NULL};

    return is_one_of(phase_of(session), ends);
}

static void add_size(struct text *text, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double size = (double)bytes;
    size_t unit = 0;

    for (; size >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        size /= 1024;
    text_addf(text, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void clear_bar(struct following *following)
{
    if (following->bar)
        fputs(AGAIN, following->output->out);
    following->bar = false;
}

/* "[#####     ] 42 %, 1.2 GiB of 3.0 GiB, 2m left" */
static void show_bar(struct following *following, const json_t *progress)
{
    int64_t percent = tree_int(progress, "percent", 0), total = tree_int(progress, "bytesTotal", 0);
    const char *remaining = tree_text(progress, "remaining");
    AUTO(text) struct text text = {0};

    percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
    text_puts(&text, "[");
    for (int64_t i = 0; i < BAR; i++)
        text_putc(&text, i < percent * BAR / 100 ? '#' : ' ');
    text_addf(&text, "] %lld %%", (long long)percent);
    if (total > 0) {
        text_puts(&text, ", ");
        add_size(&text, tree_int(progress, "bytesDone", 0));
        text_puts(&text, " of ");
        add_size(&text, total);
    }
    if (remaining)
        text_addf(&text, ", %s left", remaining);

    AUTO(free) char *shown = text_printable((struct span){text_get(&text), text.length}, 100);

    fprintf(following->output->out, AGAIN "%s", shown);
    fflush(following->output->out);
    following->bar = true;
}

static void show(struct following *following, const json_t *session)
{
    const json_t *progress = tree_at(session, "status.progress");
    AUTO(free) char *phase = text_printable(span_of(phase_of(session)), 30);

    if (strcmp(phase, following->phase) != 0) {
        clear_bar(following);
        if (!has_ended(session))
            fprintf(following->output->out, "%s\n", phase);
        fflush(following->output->out);
        snprintf(following->phase, sizeof following->phase, "%s", phase);
    }
    if (progress && following->output->out_colour && !has_ended(session))
        show_bar(following, progress);
}

/* ---- what came of it ---- */

static void say_stat(const struct output *output, const json_t *stat)
{
    const json_t *snapshot;
    size_t i;

    tree_items (tree_get(stat, "snapshots"), i, snapshot) {
        const char *path = tree_text(snapshot, "path"), *uploaded = tree_text(snapshot, "uploaded"),
                   *size = tree_text(snapshot, "totalSize"), *host = tree_text(stat, "hostname");
        AUTO(text) struct text text = {0};

        text_addf(&text, "%s %s: snapshot %s", host ? host : "", path ? path : "",
                  tree_text(snapshot, "name") ? tree_text(snapshot, "name") : "");
        text_addf(&text, "%s%s%s%s", size ? ", " : "", size ? size : "", uploaded ? ", new " : "",
                  uploaded ? uploaded : "");

        AUTO(free) char *shown = text_printable((struct span){text_get(&text), text.length}, 1000);

        fprintf(output->out, "  %s\n", shown);
    }
}

/* Of a restore; what failed is said once, above. */
static void say_host(const struct output *output, const json_t *stat)
{
    const char *host = tree_text(stat, "hostname"), *phase = tree_text(stat, "phase"),
               *took = tree_text(stat, "duration"), *note = tree_text(stat, "note");
    AUTO(free)
    char *text =
        text_format("%s: %s%s%s%s%s", host ? host : "", phase ? phase : "", took ? " after " : "",
                    took ? took : "", note ? ": " : "", note ? note : "");
    AUTO(free) char *shown = text_printable(span_of(text), 1000);

    fprintf(output->out, "  %s\n", shown);
}

static enum exit_status say_end(const struct output *output, const json_t *session)
{
    const json_t *status = tree_get(session, "status"), *target, *stat;
    bool good = strcmp(phase_of(session), "Succeeded") == 0;
    const char *took = tree_text(status, "sessionDuration");
    enum colour colour = good ? COLOUR_GREEN : COLOUR_RED;
    AUTO(free) char *phase = text_printable(span_of(phase_of(session)), 30);
    AUTO(free) char *after = text_printable(span_of(took ? took : ""), 30);
    AUTO(free) char *why = text_printable(span_of(overview_failure(session)), 2000);
    size_t i, k;

    fprintf(output->out, "%s%s%s%s%s%s%s\n", output_begin(output->out_colour, colour), phase,
            output_end(output->out_colour), *after ? " after " : "", after,
            !good && *why ? ": " : "", good ? "" : why);
    tree_items (tree_get(status, "targets"), i, target)
        tree_items (tree_get(target, "stats"), k, stat)
            say_stat(output, stat);
    tree_items (tree_get(status, "stats"), i, stat)
        say_host(output, stat);
    return good ? STATUS_FINE : STATUS_FINDINGS;
}

static bool is_passing(const struct error *err)
{
    return err->code == ERROR_UNAVAILABLE || err->code == ERROR_TIMEOUT ||
           err->code == ERROR_TOO_MANY_REQUESTS;
}

static enum exit_status gone(const struct follower *follower, const struct kube_ref *ref,
                             const struct output *output)
{
    AUTO(free)
    char *text = text_format("%s was deleted while it was followed", ref->name);

    (void)follower->look(follower->context, NULL);
    output_error(output, text);
    return STATUS_FINDINGS;
}

static bool is_another(const json_t *object, const char *uid)
{
    return !span_is(tree_span(tree_get(object, "metadata"), "uid"), uid);
}

enum exit_status follow_object(const struct remote *remote, const struct kube_ref *ref,
                               const char *uid, const struct follower *follower,
                               const struct output *output)
{
    int64_t seen_ms = clock_mono_ms();

    while (true) {
        struct error err = {.message = ""};
        AUTO(json) json_t *now = kube_get(remote->client, ref, &err);
        enum follow_step step = FOLLOW_ON;

        if ((now && is_another(now, uid)) || (!now && err.code == ERROR_NOT_FOUND))
            return gone(follower, ref, output);
        if (!now && (!is_passing(&err) || clock_mono_ms() - seen_ms > AWAY_MS)) {
            (void)follower->look(follower->context, NULL);
            output_error(output, err.message);
            return STATUS_CANNOT;
        }
        if (now) {
            seen_ms = clock_mono_ms();
            step = follower->look(follower->context, now);
        }
        if (step != FOLLOW_ON)
            return step == FOLLOW_GOOD ? STATUS_FINE : STATUS_FINDINGS;
        (void)nanosleep(&(struct timespec){.tv_sec = LOOK_MS / 1000}, NULL);
    }
}

static enum follow_step look_at_session(void *context, const json_t *session)
{
    struct following *following = context;

    if (!session) {
        clear_bar(following);
        return FOLLOW_ON;
    }
    show(following, session);
    if (!has_ended(session))
        return FOLLOW_ON;
    return say_end(following->output, session) == STATUS_FINE ? FOLLOW_GOOD : FOLLOW_BAD;
}

enum exit_status follow_session(const struct remote *remote, const struct kube_ref *session,
                                const char *uid, const struct output *output)
{
    struct following following = {.output = output};

    return follow_object(remote, session, uid, &(struct follower){look_at_session, &following},
                         output);
}
