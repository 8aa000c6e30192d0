/*
 * The agent API with a desk that does as it is told by lines on standard input, one answer line
 * each. Tokens are judged by their signature: "good", "bad" (refused), "down" (could not be asked),
 * "other" (of another pod), "podless".
 *
 *   wake, drain             as the functions
 *   work UID JSON           what claims of that pod get; without JSON: nothing again
 *   expects 0|1             whether claims are asked for before tokens are judged (1 at first)
 *   stream COUNT END        what a stream is: so many frames of 32 KiB, then END: whole, cut or
 * stay refuse CALL CODE TEXT   all of these calls; CODE 0: not any more hold CALL|review        the
 * next of them wait; `release CALL|review` lets them go facts                   JSON seen JSON list
 * of what the desk was asked: [call, pod UID, account]
 *
 * Usage: agent_desk ADDRESS CERT KEY. It ends with standard input.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/stream_frame.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "controllers/agent_api.h"
#include "controllers/agent_token.h"

#define REVIEW AGENT_CALLS

static const char *const names[] = {"claim", "progress", "report", "trigger", "stream", "review"};

struct script {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    json_t *work; /* by pod UID; this and the rest under the lock */
    json_t *seen;
    bool expects;
    int frames; /* of a stream */
    char end;
    _Atomic int put; /* frames that the last one took */
    bool held[AGENT_CALLS + 1];
    struct error refusals[AGENT_CALLS];
};

static void pass(struct script *script, int call)
{
    pthread_mutex_lock(&script->lock);
    while (script->held[call])
        pthread_cond_wait(&script->changed, &script->lock);
    pthread_mutex_unlock(&script->lock);
}

static bool expects(void *context, const struct agent_caller *presumed,
                    const struct message_claim *message)
{
    struct script *script = context;

    (void)message;
    pthread_mutex_lock(&script->lock);

    bool found =
        !script->expects || tree_get(script->work, presumed->pod_uid) || script->refusals[0].code;

    pthread_mutex_unlock(&script->lock);
    return found;
}

static enum desk_answer answer_as_told(struct script *script, enum agent_call call,
                                       const struct agent_caller *caller, const char *usual,
                                       struct text *answer, struct error *err)
{
    enum desk_answer outcome = DESK_ANSWERED;
    json_t *seen = json_array();

    pass(script, call);
    pthread_mutex_lock(&script->lock);
    tree_push_text(seen, names[call]);
    tree_push_text(seen, caller->pod_uid);
    tree_push_text(seen, caller->account);
    tree_push_new(script->seen, seen);

    const char *work = tree_text(script->work, caller->pod_uid);

    if (script->refusals[call].code) {
        *err = script->refusals[call];
        outcome = DESK_REFUSED;
    } else if (call == AGENT_CLAIM && !work) {
        outcome = DESK_WAIT;
    } else {
        text_puts(answer, call == AGENT_CLAIM ? work : usual);
    }
    pthread_mutex_unlock(&script->lock);
    return outcome;
}

static enum desk_answer claim(void *context, const struct agent_caller *caller,
                              const struct message_claim *message, struct text *answer,
                              struct error *err)
{
    (void)message;
    return answer_as_told(context, AGENT_CLAIM, caller, NULL, answer, err);
}

static enum desk_answer progress(void *context, const struct agent_caller *caller,
                                 const struct message_progress *message, struct text *answer,
                                 struct error *err)
{
    (void)message;
    return answer_as_told(context, AGENT_PROGRESS, caller, "{\"continue\":true}", answer, err);
}

static enum desk_answer report(void *context, const struct agent_caller *caller,
                               const struct message_report *message, struct text *answer,
                               struct error *err)
{
    (void)message;
    return answer_as_told(context, AGENT_REPORT, caller, "{\"recorded\":true}", answer, err);
}

static enum desk_answer trigger(void *context, const struct agent_caller *caller,
                                const struct message_trigger *message, struct text *answer,
                                struct error *err)
{
    (void)message;
    return answer_as_told(context, AGENT_TRIGGER, caller,
                          "{\"session\":{\"namespace\":\"n\",\"name\":\"s\",\"uid\":\"u\"}}",
                          answer, err);
}

/* A command, as it was told of before it began. */
struct writing {
    struct script *script;
    struct stream *stream;
    int frames;
    char end; /* 'w': with a trailer, 's': it stays */
};

/* As fast as it is read. */
static void *write_stream(void *context)
{
    AUTO(free) struct writing *writing = context;
    struct stream *stream = writing->stream;
    AUTO(stream_writer) struct stream_writer writer = {.bytes = 0};
    AUTO(text) struct text frame = {0};
    bool read = true;
    char data[STREAM_DATA_MAX_BYTES];

    memset(data, 'x', sizeof data);
    stream_write_head(&frame);
    for (int i = 0; read && i < writing->frames; i++) {
        stream_write_data(&writer, (struct span){data, sizeof data}, &frame);
        read = stream_put(stream, (struct span){text_get(&frame), frame.length});
        frame.length = 0;
        writing->script->put = i + read;
    }
    if (writing->end == 'w')
        stream_write_end(&writer, 3, span_of("so it ended"), &frame);
    while (read && writing->end == 's')
        read = stream_put(stream, (struct span){"", 0}) && usleep(1000) == 0;
    stream_end(stream, read && stream_put(stream, (struct span){text_get(&frame), frame.length}) &&
                           writing->end == 'w');
    return NULL;
}

static enum desk_answer stream(void *context, const struct agent_caller *caller,
                               const struct message_stream *message, int wake,
                               struct stream **stream, struct error *err)
{
    struct script *script = context;
    AUTO(text) struct text unused = {0};
    enum desk_answer outcome = answer_as_told(script, AGENT_STREAM, caller, "", &unused, err);
    struct writing *writing;
    pthread_t thread;

    (void)message;
    if (outcome != DESK_ANSWERED)
        return outcome;
    writing = text_alloc(sizeof *writing);
    *stream = stream_make(wake);
    pthread_mutex_lock(&script->lock);
    *writing = (struct writing){script, *stream, script->frames, script->end};
    pthread_mutex_unlock(&script->lock);
    if (pthread_create(&thread, NULL, write_stream, writing) != 0)
        abort();
    pthread_detach(thread);
    return DESK_ANSWERED;
}

static char *copy_of(const char *text)
{
    return text_dup(text, strlen(text));
}

static bool review(void *context, struct span token, struct kube_identity *identity,
                   struct error *err)
{
    struct script *script = context;
    struct agent_presumed presumed = {0};
    struct span signature = {0}, rest = token;

    pass(script, REVIEW);
    while (text_split(&rest, '.', &signature))
        continue;
    if (span_is(signature, "down"))
        return error_set(err, ERROR_FORBIDDEN, "tokenreviews are forbidden");
    if (span_is(signature, "bad") || !agent_token_presume(token, "granary", 0, &presumed, err))
        return error_set(err, ERROR_UNAUTHORIZED, "the token is refused: not authenticated");
    *identity = (struct kube_identity){
        .user = json_object(),
        .space = copy_of(presumed.caller.space),
        .account = copy_of(presumed.caller.account),
        .pod = copy_of(presumed.caller.pod),
        .pod_uid = span_is(signature, "podless")
                       ? NULL
                       : copy_of(span_is(signature, "other") ? "another" : presumed.caller.pod_uid),
    };
    agent_presumed_done(&presumed);
    return true;
}

/* Commands. */

static int call_named(const char *name)
{
    int call = 0;

    while (call <= REVIEW && strcmp(names[call], name) != 0)
        call++;
    if (call > REVIEW)
        abort();
    return call;
}

static void print(json_t *tree)
{
    AUTO(json) json_t *owned = tree;
    AUTO(free) char *text = tree_format(owned, NULL);

    puts(text);
}

static void print_facts(struct agent_api *api, struct script *script)
{
    struct agent_api_facts facts = agent_api_look(api);
    const struct {
        const char *name;
        int64_t value;
    } rows[] = {
        {"connections", facts.connections},
        {"waiting", facts.waiting},
        {"bodyBytes", facts.body_bytes},
        {"accepted", facts.accepted},
        {"turnedAway", facts.turned_away},
        {"evicted", facts.evicted},
        {"handshakesBad", facts.handshakes_bad},
        {"cut", facts.cut},
        {"gone", facts.gone},
        {"reviews", facts.reviews},
        {"reviewsBad", facts.reviews_bad},
        {"verdictsCached", facts.verdicts_cached},
        {"claims", facts.calls[AGENT_CLAIM]},
        {"framesPut", script->put},
        {"certificateUntil", facts.certificate_until_s},
    };
    json_t *made = json_object();

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tree_put_int(made, rows[i].name, rows[i].value);
    for (size_t i = 0; i < AGENT_STATUSES; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", agent_api_status(i));
        tree_put_int(made, name, facts.statuses[i]);
    }
    print(made);
}

static void change(struct script *script, char *words[4])
{
    pthread_mutex_lock(&script->lock);
    if (strcmp(words[0], "work") == 0 && words[2])
        tree_put_text(script->work, words[1], words[2]);
    else if (strcmp(words[0], "work") == 0)
        json_object_del(script->work, words[1]);
    else if (strcmp(words[0], "stream") == 0) {
        script->frames = atoi(words[1]);
        script->end = words[2][0];
    } else if (strcmp(words[0], "expects") == 0)
        script->expects = words[1][0] == '1';
    else if (strcmp(words[0], "refuse") == 0)
        error_set(&script->refusals[call_named(words[1])], (enum error_code)atoi(words[2]), "%s",
                  words[3] ? words[3] : "");
    else if (strcmp(words[0], "hold") == 0 || strcmp(words[0], "release") == 0)
        script->held[call_named(words[1])] = words[0][0] == 'h';
    else
        abort();
    pthread_cond_broadcast(&script->changed);
    pthread_mutex_unlock(&script->lock);
}

/* Up to three words, and the rest of the line; JSON has no blanks here. */
static void obey(struct script *script, struct agent_api *api, char *line)
{
    char *words[4] = {NULL}, *rest = line;

    for (int i = 0; i < 4 && rest; i++)
        words[i] = i < 3 ? strsep(&rest, " ") : rest;
    if (strcmp(words[0], "facts") == 0) {
        print_facts(api, script);
        return;
    }
    if (strcmp(words[0], "seen") == 0) {
        pthread_mutex_lock(&script->lock);
        print(json_incref(script->seen));
        pthread_mutex_unlock(&script->lock);
        return;
    }
    if (strcmp(words[0], "wake") == 0)
        agent_api_wake(api);
    else if (strcmp(words[0], "drain") == 0)
        agent_api_drain(api);
    else
        change(script, words);
    puts("done");
}

int main(int argc, char **argv)
{
    struct script script = {.expects = true};
    struct certs_files files = {.cert = argv[argc > 3 ? 2 : 0], .key = argv[argc > 3 ? 3 : 0]};
    struct agent_api_plan plan = {
        .judge = {review, &script},
        .desk = {expects, claim, progress, report, trigger, stream, &script},
    };
    char text[ADDRESS_TEXT_BYTES];
    struct error err;
    AUTO(free) char *line = NULL;
    size_t room = 0;

    json_object_seed(0);
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_TEXT, getenv("AGENT_DESK_DEBUG") ? LOG_DEBUG : LOG_INFO);
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_mutex_init(&script.lock, NULL);
    pthread_cond_init(&script.changed, NULL);
    script.work = json_object();
    script.seen = json_array();
    if (argc != 4 || !address_parse(argv[1], &plan.listen, &err)) {
        fprintf(stderr, "usage: agent_desk ADDRESS CERT KEY\n");
        return 2;
    }
    plan.certs = certs_store_make(&files);

    struct agent_api *api = agent_api_start(&plan, &err);

    if (!api) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }

    struct address address = agent_api_address(api);

    address_format(&address, text);
    printf("listening %s\n", text);
    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        obey(&script, api, line);
    }
    for (int call = 0; call <= REVIEW; call++) {
        pthread_mutex_lock(&script.lock);
        script.held[call] = false;
        pthread_cond_broadcast(&script.changed);
        pthread_mutex_unlock(&script.lock);
    }
    agent_api_stop(api);
    certs_store_free(plan.certs);
    json_decref(script.work);
    json_decref(script.seen);
    return 0;
}
