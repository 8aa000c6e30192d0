#include <stdio.h>
#include <string.h>

#include "controllers/options.h"
#include "tests/unit/suite.h"

/* Splits at blanks; "" stands for nothing but the program's name. */
static enum controller_verdict parse(const char *line, struct controller_options *options,
                                     struct error *err)
{
    static char copy[512];
    char *arguments[32] = {(char *)"granary-controller"};
    int count = 1;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        arguments[count++] = word;
    return controller_options_parse(count, arguments, options, err);
}

START_TEST(defaults_and_values)
    {
        struct controller_options options;
        struct error err = {0};
        char text[ADDRESS_TEXT_BYTES];

        ck_assert_int_eq(parse("", &options, &err), CONTROLLER_RUN);
        ck_assert_ptr_null(options.kubeconfig);
        ck_assert_ptr_null(options.space);
        ck_assert_ptr_null(options.settings);
        ck_assert_int_eq(options.certificates, CERTIFICATES_SELF);
        ck_assert_int_eq(options.lease_ms, 15000);
        ck_assert_int_eq(options.look_ms, 30000);
        ck_assert_int_eq(options.settle_ms, 300000);
        ck_assert(!options.takeover);
        address_format(&options.admin_listen, text);
        ck_assert_str_eq(text, "[::]:8080");
        ck_assert_int_eq(
            parse("--settings s --kubeconfig k --context c --namespace n-1 --certificates files "
                  "--ca-bundle b --admin-listen 127.0.0.1:0 --takeover "
                  "--lease-duration 1m --look-every 250ms --settle 2m --log-format json "
                  "--log-level warn",
                  &options, &err),
            CONTROLLER_RUN);
        ck_assert_str_eq(options.settings, "s");
        ck_assert_str_eq(options.kubeconfig, "k");
        ck_assert_str_eq(options.context, "c");
        ck_assert_str_eq(options.space, "n-1");
        ck_assert_str_eq(options.bundle, "b");
        ck_assert_int_eq(options.certificates, CERTIFICATES_FILES);
        ck_assert_int_eq(options.lease_ms, 60000);
        ck_assert_int_eq(options.look_ms, 250);
        ck_assert_int_eq(options.settle_ms, 120000);
        ck_assert(options.takeover);
        ck_assert_int_eq(options.log_format, LOG_JSON);
        ck_assert_int_eq(options.log_level, LOG_WARN);
        ck_assert_int_eq(parse("--certificates=cert-manager", &options, &err), CONTROLLER_RUN);
        ck_assert_int_eq(options.certificates, CERTIFICATES_CERT_MANAGER);
    }
END_TEST

static const struct {
    const char *line;
    enum controller_verdict verdict;
    const char *message; /* begins so */
} rows[] = {
    {"--help", CONTROLLER_HELP, ""},
    {"-h", CONTROLLER_HELP, ""},
    {"--version", CONTROLLER_VERSION, ""},
    {"extra", CONTROLLER_BAD, "\"extra\" is not expected"},
    {"--nonsense", CONTROLLER_BAD, "--nonsense: no such option"},
    {"--takeover=1", CONTROLLER_BAD, "--takeover=1: takes no value"},
    {"--kubeconfig", CONTROLLER_BAD, "--kubeconfig: its value is missing"},
    {"--kubeconfig=", CONTROLLER_BAD, "--kubeconfig: its value is empty"},
    {"--catalog d --dry-run", CONTROLLER_RUN, ""},
    {"--catalog d", CONTROLLER_BAD, "--catalog and --dry-run need each other"},
    {"--dry-run", CONTROLLER_BAD, "--catalog and --dry-run need each other"},
    {"--catalog d --dry-run --kubeconfig k", CONTROLLER_BAD, "--dry-run asks no cluster"},
    {"--catalog d --dry-run --takeover", CONTROLLER_BAD, "--dry-run asks no cluster"},
    {"--context c", CONTROLLER_BAD, "--context needs --kubeconfig"},
    {"--certificates other", CONTROLLER_BAD, "--certificates other: not understood"},
    {"--certificates files", CONTROLLER_BAD, "--certificates files needs --ca-bundle FILE"},
    {"--ca-bundle b", CONTROLLER_BAD, "--ca-bundle is for --certificates files only"},
    {"--namespace A", CONTROLLER_BAD, "--namespace A: not understood"},
    {"--namespace a/b", CONTROLLER_BAD, "--namespace a/b: not understood"},
    {"--namespace -a", CONTROLLER_BAD, "--namespace -a: not understood"},
    {"--namespace a-", CONTROLLER_BAD, "--namespace a-: not understood"},
    {"--namespace aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", CONTROLLER_BAD,
     "--namespace aaaa"},
    {"--admin-listen nowhere", CONTROLLER_BAD, "--admin-listen nowhere: \"nowhere\" is no address"},
    {"--agent-listen :9443", CONTROLLER_RUN, ""},
    {"--agent-listen :9443 --advertise-address 10.0.0.7", CONTROLLER_RUN, ""},
    {"--agent-listen 9443", CONTROLLER_BAD, "--agent-listen 9443: \"9443\" is no address"},
    {"--agent-listen :9443 --advertise-address 127.0.0.1", CONTROLLER_BAD,
     "--advertise-address 127.0.0.1: not understood"},
    {"--advertise-address 10.0.0.7", CONTROLLER_BAD, "what is said of agents needs --agent-listen"},
    {"--agent-listen :9443 --agent-tls-cert c", CONTROLLER_BAD, "--agent-tls-cert and"},
    {"--agent-listen :9443 --agent-tls-cert c --agent-tls-key k", CONTROLLER_BAD,
     "--agent-tls-cert is for --certificates cert-manager"},
    {"--agent-listen :9443 --certificates cert-manager", CONTROLLER_BAD,
     "--agent-listen needs --agent-tls-cert"},
    {"--agent-listen :9443 --certificates cert-manager --agent-tls-cert c --agent-tls-key k",
     CONTROLLER_RUN, ""},
    {"--lease-duration 1s", CONTROLLER_BAD, "--lease-duration 1s: not understood"},
    {"--lease-duration 15", CONTROLLER_BAD, "--lease-duration 15: not understood"},
    {"--lease-duration 11m", CONTROLLER_BAD, "--lease-duration 11m: not understood"},
    {"--settle 999ms", CONTROLLER_BAD, "--settle 999ms: not understood"},
    {"--look-every 0s", CONTROLLER_BAD, "--look-every 0s: not understood"},
    {"--look-every 99999999999s", CONTROLLER_BAD, "--look-every 99999999999s: not understood"},
    {"--log-level all", CONTROLLER_BAD, "--log-level all: not understood"},
    {"--log-format xml", CONTROLLER_BAD, "--log-format xml: not understood"},
};

START_TEST(command_lines)
    {
        struct controller_options options;
        struct error err = {.message = ""};

        ck_assert_int_eq(parse(rows[_i].line, &options, &err), rows[_i].verdict);
        ck_assert_msg(!strncmp(err.message, rows[_i].message, strlen(rows[_i].message)), "%s",
                      err.message);
    }
END_TEST

SUITE(controllers_options)
{
    tcase_add_test(tests, defaults_and_values);
    suite_rows(tests, command_lines, rows);
}
