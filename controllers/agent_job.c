#include "controllers/agent_job.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/limits.h"
#include "base/log.h"

/* When to come again if a refusal says nothing better: seconds. */
#define RETRY_S 5

static const struct {
    const struct message_shape *shape;
    size_t body_max;
} calls[AGENT_CALLS] = {
    [AGENT_CLAIM] = {&message_claim_shape, MESSAGE_REQUEST_MAX_BYTES},
    [AGENT_PROGRESS] = {&message_progress_shape, MESSAGE_REQUEST_MAX_BYTES},
    [AGENT_REPORT] = {&message_report_shape, MESSAGE_REPORT_MAX_BYTES},
    [AGENT_TRIGGER] = {&message_trigger_shape, MESSAGE_REQUEST_MAX_BYTES},
    [AGENT_STREAM] = {&message_stream_shape, MESSAGE_REQUEST_MAX_BYTES},
};

struct agent_job *agent_job_make(enum agent_call call)
{
    struct agent_job *job = text_alloc(sizeof *job);

    job->call = call;
    job->wake = -1;
    return job;
}

void agent_job_free(struct agent_job *job)
{
    if (!job)
        return;
    text_wipe(&job->answer);
    stream_close(job->stream);
    text_done(&job->body);
    agent_presumed_done(&job->presumed);
    json_decref(job->document);
    free(job->message);
    free(job);
}

size_t agent_job_body_max(enum agent_call call)
{
    return calls[call].body_max;
}

static void set_refused(struct agent_job *job, const struct error *err, int64_t retry_after_s)
{
    job->outcome = AGENT_REFUSES;
    job->refusal = *err;
    job->retry_after_s = retry_after_s;
    text_wipe(&job->answer);
}

void agent_job_refuse(struct agent_job *job, const char *why)
{
    struct error err;

    error_set(&err, ERROR_UNAVAILABLE, "%s", why);
    set_refused(job, &err, 1);
}

void agent_job_nothing(struct agent_job *job)
{
    job->outcome = AGENT_ANSWERS;
    text_wipe(&job->answer);
    text_puts(&job->answer, "{}");
}

/* False when there is no room for it; the job is refused then. */
static bool count_request(struct agent_side *side, struct agent_job *job,
                          const struct agent_key *who, int64_t now_ms)
{
    int64_t wait_s = agent_gate_request(side->gate, who, now_ms);
    struct error err;

    if (wait_s == 0)
        return true;
    error_set(&err, ERROR_TOO_MANY_REQUESTS, "more requests than a pod may send");
    set_refused(job, &err, wait_s);
    return false;
}

static bool read_message(struct agent_job *job, struct error *err)
{
    const struct message_shape *shape = calls[job->call].shape;
    AUTO(free) void *message = text_alloc(shape->size);

    if (job->body.length == 0)
        return error_set(err, ERROR_BAD_REQUEST, "the body is empty");
    job->document = message_read(shape, (struct span){job->body.data, job->body.length},
                                 calls[job->call].body_max, message, err);
    if (!job->document)
        return false;
    job->message = TAKE(message);
    text_done(&job->body);
    return true;
}

static void begin_to_wait(struct agent_job *job)
{
    const struct message_claim *claim = job->message;

    if (job->call == AGENT_CLAIM)
        job->wait_until_ms = job->begun_ms + claim->wait_s * 1000;
}

/* The first time: what needs nobody but us. */
static bool admit(struct agent_side *side, struct agent_job *job, int64_t now_ms, int64_t now_s)
{
    struct error err = {.code = ERROR_NONE};

    if (job->admitted)
        return true;
    job->token_key = agent_key_of(job->token);
    if (!count_request(side, job, &job->token_key, now_ms))
        return false;
    if (!agent_token_presume(job->token, IDENTITY_AUDIENCE, now_s, &job->presumed, &err) ||
        !read_message(job, &err)) {
        set_refused(job, &err, 0);
        return false;
    }
    agent_count(side, AGENT_COUNT_CALLS + job->call, 1);
    begin_to_wait(job);
    return job->admitted = true;
}

/* A claim for which there is nothing needs no judgement. */
static bool expects(const struct agent_side *side, const struct agent_job *job)
{
    return job->call != AGENT_CLAIM || !side->desk.expects ||
           side->desk.expects(side->desk.context, &job->presumed.caller, job->message);
}

static bool is_refusal(const struct error *err)
{
    return err->code == ERROR_UNAUTHORIZED;
}

/* What a review says, as far as it is that of a pod. */
static bool take_identity(struct kube_identity *reviewed, struct agent_identity *identity,
                          struct error *err)
{
    if (!reviewed->space || !reviewed->account || !reviewed->pod || !reviewed->pod_uid)
        return error_set(err, ERROR_FORBIDDEN, "the token is not bound to a pod");
    *identity = (struct agent_identity){TAKE(reviewed->space), TAKE(reviewed->pod),
                                        TAKE(reviewed->pod_uid), TAKE(reviewed->account)};
    return true;
}

/* Asks, and remembers what was said. */
static bool review(struct agent_side *side, struct agent_job *job, int64_t now_ms,
                   struct agent_identity *identity, struct error *err)
{
    AUTO(kube_identity) struct kube_identity reviewed = {0};

    agent_count(side, AGENT_COUNT_REVIEWS, 1);
    if (!side->judge.review(side->judge.context, job->token, &reviewed, err) && !is_refusal(err)) {
        log_warn("a token could not be judged", LOG_S("error", err->message));
        return error_set(err, ERROR_UNAVAILABLE, "who asks could not be judged");
    }
    if (reviewed.user && take_identity(&reviewed, identity, err)) {
        agent_gate_learn(side->gate, &job->token_key, now_ms, identity);
        return true;
    }
    agent_count(side, AGENT_COUNT_REVIEWS_BAD, 1);
    agent_gate_refuse(side->gate, &job->token_key, now_ms, err);
    agent_gate_failed(side->gate, &job->address, now_ms);
    return false;
}

static bool is_same(const struct agent_identity *identity, const struct agent_caller *presumed)
{
    return strcmp(identity->space, presumed->space) == 0 &&
           strcmp(identity->pod, presumed->pod) == 0 &&
           strcmp(identity->pod_uid, presumed->pod_uid) == 0 &&
           strcmp(identity->account, presumed->account) == 0;
}

static bool know(struct agent_side *side, struct agent_job *job, int64_t now_ms,
                 struct agent_identity *identity)
{
    struct error err = {.code = ERROR_NONE};
    int64_t wait_s;

    switch (agent_gate_recall(side->gate, &job->token_key, now_ms, identity, &err)) {
    case AGENT_KNOWN:
        agent_count(side, AGENT_COUNT_VERDICTS_CACHED, 1);
        return true;
    case AGENT_REFUSED:
        agent_count(side, AGENT_COUNT_VERDICTS_CACHED, 1);
        set_refused(job, &err, 0);
        return false;
    default:
        break;
    }
    wait_s = agent_gate_may_fail(side->gate, &job->address, now_ms);
    if (wait_s > 0) {
        error_set(&err, ERROR_TOO_MANY_REQUESTS, "too many tokens of this address were refused");
        set_refused(job, &err, wait_s);
        return false;
    }
    if (review(side, job, now_ms, identity, &err))
        return true;
    set_refused(job, &err, err.code == ERROR_UNAVAILABLE ? RETRY_S : 0);
    return false;
}

/* Who it is, as the API server says. False: the job is refused. */
static bool judge(struct agent_side *side, struct agent_job *job, int64_t now_ms,
                  struct agent_identity *identity)
{
    struct error err;

    if (!know(side, job, now_ms, identity))
        return false;
    if (!is_same(identity, &job->presumed.caller)) {
        error_set(&err, ERROR_UNAUTHORIZED, "the token says something else than the API server");
        set_refused(job, &err, 0);
        return false;
    }
    if (job->judged)
        return true;
    job->judged = true;

    struct agent_key pod = agent_key_of(span_of(identity->pod_uid));

    return count_request(side, job, &pod, now_ms);
}

static enum desk_answer ask(const struct agent_side *side, struct agent_job *job,
                            const struct agent_caller *caller, struct error *err)
{
    const struct agent_desk *desk = &side->desk;

    switch (job->call) {
    case AGENT_CLAIM:
        return desk->claim(desk->context, caller, job->message, &job->answer, err);
    case AGENT_PROGRESS:
        return desk->progress(desk->context, caller, job->message, &job->answer, err);
    case AGENT_REPORT:
        return desk->report(desk->context, caller, job->message, &job->answer, err);
    case AGENT_STREAM:
        return desk->stream(desk->context, caller, job->message, job->wake, &job->stream, err);
    default:
        return desk->trigger(desk->context, caller, job->message, &job->answer, err);
    }
}

/* Codes that an agent knows what to do with; all others are faults of ours. */
static bool is_known(enum error_code code)
{
    static const enum error_code known[] = {
        ERROR_BAD_REQUEST,       ERROR_UNAUTHORIZED, ERROR_FORBIDDEN,
        ERROR_NOT_FOUND,         ERROR_CONFLICT,     ERROR_GONE,
        ERROR_TOO_MANY_REQUESTS, ERROR_INVALID,      ERROR_UNAVAILABLE};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == code)
            return true;
    return false;
}

static void refuse_for_desk(struct agent_job *job, struct error *err)
{
    if (!is_known(err->code)) {
        log_warn("an agent could not be answered", LOG_N("code", err->code),
                 LOG_S("error", err->message));
        error_set(err, ERROR_UNAVAILABLE, "this can not be answered now");
    }
    set_refused(job, err,
                err->code == ERROR_UNAVAILABLE || err->code == ERROR_TOO_MANY_REQUESTS ? RETRY_S
                                                                                       : 0);
}

static void wait_on(struct agent_job *job, int64_t now_ms)
{
    if (job->wait_until_ms > now_ms)
        job->outcome = AGENT_WAITS;
    else
        agent_job_nothing(job);
}

static void take_answer(struct agent_job *job, enum desk_answer answer, int64_t now_ms,
                        struct error *err)
{
    bool too_long = job->answer.length > MESSAGE_ANSWER_MAX_BYTES;

    if (answer == DESK_WAIT && job->call == AGENT_CLAIM) {
        wait_on(job, now_ms);
    } else if (answer == DESK_REFUSED) {
        refuse_for_desk(job, err);
    } else if (answer == DESK_ANSWERED && job->stream) {
        job->outcome = AGENT_STREAMS;
    } else if (answer == DESK_WAIT || job->answer.length == 0 || too_long) {
        log_error("an answer to an agent is none", LOG_N("bytes", (int64_t)job->answer.length));
        agent_job_refuse(job, "this can not be answered now");
    } else {
        job->outcome = AGENT_ANSWERS;
    }
}

void agent_job_run(struct agent_side *side, struct agent_job *job, int64_t now_ms, int64_t now_s)
{
    AUTO(agent_identity) struct agent_identity identity = {0};
    struct error err = {.code = ERROR_NONE};

    if (atomic_load(&side->draining)) {
        agent_job_refuse(job, "not the leader any more");
        return;
    }
    if (!admit(side, job, now_ms, now_s))
        return;
    /* a wake from now on is one that it does not know of */
    job->wakes = atomic_load(&side->wakes);
    if (!expects(side, job)) {
        wait_on(job, now_ms);
        return;
    }
    if (!judge(side, job, now_ms, &identity))
        return;

    struct agent_caller caller = {identity.space, identity.pod, identity.pod_uid, identity.account};
    enum desk_answer answer = ask(side, job, &caller, &err);

    take_answer(job, answer, now_ms, &err);
}
