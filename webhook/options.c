#include "webhook/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/limits.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* How the text behind an option becomes a member of struct options. */
enum value {
    VALUE_NONE, /* a switch */
    VALUE_TEXT,
    VALUE_ADDRESS,
    VALUE_SECRET,
    VALUE_LOG_FORMAT,
    VALUE_LOG_LEVEL,
    VALUE_TIME,  /* from 1 ms, milliseconds in the struct; this and the following are numbers */
    VALUE_PAUSE, /* the same from 0 */
    VALUE_BYTES,
    VALUE_CONNECTIONS,
    VALUE_THREADS,
};

static const struct option_row {
    const char *name;
    enum value value;
    size_t offset;
    const char *argument, *help;
} rows[] = {
#define AT(member) offsetof(struct options, member)
    {"catalog", VALUE_TEXT, AT(catalog), "DIR",
     "folder of YAML and JSON manifests: what is known of the cluster; changes are followed"},
    {"kubeconfig", VALUE_TEXT, AT(kubeconfig), "FILE",
     "the cluster itself, by this file; without it and --catalog that of our pod"},
    {"context", VALUE_TEXT, AT(context), "NAME", "which of its contexts (default its current one)"},
    {"listen", VALUE_ADDRESS, AT(listen), "ADDR:PORT",
     "where to answer the API server, TLS (default :8443; port 0: a free one)"},
    {"admin-listen", VALUE_ADDRESS, AT(admin_listen), "ADDR:PORT",
     "where /livez, /readyz and /metrics are, plain HTTP (default :8080)"},
    {"tls-cert", VALUE_TEXT, AT(tls_cert), "FILE",
     "server certificate and its issuers, PEM; files are reloaded when they change"},
    {"tls-key", VALUE_TEXT, AT(tls_key), "FILE", "its private key, PEM"},
    {"tls-secret", VALUE_SECRET, AT(tls_secret), "NAMESPACE/NAME",
     "both from a Secret of the cluster, which is followed"},
    {"client-ca", VALUE_TEXT, AT(client_ca), "FILE",
     "only clients with a certificate of this CA are answered, PEM"},
    {"settings", VALUE_TEXT, AT(settings), "FILE",
     "settings of the installation, YAML; read again when it changes"},
    {"enforce", VALUE_NONE, AT(enforce), NULL,
     "refuse what is an owner's mistake instead of warning"},
    {"once", VALUE_NONE, AT(once), NULL,
     "answer one AdmissionReview from standard input on standard output"},
    {"log-format", VALUE_LOG_FORMAT, AT(log_format), "text|json", "form of the log (default text)"},
    {"log-level", VALUE_LOG_LEVEL, AT(log_level), "LEVEL",
     "debug (a line per request), info, warn, error (default: of the settings, info)"},
    {"handshake-timeout", VALUE_TIME, AT(times.handshake_ms), "TIME",
     "for the TLS handshake (default 5s)"},
    {"header-timeout", VALUE_TIME, AT(times.head_ms), "TIME",
     "for the headers of a request (default 5s)"},
    {"request-timeout", VALUE_TIME, AT(times.request_ms), "TIME",
     "for a whole request (default 10s)"},
    {"keep-alive-timeout", VALUE_TIME, AT(times.idle_ms), "TIME",
     "between two requests (default 120s; the API server's own is 90s)"},
    {"drain-delay", VALUE_PAUSE, AT(drain_delay_ms), "TIME",
     "after SIGTERM, new connections are still served so long (default 5s)"},
    {"drain-timeout", VALUE_PAUSE, AT(drain_timeout_ms), "TIME",
     "after SIGTERM, everything is over (default 15s)"},
    {"body-max", VALUE_BYTES, AT(body_max), "BYTES", "of one request (default 32Mi)"},
    {"body-budget", VALUE_BYTES, AT(body_budget), "BYTES",
     "of all requests being read; beyond it 503 (default 128Mi)"},
    {"connections-max", VALUE_CONNECTIONS, AT(connections_max), "N",
     "beyond it the oldest that had no answer yet is closed (default 2048)"},
    {"workers", VALUE_THREADS, AT(workers), "N", "threads that answer (default one per core)"},
#undef AT
};

enum { KEY_HELP = 1000, KEY_VERSION };

static void defaults(struct options *options)
{
    struct error err;

    *options = (struct options){
        .log_level = LOG_INFO,
        .times = {HANDSHAKE_TIMEOUT_MS, HEADER_TIMEOUT_MS, REQUEST_TIMEOUT_MS,
                  KEEP_ALIVE_TIMEOUT_MS},
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

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit times[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {0}};
static const struct unit bytes[] = {{"", 1}, {"Ki", 1 << 10}, {"Mi", 1 << 20}, {0}};
static const struct unit plain[] = {{"", 1}, {0}};

/* What a number may be. Units end with one that has no name. */
static const struct {
    const struct unit *units;
    int64_t least, most;
} numbers[] = {
    [VALUE_TIME] = {times, 1, 3600000},
    [VALUE_PAUSE] = {times, 0, 3600000},
    [VALUE_BYTES] = {bytes, 1, INT64_C(4) << 30},
    [VALUE_CONNECTIONS] = {plain, 1, CONNECTIONS_OF_WORKER_MAX},
    [VALUE_THREADS] = {plain, 1, 256},
};

/* "10s" and "8Mi": digits and one of the units. */
static bool number_parse(const char *text, enum value kind, int64_t *number)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9)
        return false;
    for (const struct unit *unit = numbers[kind].units; unit->name; unit++)
        if (strcmp(text + digits, unit->name) == 0) {
            *number = strtoll(text, NULL, 10) * unit->factor;
            return numbers[kind].least <= *number && *number <= numbers[kind].most;
        }
    return false;
}

static bool take_value(struct options *options, const struct option_row *row, const char *text,
                       struct error *err)
{
    void *member = (char *)options + row->offset;
    struct error detail = {.message = ""};
    bool good = true;

    switch (row->value) {
    case VALUE_NONE:
        *(bool *)member = true;
        break;
    case VALUE_TEXT:
        *(const char **)member = text;
        good = *text;
        break;
    case VALUE_ADDRESS:
        good = address_parse(text, member, &detail);
        break;
    case VALUE_SECRET:
        good = followed_secret_parse(text, member);
        break;
    case VALUE_LOG_FORMAT:
        good = log_format_parse(text, member);
        break;
    case VALUE_LOG_LEVEL:
        good = options->log_level_given = log_level_parse(text, member);
        break;
    default:
        good = number_parse(text, row->value, member);
    }
    return good || error_set(err, ERROR_INVALID, "--%s %s: %s", row->name, text,
                             *detail.message ? detail.message : "not understood");
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

static void describe_to_getopt(struct option *list)
{
    size_t i;

    for (i = 0; i < COUNT(rows); i++)
        list[i] = (struct option){rows[i].name,
                                  rows[i].value == VALUE_NONE ? no_argument : required_argument,
                                  NULL, (int)i + 1};
    list[i++] = (struct option){"help", no_argument, NULL, KEY_HELP};
    list[i++] = (struct option){"version", no_argument, NULL, KEY_VERSION};
    list[i] = (struct option){0};
}

/* getopt_long() leaves the key of an option that it knows, but not with a value, in optopt. */
static const char *trouble(int key)
{
    if (key == ':')
        return "its value is missing";
    return optopt > 0 && (size_t)optopt <= COUNT(rows) ? "takes no value" : "no such option";
}

enum options_verdict options_parse(int argc, char **argv, struct options *options,
                                   struct error *err)
{
    struct option list[COUNT(rows) + 3];
    int key;

    defaults(options);
    describe_to_getopt(list);
    opterr = 0;
    optind = 0;
    while ((key = getopt_long(argc, argv, ":h", list, NULL)) != -1) {
        if (key == KEY_HELP || key == 'h')
            return OPTIONS_HELP;
        if (key == KEY_VERSION)
            return OPTIONS_VERSION;
        if (key == '?' || key == ':') {
            error_set(err, ERROR_INVALID, "%s: %s", argv[optind - 1], trouble(key));
            return OPTIONS_BAD;
        }
        if (!take_value(options, &rows[key - 1], optarg, err))
            return OPTIONS_BAD;
    }
    if (optind < argc) {
        error_set(err, ERROR_INVALID, "\"%s\" is not expected", argv[optind]);
        return OPTIONS_BAD;
    }
    return check(options, err) ? OPTIONS_RUN : OPTIONS_BAD;
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
    for (size_t i = 0; i < COUNT(rows); i++) {
        int used = fprintf(out, "  --%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                           rows[i].argument ? rows[i].argument : "");

        fprintf(out, "%*s%s\n", used < 28 ? 28 - used : 1, "", rows[i].help);
    }
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
