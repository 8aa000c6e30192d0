#include <stdio.h>
#include <string.h>

#include "tests/unit/suite.h"
#include "webhook/options.h"
#include "webhook/server.h"

/* Splits at blanks; "" stands for nothing but the program's name. */
static enum options_verdict parse(const char *line, struct options *options, struct error *err)
{
    static char copy[512];
    char *arguments[32] = {(char *)"granary-webhook"};
    int count = 1;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        arguments[count++] = word;
    return options_parse(count, arguments, options, err);
}

#define NEEDED "--catalog c --tls-cert a --tls-key b "

START_TEST(defaults_and_values)
    {
        struct options options;
        struct error err = {0};
        char text[ADDRESS_TEXT_BYTES];

        ck_assert_int_eq(parse(NEEDED, &options, &err), OPTIONS_RUN);
        ck_assert_int_eq(options.times.idle_ms, 120000);
        ck_assert_int_eq(options.times.request_ms, 10000);
        ck_assert_int_eq(options.times.head_ms, 5000);
        ck_assert_int_eq(options.body_max, 32 << 20);
        ck_assert(!options.once && !options.enforce && !options.log_level_given);
        address_format(&options.listen, text);
        ck_assert_str_eq(text, "[::]:8443");
        ck_assert_int_eq(parse(NEEDED "--enforce --log-level debug --log-format json "
                                      "--listen 127.0.0.1:0 --body-max 8Mi --drain-delay 250ms "
                                      "--drain-timeout 2m --workers 3 --settings s --client-ca d",
                               &options, &err),
                         OPTIONS_RUN);
        ck_assert(options.enforce && options.log_level_given);
        ck_assert_int_eq(options.log_level, LOG_DEBUG);
        ck_assert_int_eq(options.log_format, LOG_JSON);
        ck_assert_int_eq(options.body_max, 8 << 20);
        ck_assert_int_eq(options.drain_delay_ms, 250);
        ck_assert_int_eq(options.drain_timeout_ms, 120000);
        ck_assert_int_eq(options.workers, 3);
        ck_assert_str_eq(options.client_ca, "d");
        ck_assert_str_eq(options.settings, "s");
        address_format(&options.listen, text);
        ck_assert_str_eq(text, "127.0.0.1:0");
    }
END_TEST

static const struct {
    const char *line;
    enum options_verdict verdict;
    const char *message; /* begins so */
} rows[] = {
    {"--help", OPTIONS_HELP, ""},
    {"--nonsense --help", OPTIONS_BAD, "--nonsense: no such option"},
    {"-h", OPTIONS_HELP, ""},
    {"--version", OPTIONS_VERSION, ""},
    {"--catalog c --once", OPTIONS_RUN, ""},
    {"--once", OPTIONS_BAD, "--once needs --catalog DIR"},
    {"--once --kubeconfig k", OPTIONS_BAD, "--once needs --catalog DIR"},
    {"", OPTIONS_BAD, "--tls-cert FILE and --tls-key FILE are needed, or --tls-secret"},
    {"--tls-secret a/b", OPTIONS_RUN, ""},
    {"--tls-cert a --tls-key b", OPTIONS_RUN, ""},
    {"--kubeconfig k --context c --tls-secret a/b --client-ca d", OPTIONS_RUN, ""},
    {"--kubeconfig k --tls-cert a --tls-key b", OPTIONS_RUN, ""},
    {"--kubeconfig k --catalog c --tls-cert a --tls-key b", OPTIONS_BAD, "either --catalog or"},
    {"--context c --tls-secret a/b", OPTIONS_BAD, "--context needs --kubeconfig FILE"},
    {"--catalog c --tls-secret a/b", OPTIONS_BAD, "--tls-secret needs a cluster"},
    {"--tls-secret a/b --tls-key k", OPTIONS_BAD, "either --tls-secret or --tls-cert"},
    {"--tls-secret b", OPTIONS_BAD, "--tls-secret b: not understood"},
    {"--tls-secret /b", OPTIONS_BAD, "--tls-secret /b: not understood"},
    {"--tls-secret a/", OPTIONS_BAD, "--tls-secret a/: not understood"},
    {"--tls-secret a/b/c", OPTIONS_BAD, "--tls-secret a/b/c: not understood"},
    {"--tls-secret a/b,c", OPTIONS_BAD, "--tls-secret a/b,c: not understood"},
    {"--catalog c", OPTIONS_BAD, "--tls-cert FILE and --tls-key FILE are needed"},
    {"--catalog c --tls-cert a", OPTIONS_BAD, "--tls-cert FILE and --tls-key FILE"},
    {"--catalog", OPTIONS_BAD, "--catalog: its value is missing"},
    {NEEDED "--enforce=1", OPTIONS_BAD, "--enforce=1: takes no value"},
    {NEEDED "-x", OPTIONS_BAD, "-x: no such option"},
    {NEEDED "extra", OPTIONS_BAD, "\"extra\" is not expected"},
    {NEEDED "--listen nowhere", OPTIONS_BAD, "--listen nowhere: \"nowhere\" is no address"},
    {NEEDED "--request-timeout 5", OPTIONS_BAD, "--request-timeout 5: not understood"},
    {NEEDED "--request-timeout s", OPTIONS_BAD, "--request-timeout s: not understood"},
    {NEEDED "--request-timeout 0s", OPTIONS_BAD, "--request-timeout 0s: not understood"},
    {NEEDED "--drain-delay 0s", OPTIONS_RUN, ""},
    {NEEDED "--body-max 0", OPTIONS_BAD, "--body-max 0: not understood"},
    {NEEDED "--body-max 1Gi", OPTIONS_BAD, "--body-max 1Gi: not understood"},
    {NEEDED "--body-max 99999Mi", OPTIONS_BAD, "--body-max 99999Mi: not understood"},
    {NEEDED "--workers 0", OPTIONS_BAD, "--workers 0: not understood"},
    {NEEDED "--workers 257", OPTIONS_BAD, "--workers 257: not understood"},
    {NEEDED "--log-level all", OPTIONS_BAD, "--log-level all: not understood"},
    {NEEDED "--log-format xml", OPTIONS_BAD, "--log-format xml: not understood"},
};

START_TEST(command_lines)
    {
        struct options options;
        struct error err = {.message = ""};

        ck_assert_int_eq(parse(rows[_i].line, &options, &err), rows[_i].verdict);
        ck_assert_msg(!strncmp(err.message, rows[_i].message, strlen(rows[_i].message)), "%s",
                      err.message);
    }
END_TEST

static const struct {
    const char *text, *again; /* NULL: refused */
} address_rows[] = {
    {"127.0.0.1:8443", "127.0.0.1:8443"},
    {"0.0.0.0:0", "0.0.0.0:0"},
    {"[::1]:65535", "[::1]:65535"},
    {"[2001:db8:0:0:0:0:0:1]:1", "[2001:db8::1]:1"},
    {":80", "[::]:80"},
    {"", NULL},
    {":", NULL},
    {"8443", NULL},
    {"127.0.0.1", NULL},
    {"127.0.0.1:", NULL},
    {"127.0.0.1:65536", NULL},
    {"127.0.0.1:99999999999", NULL},
    {"127.0.0.1:0x1", NULL},
    {"127.0.0.1: 1", NULL},
    {"127.0.0.1:-1", NULL},
    {"256.0.0.1:1", NULL},
    {"::1:1", NULL},
    {"[::1]", NULL},
    {"[::1:1", NULL},
    {"[]:1", NULL},
    {"[127.0.0.1]:1", NULL},
    {"localhost:1", NULL},
    {"[2001:db8:0000:0000:0000:0000:0000:00000000000000000000000000001]:1", NULL},
};

START_TEST(addresses)
    {
        struct address address;
        struct error err = {0};
        char text[ADDRESS_TEXT_BYTES];
        bool good = address_parse(address_rows[_i].text, &address, &err);

        ck_assert_int_eq(good, address_rows[_i].again != NULL);
        if (!good)
            return;
        address_format(&address, text);
        ck_assert_str_eq(text, address_rows[_i].again);
    }
END_TEST

/* H19 */
static const struct {
    int64_t since_ms;
    size_t open;
    enum drain drain;
} drain_rows[] = {
    {-1, 0, DRAIN_NOT},      {-1, 5, DRAIN_NOT},      {0, 0, DRAIN_LEAVING},
    {99, 9, DRAIN_LEAVING},  {100, 9, DRAIN_CLOSING}, {100, 0, DRAIN_OVER},
    {499, 1, DRAIN_CLOSING}, {500, 1, DRAIN_OVER},    {99999, 7, DRAIN_OVER},
};

START_TEST(drains)
    {
        ck_assert_int_eq(drain_next(drain_rows[_i].since_ms, 100, 500, drain_rows[_i].open),
                         drain_rows[_i].drain);
    }
END_TEST

SUITE(webhook_options)
{
    tcase_add_test(tests, defaults_and_values);
    suite_rows(tests, command_lines, rows);
    suite_rows(tests, addresses, address_rows);
    suite_rows(tests, drains, drain_rows);
}
