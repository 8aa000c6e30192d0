#include "agent/etcd_tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"

/* Bytes that are kept of what one writes: a list of members has some KB. */
#define OUT_MAX_BYTES (1u << 20)
#define ERRORS_MAX_BYTES 4096u

/* Milliseconds from SIGTERM to SIGKILL, between two looks, and for the question for a version. */
#define PATIENCE_MS 5000
#define TICK_MS 500
#define VERSION_MS 30000

/* Characters of its last words in a message. */
#define WORDS_MAX_CHARS 160

/* ---- versions ---- */

static bool take_number(struct span *rest, int *number)
{
    int value = 0;
    size_t digits = 0;

    while (digits < rest->length && rest->data[digits] >= '0' && rest->data[digits] <= '9' &&
           digits < 6)
        value = value * 10 + (rest->data[digits++] - '0');
    rest->data += digits;
    rest->length -= digits;
    *number = value;
    return digits > 0;
}

static bool take_dot(struct span *rest)
{
    if (!rest->length || rest->data[0] != '.')
        return false;
    rest->data++;
    rest->length--;
    return true;
}

bool etcd_version_parse(struct span text, struct etcd_version *version)
{
    struct etcd_version read = {0};

    if (text.length && text.data[0] == 'v')
        text = (struct span){text.data + 1, text.length - 1};
    if (!take_number(&text, &read.major) || !take_dot(&text) || !take_number(&text, &read.minor) ||
        (take_dot(&text) && !take_number(&text, &read.patch)) ||
        (text.length && text.data[0] != '-' && text.data[0] != '+'))
        return false;
    *version = read;
    return true;
}

int etcd_version_compare(struct etcd_version a, struct etcd_version b)
{
    if (a.major != b.major)
        return a.major - b.major;
    return a.minor != b.minor ? a.minor - b.minor : a.patch - b.patch;
}

struct etcd_skills etcd_skills_of(struct etcd_version tools)
{
    static const struct etcd_version utl = {3, 5, 0}, bump = {3, 5, 10}, counts = {3, 6, 0};

    return (struct etcd_skills){.utl = etcd_version_compare(tools, utl) >= 0,
                                .bump = etcd_version_compare(tools, bump) >= 0,
                                .counts_keys = etcd_version_compare(tools, counts) >= 0,
                                .status_reads = etcd_version_compare(tools, utl) >= 0};
}

void etcd_tools_done(struct etcd_tools *tools)
{
    free(tools->ctl);
    free(tools->utl);
    *tools = (struct etcd_tools){0};
}

const char *etcd_tools_file_program(const struct etcd_tools *tools)
{
    return tools->utl ? tools->utl : tools->ctl;
}

/* ---- one run ---- */

void etcd_said_done(struct etcd_said *said)
{
    text_done(&said->out);
    text_done(&said->errors);
}

/* The beginning of what it says, the end of what it complains of. */
static void keep(struct text *text, bool of_errors, const char *piece, size_t length)
{
    size_t room = OUT_MAX_BYTES > text->length ? OUT_MAX_BYTES - text->length : 0;

    if (!of_errors) {
        text_add(text, piece, length < room ? length : room);
        return;
    }
    text_add(text, piece, length);
    if (text->length > 2 * ERRORS_MAX_BYTES) {
        memmove(text->data, text->data + text->length - ERRORS_MAX_BYTES, ERRORS_MAX_BYTES);
        text->length = ERRORS_MAX_BYTES;
        text->data[text->length] = '\0';
    }
}

static void drain(int *fd, bool of_errors, struct text *text)
{
    char piece[16384];
    ssize_t got;

    while (*fd >= 0) {
        got = read(*fd, piece, sizeof piece);
        if (got > 0) {
            keep(text, of_errors, piece, (size_t)got);
        } else if (got == 0) {
            close(*fd);
            *fd = -1;
        } else if (errno != EINTR) {
            return;
        }
    }
}

/* One under way. */
struct call {
    const struct etcd_run *run;
    struct etcd_said *said;
    struct child child;
    int64_t asked_ms; /* when it was told to end; 0: not */
    bool killed;
};

static int pause_of(const struct call *call, int64_t now_ms)
{
    int64_t left_ms = call->run->until_ms - now_ms;

    return call->asked_ms || left_ms > TICK_MS ? TICK_MS : left_ms > 0 ? (int)left_ms : 0;
}

static void look(struct call *call, bool stop)
{
    int64_t now_ms = clock_mono_ms();

    if (call->asked_ms) {
        if (!call->killed && now_ms >= call->asked_ms + PATIENCE_MS) {
            call->killed = true;
            child_signal(&call->child, SIGKILL);
        }
        return;
    }
    call->said->stopped = stop;
    call->said->late = !stop && now_ms >= call->run->until_ms;
    if (call->said->stopped || call->said->late) {
        call->asked_ms = now_ms;
        child_signal(&call->child, SIGTERM);
    }
}

/* True once it has ended. */
static bool wait_a_while(struct call *call)
{
    struct child *child = &call->child;
    struct pollfd waits[] = {{child->out, POLLIN, 0},
                             {child->err, POLLIN, 0},
                             {child->ended_fd, POLLIN, 0},
                             {call->asked_ms ? -1 : call->run->stop_fd, POLLIN, 0}};
    int ready = poll(waits, 4, pause_of(call, clock_mono_ms()));
    bool ended = ready > 0 && waits[2].revents;

    drain(&child->out, false, &call->said->out);
    drain(&child->err, true, &call->said->errors);
    /* a kernel without pidfd_open(2) */
    if (child->ended_fd < 0)
        ended = child_has_ended(child);
    if (!ended)
        look(call, ready > 0 && waits[3].revents);
    return ended;
}

static const char *name_of(const char *program)
{
    const char *slash = strrchr(program, '/');

    return slash ? slash + 1 : program;
}

/* "etcdctl snapshot save": the program and its first two words that are no options or paths. */
static char *doing_of(const char *program, const struct words *argv)
{
    AUTO(text) struct text made = {0};
    size_t count = 0;

    text_puts(&made, name_of(program));
    for (size_t i = 1; i < argv->count && count < 2; i++)
        if (argv->list[i][0] != '-' && argv->list[i][0] != '/') {
            text_addf(&made, " %s", argv->list[i]);
            count++;
        }
    return text_take(&made);
}

static bool judge(const struct etcd_said *said, const char *program, struct words *argv,
                  struct error *err)
{
    AUTO(free) char *doing = doing_of(program, argv);
    AUTO(free)
    char *last = etcd_last_words((struct span){text_get(&said->errors), said->errors.length});

    if (said->stopped)
        return error_set(err, ERROR_GONE, "%s: told to end", doing);
    if (said->late)
        return error_set(err, ERROR_TIMEOUT, "%s: took too long%s%s", doing, *last ? ": " : "",
                         last);
    if (WIFSIGNALED(said->status))
        return error_set(err, ERROR_INTERNAL, "%s: ended by signal %d", doing,
                         WTERMSIG(said->status));
    return WEXITSTATUS(said->status) == 0
               ? true
               : error_set(err, ERROR_INTERNAL, "%s: %s", doing, *last ? last : "failed");
}

bool etcd_run(const struct etcd_run *run, const char *program, struct words *argv,
              struct etcd_said *said, struct error *err)
{
    static const char *const nothing[] = {NULL};
    struct child_spec spec = {.program = program,
                              .argv = words_list(argv),
                              .environment = run->environment ? run->environment : nothing,
                              .files = run->files,
                              .file_count = run->file_count,
                              .input = -1};
    struct call call = {.run = run, .said = said};

    if (!child_start(run->children, &spec, &call.child, err))
        return false;
    while (!wait_a_while(&call))
        continue;
    drain(&call.child.out, false, &said->out);
    drain(&call.child.err, true, &said->errors);
    said->status = child_end(run->children, &call.child);
    return judge(said, program, argv, err);
}

/* ---- last words ---- */

static bool is_log(struct span line)
{
    return line.length > 0 && line.data[0] == '{';
}

/* Lines of its log are JSON; what it ends with is not. */
char *etcd_last_words(struct span errors)
{
    struct span line, best = {NULL, 0};

    while (text_split(&errors, '\n', &line)) {
        line = text_trim(line);
        if (line.length && (!is_log(line) || !best.length || is_log(best)))
            best = line;
    }
    return text_printable(best.data ? best : span_of(""), WORDS_MAX_CHARS);
}

/* What the log says of a cause begins so, and goes on to a quote or the end of the line. */
static const struct {
    const char *words;
    bool hopeless;
} causes[] = {
    {"authentication failed", true},
    {"permission denied", true},
    {"user name is empty", true},
    {"user name not found", true},
    {"x509: ", true},
    {"remote error: tls", true},
    {"certificate required", true},
    {"bad certificate", true},
    {"tls: ", true},
    {"connection refused", false},
    {"no such host", false},
    {"i/o timeout", false},
    {"no leader", false},
    {"is not a valid port", true},
    {"network is unreachable", false},
};

char *etcd_cause(struct span errors, bool *hopeless)
{
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        const char *found =
            memmem(errors.data, errors.length, causes[i].words, strlen(causes[i].words));
        size_t length = 0, left = found ? errors.length - (size_t)(found - errors.data) : 0;

        while (length < left && !strchr("\"\\\n", found[length]))
            length++;
        *hopeless = causes[i].hopeless;
        if (found)
            return text_printable((struct span){found, length}, WORDS_MAX_CHARS);
    }
    *hopeless = false;
    return NULL;
}

/* The first that is in a message counts. */
static const struct {
    const char *words, *advice;
} advices[] = {
    {"authentication failed", "set username and password in the Secret of the AppBinding"},
    {"user name ", "set username and password in the Secret of the AppBinding"},
    {"permission denied", "give the user of the AppBinding etcd's role root"},
    {"x509: ", "set clientConfig of the AppBinding: caBundle to who signed etcd's certificate, the "
               "host to a name in it"},
    {"certificate", "name a client certificate that etcd takes in tlsSecret of the AppBinding"},
    {"tls: ", "compare the scheme and the certificates of the AppBinding with those of etcd"},
    {"no such host", "set service or url of the AppBinding to where etcd is"},
    {"connection refused", "see that most of the members run; when they can not, restore the last "
                           "snapshot"},
    {"deadline exceeded", "see that most of the members run and answer; when they can not, restore "
                          "the last snapshot"},
    {"took too long", "see that most of the members run and answer; when they can not, restore the "
                      "last snapshot"},
    {"i/o timeout", "see that nothing keeps pods of this namespace from etcd"},
    {"no leader", "see that most of the members run; when they can not, restore the last snapshot"},
};

const char *etcd_advice(const char *message)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (strstr(message, advices[i].words))
            return advices[i].advice;
    return NULL;
}

/* ---- where they are ---- */

/* Those that are known, the newest first. */
static const struct etcd_version known[] = {{3, 6, 0}, {3, 5, 0}, {3, 4, 0}};

#define KNOWN (sizeof known / sizeof *known)

/* Places in `known` in the order in which they suit a server. */
static size_t order_of(struct etcd_version server, size_t order[KNOWN])
{
    size_t count = 0, own = 0;

    server.patch = 0;
    /* the oldest that is not older than the server, then newer ones, then older ones */
    while (own + 1 < KNOWN && server.major && etcd_version_compare(known[own + 1], server) >= 0)
        own++;
    for (size_t i = own + 1; i-- > 0;)
        order[count++] = i;
    for (size_t i = own + 1; i < KNOWN; i++)
        order[count++] = i;
    return count;
}

/* "etcdutl version: 3.6.5" is the first line. */
static bool read_version(struct span text, struct etcd_version *version)
{
    struct span line = {NULL, 0}, word, last = {NULL, 0};

    (void)text_split(&text, '\n', &line);
    while (text_split(&line, ' ', &word))
        last = word;
    return etcd_version_parse(text_trim(last), version);
}

static bool ask_version(const struct etcd_run *run, struct etcd_tools *tools, struct error *err)
{
    AUTO(words) struct words argv = {0};
    AUTO(etcd_said) struct etcd_said said = {0};
    struct etcd_run brief = *run;
    int64_t until_ms = clock_mono_ms() + VERSION_MS;

    brief.until_ms = until_ms < run->until_ms ? until_ms : run->until_ms;
    words_add(&argv, etcd_tools_file_program(tools));
    words_add(&argv, "version");
    if (!etcd_run(&brief, etcd_tools_file_program(tools), &argv, &said, err))
        return false;
    if (!read_version((struct span){text_get(&said.out), said.out.length}, &tools->version))
        return error_set(err, ERROR_INTERNAL, "%s does not say its version",
                         etcd_tools_file_program(tools));
    tools->skills = etcd_skills_of(tools->version);
    return true;
}

/* In a folder, if there are any. */
static bool take(const char *folder, struct etcd_tools *tools)
{
    AUTO(free) char *ctl = text_format("%s/etcdctl", folder);
    AUTO(free) char *utl = text_format("%s/etcdutl", folder);

    if (access(ctl, X_OK) != 0)
        return false;
    if (access(utl, X_OK) == 0)
        tools->utl = TAKE(utl);
    tools->ctl = TAKE(ctl);
    return true;
}

bool etcd_tools_find(const struct etcd_run *run, const char *folder, struct etcd_version server,
                     struct etcd_tools *tools, struct error *err)
{
    AUTO(etcd_tools) struct etcd_tools found = {0};
    size_t order[KNOWN], count = order_of(server, order);

    for (size_t i = 0; i < count && !found.ctl; i++) {
        const struct etcd_version *version = &known[order[i]];
        AUTO(free) char *own = text_format("%s/%d.%d", folder, version->major, version->minor);

        (void)take(own, &found);
    }
    if (!found.ctl && !take(folder, &found))
        return error_set(err, ERROR_NOT_FOUND, "there is no etcdctl in %s", folder);
    if (!ask_version(run, &found, err))
        return false;
    *tools = found;
    found = (struct etcd_tools){0};
    return true;
}
