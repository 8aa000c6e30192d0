#include "agent/hook.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "agent/hook_request.h"
#include "agent/reply.h"
#include "agent/wire.h"
#include "api/duration.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/tree.h"
#include "base/wait.h"

/* Milliseconds for all actions of one hook; after a session's end, to bring an application back to
 * where it was. Spec: stash-behaviour 5.7. */
#define HOOK_MS (5 * 60 * 1000)
#define HOOK_LATE_MS (60 * 1000)

/* Milliseconds between two looks at whether progress is to be sent. */
#define TICK_MS 500

/* ---- one action; in a thread of its own, since it may wait for long ---- */

/* Reads the head of an answer; the rest is nobody's. False with err. */
static bool read_head(struct wire *wire, const struct wire_limit *limit, int *status,
                      struct text *location, struct error *err)
{
    AUTO(text) struct text received = {0};
    enum reply_state state = REPLY_MORE;
    struct span place = {NULL, 0};
    char piece[4096];

    while (state == REPLY_MORE) {
        size_t got;

        if (!wire_receive(wire, piece, sizeof piece, limit, &got, err))
            return false;
        text_add(&received, piece, got);
        state = reply_head((struct span){text_get(&received), received.length}, got == 0, status,
                           &place, err);
    }
    if (state == REPLY_DONE)
        text_add(location, place.data, place.length);
    return state == REPLY_DONE;
}

static bool ask_once(const struct hook_request *request, const struct wire_limit *limit,
                     int *status, struct text *location, struct error *err)
{
    struct wire_trust *trust = request->tls ? wire_trust_any() : NULL;
    struct wire *wire = wire_open(request->address, trust, limit, err);
    bool good = wire != NULL;

    if (good && request->path) {
        AUTO(text) struct text bytes = {0};

        hook_request_write(request, &bytes);
        good = wire_send(wire, (struct span){text_get(&bytes), bytes.length}, limit, err) &&
               read_head(wire, limit, status, location, err);
        if (!good)
            error_wrap(err, "%s", request->address);
    }
    wire_close(wire);
    wire_trust_free(trust);
    return good;
}

static bool ask(struct hook_request *request, const struct wire_limit *limit, struct error *err)
{
    int status = 0;

    for (unsigned asked = 0; asked <= HOOK_REDIRECTS_MAX; asked++) {
        AUTO(text) struct text location = {0};

        if (!ask_once(request, limit, &status, &location, err))
            return false;
        if (!request->path)
            return true;
        if (!hook_request_follow(request, status,
                                 (struct span){text_get(&location), location.length}))
            return (status >= 200 && status < 400) ||
                   error_set(err, ERROR_UNAVAILABLE, "%s answers %d", request->address, status);
    }
    return error_set(err, ERROR_UNAVAILABLE, "%s points to another place more than %u times",
                     request->address, HOOK_REDIRECTS_MAX);
}

/* One hook under way. */
struct errand {
    const json_t *handler, *data;
    struct wire_limit limit;
    int done_fd;
    bool good;
    struct error err;
};

static bool run_action(const struct errand *errand, const char *kind, const json_t *action,
                       struct error *err)
{
    AUTO(hook_request) struct hook_request request = {0};

    return hook_request_make(&request, kind, action, errand->data, err) &&
           ask(&request, &errand->limit, err);
}

/* All actions of ours, in their order, until one fails. */
static void *run_errand(void *context)
{
    static const char *const kinds[] = {"httpGet", "httpPost", "tcpSocket"};
    struct errand *errand = context;

    errand->good = true;
    for (size_t i = 0; errand->good && i < sizeof kinds / sizeof *kinds; i++) {
        const json_t *action = tree_get(errand->handler, kinds[i]);

        if (action && !json_is_null(action) && !run_action(errand, kinds[i], action, &errand->err))
            errand->good = error_wrap(&errand->err, "%s", kinds[i]);
    }
    wait_raise(errand->done_fd);
    return NULL;
}

/* ---- a hook ---- */

/* Milliseconds between two questions about a command, and for one of them. */
#define EXEC_ASK_MS 1000
#define EXEC_CALL_MS 10000

/* True when nobody waits for the outcome of the session any more. */
static bool is_late(const struct run *run)
{
    return run->over || run->cancelled[0] || clock_mono_ms() >= run->until_ms;
}

/* Waits for the errand; ends it when the work is to end: at once before the work, and after a while
 * when it brings the application back. */
static void accompany(struct run *run, struct errand *errand, bool after, int stop_fd)
{
    struct pollfd waits[] = {{errand->done_fd, POLLIN, 0}, {run->agent->stop_fd, POLLIN, 0}};
    int64_t late_ms = INT64_MAX;

    for (;;) {
        int count = poll(waits, 2, TICK_MS);

        if (count > 0 && waits[0].revents)
            return;
        if (count > 0 && waits[1].revents) {
            wait_raise(stop_fd);
            waits[1].fd = -1; /* once is enough */
        }
        if (!is_late(run) && !run_progress(run, false) && !after)
            wait_raise(stop_fd);
        if (after && late_ms == INT64_MAX && is_late(run))
            late_ms = clock_mono_ms() + HOOK_LATE_MS;
        if (clock_mono_ms() >= late_ms)
            wait_raise(stop_fd);
    }
}

static int64_t until_of(const struct run *run, bool after)
{
    int64_t until_ms = clock_mono_ms() + (is_late(run) ? HOOK_LATE_MS : HOOK_MS);

    return after || until_ms < run->until_ms ? until_ms : run->until_ms;
}

/* What an answer says of the command. *over: nothing more is to be asked. */
static bool hear_exec(struct run *run, const struct message_verdict *verdict, bool after,
                      bool *over, struct error *err)
{
    *over = verdict->exec != MESSAGE_EXEC_RUNNING;
    if (verdict->exec == MESSAGE_EXEC_SUCCEEDED)
        return true;
    if (verdict->exec == MESSAGE_EXEC_FAILED)
        return error_set(err, ERROR_INVALID, "%s",
                         verdict->exec_message ? verdict->exec_message : "it failed");
    if (!verdict->go_on && !after) {
        *over = true;
        snprintf(run->cancelled, sizeof run->cancelled, "%s",
                 verdict->reason ? verdict->reason : "");
        return error_set(err, ERROR_GONE, "the session was ended");
    }
    return *over ? error_set(err, ERROR_INVALID,
                             "the controller runs no commands: use a newer one, or httpGet, "
                             "httpPost or tcpSocket")
                 : true;
}

/* Asks once. A controller that is away is asked again. */
static bool ask_exec(struct run *run, bool after, bool *over, int64_t *pause_ms, struct error *err)
{
    AUTO(json) json_t *document = NULL;
    struct message_verdict verdict;
    struct refusal refusal;
    struct error away = {.message = ""};

    *pause_ms = EXEC_ASK_MS;
    if (agent_ask(run->agent->client, CLIENT_PROGRESS, &run->progress, EXEC_CALL_MS, &verdict,
                  &document, &refusal, &away))
        return hear_exec(run, &verdict, after, over, err);
    *over = agent_next(&refusal) != CLIENT_AGAIN;
    if (!*over) {
        *pause_ms = agent_pause_ms(&refusal, 1, agent_chance(run->agent->client));
        return true;
    }
    run->over = agent_next(&refusal) == CLIENT_END_SILENTLY;
    snprintf(run->cancelled, sizeof run->cancelled, "%s", away.message);
    return error_set(err, away.code, "%s", away.message);
}

/* The controller runs it, once; we ask until it tells how that went. Only what it told counts. */
static bool follow_exec(struct run *run, bool after, struct error *err)
{
    int64_t until_ms = until_of(run, after), pause_ms;

    for (bool over = false; !over;) {
        if (!ask_exec(run, after, &over, &pause_ms, err))
            return false;
        if (over)
            return true;
        if (clock_mono_ms() + pause_ms >= until_ms)
            return error_set(err, ERROR_TIMEOUT, "no end in time; it may still run");
        if (!agent_rest(run->agent->client, pause_ms))
            return error_set(err, ERROR_GONE, "stopped");
    }
    return true;
}

static bool run_exec(struct run *run, const json_t *data, bool after, struct error *err)
{
    const json_t *status = tree_get(data, "Status");

    run->progress.has_exec = true;
    run->progress.exec = (struct message_exec){.phase = tree_text(status, "Phase"),
                                               .duration = tree_text(status, "Duration"),
                                               .error = tree_text(status, "Error"),
                                               .retry_left = run->work->retry_left};

    bool good = follow_exec(run, after, err);

    run->progress.has_exec = false;
    return good || error_wrap(err, "exec");
}

/* False with err. */
static bool run_hook(struct run *run, const json_t *handler, const json_t *data, bool after,
                     struct error *err)
{
    AUTO(close) int stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    AUTO(close) int done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct errand errand = {.handler = handler,
                            .data = data,
                            .limit = {until_of(run, after), stop},
                            .done_fd = done,
                            .err = {.message = ""}};
    pthread_t thread;

    if (tree_member(handler, "exec", JSON_OBJECT) && !run_exec(run, data, after, err))
        return false;
    if (stop < 0 || done < 0 || pthread_create(&thread, NULL, run_errand, &errand) != 0)
        return error_set(err, ERROR_INTERNAL, "no threads or descriptors left");
    accompany(run, &errand, after, stop);
    pthread_join(thread, NULL);
    if (errand.good)
        return true;
    *err = errand.err;
    return false;
}

/* What templates may name. */
static json_t *data_of(const struct run *run, const char *phase)
{
    const struct message_work *work = run->work;
    json_t *data = work->hooks.data ? tree_copy(work->hooks.data) : json_object();
    json_t *status = json_object();
    AUTO(text) struct text duration = {0};

    duration_format(&duration, (clock_mono_ms() - run->started_ms) / 1000 * SECOND_NS);
    tree_put_text(data, "Name", work->session.name);
    tree_put_text(data, "Namespace", work->session.space);
    tree_put_int(data, "RetryLeft", work->retry_left);
    tree_put_text(status, "Phase", phase);
    tree_put_text(status, "Duration", text_get(&duration));
    tree_put_text(status, "Error", text_get(&run->failure.message));
    tree_put_new(data, "Status", status);
    return data;
}

static bool note(const struct run *run, const char *which, bool good, const struct error *err,
                 int *result)
{
    *result = good ? MESSAGE_HOOK_SUCCEEDED : MESSAGE_HOOK_FAILED;
    if (good)
        log_info("hook succeeded", LOG_S("hook", which), LOG_S("session", run->work->session.name));
    else
        log_warn("hook failed", LOG_S("hook", which), LOG_S("session", run->work->session.name),
                 LOG_S("error", err->message));
    return good;
}

bool hook_before(struct run *run, struct message_report *report)
{
    const json_t *handler = run->work->has_hooks ? run->work->hooks.before : NULL;
    struct error err = {.message = ""};

    if (!handler)
        return true;

    int stage = run->progress.stage;
    AUTO(json) json_t *data = data_of(run, "Running");

    run->progress.stage = MESSAGE_HOOK_BEFORE;

    bool good =
        note(run, "before", run_hook(run, handler, data, false, &err), &err, &report->hook_before);

    run->progress.stage = stage;
    if (good)
        return true;
    if (run->cancelled[0])
        return failure_set(&run->failure, "Cancelled", "the session was ended: %s", run->cancelled);
    return failure_set(&run->failure, "HookFailed",
                       "the hook before the work failed, so nothing was done: %s", err.message);
}

static bool is_wanted(const struct run *run, bool good)
{
    switch (run->work->hooks.after_policy) {
    case MESSAGE_ON_SUCCESS:
        return good;
    case MESSAGE_ON_FAILURE:
        return !good;
    case MESSAGE_ON_FINAL_RETRY_FAILURE:
        return !good && run->work->retry_left == 0;
    default:
        return true;
    }
}

static bool is_stopped(const struct run *run)
{
    struct pollfd stop = {run->agent->stop_fd, POLLIN, 0};

    return poll(&stop, 1, 0) > 0;
}

static bool tell(struct run *run, bool good, const struct error *err)
{
    if (good)
        return failure_set(&run->failure, "HookFailed",
                           "the work is done and kept, but the hook after it failed: %s",
                           err->message);
    text_addf(&run->failure.message, " The hook after it failed as well: %s", err->message);
    return false;
}

bool hook_after(struct run *run, struct message_report *report, bool good)
{
    const json_t *handler = run->work->has_hooks ? run->work->hooks.after : NULL;
    struct error err = {.message = ""};

    if (!handler)
        return true;
    if (!is_wanted(run, good)) {
        report->hook_after = MESSAGE_HOOK_SKIPPED;
        return true;
    }
    if (is_stopped(run)) {
        log_warn("the hook after the work is not run: the pod ends",
                 LOG_S("session", run->work->session.name));
        return true;
    }

    AUTO(json) json_t *data = data_of(run, good ? "Succeeded" : "Failed");

    run->progress.stage = MESSAGE_HOOK_AFTER;
    return note(run, "after", run_hook(run, handler, data, true, &err), &err,
                &report->hook_after) ||
           tell(run, good, &err);
}
