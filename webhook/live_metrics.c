#include "base/limits.h"
#include "webhook/live.h"

#define PREFIX "granary_webhook_cluster_"

static int64_t synced(const struct live_kind *kind)
{
    return kind->synced;
}

static int64_t failing(const struct live_kind *kind)
{
    return kind->failing;
}

static int64_t objects(const struct live_kind *kind)
{
    return kind->objects;
}

static int64_t errors(const struct live_kind *kind)
{
    return kind->errors;
}

static int64_t contact_age_s(const struct live_kind *kind)
{
    return kind->contact_ms < 0 ? -1 : kind->contact_ms / 1000;
}

static const struct {
    const char *name, *type, *help;
    int64_t (*value)(const struct live_kind *kind);
} columns[] = {
    {"synced", "gauge", "1 when all objects of the kind are known.", synced},
    {"failing", "gauge", "1 while the kind can not be followed.", failing},
    {"objects", "gauge", "Objects of the kind that are known.", objects},
    {"contact_age_seconds", "gauge",
     "Seconds since the API server last sent something for the kind; -1: never.", contact_age_s},
    {"errors_total", "counter", "Failures in following the kind.", errors},
};

static void head_line(struct text *text, const char *name, const char *type, const char *help)
{
    text_addf(text, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

void live_metrics(struct live *live, struct text *text)
{
    struct live_kind kind;
    bool stale = false;

    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        head_line(text, columns[c].name, columns[c].type, columns[c].help);
        for (size_t i = 0; i < live_count(live); i++) {
            live_look(live, i, &kind);
            stale = stale || kind.contact_ms > CLUSTER_STALE_MS;
            text_addf(text, PREFIX "%s{resource=\"%s\"} %lld\n", columns[c].name, kind.plural,
                      (long long)columns[c].value(&kind));
        }
    }
    head_line(text, "stale", "gauge",
              "1 when answers come from a state that was not confirmed for ten minutes.");
    text_addf(text, PREFIX "stale %d\n", stale);
}
