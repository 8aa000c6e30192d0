#include "agent/options.h"

#include <string.h>

#include "api/duration.h"
#include "api/keys.h"
#include "base/build.h"
#include "base/flags.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* The name that argv's first word has, and what the mode is for. */
static const struct {
    const char *name, *help;
} modes[] = {
    [AGENT_SIDECAR] = {"sidecar", "beside an application: waits for work until it is told to end"},
    [AGENT_INIT] = {"init", "before an application: restores, ends when that may start"},
    [AGENT_STEP] = {"step", "in a Job: does its one piece of work"},
    [AGENT_TRIGGER] = {"trigger", "in a CronJob: asks for the session of its slot"},
    [AGENT_MAINTAIN] = {"maintain", "in a Job: runs restic on a repository, as it is told"},
    [AGENT_UPDATE] = {"update-status", "the last step of a Task: uploads what was dumped"},
};

static bool take_host(const char *text, void *member, struct error *detail)
{
    struct agent_options *options = member;

    if (!*text)
        return error_set(detail, ERROR_INVALID, "its value is empty");
    if (options->host_count == RESTORE_HOSTS_MAX)
        return error_set(detail, ERROR_INVALID, "more than %u", RESTORE_HOSTS_MAX);
    options->hosts[options->host_count++] = text;
    return true;
}

static bool take_run(const char *text, void *member, struct error *detail)
{
    struct agent_options *options = member;

    if (options->run_count == MAINTENANCE_RUNS_MAX)
        return error_set(detail, ERROR_INVALID, "more than %u", MAINTENANCE_RUNS_MAX);
    options->runs[options->run_count++] = text;
    return true;
}

static bool take_drill(const char *text, void *member, struct error *detail)
{
    struct agent_options *options = member;

    if (options->drill_count == DRILLS_MAX)
        return error_set(detail, ERROR_INVALID, "more than %u", DRILLS_MAX);
    options->drills[options->drill_count++] = text;
    return true;
}

/* Milliseconds. No schedule that is spread has a longer step than a day. */
#define JITTER_MAX_MS (24 * 3600000L)
#define DEADLINE_MS 600000
#define DEADLINE_MAX_MS (24 * 3600000L)

static bool take_jitter(const char *text, void *member, struct error *detail)
{
    struct agent_options *options = member;
    int64_t ns;

    if (!duration_parse(span_of(text), &ns, detail))
        return false;
    if (ns < 0 || ns / 1000000 > JITTER_MAX_MS)
        return error_set(detail, ERROR_INVALID, "expected 0 to 24h");
    options->jitter_ms = ns / 1000000;
    return true;
}

#define RESTIC "/usr/bin/restic"
#define RCLONE "/usr/bin/rclone"
#define MOUNTINFO "/proc/self/mountinfo"
#define RESULT "/dev/termination-log"

static const struct flag rows[] = {
#define AT(member) offsetof(struct agent_options, member)
    {"identity", FLAG_TEXT, AT(identity), "DIR",
     "token, ca.crt and addresses (default " MOUNT_IDENTITY ")"},
    {"scratch", FLAG_TEXT, AT(scratch), "DIR",
     "restic's cache and temporary files (default " MOUNT_SCRATCH ")"},
    {"restic", FLAG_TEXT, AT(restic), "FILE", "the program (default " RESTIC ")"},
    {"rclone", FLAG_TEXT, AT(rclone), "FILE", "the program (default " RCLONE ")"},
    {"mountinfo", FLAG_TEXT, AT(mountinfo), "FILE", "list of the volumes (default " MOUNTINFO ")"},
    {"target-kind", FLAG_TEXT, AT(target_kind), "KIND", "of the workload: StatefulSet"},
    {"session", FLAG_TEXT, AT(session), "NAME", "the RestoreSession to wait for"},
    {"session-namespace", FLAG_TEXT, AT(session_namespace), "NAME", "where it is"},
    {"session-uid", FLAG_TEXT, AT(session_uid), "UID", "which of that name it is"},
    {"alias", FLAG_TEXT, AT(alias), "NAME", "under which snapshots of it are filed"},
    {"host", FLAG_BY(take_host), 0, "HOST", "one that it covers; again for more"},
    {"restore-if-exists", FLAG_SWITCH, AT(restore_if_exists), NULL,
     "an empty volume is restored from the newest backup, if there is one"},
    {"jitter", FLAG_BY(take_jitter), 0, "DURATION", "begin at a random moment within it"},
    {"deadline", FLAG_TIME(1000, DEADLINE_MAX_MS), AT(deadline_ms), "DURATION",
     "give up after it (default 10m)"},
    {"kind", FLAG_TEXT, AT(kind), "WORD",
     "what is done: forget, prune, check, unlock, verify, wipe, etcd"},
    {"secret", FLAG_TEXT, AT(secret), "DIR", "the storage Secret, a file for each key"},
    {"backend", FLAG_TEXT, AT(backend), "JSON", "of the Repository"},
    {"cluster", FLAG_TEXT, AT(cluster), "UID", "of the cluster that must own the repository"},
    {"dead", FLAG_TEXT, AT(dead), "NAME",
     "pods whose names begin so have ended: their lock is removed"},
    {"run", FLAG_BY(take_run), 0, "JSON", "restic's arguments as a list; again for more"},
    {"drill", FLAG_BY(take_drill), 0, "JSON",
     "snapshots that are restored and compared, instead of --run; again for more"},
    {"fetch", FLAG_TEXT, AT(fetch), "JSON", "the dump of an etcd that is taken out of it"},
    {"restored", FLAG_TEXT, AT(restored), "DIR", "where they are restored to"},
    {"room", FLAG_BYTES(1, INT64_MAX), AT(room_bytes), "BYTES", "that fit in there"},
    {"output-dir", FLAG_TEXT, AT(output), "DIR", "where output.json is"},
    {"interim-dir", FLAG_TEXT, AT(interim), "DIR",
     "where the dump is, if output.json does not say"},
    {"result", FLAG_TEXT, AT(result), "FILE",
     "is told how it ended, or what an application starts on (default " RESULT ")"},
#undef AT
};

/* Where each of them may stand: options that nothing reads would be mistakes that nobody sees. */
#define IN(mode) (1u << (mode))
#define WORKS (IN(AGENT_SIDECAR) | IN(AGENT_INIT) | IN(AGENT_STEP) | UPDATE)
#define INIT IN(AGENT_INIT)
#define TRIGGER IN(AGENT_TRIGGER)
#define MAINTAIN IN(AGENT_MAINTAIN)
#define UPDATE IN(AGENT_UPDATE)
static const unsigned places[COUNT(rows)] = {WORKS | TRIGGER,
                                             WORKS | MAINTAIN,
                                             WORKS | MAINTAIN,
                                             MAINTAIN,
                                             INIT | IN(AGENT_STEP),
                                             INIT,
                                             INIT,
                                             INIT,
                                             INIT,
                                             INIT,
                                             INIT,
                                             INIT,
                                             TRIGGER,
                                             TRIGGER,
                                             MAINTAIN,
                                             MAINTAIN,
                                             MAINTAIN,
                                             MAINTAIN,
                                             MAINTAIN,
                                             MAINTAIN,
                                             MAINTAIN,
                                             MAINTAIN,
                                             MAINTAIN,
                                             MAINTAIN,
                                             UPDATE,
                                             UPDATE,
                                             INIT | MAINTAIN};

static bool take_mode(const char *word, struct agent_options *options, struct error *err)
{
    for (size_t i = 0; word && i < COUNT(modes); i++)
        if (strcmp(word, modes[i].name) == 0) {
            options->mode = (enum agent_mode)i;
            return true;
        }
    return error_set(err, ERROR_INVALID,
                     "the first word must be sidecar, init, step, trigger, maintain or "
                     "update-status");
}

static const struct agent_options defaults = {.identity = MOUNT_IDENTITY,
                                              .scratch = MOUNT_SCRATCH,
                                              .restic = RESTIC,
                                              .rclone = RCLONE,
                                              .mountinfo = MOUNTINFO,
                                              .deadline_ms = DEADLINE_MS,
                                              .output = MOUNT_SCRATCH "/output",
                                              .interim = MOUNT_SCRATCH "/stash-interim-volume/data",
                                              .result = RESULT};

static bool is_given(const struct agent_options *options, const struct flag *row)
{
    const void *now = (const char *)options + row->offset;
    const void *before = (const char *)&defaults + row->offset;

    switch (row->value.kind) {
    case FLAG_IS_TEXT:
        return *(const char *const *)now != *(const char *const *)before;
    case FLAG_IS_SWITCH:
        return *(const bool *)now;
    case FLAG_IS_TIME:
    case FLAG_IS_BYTES:
        return *(const int64_t *)now != *(const int64_t *)before;
    default:
        if (row->value.parse == take_run)
            return options->run_count > 0;
        if (row->value.parse == take_drill)
            return options->drill_count > 0;
        return row->value.parse == take_host ? options->host_count > 0 : options->jitter_ms > 0;
    }
}

/* The only mode of a set; -1: there are several. */
static int only_mode(unsigned set)
{
    for (size_t i = 0; i < COUNT(modes); i++)
        if (set == IN(i))
            return (int)i;
    return -1;
}

static bool check_mode(const struct agent_options *options, struct error *err)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        if ((places[i] & IN(options->mode)) || !is_given(options, &rows[i]))
            continue;
        if (only_mode(places[i]) >= 0)
            return error_set(err, ERROR_INVALID, "--%s is for %s only", rows[i].name,
                             modes[only_mode(places[i])].name);
        return error_set(err, ERROR_INVALID, "--%s is not for %s", rows[i].name,
                         modes[options->mode].name);
    }
    return true;
}

static bool check_maintain(const struct agent_options *options, struct error *err)
{
    bool wipes = options->kind && strcmp(options->kind, "wipe") == 0;
    bool fetches = options->kind && strcmp(options->kind, "etcd") == 0;

    if (!options->kind || !options->secret || !options->backend ||
        (!options->run_count && !options->drill_count && !wipes && !fetches))
        return error_set(err, ERROR_INVALID,
                         "maintain needs --kind, --secret, --backend and at least one --run");
    if (options->drill_count > 0 && (!options->restored || options->run_count > 0))
        return error_set(err, ERROR_INVALID, "--drill needs --restored, and no --run beside it");
    if (wipes && (!options->cluster || options->run_count || options->drill_count))
        return error_set(err, ERROR_INVALID, "--kind wipe needs --cluster, and no --run");
    if (fetches != (options->fetch != NULL) ||
        (fetches && (!options->restored || options->run_count || options->drill_count)))
        return error_set(err, ERROR_INVALID,
                         "--kind etcd and --fetch need each other and --restored, and no --run");
    return true;
}

static bool check(const struct agent_options *options, struct error *err)
{
    bool any = options->session || options->session_namespace || options->session_uid;
    bool all = options->session && options->session_namespace && options->session_uid;

    if (options->mode == AGENT_MAINTAIN && !check_maintain(options, err))
        return false;
    if (any && !all)
        return error_set(err, ERROR_INVALID,
                         "--session, --session-namespace and --session-uid belong together");
    if ((options->host_count > 0 || options->alias) && !all)
        return error_set(err, ERROR_INVALID, "--%s needs --session",
                         options->alias ? "alias" : "host");
    if (options->host_count > 0 && !options->target_kind)
        return error_set(err, ERROR_INVALID, "--host needs --target-kind");
    return true;
}

/* argv from its second word on. */
static enum agent_verdict take_options(int argc, char **argv, struct agent_options *options,
                                       struct error *err)
{
    switch (flags_parse(argc, argv, rows, COUNT(rows), options, err)) {
    case FLAGS_HELP:
        return AGENT_HELP;
    case FLAGS_VERSION:
        return AGENT_VERSION;
    case FLAGS_RUN:
        return check_mode(options, err) && check(options, err) ? AGENT_RUN : AGENT_BAD;
    default:
        return AGENT_BAD;
    }
}

enum agent_verdict agent_options_parse(int argc, char **argv, struct agent_options *options,
                                       struct error *err)
{
    struct agent_options read = defaults;
    const char *first = argc > 1 ? argv[1] : NULL;

    if (first && (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0))
        return AGENT_HELP;
    if (first && strcmp(first, "--version") == 0)
        return AGENT_VERSION;
    if (!take_mode(first, &read, err))
        return AGENT_BAD;

    enum agent_verdict verdict = take_options(argc - 1, argv + 1, &read, err);

    if (verdict == AGENT_RUN)
        *options = read;
    return verdict;
}

void agent_help(FILE *out)
{
    fputs("granary-agent: takes and restores backups from inside a pod.\n"
          "\n"
          "usage: granary-agent sidecar|init|step|trigger|maintain|update-status [OPTION...]\n"
          "\n",
          out);
    for (size_t i = 0; i < COUNT(modes); i++)
        fprintf(out, "  %-24s %s\n", modes[i].name, modes[i].help);
    fputs("\n"
          "usage: granary-agent database-backup --help\n"
          "  the step of a Task that dumps or restores a database\n"
          "usage: granary-agent etcd-backup --help\n"
          "  the step of a Task that takes a snapshot of an etcd\n"
          "usage: granary-agent etcd-wait --help\n"
          "  until all members of an etcd that was restored are healthy\n"
          "usage: granary-agent etcd-restore --help\n"
          "  a member of etcd is restored by hand, without Kubernetes\n"
          "\n",
          out);
    flags_help(out, rows, COUNT(rows), 27);
    fputs("  --help, -h               this text\n"
          "  --version                version and commit\n"
          "\n"
          "It starts without the controller, and waits until its identity is there: a kubelet may\n"
          "take two minutes to show it. What it is asked to do comes from the agent API.\n"
          "\n"
          "exit: 0 told to end (sidecar), the application may start (init), the work succeeded\n"
          "        and that is recorded (step), the session of this slot is there (trigger), all\n"
          "        runs went well (maintain)\n"
          "      1 told to end before that (init), failed or not wanted any more (step), refused\n"
          "        or too late (trigger), a run failed (maintain)\n"
          "      2 could not run\n",
          out);
}

void agent_version(FILE *out)
{
    fprintf(out, "granary-agent %s (%s)\n", GRANARY_VERSION, build_commit);
}
