#include "controllers/repository_times.h"

#include "base/tree.h"
#include "controllers/session_next.h"
#include "kube/time.h"

static bool moment_of(const json_t *object, const char *key, int64_t *moment_s)
{
    return time_parse(tree_span(object, key), moment_s);
}

static void put_earliest(json_t *status, const char *made, int64_t made_s)
{
    int64_t known_s;

    if (!moment_of(status, "firstBackupTime", &known_s) || made_s < known_s)
        tree_put_text(status, "firstBackupTime", made);
}

static void put_newest(json_t *status, const char *made, int64_t made_s)
{
    int64_t known_s;

    if (!moment_of(status, "lastBackupTime", &known_s) || made_s > known_s)
        tree_put_text(status, "lastBackupTime", made);
}

void repository_times_put(json_t *status, const json_t *sessions)
{
    const json_t *session;
    size_t i;

    tree_items (sessions, i, session) {
        const json_t *metadata = tree_get(session, "metadata");
        const char *made = tree_text(metadata, "creationTimestamp");
        const char *phase = tree_text(tree_get(session, "status"), "phase");
        int64_t made_s;

        if (session_phase_of(phase) != SESSION_SUCCEEDED ||
            !moment_of(metadata, "creationTimestamp", &made_s))
            continue;
        put_earliest(status, made, made_s);
        put_newest(status, made, made_s);
    }
}
