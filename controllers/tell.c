#include "controllers/tell.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/tree.h"

#define CONTROLLER "granary-controller"

/* What an API server takes of a note: bytes. */
#define NOTE_MAX 1024

/* Writing one holds up the work behind it. */
#define TIMEOUT_MS 3000

static const struct kube_resource events = {"events.k8s.io", "v1", "events", "Event", true};

static uint64_t hash(uint64_t state, const char *text)
{
    for (; *text; text++)
        state = (state ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return state * UINT64_C(0x100000001b3);
}

bool tell_is_new(struct tell_memory *memory, const struct telling *telling, int64_t now_s)
{
    uint64_t which = hash(hash(UINT64_C(0xcbf29ce484222325), telling->reason), telling->note);
    size_t free_place = TELL_KNOWN;

    for (size_t i = 0; i < TELL_KNOWN; i++) {
        bool counts = memory->known[i].said_s && now_s - memory->known[i].said_s < TELL_AGAIN_S;

        if (counts && memory->known[i].hash == which)
            return false;
        if (!counts)
            free_place = i;
    }
    if (free_place == TELL_KNOWN)
        return false;
    memory->known[free_place].hash = which;
    memory->known[free_place].said_s = now_s;
    return true;
}

static json_t *regarding(const char *space)
{
    json_t *made = json_object();

    tree_put_text(made, "apiVersion", "apps/v1");
    tree_put_text(made, "kind", "Deployment");
    tree_put_text(made, "namespace", space);
    tree_put_text(made, "name", CONTROLLER);
    return made;
}

static json_t *metadata(const char *space, int64_t wall_ms, uint64_t number)
{
    json_t *made = json_object();
    AUTO(free)
    char *name = text_format(CONTROLLER ".%012llx%04llx", (unsigned long long)wall_ms,
                             (unsigned long long)number & 0xffff);

    tree_put_text(made, "name", name);
    tree_put_text(made, "namespace", space);
    return made;
}

json_t *tell_event(const struct telling *telling, const char *space, const char *instance,
                   int64_t wall_ms, uint64_t number)
{
    json_t *made = json_object();
    AUTO(free) char *note = text_printable(span_of(telling->note), NOTE_MAX / 4);
    char now[CLOCK_TEXT_BYTES];
    AUTO(text) struct text moment = {0};

    /* microseconds are expected: six digits */
    clock_format(wall_ms, now);
    text_addf(&moment, "%.*s000Z", (int)strlen(now) - 1, now);
    tree_put_text(made, "apiVersion", "events.k8s.io/v1");
    tree_put_text(made, "kind", "Event");
    tree_put_new(made, "metadata", metadata(space, wall_ms, number));
    tree_put_text(made, "eventTime", text_get(&moment));
    tree_put_text(made, "reportingController", "granary.dev/controller");
    tree_put_text(made, "reportingInstance", instance);
    tree_put_text(made, "action", "Reconcile");
    tree_put_text(made, "reason", telling->reason);
    tree_put_text(made, "type", telling->warning ? "Warning" : "Normal");
    tree_put_text(made, "note", note);
    tree_put_new(made, "regarding", regarding(space));
    return made;
}

void tell_now(struct teller *teller, const struct telling *telling)
{
    AUTO(kube_result) struct kube_result result = {0};
    struct kube_options how = {.timeout_ms = TIMEOUT_MS};
    struct error err = {.message = ""};

    if (!tell_is_new(&teller->memory, telling, clock_mono_ms() / 1000 + 1))
        return;

    AUTO(json)
    json_t *event =
        tell_event(telling, teller->space, teller->instance, clock_now_ms(), teller->number++);
    struct kube_ref ref = {.resource = &events,
                           .space = teller->space,
                           .name = tree_text(tree_get(event, "metadata"), "name")};

    if (kube_create(teller->client, &ref, event, &how, &result, &err))
        return;
    status_open(teller->status)->events_lost++;
    status_close(teller->status);
    log_debug("event not written", LOG_S("reason", telling->reason), LOG_S("error", err.message));
}
