#include "controllers/desk_parts.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/hook_make.h"
#include "kube/meta.h"

/* ---- commands of hooks ---- */

/* The hook that a stage stands for, as it is written now: nothing else is ever run. */
static const json_t *handler_of(const json_t *invoker, bool restore, int stage)
{
    static const char *const names[][2] = {{"preBackup", "postBackup"},
                                           {"preRestore", "postRestore"}};
    const json_t *hooks = tree_at(invoker, "spec.hooks");

    if (stage != MESSAGE_HOOK_BEFORE && stage != MESSAGE_HOOK_AFTER)
        return NULL;
    return tree_member(hooks, names[restore][stage == MESSAGE_HOOK_AFTER], JSON_OBJECT);
}

static json_t *data_of(const struct message_exec *exec, const json_t *session,
                       const json_t *invoker)
{
    json_t *data = hook_make_data(session, invoker), *status = json_object();

    tree_put_text(data, "Name", meta_or_empty(session, "name"));
    tree_put_text(data, "Namespace", meta_or_empty(session, "namespace"));
    tree_put_int(data, "RetryLeft", exec->retry_left);
    tree_put_text(status, "Phase", exec->phase);
    tree_put_text(status, "Duration", exec->duration ? exec->duration : "");
    tree_put_text(status, "Error", exec->error ? exec->error : "");
    tree_put_new(data, "Status", status);
    return data;
}

/* The command and its container; NULL: why not, which stays so. */
static json_t *command_of(const struct desk_question *question, const json_t *invoker,
                          const struct desk_pod *pod, const char **container, struct error *err)
{
    const struct message_progress *message = question->message;
    const json_t *handler = handler_of(invoker, question->restore, message->stage);
    AUTO(json) json_t *data = data_of(&message->exec, question->session, invoker);

    *container = hook_make_container(handler, pod->pod);
    if (pod->job || !*container) {
        error_set(err, ERROR_INVALID,
                  pod->job ? "a Job's pod has no container of an application to run it in. What to "
                             "do: httpGet, httpPost or tcpSocket reach the application from there"
                           : "the pod has no such container of its application. What to do: name "
                             "one of them in containerName");
        return NULL;
    }
    return hook_make_command(handler, data, err);
}

/* Written down first: a command that may have begun is never begun again. */
static bool begin(const struct desk *desk, const struct desk_question *question, const char *key,
                  struct error *err)
{
    AUTO(desk_pod) struct desk_pod pod = {0};
    AUTO(json) json_t *invoker = desk_invoker_of(desk, question->session, question->restore);
    AUTO(free)
    char *hook = text_format("%lld:%s", (long long)question->claim->attempt,
                             question->message->stage == MESSAGE_HOOK_AFTER ? "after" : "before");
    struct hook_command command = {.space = question->caller->space, .pod = question->caller->pod};
    struct error why = {.message = ""};
    bool begun = false;

    if (!desk_find_pod(desk, question->caller, question->restore, &pod, err))
        return false;

    AUTO(json) json_t *words = command_of(question, invoker, &pod, &command.container, &why);

    if (!words) {
        hook_book_fail(desk->hooks, key, why.message);
        return true;
    }
    if (!desk_begin_hook(desk, pod.text, question->claim, hook, &begun, err))
        return false;
    command.command = words;
    if (begun)
        hook_book_fail(desk->hooks, key,
                       "another controller has begun it, and was gone before it told how it went: "
                       "it is not run again");
    else
        hook_book_begin(desk->hooks, key, &command);
    return true;
}

static void tell(const struct desk *desk, const char *key, struct message_verdict *verdict,
                 struct text *kept)
{
    static const int states[] = {[HOOK_NOT_KNOWN] = MESSAGE_EXEC_RUNNING,
                                 [HOOK_RUNNING] = MESSAGE_EXEC_RUNNING,
                                 [HOOK_SUCCEEDED] = MESSAGE_EXEC_SUCCEEDED,
                                 [HOOK_FAILED] = MESSAGE_EXEC_FAILED};
    char message[HOOK_BOOK_MESSAGE_BYTES] = "";

    verdict->exec = states[hook_book_look(desk->hooks, key, message)];
    text_puts(kept, message);
    if (verdict->exec == MESSAGE_EXEC_FAILED)
        verdict->exec_message = text_get(kept);
}

bool desk_hook(const struct desk *desk, const struct desk_question *question,
               struct message_verdict *verdict, struct text *kept, struct error *err)
{
    const struct desk_claim *claim = question->claim;
    AUTO(free)
    char *key = text_format("%s/%s/%lld/%d", claim->session, claim->host, (long long)claim->attempt,
                            question->message->stage);
    char unused[HOOK_BOOK_MESSAGE_BYTES];

    if (hook_book_look(desk->hooks, key, unused) == HOOK_NOT_KNOWN) {
        /* nothing begins for a session that is over, but for what brings an application back */
        if (!verdict->go_on && question->message->stage != MESSAGE_HOOK_AFTER)
            return true;
        if (!hook_book_has_room(desk->hooks)) {
            verdict->exec = MESSAGE_EXEC_RUNNING;
            return true;
        }
        if (!begin(desk, question, key, err))
            return false;
    }
    tell(desk, key, verdict, kept);
    return true;
}
