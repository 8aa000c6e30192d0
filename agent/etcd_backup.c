#include "agent/etcd_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/dump.h"
#include "agent/etcd_connection.h"
#include "agent/etcd_members.h"
#include "agent/etcd_snapshot.h"
#include "agent/memory.h"
#include "agent/option_values.h"
#include "agent/restic.h"
#include "agent/secret_folder.h"
#include "api/keys.h"
#include "api/task_variables.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/signals.h"
#include "base/text.h"
#include "base/tree.h"

/* Milliseconds between two looks at an etcd that is not healthy. */
#define AGAIN_MS 2000

/* Until a member that does not answer is given up; 2 s and 5 s, etcdctl's own, are not enough for
 * one that is busy: with passwords on, each connection begins with one (2.5 s were measured). */
static const char *const patience[] = {"--dial-timeout=5s", "--command-timeout=15s"};

#define NOSPACE 1

/* ---- options ---- */

struct options {
    const char *host, *interim, *output, *tools, *secrets, *scratch;
    const char *args;
    int64_t wait_s;
    int64_t members, revision; /* of a wait: how many, and what all of them have at least */
    const char *result;        /* file that is told how it ended; NULL: nobody */
};

static const struct flag rows[] = {
#define AT(member) offsetof(struct options, member)
    {"hostname", FLAG_TEXT, AT(host), "HOST", "under which it is filed"},
    {"wait-timeout", FLAG_BY(option_wait), AT(wait_s), "SECONDS",
     "until an etcd is healthy (default 300)"},
    {"etcd-args", FLAG_BY(option_parameter), AT(args), "OPTIONS", "for etcdctl snapshot save"},
    {"interim-dir", FLAG_TEXT, AT(interim), "DIR", "for the snapshot, if it is on a volume"},
    {"output-dir", FLAG_TEXT, AT(output), "DIR", "for output.json"},
    {"app-secrets", FLAG_TEXT, AT(secrets), "DIR", "Secrets of the AppBinding"},
    {"tools", FLAG_TEXT, AT(tools), "DIR", "folders of etcdctl and etcdutl by version"},
    {"scratch", FLAG_TEXT, AT(scratch), "DIR", "for what nobody keeps"},
#undef AT
};

static const struct flag wait_rows[] = {
#define AT(member) offsetof(struct options, member)
    {"wait-timeout", FLAG_BY(option_wait), AT(wait_s), "SECONDS", "until it is so (default 300)"},
    {"members", FLAG_NUMBER(1, ETCD_MEMBERS_MAX), AT(members), "N", "that are to be healthy"},
    {"revision", FLAG_NUMBER(0, INT64_MAX), AT(revision), "N", "that each of them has at least"},
    {"app-secrets", FLAG_TEXT, AT(secrets), "DIR", "Secrets of the AppBinding"},
    {"tools", FLAG_TEXT, AT(tools), "DIR", "folders of etcdctl and etcdutl by version"},
    {"result", FLAG_TEXT, AT(result), "FILE", "is told how it ended, as JSON"},
#undef AT
};

static const struct options defaults = {.host = "host-0",
                                        .interim = "",
                                        .output = MOUNT_SCRATCH "/output",
                                        .tools = MOUNT_ETCD_TOOLS,
                                        .secrets = MOUNT_APP,
                                        .scratch = MOUNT_SCRATCH,
                                        .args = "",
                                        .wait_s = OPTION_WAIT_S};

/* ---- one backup ---- */

struct backup {
    const struct options *options;
    struct children children;
    struct etcd_run run;
    struct etcd_tools tools;
    struct etcd_connection connection;
    struct words environment;
    int files[3];
    size_t file_count;
    char *folder, *file; /* of the dump, and the snapshot in it */
    json_t *members, *statuses, *alarms;
    json_t *workloads; /* StatefulSets near the AppBinding that run an etcd; NULL: none known */
    struct etcd_candidate candidates[ETCD_MEMBERS_MAX];
    size_t count;
    bool hopeless; /* what failed last fails again */
};

static void auto_backup(struct backup *backup)
{
    for (size_t i = 0; i < backup->file_count; i++)
        close(backup->files[i]);
    etcd_tools_done(&backup->tools);
    etcd_connection_done(&backup->connection);
    words_done(&backup->environment);
    free(backup->folder);
    free(backup->file);
    json_decref(backup->members);
    json_decref(backup->statuses);
    json_decref(backup->alarms);
    json_decref(backup->workloads);
}

/* ---- the connection ---- */

static void auto_secrets(json_t **secrets)
{
    secret_folder_done(*secrets);
}

static bool add_file(struct backup *backup, const struct text *pem, struct error *err)
{
    int fd = memory_file((struct span){pem->data, pem->length}, err);

    if (fd < 0)
        return false;
    backup->files[backup->file_count++] = fd;
    return true;
}

static bool connect_to(struct backup *backup, struct error *err)
{
    const char *said = getenv(ENV_APP);
    AUTO(json) json_t *app = said ? json_loads(said, JSON_REJECT_DUPLICATES, NULL) : NULL;
    AUTO(secrets) json_t *secrets = app_secrets_read(backup->options->secrets);
    struct etcd_connection *connection = &backup->connection;

    if (!json_is_object(app))
        return error_set(err, ERROR_INVALID, "%s names no AppBinding", ENV_APP);
    if (!etcd_connection_make(app, secrets, connection, err))
        return error_wrap(err, "AppBinding");
    backup->workloads = tree_copy(tree_get(app, "workloads"));
    etcd_connection_environment(connection, &backup->environment);
    backup->run.environment = words_list(&backup->environment);
    if ((connection->ca.length && !add_file(backup, &connection->ca, err)) ||
        (connection->certificate.length && (!add_file(backup, &connection->certificate, err) ||
                                            !add_file(backup, &connection->key, err))))
        return false;
    backup->run.files = backup->files;
    backup->run.file_count = backup->file_count;
    return true;
}

/* etcdctl and its options for a connection; its secrets are in variables and files. */
static void begin_words(const struct backup *backup, const char *endpoints, struct words *argv)
{
    const struct etcd_connection *connection = &backup->connection;
    int next = CHILD_FILE_FIRST;

    words_add(argv, backup->tools.ctl);
    for (size_t i = 0; i < sizeof patience / sizeof *patience; i++)
        words_add(argv, patience[i]);
    words_addf(argv, "--endpoints=%s", endpoints);
    if (connection->insecure)
        words_add(argv, "--insecure-skip-tls-verify");
    if (connection->ca.length)
        words_addf(argv, "--cacert=/dev/fd/%d", next++);
    if (connection->certificate.length) {
        words_addf(argv, "--cert=/dev/fd/%d", next);
        words_addf(argv, "--key=/dev/fd/%d", next + 1);
    }
}

/* ---- questions ---- */

static bool explain(struct backup *backup, const struct etcd_said *said, const char *doing,
                    struct error *err)
{
    AUTO(free)
    char *cause =
        etcd_cause((struct span){text_get(&said->errors), said->errors.length}, &backup->hopeless);

    if (cause && !said->stopped)
        error_set(err, err->code, "%s: %s", doing, cause);
    return false;
}

/* What etcdctl answers. */
static json_t *ask(struct backup *backup, const char *endpoint, const char *noun, const char *verb,
                   struct error *err)
{
    AUTO(words) struct words argv = {0};
    AUTO(etcd_said) struct etcd_said said = {0};
    AUTO(free) char *doing = text_format("etcdctl %s %s", noun, verb);

    begin_words(backup, endpoint, &argv);
    words_add(&argv, noun);
    words_add(&argv, verb);
    words_add(&argv, "--write-out=json");
    if (!etcd_run(&backup->run, backup->tools.ctl, &argv, &said, err)) {
        (void)explain(backup, &said, doing, err);
        return NULL;
    }
    return etcd_json((struct span){text_get(&said.out), said.out.length}, err);
}

/* The addresses of all members, as far as they can be asked. */
static json_t *endpoints_of(const struct backup *backup)
{
    json_t *all = json_array();
    const json_t *member, *url;
    size_t i, k;

    tree_items (backup->members, i, member)
        tree_items (tree_get(member, "clientURLs"), k, url) {
            const char *text = json_string_value(url);

            if (text && etcd_endpoint_is(text, backup->connection.tls) &&
                !strstr(text, "://0.0.0.0:") && !strstr(text, "://[::]:"))
                tree_push_text(all, text);
        }
    return all;
}

static void replace(json_t **tree, json_t *by)
{
    json_decref(*tree);
    *tree = by;
}

/* Each is asked alone: with passwords on, etcdctl asks nobody once one does not answer. */
static bool take_statuses(struct backup *backup, const json_t *endpoints, struct error *err)
{
    const json_t *endpoint, *status;
    size_t i, k;

    replace(&backup->statuses, json_array());
    tree_items (endpoints, i, endpoint) {
        AUTO(json)
        json_t *read = ask(backup, json_string_value(endpoint), "endpoint", "status", err);

        if (!read && err->code == ERROR_GONE)
            return false;
        tree_items (read, k, status)
            tree_push_new(backup->statuses, tree_copy(status));
    }
    if (!json_array_size(backup->statuses))
        return false;
    backup->hopeless = false; /* what one of them refuses, another may do */
    return true;
}

/* Of the first that says them. They are asked of those that answer: behind the address of the
 * AppBinding may be one that does not. */
static bool take_alarms(struct backup *backup, struct error *err)
{
    const json_t *status;
    size_t i;

    replace(&backup->alarms, NULL);
    tree_items (backup->statuses, i, status) {
        const char *endpoint = tree_text(status, "Endpoint");

        if (endpoint && etcd_endpoint_is(endpoint, backup->connection.tls))
            backup->alarms = ask(backup, endpoint, "alarm", "list", err);
        if (backup->alarms || err->code == ERROR_GONE)
            break;
    }
    if (!backup->alarms && !err->message[0])
        error_set(err, ERROR_UNAVAILABLE, "no member says where it is");
    return backup->alarms != NULL;
}

static bool take_candidates(struct backup *backup, const json_t *endpoints, struct error *err)
{
    struct etcd_seen seen;
    AUTO(text) struct text why = {0};

    if (!take_statuses(backup, endpoints, err) || !take_alarms(backup, err))
        return false;
    seen = (struct etcd_seen){backup->members, backup->statuses, backup->alarms};
    backup->count = etcd_candidates(&seen, backup->candidates, &why);
    return backup->count > 0 ||
           error_set(err, ERROR_UNAVAILABLE, "no member is healthy: %s", text_get(&why));
}

/* A list of members needs a quorum, so it also shows that there is one. */
static bool look_around(struct backup *backup, struct error *err)
{
    const char *own = backup->connection.endpoint;
    AUTO(json) json_t *list = ask(backup, own, "member", "list", err);
    AUTO(json) json_t *alone = json_array();

    backup->count = 0;
    if (!list)
        return false;
    replace(&backup->members, etcd_members_read(list, err));
    if (!backup->members)
        return false;

    AUTO(json) json_t *all = endpoints_of(backup);

    /* what members call themselves need not lead there from here */
    tree_push_text(alone, own);
    return take_candidates(backup, all, err) ||
           (err->code != ERROR_GONE && take_candidates(backup, alone, err));
}

/* ---- the snapshot ---- */

static void remove_snapshot(const struct backup *backup)
{
    if (!backup->file)
        return;

    AUTO(free) char *part = text_format("%s.part", backup->file);

    unlink(part);
    unlink(backup->file);
}

static bool save(struct backup *backup, const struct etcd_candidate *from, struct error *err)
{
    AUTO(words) struct words argv = {0};
    AUTO(etcd_said) struct etcd_said said = {0};
    struct etcd_run run = backup->run;

    /* as long as it takes: the Job has a deadline of its own */
    run.until_ms = INT64_MAX;
    begin_words(backup, from->endpoint, &argv);
    if (!etcd_args_add(backup->options->args, &argv, err)) {
        backup->hopeless = true;
        return false;
    }
    words_add(&argv, "snapshot");
    words_add(&argv, "save");
    words_add(&argv, backup->file);
    return etcd_run(&run, backup->tools.ctl, &argv, &said, err) ||
           explain(backup, &said, "etcdctl snapshot save", err);
}

/* For programs that do not talk to an etcd: no password, no certificate, as long as it takes. */
static struct etcd_run offline(const struct backup *backup)
{
    return (struct etcd_run){
        .children = backup->run.children, .stop_fd = backup->run.stop_fd, .until_ms = INT64_MAX};
}

/* The tools that fit the server take and prove it. */
static bool take_from(struct backup *backup, const struct etcd_candidate *from,
                      struct etcd_proof *proof, struct error *err)
{
    int64_t seen = etcd_revision(backup->candidates, backup->count);
    /* an etcd that nobody has written to is at 1, and its snapshot at 0 (measured) */
    int64_t least = seen > 1 ? seen : 0;
    struct etcd_run run = offline(backup);
    struct etcd_tools tools = {0};

    if (!etcd_tools_find(&run, backup->options->tools, from->version, &tools, err))
        return false;
    etcd_tools_done(&backup->tools);
    backup->tools = tools;
    remove_snapshot(backup);
    log_info("snapshot begins", LOG_S("endpoint", from->endpoint), LOG_S("server", from->server),
             LOG_S("role", from->leader ? "leader" : "follower"),
             LOG_N("revision", from->revision));
    if (save(backup, from, err) &&
        etcd_snapshot_prove(&run, &backup->tools, backup->file, backup->folder, least, proof, err))
        return true;
    remove_snapshot(backup);
    return error_wrap(err, "%s", from->endpoint);
}

static bool try_all(struct backup *backup, struct etcd_candidate *from, struct etcd_proof *proof,
                    struct error *err)
{
    for (size_t i = 0; i < backup->count && !backup->hopeless; i++) {
        *from = backup->candidates[i];
        if (take_from(backup, from, proof, err))
            return true;
        if (err->code == ERROR_GONE)
            return false;
        log_warn("no snapshot of this member", LOG_S("reason", err->message));
    }
    return false;
}

/* False when it is told to end. */
static bool rest(const struct backup *backup)
{
    struct pollfd stop = {backup->run.stop_fd, POLLIN, 0};

    return poll(&stop, 1, AGAIN_MS) == 0;
}

static bool take_snapshot(struct backup *backup, struct etcd_candidate *from,
                          struct etcd_proof *proof, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + backup->options->wait_s * 1000;
    struct error now = {.message = ""};

    backup->run.until_ms = until_ms;
    for (bool first = true;; first = false) {
        backup->hopeless = false;
        if (look_around(backup, &now) && try_all(backup, from, proof, &now))
            return true;
        /* that the time was over in the midst of a try says less than the try before */
        if (first || now.code != ERROR_TIMEOUT)
            *err = now;
        if (backup->hopeless || now.code == ERROR_GONE || clock_mono_ms() >= until_ms)
            return false;
        log_info("etcd is asked again", LOG_S("reason", now.message));
        if (!rest(backup))
            return error_set(err, ERROR_GONE, "told to end");
    }
}

/* ---- what goes with it ---- */

/* True when a Kubernetes API keeps its objects there. Not known: false. */
static bool has_kubernetes(struct backup *backup, const struct etcd_candidate *from)
{
    AUTO(words) struct words argv = {0};
    AUTO(etcd_said) struct etcd_said said = {0};
    struct error err = {.message = ""};

    begin_words(backup, from->endpoint, &argv);
    words_add(&argv, "get");
    words_add(&argv, "/registry/");
    words_add(&argv, "--prefix");
    words_add(&argv, "--keys-only");
    words_add(&argv, "--limit=1");
    return etcd_run(&backup->run, backup->tools.ctl, &argv, &said, &err) &&
           strstr(text_get(&said.out), "/registry/") != NULL;
}

static void put_notes(struct backup *backup, const struct etcd_candidate *from, json_t *facts)
{
    json_t *notes = json_array();

    if (has_kubernetes(backup, from))
        tree_push_text(notes, "a Kubernetes API keeps its objects here: where it encrypts them, "
                              "the keys are not in the snapshot");
    if (etcd_has_alarm(backup->alarms, NOSPACE))
        tree_push_text(notes, "the alarm NOSPACE is on: etcd takes no writes");
    if (!backup->tools.skills.bump)
        tree_push_text(notes, "etcdutl of this version has no --bump-revision: a restore of it "
                              "does not hide old revisions from watchers");
    if (json_array_size(notes))
        tree_put_new(facts, "notes", notes);
    else
        json_decref(notes);
}

static json_t *facts_of(struct backup *backup, const struct etcd_candidate *from,
                        const struct etcd_proof *proof)
{
    const struct etcd_version *tools = &backup->tools.version;
    AUTO(free)
    char *version = text_format("%d.%d.%d", tools->major, tools->minor, tools->patch);
    AUTO(free) char *cluster = etcd_initial_cluster(backup->members);
    char taken[CLOCK_TEXT_BYTES];
    json_t *facts = etcd_proof_json(proof);

    clock_format(clock_now_ms(), taken);
    tree_put_text(facts, "takenAt", taken);
    tree_put_text(facts, "serverVersion", from->server);
    tree_put_text(facts, "toolVersion", version);
    tree_put_text(facts, "endpoint", from->endpoint);
    tree_put_text(facts, "member", from->member);
    tree_put_bool(facts, "leader", from->leader);
    tree_put_text(facts, "initialCluster", cluster);
    tree_put_new(facts, "members", tree_copy(backup->members));
    put_notes(backup, from, facts);
    return facts;
}

/* With what a status has no place for. */
static bool write_facts(const struct backup *backup, const json_t *facts, struct error *err)
{
    AUTO(json) json_t *whole = tree_copy(facts);
    const json_t *workload = etcd_workload(backup->workloads, backup->members);
    AUTO(free) char *path = text_format("%s/" ETCD_FACTS_FILE, backup->folder);
    AUTO(text) struct text text = {0};
    AUTO(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

    if (workload)
        tree_put_new(whole, "workload", tree_copy(workload));
    tree_write(&text, whole, true);
    text_putc(&text, '\n');
    return (fd >= 0 && write(fd, text.data, text.length) == (ssize_t)text.length) ||
           error_set(err, ERROR_INTERNAL, "%s: %s", path, strerror(errno));
}

/* ---- all of it ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Where Stash has it, unless there is a volume for it. What an earlier one left is gone. */
static bool make_place(struct backup *backup, struct error *err)
{
    const struct options *options = backup->options;

    backup->folder = begins(options->interim, TASK_INTERIM_MOUNT "/")
                         ? text_dup(options->interim, strlen(options->interim))
                         : text_format("%s/data", options->scratch);
    backup->file = text_format("%s/" ETCD_SNAPSHOT_FILE, backup->folder);
    scratch_remove(backup->folder);
    return mkdir(backup->folder, 0750) == 0 ||
           error_set(err, ERROR_INTERNAL, "%s: %s", backup->folder, strerror(errno));
}

/* What is to be uploaded, and what is known of it; NULL with err. */
static json_t *make(struct backup *backup, struct error *err)
{
    struct etcd_candidate from = {0};
    struct etcd_proof proof = {0};
    struct words args = {0};
    struct etcd_run bare = offline(backup);
    bool good = etcd_args_add(backup->options->args, &args, err);

    words_done(&args);
    if (!good || !make_place(backup, err) || !connect_to(backup, err) ||
        !etcd_tools_find(&bare, backup->options->tools, (struct etcd_version){0}, &backup->tools,
                         err) ||
        !take_snapshot(backup, &from, &proof, err))
        return NULL;

    AUTO(json) json_t *facts = facts_of(backup, &from, &proof);
    json_t *dump;

    if (!write_facts(backup, facts, err))
        return NULL;
    log_info("snapshot proven", LOG_N("revision", proof.revision), LOG_N("keys", proof.keys),
             LOG_N("bytes", proof.size));
    dump = json_object();
    tree_put_text(dump, "path", backup->folder);
    tree_put_new(dump, "etcd", TAKE(facts));
    return dump;
}

/* Why there is none, and what to do. Heap string. */
static char *reason_of(const struct error *err)
{
    const char *advice = etcd_advice(err->message);

    return advice ? text_format("%s. What to do: %s", err->message, advice)
                  : text_format("%s", err->message);
}

/* A failure is told by output.json, which the next step reports with its reason. */
static enum agent_exit run(const struct options *options, int signals)
{
    AUTO(backup)
    struct backup backup = {.options = options, .children = {.mutex = PTHREAD_MUTEX_INITIALIZER}};
    struct error err = {.message = ""};
    json_t *dump;
    bool told;

    backup.run =
        (struct etcd_run){.children = &backup.children, .stop_fd = signals, .until_ms = INT64_MAX};
    dump = make(&backup, &err);
    if (!dump) {
        log_error("no snapshot", LOG_S("reason", err.message));
        remove_snapshot(&backup);
    }

    struct error unsaid = {.message = ""};
    AUTO(free) char *reason = dump ? NULL : reason_of(&err);

    told = dump_tell_new(options->output, options->host, reason, dump, &unsaid);
    if (!told)
        log_error("the result can not be told", LOG_S("reason", unsaid.message));
    return told && err.code != ERROR_GONE ? AGENT_FINE : AGENT_ENDED;
}

/* ---- waiting for one that was restored ---- */

/* All members, and not only those that are asked. */
static bool are_well(const struct backup *backup, struct error *err)
{
    int64_t members = backup->options->members, revision = backup->options->revision;

    if ((int64_t)json_array_size(backup->members) != members || (int64_t)backup->count != members)
        return error_set(err, ERROR_UNAVAILABLE, "%zu of %zu members are healthy, %lld are meant",
                         backup->count, json_array_size(backup->members), (long long)members);
    for (size_t i = 0; i < backup->count; i++)
        if (backup->candidates[i].revision < revision)
            return error_set(err, ERROR_UNAVAILABLE, "%s has revision %lld, %lld is meant",
                             backup->candidates[i].endpoint,
                             (long long)backup->candidates[i].revision, (long long)revision);
    return true;
}

static bool wait_for(struct backup *backup, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + backup->options->wait_s * 1000;

    backup->run.until_ms = until_ms;
    if (!connect_to(backup, err) || !etcd_tools_find(&backup->run, backup->options->tools,
                                                     (struct etcd_version){0}, &backup->tools, err))
        return false;
    for (;;) {
        struct error now = {.message = ""};

        if (look_around(backup, &now) && are_well(backup, &now))
            return true;
        if (now.code != ERROR_TIMEOUT || !err->message[0])
            *err = now;
        if (now.code == ERROR_GONE || clock_mono_ms() >= until_ms)
            return false;
        if (!rest(backup))
            return error_set(err, ERROR_GONE, "told to end");
    }
}

static bool tell_wait(const struct backup *backup, const char *error)
{
    AUTO(json) json_t *said = json_object();
    AUTO(text) struct text text = {0};

    tree_put_int(said, "members", (int64_t)backup->count);
    tree_put_int(said, "revision", etcd_revision(backup->candidates, backup->count));
    tree_put_text(said, "error", error);
    tree_write(&text, said, true);
    if (!backup->options->result)
        return true;

    AUTO(close)
    int fd = open(backup->options->result, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    return fd >= 0 && write(fd, text.data, text.length) == (ssize_t)text.length;
}

static enum agent_exit run_wait(const struct options *options, int signals)
{
    AUTO(backup)
    struct backup backup = {.options = options, .children = {.mutex = PTHREAD_MUTEX_INITIALIZER}};
    struct error err = {.message = ""};

    backup.run =
        (struct etcd_run){.children = &backup.children, .stop_fd = signals, .until_ms = INT64_MAX};

    bool good = wait_for(&backup, &err);

    if (!good)
        log_error("etcd is not healthy", LOG_S("reason", err.message));
    if (!tell_wait(&backup, good ? NULL : err.message))
        log_error("the result can not be told");
    return good ? AGENT_FINE : AGENT_ENDED;
}

static void help_wait(void)
{
    puts("granary-agent etcd-wait: until all members of an etcd are healthy.\n"
         "\n"
         "usage: granary-agent etcd-wait --members=N [OPTION...]\n");
    flags_help(stdout, wait_rows, sizeof wait_rows / sizeof *wait_rows, 27);
    puts("\n" ENV_APP " of the environment is its AppBinding, as JSON.");
}

static void help(void)
{
    puts("granary-agent etcd-backup: takes a snapshot of an etcd and proves it.\n"
         "\n"
         "usage: granary-agent etcd-backup [OPTION...]\n");
    flags_help(stdout, rows, sizeof rows / sizeof *rows, 27);
    puts("\n" ENV_APP " of the environment is its AppBinding, as JSON.");
}

/* One of the two words, with the options that it has. */
struct word {
    const char *name;
    const struct flag *rows;
    size_t count;
    enum agent_exit (*run)(const struct options *options, int signals);
    void (*help)(void);
};

static enum agent_exit begin(const struct word *word, int argc, char **argv)
{
    struct options options = defaults;
    struct error err = {.message = ""};
    AUTO(close) int signals = -1;

    switch (flags_parse(argc, argv, word->rows, word->count, &options, &err)) {
    case FLAGS_HELP:
        word->help();
        return AGENT_FINE;
    case FLAGS_VERSION:
        agent_version(stdout);
        return AGENT_FINE;
    case FLAGS_RUN:
        break;
    default:
        fprintf(stderr, "granary-agent: %s\ntry: granary-agent %s --help\n", err.message,
                word->name);
        return AGENT_CANNOT;
    }
    /* it holds passwords and keys */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0);
    log_setup(LOG_TEXT, LOG_INFO);
    signals = signals_catch((const int[]){SIGTERM, SIGINT, 0});
    if (signals < 0) {
        log_error("no descriptors left");
        return AGENT_CANNOT;
    }
    return word->run(&options, signals);
}

enum agent_exit etcd_backup_main(int argc, char **argv)
{
    static const struct word word = {"etcd-backup", rows, sizeof rows / sizeof *rows, run, help};

    return begin(&word, argc, argv);
}

enum agent_exit etcd_wait_main(int argc, char **argv)
{
    static const struct word word = {"etcd-wait", wait_rows, sizeof wait_rows / sizeof *wait_rows,
                                     run_wait, help_wait};

    return begin(&word, argc, argv);
}
