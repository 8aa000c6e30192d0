#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/client.h"
#include "agent/helper.h"
#include "agent/stream_work.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/tree.h"

/* Milliseconds for which a leader, or a pod that is ready, is waited for. */
#define PATIENCE_MS 120000

/* Milliseconds between two tries at most: an application may be held up, and few ask. */
#define PAUSE_MAX_MS 5000

/* Characters of what a command said last. */
#define WORDS_MAX_CHARS 1000

/* All strings belong to argv. */
struct stream_options {
    const char *identity, *result, *session, *host, *instance;
    int64_t attempt, turn;
};

static const struct flag rows[] = {
#define AT(member) offsetof(struct stream_options, member)
    {"identity", FLAG_TEXT, AT(identity), "DIR", "token, ca.crt and addresses"},
    {"result", FLAG_TEXT, AT(result), "FILE", "is told what it came to"},
    {"session", FLAG_TEXT, AT(session), "UID", "of the work"},
    {"host", FLAG_TEXT, AT(host), "HOST", "likewise"},
    {"instance", FLAG_TEXT, AT(instance), "HEX", "likewise"},
    {"attempt", FLAG_BYTES(1, MESSAGE_ATTEMPT_MAX), AT(attempt), "NUMBER", "likewise"},
    {"turn", FLAG_BYTES(1, MESSAGE_TURNS_MAX), AT(turn), "NUMBER", "how often it was asked for"},
#undef AT
};

/* ---- the stream ---- */

static bool pass_on(void *context, struct span data)
{
    (void)context;
    while (data.length > 0) {
        ssize_t done = write(STDOUT_FILENO, data.data, data.length);

        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0)
            data = (struct span){data.data + done, data.length - (size_t)done};
    }
    return true;
}

static bool may_pass(enum agent_streamed how, const struct refusal *refusal)
{
    return how == STREAMED_NOTHING ||
           (how == STREAMED_REFUSED && agent_next(refusal) == CLIENT_AGAIN);
}

/* Until it has begun, or nobody has patience any more. */
static enum agent_streamed fetch(struct agent_client *client, const struct stream_options *options,
                                 struct stream_reader *reader, struct error *err)
{
    static const struct stream_sink sink = {pass_on, NULL};
    const struct message_stream message = {options->session, options->host, options->instance,
                                           options->attempt, options->turn};
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    for (unsigned failures = 1;; failures++) {
        struct refusal refusal;
        enum agent_streamed how = agent_stream(client, &message, &sink, reader, &refusal, err);

        if (!may_pass(how, &refusal))
            return how;

        int64_t pause_ms = agent_pause_ms(&refusal, failures, agent_chance(client));

        pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
        if (clock_mono_ms() + pause_ms > until_ms)
            return how;
        log_info("no stream yet", LOG_S("reason", err->message));
        if (!agent_rest(client, pause_ms))
            return STREAMED_UNWANTED;
    }
}

/* ---- what it came to ---- */

/* The end of what it said says why. */
static char *last_words(const struct text *words)
{
    struct span all = text_trim((struct span){text_get(words), words->length});
    size_t over = all.length > WORDS_MAX_CHARS ? all.length - WORDS_MAX_CHARS : 0;

    return text_printable((struct span){all.data + over, all.length - over}, WORDS_MAX_CHARS);
}

/* The word of a failure; NULL: there is none. */
static const char *judge(enum agent_streamed how, const struct stream_reader *reader,
                         struct error *err)
{
    AUTO(free) char *words = last_words(&reader->words);

    if (how == STREAMED_CUT)
        return STREAM_CUT_REASON;
    if (how != STREAMED_WHOLE)
        return "StreamRefused";
    if (reader->status > 0)
        error_set(err, ERROR_INVALID, "the command ended with exit status %d%s%s", reader->status,
                  *words ? ": " : "", words);
    else if (reader->status < 0)
        error_set(err, ERROR_INVALID, "%s", *words ? words : "the command was not run");
    else if (reader->bytes == 0)
        error_set(err, ERROR_INVALID, "the command wrote nothing%s%s", *words ? ": " : "", words);
    else
        return NULL;
    return "DumpFailed";
}

static enum agent_exit dump(const struct stream_options *options, struct agent_client *client)
{
    AUTO(stream_reader) struct stream_reader reader = {.bytes = 0};
    AUTO(json) json_t *facts = json_object();
    struct error err = {.message = ""};
    enum agent_streamed how = fetch(client, options, &reader, &err);
    const char *reason;

    /* who does not read any more has reasons of his own */
    if (how == STREAMED_UNWANTED)
        return AGENT_ENDED;
    reason = judge(how, &reader, &err);
    tree_put_int(facts, "size", (json_int_t)reader.bytes);
    if (!helper_tell(options->result, facts, reason, err.message)) {
        log_error("what it came to can not be told", LOG_S("reason", strerror(errno)));
        return AGENT_ENDED;
    }
    return reason ? AGENT_ENDED : AGENT_FINE;
}

enum agent_exit stream_main(int argc, char **argv)
{
    struct stream_options options = {.identity = MOUNT_IDENTITY};
    struct error err = {.message = ""};

    if (flags_parse(argc, argv, rows, sizeof rows / sizeof *rows, &options, &err) != FLAGS_RUN ||
        !options.result || !options.session || !options.host || !options.instance ||
        !options.attempt || !options.turn) {
        fprintf(stderr, "granary-agent: %s\n",
                *err.message ? err.message : "this is a helper of step, which says all options");
        return AGENT_CANNOT;
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    log_setup(LOG_TEXT, LOG_INFO);

    int stop_fd = signals_catch((const int[]){SIGTERM, SIGINT, 0});
    struct agent_client *client = agent_make(options.identity, stop_fd);
    enum agent_exit end = dump(&options, client);

    agent_free(client);
    if (stop_fd >= 0)
        close(stop_fd);
    return end;
}
