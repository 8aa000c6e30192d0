#include "api/rclone_access.h"

#include "api/restic_access.h"
#include "base/auto.h"
#include "base/base64.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static json_t *secret_of(const char *row)
{
    AUTO(json) json_t *texts = json_row(row);
    json_t *secret = json_object(), *data = json_object();
    const char *key;
    const json_t *value;

    tree_each (texts, key, value) {
        AUTO(text) struct text encoded = {0};

        base64_encode(&encoded, tree_value(value));
        tree_put_text(data, key, text_get(&encoded));
    }
    tree_put_new(secret, "data", data);
    return secret;
}

#define P "'RESTIC_PASSWORD':'pw'"
#define R " RCLONE_CONFIG_PLACE_"

static const struct {
    const char *backend, *secret, *place,
        *told; /* told begins with "!": the error has that in it */
} rows[] = {
    {"{'local':{'mountPath':'//safe/','subPath':'x'}}", "{" P "}", "place:/safe/keys",
     R "TYPE=local"},
    {"{'s3':{'endpoint':'https://s3.example.com/','bucket':'b','prefix':'/a//b/','region':'r'}}",
     "{" P ",'AWS_ACCESS_KEY_ID':'id','AWS_SECRET_ACCESS_KEY':'key','CA_CERT_DATA':'pem'}",
     "place:b/a/b/keys",
     R "TYPE=s3" R "NO_CHECK_BUCKET=true" R "PROVIDER=Other" R
       "ENDPOINT=https://s3.example.com/ RCLONE_CA_CERT=$GRANARY_FILES/ca.crt" R
       "ACCESS_KEY_ID=id" R "SECRET_ACCESS_KEY=key" R "REGION=r ca.crt"},
    {"{'s3':{'endpoint':'s3.amazonaws.com','bucket':'b','insecureTLS':true}}",
     "{" P ",'AWS_ACCESS_KEY_ID':'id','AWS_SESSION_TOKEN':'t'}", "place:b/keys",
     R "TYPE=s3" R "NO_CHECK_BUCKET=true" R "PROVIDER=AWS" R "ACCESS_KEY_ID=id" R
       "SESSION_TOKEN=t RCLONE_NO_CHECK_CERTIFICATE=true"},
    /* the rights of the node */
    {"{'s3':{'bucket':'b'}}", "{" P "}", "place:b/keys",
     R "TYPE=s3" R "NO_CHECK_BUCKET=true" R "PROVIDER=AWS" R "ENV_AUTH=true"},
    {"{'gcs':{'bucket':'b','prefix':'p'}}",
     "{" P ",'GOOGLE_SERVICE_ACCOUNT_JSON_KEY':'{}','GOOGLE_PROJECT_ID':'7'}", "place:b/p/keys",
     R "TYPE=google cloud storage" R "BUCKET_POLICY_ONLY=true" R "NO_CHECK_BUCKET=true" R
       "SERVICE_ACCOUNT_FILE=$GRANARY_FILES/gcs.json gcs.json"},
    {"{'azure':{'container':'c','prefix':'p/'}}",
     "{" P ",'AZURE_ACCOUNT_NAME':'a','AZURE_ACCOUNT_KEY':'k'}", "place:c/p/keys",
     R "TYPE=azureblob" R "ACCOUNT=a" R "KEY=k"},
    {"{'swift':{'container':'c'}}", "{" P ",'OS_USERNAME':'u','ST_KEY':'k'}", "place:c/keys",
     R "TYPE=swift" R "ENV_AUTH=true ST_KEY=k OS_USERNAME=u"},
    {"{'b2':{'bucket':'b'}}", "{" P ",'B2_ACCOUNT_ID':'a','B2_ACCOUNT_KEY':'k'}", "place:b/keys",
     R "TYPE=b2" R "HARD_DELETE=true" R "ACCOUNT=a" R "KEY=k"},
    {"{'rest':{'url':'http://h'}}", "{" P "}", NULL, "!rest can not be removed"},
    {"{'s3':{'bucket':'a/b'}}", "{" P "}", NULL, "!names no bucket"},
    {"{'s3':{'bucket':'a:b'}}", "{" P "}", NULL, "!names no bucket"},
    {"{'azure':{'container':''}}", "{" P "}", NULL, "!names no container"},
    {"{'local':{'mountPath':'/'}}", "{" P "}", NULL, "!names no folder"},
    {"{'local':{'mountPath':'a'}}", "{" P "}", NULL, "!names no folder"},
};

static void tell(const struct message_work *work, struct text *out)
{
    for (size_t i = 0; i < work->variable_count; i++)
        text_addf(out, " %s=%s", work->environment[i].name, work->environment[i].value);
    for (size_t i = 0; i < work->file_count; i++)
        text_addf(out, " %s", work->files[i].name);
}

START_TEST(each_backend_is_reached)
    {
        AUTO(json)
        json_t *backend = json_row(rows[_i].backend), *secret = secret_of(rows[_i].secret);
        AUTO(free) struct message_work *work = text_alloc(sizeof *work);
        AUTO(free) struct message_work *made = text_alloc(sizeof *made);
        AUTO(text) struct text told = {0}, place = {0};
        struct error err = {.message = ""};

        *work = *made = (struct message_work){0};

        AUTO(restic_access) json_t *access = restic_access_make(backend, secret, work, &err);
        AUTO(json) json_t *kept = rclone_access_make(backend, work, made, &err);
        bool good = access && kept && rclone_place(&place, backend, "keys", &err);

        if (*rows[_i].told == '!') {
            ck_assert(!good);
            ck_assert_msg(strstr(err.message, rows[_i].told + 1) != NULL, "%s", err.message);
            return;
        }
        ck_assert_msg(good, "%s", err.message);
        tell(made, &told);
        ck_assert_str_eq(text_get(&told), rows[_i].told);
        ck_assert_str_eq(text_get(&place), rows[_i].place);
        ck_assert(strstr(text_get(&told), "pw") == NULL);
    }
END_TEST

#define FILE_(name) "{'Name':'" name "','IsDir':false},"
#define DIR_(name) "{'Name':'" name "','IsDir':true},"

static const struct {
    const char *listed, *mark, *others;
    bool config, folders;
} besides[] = {
    {"[]", NULL, "", false, false},
    {"[" FILE_("config") DIR_("keys") DIR_("data") "{}]", NULL, "", true, true},
    {"[" DIR_("config") FILE_("keys") "1]", NULL, "config, keys", false, false},
    {"[" FILE_("granary-wipe-u-1") DIR_("granary-wipe-2") "{'Name':1}]", "u-1", "granary-wipe-2",
     false, false},
    {"[" FILE_("a") FILE_("b") FILE_("c") FILE_("d") FILE_("e") FILE_("f") DIR_("locks") "{}]",
     NULL, "a, b, c, d, e and 1 more", false, true},
    {"{}", NULL, "", false, false},
};

START_TEST(what_is_beside_is_named)
    {
        AUTO(json) json_t *listed = json_row(besides[_i].listed);
        AUTO(text) struct text others = {0};
        const char *mark = "before";
        bool config = false, folders = false;

        (void)rclone_beside(listed, &mark, &config, &folders, &others);
        ck_assert_str_eq(text_get(&others), besides[_i].others);
        ck_assert_int_eq(config, besides[_i].config);
        ck_assert_int_eq(folders, besides[_i].folders);
        ck_assert(!mark == !besides[_i].mark && (!mark || !strcmp(mark, besides[_i].mark)));
    }
END_TEST

/* What nobody can read without goes first, what says "here is one" is not among them. */
START_TEST(the_order_is_fixed)
    {
        ck_assert_str_eq(wipe_folders[0], "keys");
        for (size_t i = 0; i < WIPE_FOLDERS; i++)
            ck_assert_str_ne(wipe_folders[i], "config");
        ck_assert_str_eq(rclone_filter("data"), "/{{([0-9a-f]{2}/)?[0-9a-f]{64}(-tmp-[0-9]+)?}}");
        ck_assert_str_eq(rclone_filter("keys"), "/{{[0-9a-f]{64}(-tmp-[0-9]+)?}}");
    }
END_TEST

SUITE(rclone_access)
{
    suite_rows(tests, each_backend_is_reached, rows);
    suite_rows(tests, what_is_beside_is_named, besides);
    tcase_add_test(tests, the_order_is_fixed);
}
