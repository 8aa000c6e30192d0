#include "webhook/options.h"

#include <stdlib.h>

#include "base/build.h"
#include "base/flags.h"
#include "base/limits.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

#define TIME_MAX_MS 3600000

static bool take_address(const char *text, void *member, struct error *detail)
{
    return address_parse(text, member, detail);
}

static bool take_secret(const char *text, void *member, struct error *detail)
{
    (void)detail;
    return followed_secret_parse(text, member);
}

/* Also notes that it was given: it then wins over that of the settings. */
static bool take_level(const char *text, void *member, struct error *detail)
{
    struct options *options = member;

    (void)detail;
    return options->log_level_given = log_level_parse(text, &options->log_level);
}

static const struct flag rows[] = {
#define AT(member) offsetof(struct options, member)
    {"catalog", FLAG_TEXT, AT(catalog), "DIR",
     "folder of YAML and JSON manifests: what is known of the cluster; changes are followed"},
    {"kubeconfig", FLAG_TEXT, AT(kubeconfig), "FILE",
     "the cluster itself, by this file; without it and --catalog that of our pod"},
    {"context", FLAG_TEXT, AT(context), "NAME", "which of its contexts (default its current one)"},
    {"listen", FLAG_BY(take_address), AT(listen), "ADDR:PORT",
     "where to answer the API server, TLS (default :8443; port 0: a free one)"},
    {"admin-listen", FLAG_BY(take_address), AT(admin_listen), "ADDR:PORT",
     "where /livez, /readyz and /metrics are, plain HTTP (default :8080)"},
    {"tls-cert", FLAG_TEXT, AT(tls_cert), "FILE",
     "server certificate and its issuers, PEM; files are reloaded when they change"},
    {"tls-key", FLAG_TEXT, AT(tls_key), "FILE", "its private key, PEM"},
    {"tls-secret", FLAG_BY(take_secret), AT(tls_secret), "NAMESPACE/NAME",
     "both from a Secret of the cluster, which is followed"},
    {"client-ca", FLAG_TEXT, AT(client_ca), "FILE",
     "only clients with a certificate of this CA are answered, PEM"},
    {"settings", FLAG_TEXT, AT(settings), "FILE",
     "settings of the installation, YAML; read again when it changes"},
    {"enforce", FLAG_SWITCH, AT(enforce), NULL,
     "refuse what is an owner's mistake instead of warning"},
    {"once", FLAG_SWITCH, AT(once), NULL,
     "answer one AdmissionReview from standard input on standard output"},
    {"log-format", FLAG_LOG_FORMAT, AT(log_format), "text|json", "form of the log (default text)"},
    {"log-level", FLAG_BY(take_level), 0, "LEVEL",
     "debug (a line per request), info, warn, error (default: of the settings, info)"},
    {"handshake-timeout", FLAG_TIME(1, TIME_MAX_MS), AT(times.handshake_ms), "TIME",
     "for the TLS handshake (default 5s)"},
    {"header-timeout", FLAG_TIME(1, TIME_MAX_MS), AT(times.head_ms), "TIME",
     "for the headers of a request (default 5s)"},
    {"request-timeout", FLAG_TIME(1, TIME_MAX_MS), AT(times.request_ms), "TIME",
     "for a whole request (default 10s)"},
    {"keep-alive-timeout", FLAG_TIME(1, TIME_MAX_MS), AT(times.idle_ms), "TIME",
     "between two requests (default 120s; the API server's own is 90s)"},
    {"drain-delay", FLAG_TIME(0, TIME_MAX_MS), AT(drain_delay_ms), "TIME",
     "after SIGTERM, new connections are still served so long (default 5s)"},
    {"drain-timeout", FLAG_TIME(0, TIME_MAX_MS), AT(drain_timeout_ms), "TIME",
     "after SIGTERM, everything is over (default 15s)"},
    {"body-max", FLAG_BYTES(1, INT64_C(4) << 30), AT(body_max), "BYTES",
     "of one request (default 32Mi)"},
    {"body-budget", FLAG_BYTES(1, INT64_C(4) << 30), AT(body_budget), "BYTES",
     "of all requests being read; beyond it 503 (default 128Mi)"},
    {"connections-max", FLAG_NUMBER(1, CONNECTIONS_OF_WORKER_MAX), AT(connections_max), "N",
     "beyond it the oldest that had no answer yet is closed (default 2048)"},
    {"workers", FLAG_NUMBER(1, 256), AT(workers), "N",
     "threads that answer (default one per core)"},
#undef AT
};

static void defaults(struct options *options)
{
    struct error err;

    *options = (struct options){
        .log_level = LOG_INFO,
        .times = {.handshake_ms = HANDSHAKE_TIMEOUT_MS,
                  .head_ms = HEADER_TIMEOUT_MS,
                  .request_ms = REQUEST_TIMEOUT_MS,
                  .idle_ms = KEEP_ALIVE_TIMEOUT_MS},
        .drain_delay_ms = DRAIN_DELAY_MS,
        .drain_timeout_ms = DRAIN_TIMEOUT_MS,
        .body_max = BODY_MAX_BYTES,
        .body_budget = BODY_BUDGET_BYTES,
        .connections_max = CONNECTIONS_MAX,
    };
    if (!address_parse(":8443", &options->listen, &err) ||
        !address_parse(":8080", &options->admin_listen, &err))
        abort();
}

static bool check(const struct options *options, struct error *err)
{
    const char *secret = options->tls_secret.name;
    const struct {
        bool wrong;
        const char *message;
    } rules[] = {
        {options->once && !options->catalog, "--once needs --catalog DIR"},
        {options->catalog && options->kubeconfig, "either --catalog or --kubeconfig"},
        {options->context && !options->kubeconfig, "--context needs --kubeconfig FILE"},
        {secret && options->catalog, "--tls-secret needs a cluster instead of --catalog"},
        {secret && (options->tls_cert || options->tls_key), "either --tls-secret or --tls-cert"},
        {!options->once && !secret && (!options->tls_cert || !options->tls_key),
         "--tls-cert FILE and --tls-key FILE are needed, or --tls-secret NAMESPACE/NAME"},
    };

    for (size_t i = 0; i < COUNT(rules); i++)
        if (rules[i].wrong)
            return error_set(err, ERROR_INVALID, "%s", rules[i].message);
    return true;
}

enum options_verdict options_parse(int argc, char **argv, struct options *options,
                                   struct error *err)
{
    defaults(options);
    switch (flags_parse(argc, argv, rows, COUNT(rows), options, err)) {
    case FLAGS_HELP:
        return OPTIONS_HELP;
    case FLAGS_VERSION:
        return OPTIONS_VERSION;
    case FLAGS_RUN:
        return check(options, err) ? OPTIONS_RUN : OPTIONS_BAD;
    default:
        return OPTIONS_BAD;
    }
}

void options_help(FILE *out)
{
    fputs("granary-webhook: answers the admission reviews of a Kubernetes API server.\n"
          "\n"
          "usage: granary-webhook [--kubeconfig FILE] --tls-secret NAMESPACE/NAME [OPTION...]\n"
          "       granary-webhook --catalog DIR --tls-cert FILE --tls-key FILE [OPTION...]\n"
          "       granary-webhook --catalog DIR --once < review.json\n"
          "\n",
          out);
    flags_help(out, rows, COUNT(rows), 28);
    fputs("  --help, -h                this text\n"
          "  --version                 version and commit\n"
          "\n"
          "Times are numbers with ms, s or m; bytes are numbers, also with Ki or Mi.\n"
          "\n"
          "POST /mutate and POST /validate are answered over TLS 1.2 and 1.3. The admin address\n"
          "has /livez, /readyz (each check in a line) and /metrics (Prometheus). Broken settings,\n"
          "catalogs and certificates are logged, and what was good before stays in use; so does\n"
          "what is known of a cluster while its API server is away.\n"
          "\n"
          "SIGTERM drains: not ready, answers close their connections, then the end. SIGINT does\n"
          "the same without the delay, a second signal ends at once. SIGHUP looks at the\n"
          "files of certificate and settings now.\n"
          "\n"
          "exit: 0 fine, 1 --once had no review that can be answered, 2 could not run,\n"
          "      3 ended before every request was answered\n",
          out);
}

void options_version(FILE *out)
{
    fprintf(out, "granary-webhook %s (%s)\n", GRANARY_VERSION, build_commit);
}
