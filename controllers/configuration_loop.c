#include "controllers/configuration_loop.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/tree.h"
#include "controllers/configuration_edge.h"
#include "controllers/target_loop.h"
#include "settings/store.h"

static void *make(struct loops *loops)
{
    (void)loops;
    return configuration_book_make();
}

static void unmake(void *state)
{
    configuration_book_free(state);
}

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    loops_tell(context, object, event);
}

static void show(void *context, const char *verb, const json_t *object, const char *why)
{
    loops_show(context, verb, object, why);
}

static int64_t take(struct loops *loops, const char *key,
                    const struct configuration_objects *objects, struct error *err)
{
    AUTO(settings_held) const struct settings *settings = loops_settings(loops);
    AUTO(target_said) struct target_said said = {0};

    target_loop_says(loops, objects->configuration, &said);

    const struct configuration_edge edge = {
        .client = loops_client(loops),
        .book = loops_state(loops, &configuration_loop),
        .settings = settings,
        .space = loops_space(loops),
        .said = &said,
        .tell = tell,
        .show = show,
        .context = loops,
        .now_s = clock_now_s(),
        .now_ms = clock_mono_ms(),
    };
    int64_t again_ms = LOOP_RESTS;

    return configuration_edge_step(&edge, key, objects, &again_ms, err) ? again_ms : LOOP_FAILED;
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(configuration_objects) struct configuration_objects objects = {0};

    configuration_look(loops_known(loops), key, &objects);
    if (!objects.configuration) {
        configuration_book_forget(loops_state(loops, &configuration_loop), key);
        return LOOP_RESTS;
    }
    if (tree_get(tree_get(objects.configuration, "metadata"), "deletionTimestamp"))
        return LOOP_RESTS;
    return take(loops, key, &objects, err);
}

static void heed(struct loops *loops, const struct loop *other, const char *key, json_t *list)
{
    if (other == &target_loop)
        target_loop_shown_by(loops, key, list);
}

/* ---- metrics ---- */

static void add_phases(struct loops *loops, struct text *text)
{
    static const char *const phases[] = {"Ready", "NotReady", "Invalid", ""};
    AUTO(json) json_t *all = known_all(loops_known(loops), KNOWN_CONFIGURATION);
    const json_t *configuration;
    int64_t counts[4] = {0};
    size_t i;

    tree_items (all, i, configuration) {
        struct span phase = tree_span(tree_get(configuration, "status"), "phase");
        size_t p = 0;

        while (p < 3 && !span_is(phase, phases[p]))
            p++;
        counts[p]++;
    }
    text_puts(text, "# HELP granary_controller_configurations BackupConfigurations by phase.\n"
                    "# TYPE granary_controller_configurations gauge\n");
    for (i = 0; i < 4; i++)
        text_addf(text, "granary_controller_configurations{phase=\"%s\"} %" PRId64 "\n", phases[i],
                  counts[i]);
}

static void metrics(struct loops *loops, struct text *text)
{
    struct configuration_figures figures =
        configuration_book_look(loops_state(loops, &configuration_loop));
    const struct {
        const char *name, *help;
        int64_t value;
    } rows[] = {
        {"cronjobs_applied_total", "CronJobs made or put back.", figures.applied},
        {"cronjobs_deleted_total", "CronJobs deleted.", figures.deleted},
        {"cronjobs_refused_total", "CronJobs that could not be written.", figures.refused},
        {"configuration_statuses_total", "Status of BackupConfigurations written.",
         figures.statuses},
        {"sessions_missed_total", "Sessions of a schedule that did not begin.", figures.missed},
        {"secret_reads_total", "Storage Secrets read.", figures.secret_reads},
    };

    add_phases(loops, text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        text_addf(text,
                  "# HELP granary_controller_%s %s\n# TYPE granary_controller_%s counter\n"
                  "granary_controller_%s %" PRId64 "\n",
                  rows[i].name, rows[i].help, rows[i].name, rows[i].name, rows[i].value);
}

const struct loop configuration_loop = {
    .name = "configurations",
    .make = make,
    .free = unmake,
    .keys = configuration_keys,
    .heed = heed,
    .step = step,
    .metrics = metrics,
};
