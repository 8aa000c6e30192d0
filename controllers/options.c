#include "controllers/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/flags.h"
#include "base/limits.h"
#include "controllers/agent_endpoint.h"
#include "controllers/bare_claim.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool take_source(const char *text, void *member, struct error *detail)
{
    static const char *const names[] = {
        [CERTIFICATES_SELF] = "self",
        [CERTIFICATES_CERT_MANAGER] = "cert-manager",
        [CERTIFICATES_FILES] = "files",
    };

    (void)detail;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *(enum certificates_source *)member = (enum certificates_source)i;
            return true;
        }
    return false;
}

/* It ends up in paths and in the names of certificates. Spec: RFC 1123 label. */
static bool take_space(const char *text, void *member, struct error *detail)
{
    static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t length = strlen(text);

    (void)detail;
    *(const char **)member = text;
    return length > 0 && length <= NAME_MAX_CHARS && strspn(text, inner) == length &&
           text[0] != '-' && text[length - 1] != '-';
}

static bool take_address(const char *text, void *member, struct error *detail)
{
    return address_parse(text, member, detail);
}

static bool take_ip(const char *text, void *member, struct error *detail)
{
    (void)detail;
    *(const char **)member = text;
    return agent_endpoint_possible(text);
}

static bool take_level(const char *text, void *member, struct error *detail)
{
    (void)detail;
    return log_level_parse(text, member);
}

static const struct flag rows[] = {
#define AT(member) offsetof(struct controller_options, member)
    {"kubeconfig", FLAG_TEXT, AT(kubeconfig), "FILE",
     "how to reach the cluster (default: as the pod that this is)"},
    {"context", FLAG_TEXT, AT(context), "NAME", "of that file (default: its current one)"},
    {"namespace", FLAG_BY(take_space), AT(space), "NAME",
     "of granary itself (default: of the pod, or of the context)"},
    {"certificates", FLAG_BY(take_source), AT(certificates), "self|cert-manager|files",
     "who makes them (default self)"},
    {"ca-bundle", FLAG_TEXT, AT(bundle), "FILE",
     "with files: the CAs that clients have to trust, PEM; read again as it changes"},
    {"catalog", FLAG_TEXT, AT(catalog), "DIR",
     "with --dry-run: a folder of YAML, in the place of a cluster"},
    {"dry-run", FLAG_SWITCH, AT(dry_run), NULL,
     "write what would be written to standard output, and end"},
    {"functions", FLAG_TEXT, AT(functions), "DIR",
     "Functions and Tasks to apply, YAML (default: none; of the image: "
     "/usr/share/granary/catalog)"},
    {"settings", FLAG_TEXT, AT(settings), "FILE",
     "of the installation, YAML; read again as it changes (default: built in)"},
    {"admin-listen", FLAG_BY(take_address), AT(admin_listen), "ADDR:PORT",
     "where /livez, /readyz and /metrics are, plain HTTP (default :8080)"},
    {"agent-listen", FLAG_BY(take_address), AT(agent_listen), "ADDR:PORT",
     "where agents are served while this is the leader, HTTPS (default: nowhere)"},
    {"advertise-address", FLAG_BY(take_ip), AT(advertise), "IP",
     "of this pod, for Service granary-agents (default: variable POD_IP)"},
    {"agent-tls-cert", FLAG_TEXT, AT(agent_cert), "FILE",
     "with cert-manager or files: certificate for agents, PEM; read again as it changes"},
    {"agent-tls-key", FLAG_TEXT, AT(agent_key), "FILE", "its key, PEM"},
    {"takeover", FLAG_SWITCH, AT(takeover), NULL,
     "mutate workloads although Stash is installed too"},
    {"lease-duration", FLAG_TIME(2000, 600000), AT(lease_ms), "TIME",
     "how long a leader who is silent stays the leader (default 15s)"},
    {"look-every", FLAG_TIME(100, 600000), AT(look_ms), "TIME",
     "pause between two looks at the cluster (default 30s)"},
    {"settle", FLAG_TIME(1000, 3600000), AT(settle_ms), "TIME",
     "how long a new CA is everywhere before it signs (default 5m)"},
    {"bare-after", FLAG_TIME(1000, 86400000), AT(bare_ms), "TIME",
     "how long no pod has a claim until a namespace's label is for it, too (default 10m)"},
    {"log-format", FLAG_LOG_FORMAT, AT(log_format), "text|json", "form of the log (default text)"},
    {"log-level", FLAG_BY(take_level), AT(log_level), "LEVEL",
     "debug, info, warn or error (default info)"},
#undef AT
};

static void defaults(struct controller_options *options)
{
    struct error err;

    *options = (struct controller_options){
        .log_level = LOG_INFO,
        .lease_ms = 15000,
        .look_ms = ROTATION_LOOK_S * 1000,
        .settle_ms = ROTATION_PUBLISHED_S * 1000,
        .bare_ms = BARE_AFTER_MS,
    };
    if (!address_parse(":8080", &options->admin_listen, &err))
        abort();
}

static bool check_agents(const struct controller_options *options, struct error *err)
{
    bool serves = options->agent_listen.size > 0, self = options->certificates == CERTIFICATES_SELF;
    bool files = options->agent_cert && options->agent_key;

    if (!options->agent_cert != !options->agent_key)
        return error_set(err, ERROR_INVALID,
                         "--agent-tls-cert and --agent-tls-key belong together");
    if (!serves && (files || options->advertise))
        return error_set(err, ERROR_INVALID,
                         "what is said of agents needs --agent-listen ADDR:PORT");
    if (serves && self && files)
        return error_set(err, ERROR_INVALID,
                         "--agent-tls-cert is for --certificates cert-manager or files");
    if (serves && !self && !files)
        return error_set(err, ERROR_INVALID,
                         "--agent-listen needs --agent-tls-cert and --agent-tls-key unless "
                         "certificates are made here");
    return true;
}

static bool check(const struct controller_options *options, struct error *err)
{
    bool cluster = options->kubeconfig || options->takeover;
    bool files = options->certificates == CERTIFICATES_FILES;

    if ((options->catalog != NULL) != options->dry_run)
        return error_set(err, ERROR_INVALID, "--catalog and --dry-run need each other");
    if (options->dry_run && cluster)
        return error_set(err, ERROR_INVALID, "--dry-run asks no cluster");
    if (options->context && !options->kubeconfig)
        return error_set(err, ERROR_INVALID, "--context needs --kubeconfig");
    if (files && !options->bundle)
        return error_set(err, ERROR_INVALID, "--certificates files needs --ca-bundle FILE");
    if (!files && options->bundle)
        return error_set(err, ERROR_INVALID, "--ca-bundle is for --certificates files only");
    return check_agents(options, err);
}

enum controller_verdict controller_options_parse(int argc, char **argv,
                                                 struct controller_options *options,
                                                 struct error *err)
{
    defaults(options);
    switch (flags_parse(argc, argv, rows, COUNT(rows), options, err)) {
    case FLAGS_HELP:
        return CONTROLLER_HELP;
    case FLAGS_VERSION:
        return CONTROLLER_VERSION;
    case FLAGS_RUN:
        return check(options, err) ? CONTROLLER_RUN : CONTROLLER_BAD;
    default:
        return CONTROLLER_BAD;
    }
}

void controller_help(FILE *out)
{
    fputs("granary-controller: keeps what a cluster needs for granary as it should be.\n"
          "\n"
          "usage: granary-controller [OPTION...]\n"
          "\n",
          out);
    flags_help(out, rows, COUNT(rows), 27);
    fputs(
        "  --help, -h               this text\n"
        "  --version                version and commit\n"
        "\n"
        "Times are numbers with ms, s or m. Of several that run, one is the leader (Lease\n"
        "granary-controller), and only that one writes; the others wait.\n"
        "\n"
        "The leader makes and renews the certificates of the webhook, publishes their CAs into\n"
        "the webhook configurations and ConfigMap granary-agent, and puts back what somebody\n"
        "overwrites there. It asks the API server whether the webhook is reached, and looks\n"
        "whether Stash is installed: then workloads are not mutated without --takeover.\n"
        "\n"
        "It keeps Repositories and BackupConfigurations as the annotations of their targets ask,\n"
        "and their CronJobs; --catalog DIR --dry-run shows which, with no cluster. Storage\n"
        "Secrets are taken to be there.\n"
        "\n"
        "SIGTERM and SIGINT end it: the step under way is finished or given up, the Lease is\n"
        "given back. A second signal ends it at once.\n"
        "\n"
        "exit: 0 until a signal, 1 was the leader and is not any more (start it again),\n"
        "      2 could not run, 3 ended before the Lease was given back\n",
        out);
}

void controller_version(FILE *out)
{
    fprintf(out, "granary-controller %s (%s)\n", GRANARY_VERSION, build_commit);
}
