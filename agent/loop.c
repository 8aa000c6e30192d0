#include "agent/agent.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/mark.h"
#include "agent/memory.h"
#include "agent/work.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"

/* Seconds that a claim waits at the server, and what an answer may take beyond that. */
#define CLAIM_WAIT_S 120
#define CLAIM_SLACK_MS 30000

/* Milliseconds between two looks at the identity until it is good; between two claims that were
 * answered at once with nothing. */
#define LOOK_MS 2000
#define EMPTY_MS 1000

/* Milliseconds between two questions about a volume that is restored by half. */
#define HALF_MS 30000

/* Bytes of a list of mounts. */
#define MOUNTS_MAX_BYTES (4u << 20)

/* True when token, CA and addresses are there. What changes is said once. */
static bool look(struct agent *agent)
{
    struct identity_addresses addresses = {.count = 0};
    struct error err = {.message = ""};
    enum identity_state state = identity_look(agent->options->identity, &addresses, &err);

    if (state != IDENTITY_GOOD) {
        agent->known.count = 0;
        agent_say(agent, "waiting for the identity", err.message);
        return false;
    }
    if (memcmp(&agent->known, &addresses, sizeof addresses) != 0)
        log_info("identity is there", LOG_S("address", addresses.list[0]),
                 LOG_N("addresses", (int64_t)addresses.count));
    agent->known = addresses;
    return true;
}

/* How one turn of a loop ended. */
enum turn { TURN_NOTHING, TURN_PASS, TURN_WORKED, TURN_FAILED, TURN_REFUSED, TURN_STOPPED };

/* Keys of the storage, which nobody needs any more. The document is ours alone. */
static void wipe(const struct message_work *work)
{
    for (size_t i = 0; i < work->variable_count; i++)
        explicit_bzero((char *)work->environment[i].value, strlen(work->environment[i].value));
    for (size_t i = 0; i < work->file_count; i++)
        explicit_bzero((char *)work->files[i].data, strlen(work->files[i].data));
}

/* Claims once, and does what it is given. */
static enum turn take_turn(struct agent *agent, const struct message_claim *claim,
                           const struct words *mounts, unsigned *failures)
{
    AUTO(json) json_t *document = NULL;
    /* too large for a stack that is counted */
    AUTO(free) struct message_granted *granted = text_alloc(sizeof *granted);
    struct refusal refusal;
    struct error err = {.message = ""};
    int64_t begun_ms = clock_mono_ms(), pause_ms = 0;

    if (!look(agent))
        return agent_rest(agent->client, LOOK_MS) ? TURN_NOTHING : TURN_STOPPED;
    if (!agent_ask(agent->client, CLIENT_CLAIM, claim, claim->wait_s * 1000 + CLAIM_SLACK_MS,
                   granted, &document, &refusal, &err)) {
        if (err.code != ERROR_GONE || refusal.status != 0)
            agent_say(agent, "no work can be claimed", err.message);
        if (claim->role == MESSAGE_JOB && agent_next(&refusal) != CLIENT_AGAIN)
            return TURN_REFUSED;
        pause_ms = agent_pause_ms(&refusal, ++*failures, agent_chance(agent->client));
        return agent_rest(agent->client, pause_ms) ? TURN_NOTHING : TURN_STOPPED;
    }
    if (agent->said[0])
        log_info("the agent API answers");
    agent->said[0] = '\0';
    *failures = 0;
    if (granted->pass)
        return TURN_PASS;
    if (granted->has_work) {
        bool good = work_do(agent, &granted->work, mounts);

        wipe(&granted->work);
        return good ? TURN_WORKED : TURN_FAILED;
    }
    pause_ms = granted->retry_after_s * 1000;
    if (pause_ms == 0 && clock_mono_ms() - begun_ms < EMPTY_MS)
        pause_ms = EMPTY_MS;
    return agent_rest(agent->client, pause_ms) ? TURN_NOTHING : TURN_STOPPED;
}

static bool is_stopped(const struct agent *agent)
{
    return !agent_rest(agent->client, 1);
}

/* What a run that was killed left behind. */
static void tidy(const struct agent *agent)
{
    AUTO(free) char *cache = text_format("%s/restic-cache", agent->options->scratch);

    scratch_remove(cache);
}

enum agent_exit agent_sidecar(struct agent *agent)
{
    struct message_claim claim = {.agent_version = GRANARY_VERSION,
                                  .instance = agent->instance,
                                  .role = MESSAGE_SIDECAR,
                                  .wait_s = CLAIM_WAIT_S};
    unsigned failures = 0;

    tidy(agent);
    while (!is_stopped(agent))
        if (take_turn(agent, &claim, NULL, &failures) == TURN_STOPPED)
            break;
    return AGENT_FINE;
}

static void read_mounts(const struct agent *agent, struct words *mounts)
{
    const char *ours[] = {agent->options->scratch, agent->options->identity, NULL};
    AUTO(close) int fd = open(agent->options->mountinfo, O_RDONLY | O_CLOEXEC);
    AUTO(text) struct text text = {0};
    char piece[4096];
    ssize_t got;

    while (fd >= 0 && text.length < MOUNTS_MAX_BYTES && (got = read(fd, piece, sizeof piece)) > 0)
        text_add(&text, piece, (size_t)got);
    mounts_parse(mounts, (struct span){text_get(&text), text.length}, ours);
}

/* True when the marks say that the application may start. */
static bool may_pass(const struct agent *agent, const struct words *mounts)
{
    const char *uid = agent->options->session_uid;
    bool done = false, waiting = false, used = false;

    for (size_t i = 0; i < mounts->count; i++) {
        struct mark mark;

        mark_read(mounts->list[i], &mark);
        waiting = waiting || mark.state == MARK_RESTORING;
        done = done || (mark.state == MARK_DONE && uid && strcmp(mark.uid, uid) == 0);
        if (mark.state == MARK_NONE && volume_is_empty(mounts->list[i]))
            waiting = waiting || !uid;
        else
            used = true;
    }
    return !waiting && (uid ? done : used);
}

/* The controller let us pass without a restore: a person did, or there is none to be had. Then
 * nobody starts on what an earlier one has left behind. */
static bool start_fresh(struct agent *agent, const struct words *mounts)
{
    struct error err = {.message = ""};
    const char *half = agent->options->session ? NULL : volumes_half_restored(mounts);
    AUTO(text) struct text reason = {0};

    if (half) {
        text_addf(&reason,
                  "a restore into %s was begun and never finished, and nothing is to be restored "
                  "there now. What to do: make a RestoreSession",
                  half);
        agent_say(agent, "the application does not start", text_get(&reason));
        return false;
    }
    if (!agent->options->session && !volumes_start_fresh(mounts, &err))
        log_warn("volume not marked", LOG_S("reason", err.message));
    return true;
}

/* Into the status of the pod, as far as there is such a file. */
static void tell(const struct agent *agent, const struct words *mounts)
{
    AUTO(text) struct text text = {0};
    AUTO(close)
    int file = open(agent->options->result, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);

    volumes_tell(mounts, &text);
    if (file < 0 || write(file, text_get(&text), text.length) != (ssize_t)text.length)
        log_info("what it starts on is not told", LOG_S("file", agent->options->result));
}

/* What the marks alone say. */
static bool passes(const struct agent *agent, const struct words *mounts)
{
    if (!may_pass(agent, mounts))
        return false;
    for (size_t i = 0; agent->options->restore_if_exists && i < mounts->count; i++) {
        struct mark mark;

        mark_read(mounts->list[i], &mark);
        if (mark.state == MARK_NONE)
            log_info("volume is in use and left alone", LOG_S("volume", mounts->list[i]));
    }
    tell(agent, mounts);
    log_info("the volumes' marks say that the application may start");
    return true;
}

enum agent_exit agent_init(struct agent *agent)
{
    struct message_claim claim = {.agent_version = GRANARY_VERSION,
                                  .instance = agent->instance,
                                  .role = MESSAGE_INIT,
                                  .session = agent->options->session_uid,
                                  .wait_s = CLAIM_WAIT_S};
    AUTO(words) struct words mounts = {0};
    unsigned failures = 0;

    tidy(agent);
    read_mounts(agent, &mounts);
    while (!is_stopped(agent)) {
        if (passes(agent, &mounts))
            return AGENT_FINE;

        enum turn turn = take_turn(agent, &claim, &mounts, &failures);

        if (turn == TURN_STOPPED)
            break;
        if (turn == TURN_PASS && !start_fresh(agent, &mounts)) {
            if (!agent_rest(agent->client, HALF_MS))
                break;
        } else if (turn == TURN_PASS) {
            tell(agent, &mounts);
            log_info("nothing is to be restored, the application may start");
            return AGENT_FINE;
        }
    }
    return AGENT_ENDED;
}

/* Who has nothing to do any more says so: a Job has one piece of work, and another one is made for
 * another session. */
static enum agent_exit end_step(const struct agent *agent, enum turn turn)
{
    if (turn == TURN_WORKED) {
        log_info("the work of this Job is done");
        return AGENT_FINE;
    }
    log_error("the Job ends without success",
              LOG_S("reason", turn == TURN_FAILED    ? "its work failed, or nobody took the result"
                              : turn == TURN_STOPPED ? "it was told to end"
                              : turn == TURN_PASS    ? "there is no such work"
                                                     : agent->said));
    return AGENT_ENDED;
}

static enum agent_exit do_job(struct agent *agent)
{
    struct message_claim claim = {.agent_version = GRANARY_VERSION,
                                  .instance = agent->instance,
                                  .role = MESSAGE_JOB,
                                  .wait_s = CLAIM_WAIT_S};
    AUTO(words) struct words mounts = {0};
    enum turn turn = TURN_NOTHING;
    unsigned failures = 0;

    tidy(agent);
    read_mounts(agent, &mounts);
    while (turn == TURN_NOTHING && !is_stopped(agent))
        turn = take_turn(agent, &claim, &mounts, &failures);
    return end_step(agent, turn == TURN_NOTHING ? TURN_STOPPED : turn);
}

enum agent_exit agent_step(struct agent *agent)
{
    return do_job(agent);
}

enum agent_exit agent_update_status(struct agent *agent)
{
    const struct agent_options *options = agent->options;
    AUTO(dump) struct dump dump = {0};
    enum agent_exit result;

    dump_look(options->output, options->interim, options->scratch, &dump);
    agent->dump = &dump;
    result = do_job(agent);
    agent->dump = NULL;
    return result;
}
