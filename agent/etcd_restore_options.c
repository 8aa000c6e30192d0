#include "agent/etcd_restore_options.h"

#include <string.h>

#include "agent/etcd_member.h"
#include "agent/etcd_tool.h"
#include "base/auto.h"
#include "base/flags.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* What Kubernetes' documentation advises, so that no watch sees a revision twice. */
#define BUMP 1000000000

/* The largest that leaves an int64_t room to count on. */
#define BUMP_MAX (INT64_MAX / 4)
#define SESSION_MAX_BYTES 64
#define KEEP_MAX_MS (3650 * 24 * 3600000L)
#define STOPPED_MAX_MS 3600000L

static const struct flag rows[] = {
#define AT(member) offsetof(struct etcd_restore_options, member)
    {"file", FLAG_TEXT, AT(file), "FILE", "the snapshot, as etcdctl snapshot save writes it; or"},
    {"repository", FLAG_TEXT, AT(repository), "URL",
     "of restic; password and keys are taken from the environment, as restic does"},
    {"snapshot", FLAG_TEXT, AT(snapshot), "ID", "in the repository (default latest)"},
    {"fetched", FLAG_TEXT, AT(fetched), "DIR", "or a folder with a snapshot.db in it"},
    {"data-dir", FLAG_TEXT, AT(data_dir), "DIR", "of the member, as etcd has it"},
    {"name", FLAG_TEXT, AT(name), "NAME", "of the member, as etcd has it"},
    {"initial-cluster", FLAG_TEXT, AT(initial_cluster), "LIST",
     "all members with their peer URLs: a=https://10.0.0.1:2380,b=..."},
    {"initial-cluster-token", FLAG_TEXT, AT(token), "TEXT",
     "the same for all members (default etcd-cluster)"},
    {"etcd-version", FLAG_TEXT, AT(etcd_version), "X.Y",
     "of the etcd that is to run on it (default that of the tools)"},
    {"bump-revision", FLAG_NUMBER(0, BUMP_MAX), AT(bump), "N",
     "revisions that are skipped, and older ones marked as compacted, so that no watch goes on "
     "as if nothing had happened (default 1000000000; 0: none)"},
    {"keep", FLAG_TIME(1000, KEEP_MAX_MS), AT(keep_ms), "DURATION",
     "what earlier restores replaced is removed when it is older (default: never)"},
    {"wait-stopped", FLAG_TIME(0, STOPPED_MAX_MS), AT(stopped_ms), "DURATION",
     "how long an etcd that still runs there may take to end (default 0s: it is refused)"},
    {"dry-run", FLAG_SWITCH, AT(dry_run), NULL, "proves the snapshot, says what would be done"},
    {"rollback", FLAG_SWITCH, AT(rollback), NULL,
     "brings back what was there before the newest restore, finished or not"},
    {"prove", FLAG_SWITCH, AT(prove), NULL, "proves the snapshot, and nothing else"},
    {"session", FLAG_TEXT, AT(session), "UID",
     "for whom; with --rollback only what this one replaced is brought back"},
    {"result", FLAG_TEXT, AT(result), "FILE", "is told how it ended, as JSON"},
    {"tools", FLAG_TEXT, AT(tools), "DIR",
     "where etcdctl and etcdutl are, or their folders by version (default /usr/local/bin)"},
    {"scratch", FLAG_TEXT, AT(scratch), "DIR",
     "room for the snapshot twice, for proof and download (default /var/tmp)"},
    {"restic", FLAG_TEXT, AT(restic), "FILE", "the program (default /usr/bin/restic)"},
#undef AT
};

static bool check_source(const struct etcd_restore_options *options, struct error *err)
{
    if (!!options->file + !!options->repository + !!options->fetched != 1)
        return error_set(err, ERROR_INVALID, "either --file or --repository is needed");
    if (options->snapshot && !options->repository)
        return error_set(err, ERROR_INVALID, "--snapshot is for --repository only");
    if (options->snapshot && options->snapshot[0] == '-')
        return error_set(err, ERROR_INVALID, "--snapshot %s: this is no snapshot",
                         options->snapshot);
    return true;
}

static bool check(const struct etcd_restore_options *options, struct error *err)
{
    AUTO(text) struct text urls = {0};
    struct etcd_version version;

    if (options->session && strlen(options->session) > SESSION_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "--session: longer than %d", SESSION_MAX_BYTES);
    if (options->prove)
        return check_source(options, err);
    if (!options->data_dir)
        return error_set(err, ERROR_INVALID, "--data-dir is needed");
    if (options->rollback)
        return (!options->file && !options->repository && !options->fetched) ||
               error_set(err, ERROR_INVALID, "--rollback needs no snapshot");
    if (!check_source(options, err))
        return false;
    if (!options->name || !options->initial_cluster)
        return error_set(err, ERROR_INVALID, "--name and --initial-cluster are needed");
    if (options->etcd_version && !etcd_version_parse(span_of(options->etcd_version), &version))
        return error_set(err, ERROR_INVALID, "--etcd-version %s: expected 3.5 or 3.5.21",
                         options->etcd_version);
    return etcd_peer_urls(options->initial_cluster, options->name, &urls, err) ||
           error_wrap(err, "--initial-cluster");
}

enum agent_verdict etcd_restore_options_parse(int argc, char **argv,
                                              struct etcd_restore_options *options,
                                              struct error *err)
{
    struct etcd_restore_options read = {.token = "etcd-cluster",
                                        .tools = "/usr/local/bin",
                                        .scratch = "/var/tmp",
                                        .restic = "/usr/bin/restic",
                                        .bump = BUMP};

    switch (flags_parse(argc, argv, rows, COUNT(rows), &read, err)) {
    case FLAGS_HELP:
        return AGENT_HELP;
    case FLAGS_VERSION:
        return AGENT_VERSION;
    case FLAGS_RUN:
        break;
    default:
        return AGENT_BAD;
    }
    if (!check(&read, err))
        return AGENT_BAD;
    *options = read;
    return AGENT_RUN;
}

void etcd_restore_help(FILE *out)
{
    fputs("granary-agent etcd-restore: makes the data dir of one member of etcd from a snapshot,\n"
          "without any Kubernetes; once on the machine of each member, with the same snapshot.\n"
          "\n"
          "usage: granary-agent etcd-restore --file FILE --data-dir DIR --name NAME\n"
          "           --initial-cluster LIST [OPTION...]\n"
          "       granary-agent etcd-restore --rollback --data-dir DIR\n"
          "\n",
          out);
    flags_help(out, rows, COUNT(rows), 27);
    fputs(
        "  --help, -h               this text\n"
        "\n"
        "etcd must be stopped. What was in the data dir stays in it, in a folder whose name\n"
        "begins with .granary-etcd-. Ended at any moment it goes on when it is called again.\n"
        "\n"
        "exit: 0 done, 1 refused or failed, and it says why and how the data dir is, 2 could not\n"
        "run: arguments\n",
        out);
}
