#include <string.h>

#include "agent/etcd_connection.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* base64: cm9vdA== root, cHc= pw, UEVN PEM, S0VZ KEY, Q0E= CA */
#define LOGIN "'username':'cm9vdA==','password':'cHc='"
#define URL(url) "{'namespace':'shop','clientConfig':{'url':'" url "'}}"
#define SERVICE(more)                                                                              \
    "{'namespace':'shop','clientConfig':{'service':{'name':'etcd','port':2379" more "}}}"
#define CLIENT "'client.pem':'UEVN','client-key.pem':'S0VZ'"

static const struct {
    const char *what, *app, *secrets, *made, *error;
} rows[] = {
    {"a url", URL("http://etcd:2379"), "{}", "http://etcd:2379 - - - - -", NULL},
    {"without a port", URL("https://etcd.shop.svc/"), "{}", "https://etcd.shop.svc:2379 - - - - -",
     NULL},
    {"without a scheme", URL("10.0.0.1:2379"), "{}", "http://10.0.0.1:2379 - - - - -", NULL},
    {"IPv6", URL("https://[fd00::1]:2379"), "{}", "https://[fd00::1]:2379 - - - - -", NULL},
    {"a service", SERVICE(""), "{}", "http://etcd.shop.svc:2379 - - - - -", NULL},
    {"a service elsewhere", SERVICE(",'namespace':'db','scheme':'https'"), "{}",
     "https://etcd.db.svc:2379 - - - - -", NULL},
    /* 10.5 item 51: user and password also together with TLS */
    {"all of it", "{'namespace':'shop','clientConfig':{'url':'https://e:1','caBundle':'Q0E='}}",
     "{'secret':{" CLIENT "," LOGIN "}}", "https://e:1 CA PEM KEY root pw", NULL},
    {"a CA means TLS", SERVICE(""), "{'secret':{'ca.crt':'Q0E='}}",
     "https://etcd.shop.svc:2379 CA - - - -", NULL},
    {"tlsSecret before secret", URL("https://e:1"),
     "{'tls':{'tls.crt':'UEVN','tls.key':'S0VZ','ca.crt':'Q0E='},'secret':{'client.pem':'Q0E=',"
     "'client-key.pem':'Q0E='," LOGIN "}}",
     "https://e:1 CA PEM KEY root pw", NULL},
    {"no pair of two places", URL("https://e:1"),
     "{'tls':{'tls.crt':'Q0E='},'secret':{" CLIENT "}}", "https://e:1 - PEM KEY - -", NULL},
    {"transforms in their order",
     "{'namespace':'shop','clientConfig':{'url':'http://e:1'},'secretTransforms':["
     "{'addKey':{'key':'username','stringValue':'root','value':'Q0E='}},"
     "{'renameKey':{'from':'pass','to':'password'}},{'renameKey':{'from':'missing','to':'username'}"
     "},"
     "{'addKeysFrom':{'secretRef':{'name':'x'}}},{'removeKey':{'key':'ca.crt'}}]}",
     "{'secret':{'pass':'cHc=','ca.crt':'Q0E='},'from':[{" CLIENT "}]}",
     "http://e:1 - PEM KEY root pw", NULL},
    {"a value of bytes",
     "{'clientConfig':{'url':'http://e:1'},'secretTransforms':[{'addKey':{'key':'username',"
     "'value':'cm9vdA=='}},{'addKey':{'key':'password','value':'cHc='}}]}",
     "{}", "http://e:1 - - - root pw", NULL},
    {"the name of the host", "{'clientConfig':{'url':'https://e:1','serverName':'e'}}", "{}",
     "https://e:1 - - - - -", NULL},
    {"another name", "{'clientConfig':{'url':'https://e:1','serverName':'etcd.x'}}", "{}", NULL,
     "serverName"},
    {"half a login", URL("http://e:1"), "{'secret':{'username':'cm9vdA=='}}", NULL, "not both"},
    {"half an identity", URL("https://e:1"), "{'secret':{'client.pem':'UEVN'}}", NULL, "not both"},
    {"no base64", URL("http://e:1"), "{'secret':{'username':'?','password':'cHc='}}", NULL,
     "username of the Secret is no base64"},
    {"a NUL in a password", URL("http://e:1"),
     "{'secret':{'username':'cm9vdA==','password':'AHg='}}", NULL,
     "password of the Secret is no text"},
    {"a bundle that is none", "{'clientConfig':{'url':'https://e:1','caBundle':'?'}}", "{}", NULL,
     "caBundle"},
    {"no address", "{'clientConfig':{}}", "{}", NULL, "names no service"},
    {"no clientConfig", "{}", "{}", NULL, "names no service"},
    {"no port", "{'clientConfig':{'service':{'name':'etcd'}}}", "{}", NULL, "names no service"},
    {"two addresses in one", URL("http://a:1,http://b:2"), "{}", NULL, "names no service"},
    {"a login in the address", URL("http://u:p@e:1"), "{}", NULL, "names no service"},
    {"a path", URL("http://e:1/v3"), "{}", NULL, "names no service"},
    {"another scheme", URL("unix:///run/etcd"), "{}", NULL, "names no service"},
    {"a port too large", URL("http://e:65536"), "{}", NULL, "names no service"},
    {"odd shapes", "{'clientConfig':7,'secretTransforms':[7,{'addKey':7},{'renameKey':{}}]}",
     "{'secret':[],'tls':7,'from':{}}", NULL, "names no service"},
};

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

START_TEST(a_connection_is_made)
    {
        AUTO(json) json_t *app = json_row(rows[_i].app);
        AUTO(json) json_t *secrets = json_row(rows[_i].secrets);
        AUTO(etcd_connection) struct etcd_connection got = {0};
        struct error err = {.message = ""};
        bool good = etcd_connection_make(app, secrets, &got, &err);

        ck_assert_msg(good == (rows[_i].made != NULL), "%s: %s", rows[_i].what, err.message);
        if (!good) {
            ck_assert_msg(strstr(err.message, rows[_i].error) != NULL, "%s: %s", rows[_i].what,
                          err.message);
            ck_assert_ptr_null(got.endpoint);
            return;
        }

        AUTO(free)
        char *made = text_format("%s %s %s %s %s %s", got.endpoint, or_dash(text_get(&got.ca)),
                                 or_dash(text_get(&got.certificate)), or_dash(text_get(&got.key)),
                                 or_dash(got.user), or_dash(got.password));

        ck_assert_str_eq(made, rows[_i].made);
    }
END_TEST

static const struct {
    const char *text, *words;
} args[] = {
    {"", ""},
    {"--command-timeout=30s  --dial-timeout=5s", "--command-timeout=30s --dial-timeout=5s "},
    {"--command-timeout", NULL},
    {"--command-timeout=", NULL},
    {"--endpoints=http://x", NULL},
    {"--command-timeout=1s --user=x", NULL},
    {"elsewhere.db", NULL},
    {"--write-out=json", NULL},
};

START_TEST(args_are_allowed_or_refused)
    {
        AUTO(words) struct words words = {0};
        AUTO(text) struct text all = {0};
        struct error err = {.message = ""};
        bool good = etcd_args_add(args[_i].text, &words, &err);

        for (size_t i = 0; i < words.count; i++)
            text_addf(&all, "%s ", words.list[i]);
        ck_assert_msg(good == (args[_i].words != NULL), "%s", args[_i].text);
        ck_assert(!good || strcmp(text_get(&all), args[_i].words) == 0);
        ck_assert(good || err.code == ERROR_FORBIDDEN);
    }
END_TEST

SUITE(agent_etcd_connection)
{
    suite_rows(tests, a_connection_is_made, rows);
    suite_rows(tests, args_are_allowed_or_refused, args);
}
