#include "controllers/desk_parts.h"

#include "api/dump_command.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/target_pods.h"
#include "kube/meta.h"

/* ---- what a command writes ---- */

/* Milliseconds of a command, where its session has no deadline. */
#define COMMAND_MAX_MS (24 * 3600000LL)

/* Somebody who asks for a stream, and what was found about him. */
struct asking {
    const struct message_stream *message;
    struct desk_claim claim;
    struct desk_pod pod; /* that asks */
    json_t *session, *invoker;
    struct target_pods pods;
    json_t *command;
    struct stream_command what;
};

static void auto_asking(struct asking *asking)
{
    desk_pod_done(&asking->pod);
    json_decref(asking->session);
    json_decref(asking->invoker);
    target_pods_done(&asking->pods);
    json_decref(asking->command);
}

/* Who asks must be a Job of ours that has this very work. */
static bool find_asker(const struct desk *desk, const struct agent_caller *caller,
                       struct asking *asking, struct error *err)
{
    const struct session_view *view = &desk->plan.view;

    asking->session = view->uid(view->context, VIEW_SESSION, asking->message->session);
    if (!asking->session)
        return error_set(err, ERROR_NOT_FOUND, "the session is not there any more");
    if (!desk_find_pod(desk, caller, false, &asking->pod, err))
        return false;
    if (!asking->pod.job)
        return error_set(err, ERROR_FORBIDDEN, "a stream is for the pod of a Job");
    if (desk_judge_claim(desk, caller, &asking->claim, false, err) != DESK_ANSWERED)
        return false;
    asking->invoker = desk_invoker_of(desk, asking->session, false);
    return dump_command_is_of(asking->invoker) ||
           error_set(err, ERROR_CONFLICT, "this session has no command to be run");
}

/* Read anew: what its owner wrote there counts, nothing else. */
static bool find_command(const struct desk *desk, struct asking *asking, struct error *err)
{
    struct target_pods *pods = &asking->pods;
    const char *container = NULL;

    if (!target_pods_read(desk->plan.client, asking->pod.target, desk_now_s(desk), pods, err))
        return false;
    asking->command = dump_command_agreed(asking->invoker, pods->workload, &container, err);
    if (!asking->command)
        return false;

    const json_t *pod = dump_command_pod(pods->pod_list, json_array_size(pods->pods), pods->owners,
                                         pods->owner_count, &container, err);
    int64_t deadline_s = desk_deadline_of(asking->session), left_s = deadline_s - desk_now_s(desk);

    if (!pod)
        return false;
    if (deadline_s && left_s <= 0)
        return error_set(err, ERROR_GONE, "the session is past its deadline");
    asking->what =
        (struct stream_command){.space = meta(pod, "namespace"),
                                .pod = meta(pod, "name"),
                                .container = container,
                                .command = asking->command,
                                .timeout_ms = deadline_s ? left_s * 1000 : COMMAND_MAX_MS};
    return true;
}

/* Each turn of an attempt begins the command once; that stands in the Lease first. */
static bool begin(const struct desk *desk, const struct asking *asking, struct error *err)
{
    AUTO(free)
    char *turn = text_format("%lld:stream:%lld", (long long)asking->message->attempt,
                             (long long)asking->message->turn);
    bool begun = false;

    if (!stream_book_has_room(desk->streams))
        return error_set(err, ERROR_UNAVAILABLE, "%u commands run for their output already",
                         STREAM_BOOK_MAX);
    if (!desk_begin_hook(desk, asking->pod.text, &asking->claim, turn, &begun, err))
        return false;
    return !begun || error_set(err, ERROR_CONFLICT, "this stream was taken before");
}

enum desk_answer desk_stream(void *context, const struct agent_caller *caller,
                             const struct message_stream *message, int wake, struct stream **stream,
                             struct error *err)
{
    const struct desk *desk = context;
    AUTO(asking)
    struct asking asking = {.message = message,
                            .claim = {message->session, message->host, caller->pod_uid,
                                      message->instance, message->attempt}};

    if (!find_asker(desk, caller, &asking, err))
        return err->code == ERROR_NOT_FOUND ? DESK_REFUSED : desk_failed(err);
    /* what is not so now may be so in a minute: the agent asks until it loses patience */
    if (!find_command(desk, &asking, err)) {
        if (err->code != ERROR_GONE)
            err->code = ERROR_UNAVAILABLE;
        return DESK_REFUSED;
    }
    if (!begin(desk, &asking, err))
        return desk_failed(err);
    *stream = stream_book_begin(desk->streams, &asking.what, wake, err);
    return *stream ? DESK_ANSWERED : DESK_REFUSED;
}
