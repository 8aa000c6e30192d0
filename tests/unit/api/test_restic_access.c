#include "api/restic_access.h"

#include "base/auto.h"
#include "base/base64.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* A Secret with these texts, each in base64 as the API has it. */
static json_t *secret_of(const char *row)
{
    AUTO(json) json_t *texts = json_row(row);
    json_t *secret = json_object(), *data = json_object();
    const char *key;
    const json_t *value;

    tree_each (texts, key, value) {
        AUTO(text) struct text encoded = {0};

        if (json_is_string(value))
            base64_encode(&encoded, tree_value(value));
        else
            text_puts(&encoded, "//5=*");
        tree_put_text(data, key, text_get(&encoded));
    }
    tree_put_new(secret, "data", data);
    return secret;
}

static void tell(const struct message_work *work, struct text *out)
{
    text_puts(out, work->repository.url);
    for (size_t i = 0; i < work->variable_count; i++)
        text_addf(out, " %s=%s", work->environment[i].name, work->environment[i].value);
    for (size_t i = 0; i < work->file_count; i++)
        text_addf(out, " %s:%s", work->files[i].name, work->files[i].data);
    if (work->repository.insecure_tls)
        text_puts(out, " insecure");
    if (work->repository.key_exchange)
        text_puts(out, " exchange");
    if (work->limits.connections)
        text_addf(out, " %d", (int)work->limits.connections);
}

#define P "'RESTIC_PASSWORD':'pw'"

static const struct {
    const char *backend, *secret, *told; /* told begins with "!": the error has that in it */
} rows[] = {
    {"{'local':{'mountPath':'/safe','subPath':'x'}}", "{" P ",'OTHER':'x'}",
     "/safe RESTIC_PASSWORD=pw"},
    {"{'s3':{'endpoint':'https://s3.example.com/','bucket':'b','prefix':'/a/b/','region':'r'}}",
     "{" P ",'AWS_ACCESS_KEY_ID':'id','AWS_SECRET_ACCESS_KEY':'key','GOOGLE_PROJECT_ID':'g'}",
     "s3:https://s3.example.com/b/a/b RESTIC_PASSWORD=pw AWS_ACCESS_KEY_ID=id "
     "AWS_SECRET_ACCESS_KEY=key AWS_DEFAULT_REGION=r"},
    /* that there is a previous password is told, and never what it is */
    {"{'s3':{'bucket':'b'}}", "{" P ",'RESTIC_PASSWORD_OLD':'before'}",
     "s3:s3.amazonaws.com/b RESTIC_PASSWORD=pw exchange"},
    {"{'s3':{'bucket':'b'}}", "{" P ",'RESTIC_PASSWORD_OLD':''}",
     "s3:s3.amazonaws.com/b RESTIC_PASSWORD=pw"},
    {"{'s3':{'bucket':'b'}}", "{" P "}", "s3:s3.amazonaws.com/b RESTIC_PASSWORD=pw"},
    {"{'s3':{'bucket':'b','insecureTLS':true}}", "{" P "}",
     "s3:s3.amazonaws.com/b RESTIC_PASSWORD=pw insecure"},
    {"{'gcs':{'bucket':'b','prefix':'p','maxConnections':5}}",
     "{" P ",'GOOGLE_SERVICE_ACCOUNT_JSON_KEY':'{}','CA_CERT_DATA':'pem'}",
     "gs:b:/p RESTIC_PASSWORD=pw RESTIC_CACERT=$GRANARY_FILES/ca.crt "
     "GOOGLE_APPLICATION_CREDENTIALS=$GRANARY_FILES/gcs.json ca.crt:cGVt gcs.json:e30= 5"},
    {"{'azure':{'container':'c','maxConnections':2000}}", "{" P ",'AZURE_ACCOUNT_NAME':'n'}",
     "azure:c:/ RESTIC_PASSWORD=pw AZURE_ACCOUNT_NAME=n 1000"},
    {"{'b2':{'bucket':'b','maxConnections':-1}}",
     "{" P ",'B2_ACCOUNT_ID':'i','B2_ACCOUNT_KEY':'k'}",
     "b2:b:/ RESTIC_PASSWORD=pw B2_ACCOUNT_ID=i B2_ACCOUNT_KEY=k"},
    {"{'swift':{'container':'c','prefix':'p'}}", "{" P ",'OS_AUTH_URL':'u'}",
     "swift:c:/p RESTIC_PASSWORD=pw OS_AUTH_URL=u"},
    /* a name and a password never stand in the address */
    {"{'rest':{'url':'https://r.example.com/p'}}",
     "{" P ",'REST_SERVER_USERNAME':'u','REST_SERVER_PASSWORD':'w'}",
     "rest:https://r.example.com/p RESTIC_PASSWORD=pw RESTIC_REST_USERNAME=u "
     "RESTIC_REST_PASSWORD=w"},
    /* bad ones */
    {"{}", "{" P "}", "!no backend"},
    {"[]", "{" P "}", "!no backend"},
    {"{'local':{}}", "{" P "}", "!no address"},
    {"{'local':{'mountPath':'/a\\u0000b'}}", "{" P "}", "!no address"},
    {"{'s3':{'bucket':'b'}}", "{}", "!no key RESTIC_PASSWORD"},
    {"{'s3':{'bucket':'b'}}", "{'RESTIC_PASSWORD':''}", "!no key RESTIC_PASSWORD"},
    {"{'b2':{'bucket':'b'}}", "{" P ",'B2_ACCOUNT_ID':'i'}", "!no key B2_ACCOUNT_KEY"},
    {"{'s3':{'bucket':'b'}}", "{'RESTIC_PASSWORD':7}", "!key RESTIC_PASSWORD"},
    {"{'s3':{'bucket':'b'}}", "{'RESTIC_PASSWORD':'a\\u0000b'}", "!key RESTIC_PASSWORD"},
};

START_TEST(accesses)
    {
        AUTO(json)
        json_t *backend = json_row(rows[_i].backend), *secret = secret_of(rows[_i].secret);
        struct message_work work = {0};
        struct error err = {.message = ""};
        AUTO(restic_access) json_t *kept = restic_access_make(backend, secret, &work, &err);
        AUTO(text) struct text told = {0};

        ck_assert_int_eq(kept != NULL, *rows[_i].told != '!');
        if (!kept) {
            ck_assert_int_eq(err.code, ERROR_INVALID);
            ck_assert_msg(strstr(err.message, rows[_i].told + 1), "%s", err.message);
            ck_assert_ptr_null(strstr(err.message, "pw"));
            return;
        }
        tell(&work, &told);
        ck_assert_str_eq(text_get(&told), rows[_i].told);
    }
END_TEST

/* restic reads bytes, JSON carries text. */
START_TEST(bytes_that_are_no_text)
    {
        AUTO(json) json_t *backend = json_row("{'s3':{'bucket':'b'}}");
        AUTO(json) json_t *secret = json_row("{'data':{'RESTIC_PASSWORD':'/v8='}}");
        struct message_work work = {0};
        struct error err = {.message = ""};

        ck_assert_ptr_null(restic_access_make(backend, secret, &work, &err));
        ck_assert_ptr_nonnull(strstr(err.message, "no text"));
        ck_assert_ptr_null(restic_access_make(backend, NULL, &work, &err));
    }
END_TEST

SUITE(restic_access)
{
    suite_rows(tests, accesses, rows);
    tcase_add_test(tests, bytes_that_are_no_text);
}
