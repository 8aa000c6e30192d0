#include "controllers/certificates_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/tree.h"

/* More steps in one turn are none that lead anywhere. */
#define STEPS_MAX 16

/* After a failure; doubled with each, up to the usual pause. */
#define RETRY_FIRST_MS 500

static const char *const step_names[] = {
    [ROTATION_WAIT] = "wait",           [ROTATION_ADOPT] = "adopt",
    [ROTATION_MAKE_NEXT] = "make-next", [ROTATION_PUBLISH] = "publish",
    [ROTATION_SWITCH] = "switch",       [ROTATION_DROP_NEXT] = "drop-next",
    [ROTATION_MAKE_LEAF] = "make-leaf", [ROTATION_RETIRE] = "retire",
};

/* What an event says of a step. */
static const char *const event_reasons[] = {
    [ROTATION_WAIT] = "CertificatesWait",     [ROTATION_ADOPT] = "AuthorityAdopted",
    [ROTATION_MAKE_NEXT] = "AuthorityMade",   [ROTATION_PUBLISH] = "BundlePublished",
    [ROTATION_SWITCH] = "AuthorityInUse",     [ROTATION_DROP_NEXT] = "AuthorityDropped",
    [ROTATION_MAKE_LEAF] = "CertificateMade", [ROTATION_RETIRE] = "AuthorityRetired",
};

/* What was read in one look. */
struct reading {
    json_t *objects[CERTIFICATES_OBJECTS];
    struct text bundle;
    struct certificates_seen seen;
    bool whole;
    struct error err; /* the last failure, when it is not whole */
};

static void auto_reading(struct reading *reading)
{
    for (int i = 0; i < CERTIFICATES_OBJECTS; i++)
        json_decref(reading->objects[i]);
    text_done(&reading->bundle);
}

/* Logs once what stays the same for many turns. */
static void say(struct certificates_loop *loop, enum log_level level, const char *what)
{
    if (strcmp(loop->said.message, what) == 0)
        return;
    error_set(&loop->said, ERROR_NONE, "%s", what);
    log_event(level, "certificates", LOG_S("state", what));
}

static struct kube_ref ref_of(const struct certificates_loop *loop, enum certificates_object object)
{
    const struct kube_resource *resource = certificates_resource(object);

    return (struct kube_ref){.resource = resource,
                             .space = resource->namespaced ? loop->space : NULL,
                             .name = certificates_name(object)};
}

bool certificates_loop_needs(const struct certificates_loop *loop, enum certificates_object object)
{
    if (object == CERTIFICATES_CA)
        return loop->source == CERTIFICATES_SELF;
    if (object == CERTIFICATES_AGENTS)
        return loop->agents_served;
    return object != CERTIFICATES_LEAF || loop->source != CERTIFICATES_FILES;
}

static void read_object(const struct certificates_loop *loop, enum certificates_object object,
                        struct reading *reading)
{
    struct kube_ref ref = ref_of(loop, object);
    struct error err = {.code = ERROR_NONE};

    reading->objects[object] = kube_get(loop->client, &ref, &err);
    reading->seen.objects[object].object = reading->objects[object];
    if (reading->objects[object]) {
        reading->seen.objects[object].state = CERTIFICATES_THERE;
    } else if (err.code == ERROR_NOT_FOUND) {
        reading->seen.objects[object].state = CERTIFICATES_ABSENT;
    } else {
        reading->seen.objects[object].state = CERTIFICATES_UNKNOWN;
        reading->whole = false;
        reading->err = err;
    }
}

/* A file that can not be read, or is too long, is an absent bundle. */
static void read_bundle(const struct certificates_loop *loop, struct reading *reading)
{
    AUTO(fclose) FILE *file = fopen(loop->bundle, "re");
    size_t got = 0;

    if (!file) {
        reading->whole = false;
        error_set(&reading->err, ERROR_NOT_FOUND, "%s: %s", loop->bundle, strerror(errno));
        return;
    }
    text_reserve(&reading->bundle, CERTS_MAX_BYTES + 1);
    got = fread(reading->bundle.data, 1, CERTS_MAX_BYTES + 1, file);
    if (got <= CERTS_MAX_BYTES && !ferror(file))
        reading->seen.bundle = (struct span){reading->bundle.data, got};
    /* cppcheck-suppress resourceLeak; it does not see AUTO */
}

/* False when the API server does not answer at all: the others need not be asked. */
static bool read_all(struct certificates_loop *loop, struct reading *reading)
{
    reading->whole = true;
    for (int object = 0; object < CERTIFICATES_OBJECTS; object++) {
        if (!certificates_loop_needs(loop, object))
            continue;
        read_object(loop, object, reading);
        if (!reading->whole &&
            (reading->err.code == ERROR_UNAVAILABLE || reading->err.code == ERROR_TIMEOUT))
            return false;
    }
    if (loop->source == CERTIFICATES_FILES)
        read_bundle(loop, reading);
    return true;
}

static void look(struct certificates_loop *loop, struct reading *reading, bool publish_fails)
{
    int64_t ahead_s = kube_client_look(loop->client).ahead_s;

    reading->seen.source = loop->source;
    reading->seen.space = loop->space;
    reading->seen.now_s = clock_now_s();
    reading->seen.mono_s = clock_mono_ms() / 1000;
    reading->seen.clock_doubted = ahead_s > CERTIFICATES_DOUBT_S || ahead_s < -CERTIFICATES_DOUBT_S;
    reading->seen.publish_fails = publish_fails;
    reading->seen.settle_s = loop->settle_s;
    reading->seen.mutator_waits = loop->mutator_waits;
    reading->seen.agents = loop->agents_served ? &loop->agents_leaf : NULL;
}

static void note_look(struct certificates_loop *loop, const struct reading *reading,
                      const struct certificates_plan *plan)
{
    struct status_facts *facts = status_open(loop->status);

    facts->looks++;
    facts->look_errors += !reading->whole;
    if (reading->whole)
        facts->looked_s = reading->seen.now_s;
    facts->published = plan->published;
    facts->ca_until_s = plan->ca_until_s;
    facts->leaf_until_s = plan->leaf_until_s;
    facts->clock_doubted = reading->seen.clock_doubted;
    facts->work_ms = clock_mono_ms();
    status_close(loop->status);
}

static void note_write(struct certificates_loop *loop, bool good)
{
    struct status_facts *facts = status_open(loop->status);

    facts->writes += good;
    facts->write_errors += !good;
    status_close(loop->status);
}

static void note_step(struct certificates_loop *loop, enum rotation_step step)
{
    status_open(loop->status)->steps[step]++;
    status_close(loop->status);
}

static bool write_one(struct certificates_loop *loop, const struct certificates_write *write,
                      struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    struct kube_ref ref = ref_of(loop, write->object);
    struct kube_options how = {.manager = "granary-controller"};
    bool good;

    if (!loop->may_write(loop->context))
        return error_set(err, ERROR_UNAVAILABLE, "not the leader any more");
    good = write->create ? kube_create(loop->client, &ref, write->body, &how, &result, err)
                         : kube_json_patch(loop->client, &ref, write->body, &how, &result, err);
    note_write(loop, good);
    return good;
}

static void tell(const struct certificates_loop *loop, bool warning, const char *reason,
                 const char *note)
{
    if (loop->tell)
        loop->tell(loop->context, warning, reason, note);
}

/* Somebody else changed it since it was read: to be read again, at once. */
static bool was_overtaken(const struct error *err)
{
    return err->code == ERROR_CONFLICT || err->code == ERROR_INVALID;
}

static void say_written(const struct certificates_loop *loop, const struct certificates_plan *plan,
                        const struct certificates_write *write)
{
    log_info("certificates", LOG_S("step", step_names[plan->next.step]),
             LOG_S("kind", certificates_resource(write->object)->kind),
             LOG_S("name", certificates_name(write->object)), LOG_S("reason", plan->next.reason));
    tell(loop, false, event_reasons[plan->next.step], plan->next.reason);
}

enum written { WRITTEN, WRITTEN_LATE, WRITTEN_NOT };

/* All writes of a step: one that fails keeps no other place from being written. */
static enum written write_all(struct certificates_loop *loop, const struct certificates_plan *plan)
{
    enum written outcome = WRITTEN;

    for (size_t i = 0; i < plan->count; i++) {
        const struct certificates_write *write = &plan->writes[i];
        struct error err = {.code = ERROR_NONE};

        if (write_one(loop, write, &err)) {
            say_written(loop, plan, write);
            continue;
        }
        log_warn("not written", LOG_S("step", step_names[plan->next.step]),
                 LOG_S("kind", certificates_resource(write->object)->kind),
                 LOG_S("name", certificates_name(write->object)), LOG_S("error", err.message));
        if (!was_overtaken(&err)) {
            tell(loop, true, "CertificatesNotWritten", err.message);
            outcome = WRITTEN_NOT;
        } else if (outcome == WRITTEN)
            outcome = WRITTEN_LATE;
    }
    note_step(loop, plan->next.step);
    return outcome;
}

/* Connections that are there keep the one with which they began. */
static void take_agents_leaf(struct certificates_loop *loop, struct certificates_plan *plan)
{
    const struct certs_parts parts = {
        .cert = {"certificate of the agent API", certs_pem_span(&plan->agents.pair.cert)},
        .key = {"key of the agent API", certs_pem_span(&plan->agents.pair.key)},
    };

    certs_store_give(loop->agents, &parts);
    certificates_loop_done(loop);
    loop->agents_leaf = plan->agents;
    plan->agents.pair = (struct certs_pair){0};
    note_step(loop, plan->next.step);
    log_info("certificates", LOG_S("step", step_names[plan->next.step]),
             LOG_S("for", CERTIFICATES_AGENTS_SERVICE), LOG_S("reason", plan->next.reason));
}

void certificates_loop_done(struct certificates_loop *loop)
{
    certs_pair_done(&loop->agents_leaf.pair);
}

static int64_t retry_ms(struct certificates_loop *loop)
{
    int64_t pause_ms = RETRY_FIRST_MS;

    for (int i = 0; i < loop->failures && pause_ms < loop->look_ms; i++)
        pause_ms *= 2;
    loop->failures++;
    return pause_ms < loop->look_ms ? pause_ms : loop->look_ms;
}

static int64_t rest_ms(struct certificates_loop *loop, const struct reading *reading,
                       const struct certificates_plan *plan, bool failed)
{
    int64_t look_ms = plan->next.look_s * 1000;

    if (*plan->problem)
        say(loop, LOG_WARN, plan->problem);
    else if (reading->whole)
        say(loop, plan->published ? LOG_INFO : LOG_WARN, plan->next.reason);
    else
        say(loop, LOG_WARN, reading->err.message);
    if (failed || !reading->whole)
        return retry_ms(loop);
    loop->failures = 0;
    if (plan->next.calm && loop->watched && loop->calm_ms > 0)
        return loop->calm_ms;
    return look_ms < loop->look_ms ? look_ms : loop->look_ms;
}

int64_t certificates_turn(struct certificates_loop *loop)
{
    bool publish_fails = false, failed = false;

    for (int step = 0; step < STEPS_MAX; step++) {
        AUTO(reading) struct reading reading = {.whole = true};
        AUTO(certificates_plan) struct certificates_plan plan = {0};

        if (!read_all(loop, &reading)) {
            note_look(loop, &reading, &plan);
            say(loop, LOG_WARN, reading.err.message);
            return retry_ms(loop);
        }
        look(loop, &reading, publish_fails);
        if (!certificates_next(&reading.seen, &loop->memory, &plan, &reading.err)) {
            log_error("no certificate could be made", LOG_S("error", reading.err.message));
            return retry_ms(loop);
        }
        note_look(loop, &reading, &plan);
        if (plan.agents.pair.cert.data) {
            take_agents_leaf(loop, &plan);
            continue;
        }
        if (plan.count == 0)
            return rest_ms(loop, &reading, &plan, failed);
        if (write_all(loop, &plan) == WRITTEN_NOT) {
            failed = true;
            if (plan.next.step != ROTATION_PUBLISH)
                return retry_ms(loop);
            publish_fails = true;
        }
    }
    say(loop, LOG_WARN, "somebody writes the same objects again and again");
    return retry_ms(loop);
}
