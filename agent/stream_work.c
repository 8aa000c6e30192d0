#include "agent/stream_work.h"

#include <string.h>

#include "agent/helper.h"
#include "agent/work.h"
#include "base/auto.h"
#include "base/log.h"

/* Milliseconds before a stream that was cut is asked for again. */
#define AGAIN_MS 1000

static char *result_path(const struct run *run)
{
    return text_format("%s/stream.json", run->agent->options->scratch);
}

static void helper_words(const struct run *run, const char *program, int64_t turn,
                         struct words *out)
{
    const struct message_work *work = run->work;
    AUTO(free) char *result = result_path(run);

    words_add(out, program);
    words_add(out, STREAM_VERB);
    words_addf(out, "--identity=%s", run->agent->options->identity);
    words_addf(out, "--result=%s", result);
    words_addf(out, "--session=%s", work->session.uid);
    words_addf(out, "--host=%s", work->host);
    words_addf(out, "--instance=%s", run->agent->instance);
    words_addf(out, "--attempt=%lld", (long long)work->attempt);
    words_addf(out, "--turn=%lld", (long long)turn);
}

static bool take_snapshot(struct run *run, int64_t turn, struct output *output)
{
    const char *path = run->work->backup.paths[0];
    AUTO(words) struct words helper = {0}, argv = {0};
    AUTO(free) char *result = result_path(run);
    char program[PATH_MAX];

    if (!helper_program(run, program))
        return false;
    helper_words(run, program, turn, &helper);
    /* restic puts the "/" before it */
    restic_backup_output(&argv, &run->place, path + 1, &helper);
    helper_forget(result);
    return restic_run(run, &argv, READ_LINES, output) &&
           helper_judge(run, result, output, "the dump");
}

/* Whether another turn may go better. */
static bool was_cut(const struct run *run, const struct output *output)
{
    return output->end.cause == RESTIC_BY_ITSELF && run->failure.reason &&
           strcmp(run->failure.reason, STREAM_CUT_REASON) == 0;
}

static bool try_turns(struct run *run, struct output *output)
{
    for (int64_t turn = 1;; turn++) {
        if (take_snapshot(run, turn, output))
            return true;
        if (!was_cut(run, output) || turn == MESSAGE_TURNS_MAX ||
            !agent_rest(run->agent->client, AGAIN_MS))
            return false;
        log_warn("the dump is begun again", LOG_S("reason", text_get(&run->failure.message)));
        failure_done(&run->failure);
        output_done(output);
        *output = (struct output){.items = 0};
    }
}

bool stream_backup(struct run *run, struct message_report *report, struct words *kept)
{
    const char *path = run->work->backup.paths[0];
    AUTO(output) struct output output = {0};

    if (!repository_open(run, true))
        return false;
    run->progress.stage = MESSAGE_WORK;
    if (!run_progress(run, true))
        return failure_set(&run->failure, "Cancelled", "the session was ended: %s", run->cancelled);
    if (!try_turns(run, &output))
        return false;
    if (output.summary.kind != RESTIC_SUMMARY || !output.summary.id[0])
        return failure_set(&run->failure, "NoSnapshot", "the dump: restic names no snapshot");
    if (!backup_is_listed(run, output.summary.id, path))
        return false;
    backup_add(report, kept, path, &output.summary);
    return true;
}
