#include "agent/restic.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/memory.h"
#include "agent/own_lock.h"
#include "base/auto.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

extern char **environ;

/* Milliseconds between two looks at a child that writes nothing, at its memory, at its cache. */
#define TICK_MS 500
#define CACHE_LOOK_MS 10000

/* Milliseconds from SIGINT to SIGKILL; less when the whole pod ends, or the
 * kernel would be quicker. */
#define PATIENCE_MS 30000
#define PATIENCE_POD_MS 20000
#define PATIENCE_MEMORY_MS 2000

/* Milliseconds that one sign of progress may take: restic goes on meanwhile. */
#define PROGRESS_CALL_MS 10000

/* Bytes of one line, of a whole document (50,000 snapshots), of last words. */
#define LINE_MAX_BYTES (64u << 10)
#define DOCUMENT_MAX_BYTES (32u << 20)
#define WORDS_MAX_BYTES 2000u

/* Times that restic may be refused the same before it is believed, while nothing is written yet. */
#define HOPELESS 3

/* Milliseconds that restic 0.18 has to end after the disk was full: sometimes it never does. */
#define DOOMED_MS 5000

/* Bytes of the cache: what outgrows it is fetched again. */
#define CACHE_MAX_BYTES (INT64_C(512) << 20)

/* Of the container's memory, the part beyond which restic is ended; ours is the rest. */
#define MEMORY_PERCENT 90

static int move_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

int memory_file(struct span text, struct error *err)
{
    AUTO(close) int fd = memfd_create("granary", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool good = fd >= 0 && write(fd, text.data, text.length) == (ssize_t)text.length &&
                lseek(fd, 0, SEEK_SET) == 0 &&
                fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) == 0;

    if (!good) {
        error_set(err, ERROR_INTERNAL, "no file in memory: %s", strerror(errno));
        return -1;
    }
    return move_fd(&fd);
}

static int secret_file(const char *base64, struct error *err)
{
    AUTO(text) struct text bytes = {0};
    int fd = -1;

    if (base64_decode(&bytes, span_of(base64)))
        fd = memory_file((struct span){text_get(&bytes), bytes.length}, err);
    else
        error_set(err, ERROR_INVALID, "a file is no base64");
    text_wipe(&bytes);
    return fd;
}

static int64_t memory_for(const struct message_work *work)
{
    int64_t told = work->has_limits ? work->limits.memory_bytes : 0, ours = memory_limit();

    return told > 0 && (ours == 0 || told < ours) ? told : ours;
}

static bool prepare(struct run *run, struct error *err)
{
    const struct message_work *work = run->work;

    for (; run->file_count < work->file_count; run->file_count++) {
        run->files[run->file_count] = secret_file(work->files[run->file_count].data, err);
        if (run->files[run->file_count] < 0)
            return false;
    }
    return restic_url_check(work->repository.url, err) &&
           restic_environment(&run->environment, &run->place, err);
}

bool run_begin(struct run *run, struct agent *agent, const struct message_work *work)
{
    struct error err = {.message = ""};

    *run = (struct run){.agent = agent, .work = work, .input = -1, .started_ms = clock_mono_ms()};
    run->until_ms = work->deadline_s >= 0 && work->deadline_s < INT32_MAX
                        ? run->started_ms + work->deadline_s * 1000
                        : INT64_MAX;
    run->place = (struct restic_place){.work = work,
                                       .scratch = agent->options->scratch,
                                       .memory_bytes = memory_for(work),
                                       .environment = (const char *const *)environ};
    run->progress = (struct message_progress){.session = work->session.uid,
                                              .host = work->host,
                                              .instance = agent->instance,
                                              .attempt = work->attempt,
                                              .stage = MESSAGE_INITIALIZE};
    mkdir(agent->options->scratch, 0700);
    return prepare(run, &err) || failure_set(&run->failure, "WorkNotUnderstood", "%s", err.message);
}

void run_done(struct run *run)
{
    for (size_t i = 0; i < run->file_count; i++)
        close(run->files[i]);
    words_done(&run->environment);
    failure_done(&run->failure);
    json_decref(run->facts);
}

bool run_progress(struct run *run, bool now)
{
    AUTO(json) json_t *document = NULL;
    struct message_verdict verdict;
    struct refusal refusal;
    struct error err = {.message = ""};

    if (!run->agent->client || (!now && clock_mono_ms() < run->next_progress_ms))
        return true;

    bool good = agent_ask(run->agent->client, CLIENT_PROGRESS, &run->progress, PROGRESS_CALL_MS,
                          &verdict, &document, &refusal, &err);

    run->next_progress_ms = clock_mono_ms() + run->work->progress_s * 1000;
    if (good && !verdict.go_on) {
        snprintf(run->cancelled, sizeof run->cancelled, "%s", verdict.reason ? verdict.reason : "");
        return false;
    }
    if (good || agent_next(&refusal) == CLIENT_AGAIN)
        return true; /* a controller that is away ends no work */
    if (agent_next(&refusal) == CLIENT_GIVE_UP)
        return true; /* nothing is added up: the next one may be taken */
    run->over = agent_next(&refusal) == CLIENT_END_SILENTLY;
    snprintf(run->cancelled, sizeof run->cancelled, "%s", err.message);
    return false;
}

void output_done(struct output *output)
{
    json_decref(output->document);
    output->document = NULL;
    text_done(&output->names);
    text_done(&output->message);
}

/* One call under way. */
struct call {
    struct run *run;
    struct output *output;
    enum reading reading;
    struct child child;
    struct text lines, errors; /* what of a line has come */
    bool lines_cut, errors_cut;
    unsigned hopeless; /* repetitions of what stays refused */
    int64_t doomed_ms; /* since when it can only end; 0: not */
    int64_t asked_ms;  /* when it was told to end; 0: not */
    bool killed, ended;
};

static void add_name(struct output *output, const struct restic_line *line)
{
    if (output->items++ < ITEMS_MAX)
        text_addf(&output->names, "%s%s", output->names.length ? ", " : "", line->item);
}

static void keep_words(struct output *output, const char *words)
{
    if (!*words)
        return;
    if (output->message.length + strlen(words) > WORDS_MAX_BYTES)
        text_done(&output->message);
    text_addf(&output->message, "%s%s", output->message.length ? "; " : "", words);
}

static void take_line(struct call *call, struct span text)
{
    struct message_progress *progress = &call->run->progress;
    struct restic_line line;

    if (call->run->on_line && call->run->on_line(call->run->context, text))
        return;
    restic_line_read(text, &line);
    if (line.kind == RESTIC_STATUS) {
        progress->bytes_done = line.bytes_done;
        progress->bytes_total = line.bytes_total;
        progress->files_done = line.files_done;
        progress->files_total = line.files_total;
    } else if (line.kind == RESTIC_SUMMARY) {
        call->output->summary = line;
    } else if (line.kind == RESTIC_ITEM && call->run->on_item && line.path[0]) {
        call->run->on_item(call->run->context, line.path);
    } else if (line.kind == RESTIC_ITEM_ERROR) {
        add_name(call->output, &line);
        /* the first one tells why, the rest is alike */
        if (call->output->items == 1)
            keep_words(call->output, line.message);
    } else if (line.kind == RESTIC_EXIT_ERROR) {
        /* it says all, unless it only says that we ended it */
        if (!call->asked_ms && call->output->items == 0)
            text_done(&call->output->message);
        keep_words(call->output, line.message);
    } else {
        keep_words(call->output, line.message);
        if (!call->doomed_ms && restic_is_doomed(line.message))
            call->doomed_ms = clock_mono_ms();
        call->hopeless += progress->stage == MESSAGE_INITIALIZE && restic_is_hopeless(line.message);
    }
}

/* Cuts what has come into lines; one that is too long is left out. */
static void cut_lines(struct call *call, struct text *have, bool *cut, struct span piece)
{
    while (piece.length > 0) {
        const char *end = memchr(piece.data, '\n', piece.length);
        size_t length = end ? (size_t)(end - piece.data) : piece.length;

        *cut = *cut || have->length + length > LINE_MAX_BYTES;
        if (!*cut)
            text_add(have, piece.data, length);
        if (end && !*cut)
            take_line(call, (struct span){text_get(have), have->length});
        if (end) {
            have->length = 0;
            *cut = false;
        }
        piece.data += length + (end != NULL);
        piece.length -= length + (end != NULL);
    }
}

static void take_piece(struct call *call, bool of_errors, struct span piece)
{
    if (of_errors) {
        cut_lines(call, &call->errors, &call->errors_cut, piece);
    } else if (call->reading == READ_LINES) {
        cut_lines(call, &call->lines, &call->lines_cut, piece);
    } else {
        call->lines_cut = call->lines_cut || call->lines.length + piece.length > DOCUMENT_MAX_BYTES;
        if (!call->lines_cut)
            text_add(&call->lines, piece.data, piece.length);
    }
}

/* Reads what is there; closes at its end. */
static void drain(struct call *call, int *fd, bool of_errors)
{
    char piece[16384];
    ssize_t got;

    while (*fd >= 0) {
        got = read(*fd, piece, sizeof piece);
        if (got > 0) {
            take_piece(call, of_errors, (struct span){piece, (size_t)got});
        } else if (got == 0) {
            close(*fd);
            *fd = -1;
        } else if (errno != EINTR) {
            return;
        }
    }
}

static void tell_to_end(struct call *call, enum restic_cause cause)
{
    if (call->asked_ms)
        return;
    call->asked_ms = clock_mono_ms();
    call->output->end.cause = cause;
    child_signal(&call->child, SIGINT);
}

static bool is_stopped(const struct run *run)
{
    struct pollfd stop = {run->agent->stop_fd, POLLIN, 0};

    return poll(&stop, 1, 0) > 0;
}

/* What may end it, and what is looked at meanwhile. */
static void look(struct call *call)
{
    struct run *run = call->run;
    int64_t now_ms = clock_mono_ms();

    if (call->asked_ms) {
        enum restic_cause cause = call->output->end.cause;
        int64_t patience_ms = cause == RESTIC_STOPPED  ? PATIENCE_POD_MS
                              : cause == RESTIC_MEMORY ? PATIENCE_MEMORY_MS
                                                       : PATIENCE_MS;

        if (!call->killed && now_ms >= call->asked_ms + patience_ms) {
            call->killed = true;
            child_signal(&call->child, SIGKILL);
        }
        return;
    }
    if (is_stopped(run))
        tell_to_end(call, RESTIC_STOPPED);
    else if (now_ms >= run->until_ms)
        tell_to_end(call, RESTIC_DEADLINE);
    else if (run->place.memory_bytes > 0 &&
             memory_of(call->child.pid) > run->place.memory_bytes / 100 * MEMORY_PERCENT)
        tell_to_end(call, RESTIC_MEMORY);
    else if (call->hopeless >= HOPELESS ||
             (call->doomed_ms && now_ms > call->doomed_ms + DOOMED_MS))
        tell_to_end(call, RESTIC_HOPELESS);
    else if (!run_progress(run, false))
        tell_to_end(call, RESTIC_CANCELLED);
    if (now_ms >= run->next_look_ms) {
        AUTO(free) char *cache = text_format("%s/restic-cache", run->place.scratch);

        cache_bound(cache, CACHE_MAX_BYTES);
        run->next_look_ms = now_ms + CACHE_LOOK_MS;
    }
}

static void wait_a_while(struct call *call)
{
    struct run *run = call->run;
    int64_t left_ms = run->until_ms - clock_mono_ms();
    struct pollfd waits[] = {{call->child.out, POLLIN, 0},
                             {call->child.err, POLLIN, 0},
                             {call->child.ended_fd, POLLIN, 0},
                             {call->asked_ms ? -1 : run->agent->stop_fd, POLLIN, 0}};

    if (left_ms < 0 || left_ms > TICK_MS || call->asked_ms)
        left_ms = TICK_MS;
    if (poll(waits, 4, (int)left_ms) > 0)
        call->ended = waits[2].revents;
    /* a kernel without pidfd_open(2) */
    if (call->child.ended_fd < 0)
        call->ended = child_has_ended(&call->child);
}

static void finish(struct call *call)
{
    struct output *output = call->output;
    struct run *run = call->run;
    const char *secrets[MESSAGE_ENVIRONMENT_MAX];

    drain(call, &call->child.out, false);
    drain(call, &call->child.err, true);
    if (call->errors.length > 0)
        take_line(call, (struct span){text_get(&call->errors), call->errors.length});
    if (call->reading == READ_DOCUMENT && !call->lines_cut)
        output->document = json_loadb(text_get(&call->lines), call->lines.length, 0, NULL);
    else if (call->lines.length > 0 && !call->lines_cut)
        take_line(call, (struct span){text_get(&call->lines), call->lines.length});
    text_done(&call->lines);
    text_done(&call->errors);
    for (size_t i = 0; i < run->work->variable_count; i++)
        secrets[i] = run->work->environment[i].value;
    redact(&output->message, secrets, run->work->variable_count);
    output->end.message = text_get(&output->message);
    output->end.cancelled = run->cancelled;
}

static struct child_spec spec_of(struct run *run, struct words *argv)
{
    const struct message_limits *limits = &run->work->limits;
    bool has = run->work->has_limits;

    return (struct child_spec){.program = run->program ? run->program : run->agent->options->restic,
                               .argv = words_list(argv),
                               .environment = words_list(&run->environment),
                               .files = run->files,
                               .file_count = run->file_count,
                               .input = run->input,
                               .nice = has ? (int)limits->nice : 0,
                               .io_class = has ? (int)limits->ionice_class : 0,
                               .io_level =
                                   has && limits->ionice_data > 0 ? (int)limits->ionice_data : 0};
}

/* Maintenance has a way of its own to say whose lock is left. */
static bool is_noted(const struct run *run)
{
    return run->agent->client && !run->program;
}

static bool run_once(struct run *run, struct words *argv, enum reading reading,
                     struct output *output)
{
    struct call call = {.run = run, .output = output, .reading = reading};
    struct child_spec spec = spec_of(run, argv);
    struct error err = {.message = ""};

    *output = (struct output){.end = {.message = ""}};
    if (!child_start(run->agent->children, &spec, &call.child, &err))
        return failure_set(&run->failure, "ResticNotStarted", "%s", err.message);
    if (is_noted(run))
        own_lock_note(run->place.scratch, call.child.pid);
    while (!call.ended) {
        wait_a_while(&call);
        drain(&call, &call.child.out, false);
        drain(&call, &call.child.err, true);
        if (!call.ended)
            look(&call);
    }
    finish(&call);
    output->end.status = child_end(run->agent->children, &call.child);
    if (is_noted(run) && !own_lock_may_be_left(output->end.status))
        own_lock_forget(run->place.scratch, call.child.pid);
    log_info(run->program ? "program ended" : "restic ended", LOG_S("command", argv->list[1]),
             LOG_N("status", output->end.status), LOG_S("session", run->work->session.name),
             LOG_S("host", run->work->host));
    return true;
}

/* The same without waiting for a lock; false: it does not wait. */
static bool without_wait(const struct words *argv, struct words *out)
{
    bool waits = false;

    for (size_t i = 0; i < argv->count; i++) {
        bool is_it = strcmp(argv->list[i], LOCK_WAIT) == 0;

        waits = waits || is_it;
        if (!is_it)
            words_add(out, argv->list[i]);
    }
    return waits;
}

/* restic waits without a word, so it is asked first whether it has to. */
bool restic_run(struct run *run, struct words *argv, enum reading reading, struct output *output)
{
    AUTO(words) struct words first = {0};

    if (!without_wait(argv, &first))
        return run_once(run, argv, reading, output);
    if (!run_once(run, &first, reading, output))
        return false;
    if (!restic_is_locked(&output->end))
        return true;
    log_warn("somebody else has locked the repository: it is waited for", LOG_S("how", LOCK_WAIT),
             LOG_S("session", run->work->session.name),
             LOG_S("reason", text_get(&output->message)));
    output_done(output);
    if (run->input >= 0)
        (void)lseek(run->input, 0, SEEK_SET);
    return run_once(run, argv, reading, output);
}

bool restic_must(struct run *run, struct words *argv, enum reading reading, struct output *output,
                 const char *doing)
{
    return restic_run(run, argv, reading, output) &&
           restic_judge(&output->end, doing, &run->failure);
}
