#include "agent/etcd_restore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/etcd_backup.h"
#include "agent/etcd_download.h"
#include "agent/etcd_fetch.h"
#include "agent/etcd_in_use.h"
#include "agent/etcd_member.h"
#include "agent/etcd_place.h"
#include "agent/etcd_restore_options.h"
#include "agent/etcd_snapshot.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"

/* Bytes: what a kubelet keeps of a result has to hold it. */
#define CLUSTER_MAX_BYTES 2048u
#define STOPPED_LOOK_MS 200

/* One restore on its way. */
struct restore {
    const struct etcd_restore_options *options;
    struct children children;
    struct etcd_run run;
    struct etcd_tools tools;
    struct etcd_version server; /* that the member is for; of the tools when nobody says it */
    struct etcd_place place;
    struct etcd_wish wish;
    struct etcd_proof proof;
    struct text peer_urls;
    char *scratch; /* ours, in that of the options; NULL: none yet */
    int scratch_fd;
    bool cleans; /* it is ours, and goes at the end */
    char *file;  /* the snapshot */
    char id[65];
    json_t *said; /* for --result; owned */
};

static void restore_done(struct restore *restore)
{
    struct error err = {.message = ""};

    if (restore->cleans && !dir_remove(AT_FDCWD, restore->scratch, &err))
        log_warn("the scratch folder stays", LOG_S("reason", err.message));
    if (restore->scratch_fd >= 0)
        close(restore->scratch_fd);
    free(restore->scratch);
    free(restore->file);
    json_decref(restore->said);
    etcd_tools_done(&restore->tools);
    etcd_place_close(&restore->place);
    text_done(&restore->peer_urls);
}

static void auto_restore(struct restore *restore)
{
    restore_done(restore);
}

/* ---- the snapshot ---- */

/* What one of us left that was killed. */
static bool clear(int folder, struct error *err)
{
    AUTO(words) struct words names = {0};

    if (!dir_names(folder, &names, err))
        return false;
    for (size_t i = 0; i < names.count; i++)
        if (!dir_remove(folder, names.list[i], err))
            return false;
    return true;
}

static bool is_private(int folder)
{
    struct stat what;

    return fstat(folder, &what) == 0 && what.st_uid == geteuid() && (what.st_mode & 077) == 0;
}

/* The same folder each time for one data dir, so that nothing piles up; others may write where it
 * lies. */
static bool make_scratch(struct restore *restore, struct error *err)
{
    char hash[65];

    text_sha256(span_of(restore->options->prove ? "" : restore->options->data_dir), hash);
    restore->scratch = text_format("%s/granary-etcd-%.16s", restore->options->scratch, hash);
    if (mkdir(restore->scratch, 0700) == 0 || errno == EEXIST)
        restore->scratch_fd = dir_open(AT_FDCWD, restore->scratch);
    if (restore->scratch_fd < 0)
        return error_set(err, ERROR_INTERNAL, "%s: %s", restore->scratch, strerror(errno));
    if (!is_private(restore->scratch_fd))
        return error_set(err, ERROR_CONFLICT, "%s is somebody else's", restore->scratch);
    if (flock(restore->scratch_fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, ERROR_CONFLICT, "%s: another restore is at work here",
                         restore->scratch);
    restore->cleans = true;
    return clear(restore->scratch_fd, err);
}

static bool fetch(struct restore *restore, struct error *err)
{
    const struct etcd_restore_options *options = restore->options;
    struct etcd_download from = {.restic = options->restic,
                                 .repository = options->repository,
                                 .snapshot = options->snapshot ? options->snapshot : "latest",
                                 .folder = restore->scratch};

    if (options->repository)
        restore->file = etcd_download(&restore->run, &from, err);
    else if (options->fetched)
        restore->file = etcd_find_snapshot(options->fetched, err);
    else
        restore->file = text_dup(options->file, strlen(options->file));
    return restore->file != NULL;
}

/* In the folder of a file; NULL: there is none, or it is no object. */
static json_t *read_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    AUTO(free) char *beside = text_format("%.*s/%s", slash ? (int)(slash - path) : 0, path, name);
    json_t *read = json_load_file(beside, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(read))
        return read;
    json_decref(read);
    return NULL;
}

/* What went with the snapshot, where it was fetched for us. */
static json_t *facts_of(const struct restore *restore)
{
    return restore->options->fetched ? read_beside(restore->file, ETCD_FACTS_FILE) : NULL;
}

static bool find_tools(struct restore *restore, struct error *err)
{
    AUTO(json) json_t *facts = facts_of(restore);
    const char *asked = restore->options->etcd_version;
    const char *wanted = asked ? asked : tree_text(facts, "serverVersion");

    if (wanted && !etcd_version_parse(span_of(wanted), &restore->server))
        return error_set(err, ERROR_INVALID, "version %.64s of etcd: not understood", wanted);
    if (!etcd_tools_find(&restore->run, restore->options->tools, restore->server, &restore->tools,
                         err))
        return false;
    if (!wanted)
        restore->server = restore->tools.version;
    return true;
}

/* A server refuses what a newer one has stored, or worse, does not. */
static bool check_version(const struct restore *restore, struct error *err)
{
    struct etcd_version stored, server = restore->server;

    if (!etcd_version_parse(span_of(restore->proof.version), &stored) ||
        stored.major < server.major ||
        (stored.major == server.major && stored.minor <= server.minor))
        return true;
    return error_set(err, ERROR_INVALID,
                     "the snapshot is of etcd %d.%d, which etcd %d.%d does not run on",
                     stored.major, stored.minor, server.major, server.minor);
}

static bool prove(struct restore *restore, struct error *err)
{
    return make_scratch(restore, err) && fetch(restore, err) && find_tools(restore, err) &&
           etcd_snapshot_prove(&restore->run, &restore->tools, restore->file, restore->scratch, 0,
                               &restore->proof, err) &&
           check_version(restore, err);
}

/* ---- the data dir ---- */

static int64_t bump_of(const struct restore *restore)
{
    return restore->tools.skills.bump ? restore->options->bump : 0;
}

/* Of all on which depends what is made. */
static void identify(struct restore *restore)
{
    const struct etcd_restore_options *options = restore->options;
    AUTO(free)
    char *all = text_format("%s\n%s\n%s\n%s\n%lld", restore->proof.sha256, options->name,
                            options->initial_cluster, options->token, (long long)bump_of(restore));

    text_sha256(span_of(all), restore->id);
}

static bool restore_into(struct restore *restore, const char *into, struct error *err)
{
    const struct etcd_restore_options *options = restore->options;
    const char *program = etcd_tools_file_program(&restore->tools);
    AUTO(words) struct words argv = {0};
    AUTO(etcd_said) struct etcd_said said = {0};

    words_add(&argv, program);
    words_add(&argv, "snapshot");
    words_add(&argv, "restore");
    words_add(&argv, restore->file);
    words_addf(&argv, "--data-dir=%s", into);
    words_addf(&argv, "--name=%s", options->name);
    words_addf(&argv, "--initial-cluster=%s", options->initial_cluster);
    words_addf(&argv, "--initial-cluster-token=%s", options->token);
    words_addf(&argv, "--initial-advertise-peer-urls=%s", text_get(&restore->peer_urls));
    if (bump_of(restore) > 0) {
        words_addf(&argv, "--bump-revision=%lld", (long long)bump_of(restore));
        words_add(&argv, "--mark-compacted");
    }
    return etcd_run(&restore->run, program, &argv, &said, err);
}

/* What was made has all that the snapshot has. */
static bool make(void *context, const char *into, struct error *err)
{
    struct restore *restore = context;
    AUTO(free) char *database = text_format("%s/member/snap/db", into);
    int64_t wanted = restore->proof.revision + bump_of(restore);
    struct etcd_proof made = {0};

    if (!restore_into(restore, into, err) ||
        !etcd_status_read(&restore->run, &restore->tools, database, &made, err))
        return false;
    return made.revision == wanted ||
           error_set(err, ERROR_INTERNAL,
                     "what was made of the snapshot has revision %lld instead of %lld",
                     (long long)made.revision, (long long)wanted);
}

/* ---- what is said ---- */

static void say_lost(struct restore *restore)
{
    AUTO(free) char *database = text_format("%s/member/snap/db", restore->options->data_dir);
    struct etcd_proof old = {0};
    struct error err = {.message = ""};

    if (access(database, F_OK) != 0)
        printf("now there:  no database\n");
    else if (!restore->tools.skills.status_reads)
        printf("now there:  a database, which these tools can not look at without writing to it\n");
    else if (!etcd_status_read(&restore->run, &restore->tools, database, &old, &err))
        printf("now there:  a database that can not be read: %s\n", err.message);
    else if (old.revision > restore->proof.revision)
        printf("now there:  revision %lld at least: %lld revisions after the snapshot are lost\n",
               (long long)old.revision, (long long)(old.revision - restore->proof.revision));
    else
        printf("now there:  revision %lld\n", (long long)old.revision);
}

static void say_bump(const struct restore *restore)
{
    const struct etcd_version *version = &restore->tools.version;
    int64_t bump = bump_of(restore), next = restore->proof.revision + bump;

    printf("tools:      etcd %d.%d.%d", version->major, version->minor, version->patch);
    if (bump > 0)
        printf("; revisions go on at %lld, all before are marked as compacted\n", (long long)next);
    else if (restore->options->bump > 0)
        printf("; they can not bump the revision (3.5.10 can): restart all clients that watch\n");
    else
        printf("; the revision is not bumped, as asked: restart all clients that watch\n");
}

static void say_source(const struct restore *restore)
{
    const struct etcd_restore_options *options = restore->options;

    if (options->repository)
        printf("snapshot:   %s of the repository, ",
               options->snapshot ? options->snapshot : "latest");
    else
        printf("snapshot:   %s, ", restore->file);
    printf("revision %lld, %lld keys, %lld bytes%s%s\n            sha256 %s\n",
           (long long)restore->proof.revision, (long long)restore->proof.keys,
           (long long)restore->proof.size, restore->proof.version[0] ? ", storage of etcd " : "",
           restore->proof.version, restore->proof.sha256);
}

static void say_under_way(const struct etcd_place_seen *seen)
{
    if (seen->phase != ETCD_NONE)
        printf("under way:  a restore that was not finished, at \"%s\"; it goes on from there\n",
               etcd_phase_name(seen->phase));
}

static void say_plan(struct restore *restore, const struct etcd_place_seen *seen)
{
    const struct etcd_restore_options *options = restore->options;

    say_source(restore);
    if (seen->phase == ETCD_NONE && seen->idle) {
        printf("this restore is done, and nothing has run on it since\n");
        return;
    }
    printf("member:     %s of %s, token %s\n", options->name, options->initial_cluster,
           options->token);
    say_bump(restore);
    printf("data dir:   %s%s; entries that are moved to " ETCD_WORK "-<time>/aside in it: %zu\n",
           options->data_dir, restore->place.folder < 0 ? ", which is made" : "", seen->here);
    say_lost(restore);
    say_under_way(seen);
    fflush(stdout);
}

/* ---- what is told ---- */

/* What is known of where it comes from: which snapshot of the repository, members of then. */
static void tell_source(struct restore *restore)
{
    AUTO(free) char *folder = text_format("%s/.", restore->options->fetched);
    AUTO(json) json_t *chosen = read_beside(folder, ETCD_CHOSEN_FILE);
    AUTO(json) json_t *facts = facts_of(restore);
    const char *cluster = tree_text(facts, "initialCluster");

    if (chosen)
        json_object_update(restore->said, chosen);
    if (cluster && strlen(cluster) <= CLUSTER_MAX_BYTES)
        tree_put_text(restore->said, "initialCluster", cluster);
    tree_put_text(restore->said, "serverVersion", tree_text(facts, "serverVersion"));
}

static void tell_proof(struct restore *restore)
{
    const struct etcd_version *tools = &restore->tools.version;
    AUTO(free) char *version = text_format("%d.%d.%d", tools->major, tools->minor, tools->patch);

    json_decref(restore->said);
    restore->said = etcd_proof_json(&restore->proof);
    tree_put_text(restore->said, "toolVersion", version);
    tree_put_int(restore->said, "bump", bump_of(restore));
    if (restore->options->fetched)
        tell_source(restore);
}

static void write_result(const struct restore *restore, const struct error *err)
{
    AUTO(json) json_t *said = restore->said ? tree_copy(restore->said) : json_object();
    AUTO(text) struct text text = {0};

    if (!restore->options->result)
        return;
    if (err)
        tree_put_text(said, "error", err->message);
    tree_write(&text, said, true);

    AUTO(close)
    int fd = open(restore->options->result, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, text.data, text.length) != (ssize_t)text.length)
        log_warn("the result can not be told", LOG_S("file", restore->options->result));
}

/* ---- all of it ---- */

static bool refuse_or(const struct etcd_place_seen *seen, struct error *err)
{
    struct etcd_place_step step = etcd_place_next(seen);

    return step.what != ETCD_DO_REFUSE || error_set(err, ERROR_CONFLICT, "%s", step.why);
}

/* A pod that was deleted without grace is gone before its processes are. */
static bool await_stopped(const struct restore *restore, struct error *err)
{
    int64_t until_ms = clock_mono_ms() + restore->options->stopped_ms;
    bool told = false;

    while (!etcd_is_unused(restore->place.folder, err)) {
        if (err->code != ERROR_CONFLICT || clock_mono_ms() >= until_ms)
            return false;
        if (!told)
            log_info("waiting for an etcd that still runs", LOG_S("reason", err->message));
        told = true;
        (void)poll(NULL, 0, STOPPED_LOOK_MS);
    }
    return true;
}

static bool open_place(struct restore *restore, struct error *err)
{
    return etcd_place_open(&restore->place, restore->options->data_dir, err) &&
           (restore->place.folder < 0 || await_stopped(restore, err));
}

static bool undo(struct restore *restore, struct error *err)
{
    struct etcd_place_seen seen;
    char kept[64];

    restore->wish = (struct etcd_wish){
        .undo = true, .id = "", .session = restore->options->session, .now_ms = clock_now_ms()};
    if (!open_place(restore, err) || !etcd_place_see(&restore->place, &restore->wish, &seen, err) ||
        !refuse_or(&seen, err))
        return false;
    if (restore->options->dry_run) {
        printf("what was in %s before the newest restore would be brought back\n",
               restore->options->data_dir);
        return true;
    }
    if (!etcd_place_run(&restore->place, &restore->wish, kept, err))
        return false;
    printf(kept[0]
               ? "done: what was there before is back; what had been restored is in %s/%s/made\n"
               : "the newest restore in %s was undone already%s\n",
           restore->options->data_dir, kept);
    return true;
}

static void wish_for(struct restore *restore)
{
    restore->wish = (struct etcd_wish){.id = restore->id,
                                       .now_ms = clock_now_ms(),
                                       .keep_ms = restore->options->keep_ms,
                                       .make = make,
                                       .context = restore};
    restore->wish.journal.revision = restore->proof.revision;
    snprintf(restore->wish.journal.snapshot, sizeof restore->wish.journal.snapshot, "%s",
             restore->proof.sha256);
    snprintf(restore->wish.journal.session, sizeof restore->wish.journal.session, "%s",
             restore->options->session ? restore->options->session : "");
    snprintf(restore->wish.journal.member, sizeof restore->wish.journal.member, "%s",
             restore->options->name);
}

static bool redo(struct restore *restore, struct error *err)
{
    const struct etcd_restore_options *options = restore->options;
    struct etcd_place_seen seen;
    char kept[64];

    if (!etcd_peer_urls(options->initial_cluster, options->name, &restore->peer_urls, err) ||
        !open_place(restore, err) || !prove(restore, err))
        return false;
    tell_proof(restore);
    identify(restore);
    wish_for(restore);
    if (!etcd_place_see(&restore->place, &restore->wish, &seen, err) || !refuse_or(&seen, err))
        return false;
    say_plan(restore, &seen);
    if (options->dry_run)
        return true;
    if (!etcd_place_run(&restore->place, &restore->wish, kept, err))
        return false;
    if (kept[0])
        printf(
            "done: what was there before is in %s/%s; start etcd when all members are restored\n",
            options->data_dir, kept);
    return true;
}

/* Nothing but the snapshot is looked at. */
static bool only_prove(struct restore *restore, struct error *err)
{
    if (!prove(restore, err))
        return false;
    tell_proof(restore);
    say_source(restore);
    return true;
}

static bool do_what(struct restore *restore, struct error *err)
{
    if (restore->options->prove)
        return only_prove(restore, err);
    return restore->options->rollback ? undo(restore, err) : redo(restore, err);
}

static bool run(const struct etcd_restore_options *options, struct error *err)
{
    AUTO(restore)
    struct restore restore = {.options = options,
                              .children = {.mutex = PTHREAD_MUTEX_INITIALIZER},
                              .place = {options->data_dir, -1},
                              .scratch_fd = -1};

    restore.run =
        (struct etcd_run){.children = &restore.children, .stop_fd = -1, .until_ms = INT64_MAX};

    bool good = do_what(&restore, err);

    write_result(&restore, good ? NULL : err);
    return good;
}

enum agent_exit etcd_restore_main(int argc, char **argv)
{
    struct etcd_restore_options options;
    struct error err = {.message = ""};

    switch (etcd_restore_options_parse(argc, argv, &options, &err)) {
    case AGENT_HELP:
        etcd_restore_help(stdout);
        return AGENT_FINE;
    case AGENT_VERSION:
        agent_version(stdout);
        return AGENT_FINE;
    case AGENT_BAD:
        fprintf(stderr, "granary-agent: %s\ntry: granary-agent etcd-restore --help\n", err.message);
        return AGENT_CANNOT;
    case AGENT_RUN:
        break;
    }
    if (run(&options, &err))
        return AGENT_FINE;
    fprintf(stderr, "granary-agent: %s\n", err.message);
    return AGENT_ENDED;
}
