#include "controllers/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/limits.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* How the text behind an option becomes a member of struct controller_options. */
enum value {
    VALUE_SWITCH,
    VALUE_TEXT,
    VALUE_SPACE,
    VALUE_SOURCE,
    VALUE_ADDRESS,
    VALUE_TIME,
    VALUE_LOG_FORMAT,
    VALUE_LOG_LEVEL,
};

static const struct row {
    const char *name;
    enum value value;
    size_t offset;
    const char *argument, *help;
    int64_t least_ms, most_ms; /* of a time */
} rows[] = {
#define AT(member) offsetof(struct controller_options, member)
    {"kubeconfig", VALUE_TEXT, AT(kubeconfig), "FILE",
     "how to reach the cluster (default: as the pod that this is)", 0, 0},
    {"context", VALUE_TEXT, AT(context), "NAME", "of that file (default: its current one)", 0, 0},
    {"namespace", VALUE_SPACE, AT(space), "NAME",
     "of granary itself (default: of the pod, or of the context)", 0, 0},
    {"certificates", VALUE_SOURCE, AT(certificates), "self|cert-manager|files",
     "who makes them (default self)", 0, 0},
    {"ca-bundle", VALUE_TEXT, AT(bundle), "FILE",
     "with files: the CAs that clients have to trust, PEM; read again as it changes", 0, 0},
    {"admin-listen", VALUE_ADDRESS, AT(admin_listen), "ADDR:PORT",
     "where /livez, /readyz and /metrics are, plain HTTP (default :8080)", 0, 0},
    {"takeover", VALUE_SWITCH, AT(takeover), NULL,
     "mutate workloads although Stash is installed too", 0, 0},
    {"lease-duration", VALUE_TIME, AT(lease_ms), "TIME",
     "how long a leader who is silent stays the leader (default 15s)", 2000, 600000},
    {"look-every", VALUE_TIME, AT(look_ms), "TIME",
     "pause between two looks at the cluster (default 30s)", 100, 600000},
    {"settle", VALUE_TIME, AT(settle_ms), "TIME",
     "how long a new CA is everywhere before it signs (default 5m)", 1000, 3600000},
    {"log-format", VALUE_LOG_FORMAT, AT(log_format), "text|json", "form of the log (default text)",
     0, 0},
    {"log-level", VALUE_LOG_LEVEL, AT(log_level), "LEVEL",
     "debug, info, warn or error (default info)", 0, 0},
#undef AT
};

enum { KEY_HELP = 1000, KEY_VERSION };

static void defaults(struct controller_options *options)
{
    struct error err;

    *options = (struct controller_options){
        .log_level = LOG_INFO,
        .lease_ms = 15000,
        .look_ms = ROTATION_LOOK_S * 1000,
        .settle_ms = ROTATION_PUBLISHED_S * 1000,
    };
    if (!address_parse(":8080", &options->admin_listen, &err))
        abort();
}

static bool source_parse(const char *text, enum certificates_source *source)
{
    static const char *const names[] = {
        [CERTIFICATES_SELF] = "self",
        [CERTIFICATES_CERT_MANAGER] = "cert-manager",
        [CERTIFICATES_FILES] = "files",
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *source = (enum certificates_source)i;
            return true;
        }
    return false;
}

/* It ends up in paths and in the names of certificates. Spec: RFC 1123 label. */
static bool is_space(const char *text)
{
    static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t length = strlen(text);

    return length > 0 && length <= NAME_MAX_CHARS && strspn(text, inner) == length &&
           text[0] != '-' && text[length - 1] != '-';
}

static bool time_parse_ms(const char *text, const struct row *row, int64_t *time_ms)
{
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9)
        return false;
    for (size_t i = 0; i < COUNT(units); i++)
        if (strcmp(text + digits, units[i].name) == 0) {
            int64_t found_ms = strtoll(text, NULL, 10) * units[i].factor;

            if (found_ms < row->least_ms || found_ms > row->most_ms)
                return false;
            *time_ms = found_ms;
            return true;
        }
    return false;
}

static bool take_value(struct controller_options *options, const struct row *row, const char *text,
                       struct error *err)
{
    void *member = (char *)options + row->offset;
    struct error detail = {.message = ""};
    bool good = true;

    switch (row->value) {
    case VALUE_SWITCH:
        *(bool *)member = true;
        break;
    case VALUE_TEXT:
        *(const char **)member = text;
        good = *text;
        break;
    case VALUE_SPACE:
        *(const char **)member = text;
        good = is_space(text);
        break;
    case VALUE_SOURCE:
        good = source_parse(text, member);
        break;
    case VALUE_ADDRESS:
        good = address_parse(text, member, &detail);
        break;
    case VALUE_TIME:
        good = time_parse_ms(text, row, member);
        break;
    case VALUE_LOG_FORMAT:
        good = log_format_parse(text, member);
        break;
    case VALUE_LOG_LEVEL:
        good = log_level_parse(text, member);
    }
    return good || error_set(err, ERROR_INVALID, "--%s %s: %s", row->name, text,
                             *detail.message ? detail.message : "not understood");
}

static bool check(const struct controller_options *options, struct error *err)
{
    bool files = options->certificates == CERTIFICATES_FILES;

    if (options->context && !options->kubeconfig)
        return error_set(err, ERROR_INVALID, "--context needs --kubeconfig");
    if (files && !options->bundle)
        return error_set(err, ERROR_INVALID, "--certificates files needs --ca-bundle FILE");
    if (!files && options->bundle)
        return error_set(err, ERROR_INVALID, "--ca-bundle is for --certificates files only");
    return true;
}

static void describe_to_getopt(struct option *list)
{
    size_t i;

    for (i = 0; i < COUNT(rows); i++)
        list[i] = (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument,
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

enum controller_verdict controller_options_parse(int argc, char **argv,
                                                 struct controller_options *options,
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
            return CONTROLLER_HELP;
        if (key == KEY_VERSION)
            return CONTROLLER_VERSION;
        if (key == '?' || key == ':') {
            error_set(err, ERROR_INVALID, "%s: %s", argv[optind - 1], trouble(key));
            return CONTROLLER_BAD;
        }
        if (!take_value(options, &rows[key - 1], optarg, err))
            return CONTROLLER_BAD;
    }
    if (optind < argc) {
        error_set(err, ERROR_INVALID, "\"%s\" is not expected", argv[optind]);
        return CONTROLLER_BAD;
    }
    return check(options, err) ? CONTROLLER_RUN : CONTROLLER_BAD;
}

void controller_help(FILE *out)
{
    fputs("granary-controller: keeps what a cluster needs for granary as it should be.\n"
          "\n"
          "usage: granary-controller [OPTION...]\n"
          "\n",
          out);
    for (size_t i = 0; i < COUNT(rows); i++) {
        int used = fprintf(out, "  --%s%s%s", rows[i].name, rows[i].argument ? " " : "",
                           rows[i].argument ? rows[i].argument : "");

        if (used > 26) {
            fputc('\n', out);
            used = 0;
        }
        fprintf(out, "%*s%s\n", 27 - used, "", rows[i].help);
    }
    fputs("  --help, -h               this text\n"
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
