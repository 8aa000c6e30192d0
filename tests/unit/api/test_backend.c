#include "api/backend.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define S3(endpoint, bucket, prefix)                                                               \
    "{'s3': {'endpoint': '" endpoint "', 'bucket': '" bucket "', 'prefix': '" prefix "'}}"
#define CLAIM "'persistentVolumeClaim': {'claimName': 'store'}"

/* Each provider: its name, where the data lies, and what a person reads. Spec: stash-behaviour 1.7.
 */
static const struct {
    const char *backend, *provider, *location, *described;
} provider_rows[] = {
    {"{'local': {'mountPath': '/safe', " CLAIM "}}", "local",
     "local {'persistentVolumeClaim':{'claimName':'store'}}/", "local persistentVolumeClaim"},
    {"{'local': {'mountPath': '/safe', 'subPath': '/a/b/', " CLAIM "}}", "local",
     "local {'persistentVolumeClaim':{'claimName':'store'}}/a/b", "local persistentVolumeClaim"},
    {"{'local': {'mountPath': '/safe'}}", "local", "local {}/", "local volume"},
    {S3("s3.example.com", "bucket", "prefix"), "s3", "s3 s3.example.com/bucket/prefix",
     "s3 s3.example.com/bucket/prefix"},
    {S3("s3.example.com/", "bucket", "/a/b/"), "s3", "s3 s3.example.com/bucket/a/b",
     "s3 s3.example.com/bucket/a/b"},
    {S3("s3.example.com", "bucket", ""), "s3", "s3 s3.example.com/bucket/",
     "s3 s3.example.com/bucket/"},
    {"{'gcs': {'bucket': 'b', 'prefix': 'p', 'maxConnections': 5}}", "gcs", "gcs b/p", "gcs b/p"},
    {"{'azure': {'container': 'c', 'prefix': 'p'}}", "azure", "azure c/p", "azure c/p"},
    {"{'swift': {'container': 'c', 'prefix': 'p'}}", "swift", "swift c/p", "swift c/p"},
    {"{'b2': {'bucket': 'b', 'prefix': 'p'}}", "b2", "b2 b/p", "b2 b/p"},
    {"{'rest': {'url': 'https://rest.example.com/p/'}}", "rest", "rest https://rest.example.com/p",
     "rest https://rest.example.com/p"},
    /* several: in Stash's order */
    {"{'rest': {'url': 'https://r'}, 'gcs': {'bucket': 'b'}, 's3': {'bucket': 'x'}}", "s3",
     "s3 /x/", "s3 /x/"},
    {"{'s3': {'bucket': 'x'}, 'local': {}}", "local", "local {}/", "local volume"},
    /* none */
    {"{'storageSecretName': 'secret'}", NULL, "", "nowhere"},
    {"{'s3': null, 'gcs': []}", NULL, "", "nowhere"},
    {"{'S3': {}}", NULL, "", "nowhere"},
    {"[]", NULL, "", "nowhere"},
    /* a member of another type counts as absent */
    {"{'s3': {'endpoint': 1, 'bucket': {}, 'prefix': null}}", "s3", "s3 //", "s3 //"},
};

static char *double_quotes(const char *text)
{
    char *copy = text_dup(text, strlen(text));

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

START_TEST(providers)
    {
        AUTO(json) json_t *backend = json_row(provider_rows[_i].backend);
        AUTO(free) char *expected = double_quotes(provider_rows[_i].location);
        AUTO(text) struct text location = {0}, described = {0};

        ck_assert_pstr_eq(backend_provider(backend), provider_rows[_i].provider);
        backend_location(&location, backend);
        ck_assert_str_eq(text_get(&location), expected);
        backend_describe(&described, backend);
        ck_assert_str_eq(text_get(&described), provider_rows[_i].described);
    }
END_TEST

/* One place or two: what says how it is reached does not count. */
static const struct {
    const char *one, *other;
    bool same;
} place_rows[] = {
    {S3("e", "b", "p"), S3("e", "b", "/p/"), true},
    {S3("e", "b", "p"), S3("e", "b", "q"), false},
    {S3("e", "b", "p"), S3("f", "b", "p"), false},
    {S3("e", "b", "p"), S3("e", "c", "p"), false},
    {S3("e", "b", "p"),
     "{'s3': {'endpoint': 'e', 'bucket': 'b', 'prefix': 'p', 'region': 'r',"
     " 'insecureTLS': true}, 'storageSecretName': 'other'}",
     true},
    {"{'gcs': {'bucket': 'b', 'prefix': 'p'}}", "{'b2': {'bucket': 'b', 'prefix': 'p'}}", false},
    {"{'local': {'mountPath': '/a', " CLAIM "}}", "{'local': {'mountPath': '/b', " CLAIM "}}",
     true},
    {"{'local': {'mountPath': '/a', " CLAIM "}}",
     "{'local': {'mountPath': '/a', 'subPath': 'x', " CLAIM "}}", false},
    {"{'local': {'mountPath': '/a', 'nfs': {'server': 's', 'path': '/p'}}}",
     "{'local': {'mountPath': '/a', 'nfs': {'path': '/p', 'server': 's'}}}", true},
    {"{'local': {'mountPath': '/a', 'nfs': {'server': 's', 'path': '/p'}}}",
     "{'local': {'mountPath': '/a', 'nfs': {'server': 's', 'path': '/q'}}}", false},
    /* a new password is no new place */
    {"{'rest': {'url': 'https://me:old@rest/p'}}", "{'rest': {'url': 'https://me:new@rest/p'}}",
     true},
    {"{'rest': {'url': 'https://rest/p'}}", "{'rest': {'url': 'https://me:new@rest/p/'}}", true},
    {"{'gcs': {'bucket': 'b', 'prefix': 'a@p'}}", "{'gcs': {'bucket': 'b', 'prefix': 'p'}}", false},
    {"{'rest': {'url': 'https://rest/a@p'}}", "{'rest': {'url': 'https://rest/p'}}", false},
};

START_TEST(places)
    {
        AUTO(json)
        json_t *one = json_row(place_rows[_i].one), *other = json_row(place_rows[_i].other);
        AUTO(text) struct text first = {0}, second = {0};

        backend_location(&first, one);
        backend_location(&second, other);
        ck_assert_msg((strcmp(text_get(&first), text_get(&second)) == 0) == place_rows[_i].same,
                      "%s and %s", text_get(&first), text_get(&second));
    }
END_TEST

/* No credentials where people read. */
static const struct {
    const char *url, *described;
} secret_rows[] = {
    {"https://me:secret@rest.example.com/path", "rest https://rest.example.com/path"},
    {"https://me:se@cret@rest.example.com", "rest https://rest.example.com"},
    {"https://rest.example.com/me@home", "rest https://rest.example.com/me@home"},
    {"me:secret@rest.example.com/path", "rest rest.example.com/path"},
    {"https://", "rest https:"},
    {"", "rest "},
};

START_TEST(secrets)
    {
        AUTO(json) json_t *backend = json_object(), *rest = json_object();
        AUTO(text) struct text described = {0};

        tree_put_text(rest, "url", secret_rows[_i].url);
        json_object_set(backend, "rest", rest);
        backend_describe(&described, backend);
        ck_assert_str_eq(text_get(&described), secret_rows[_i].described);
    }
END_TEST

START_TEST(volume_of_a_local_backend)
    {
        AUTO(json)
        json_t *local = json_row("{'local': {'mountPath': '/safe', 'subPath': 'x', 'nfs':"
                                 " {'server': 's'}}}"),
               *remote = json_row(S3("e", "b", "p")),
               *expected = json_row("{'nfs': {'server': 's'}}"), *volume = backend_volume(local);

        ck_assert(tree_equal(volume, expected));
        ck_assert_ptr_null(backend_volume(remote));
        ck_assert_ptr_null(backend_volume(NULL));
        /* a copy: what is done to it does not reach the backend */
        json_object_clear(json_object_get(volume, "nfs"));
        ck_assert_uint_eq(json_object_size(tree_at(local, "local.nfs")), 1);
    }
END_TEST

#define LOCAL(source) "{'local': {'mountPath': '/m', " source "}}"

static const struct {
    const char *a, *b;
    bool same_space, overlap;
} overlaps[] = {
    {S3("s3", "b", "p"), S3("s3", "b", "p"), true, true},
    {S3("s3", "b", "p"), S3("s3", "b", "/p/"), true, true},
    {S3("s3", "b", "p"), S3("s3", "b", "p/q"), false, true},
    {S3("s3", "b", ""), S3("s3", "b", "p/q"), false, true},
    {S3("s3", "b", "p"), S3("s3", "b", "pq"), true, false},
    {S3("s3", "b", "p/a"), S3("s3", "b", "p/b"), true, false},
    {S3("s3", "b", "p"), S3("s3", "c", "p"), true, false},
    /* one storage has many addresses */
    {S3("http://s3.svc:9000", "b", "p"), S3("https://s3.example.com", "b", "p"), true, true},
    {S3("s3", "b", "p"), "{'gcs': {'bucket': 'b', 'prefix': 'p'}}", true, false},
    {"{'azure': {'container': 'c'}}", "{'azure': {'container': 'c', 'prefix': 'x'}}", true, true},
    {"{'rest': {'url': 'http://h/a'}}", "{'rest': {'url': 'https://h2:1/a/b/'}}", true, true},
    {"{'rest': {'url': 'http://h/a'}}", "{'rest': {'url': 'http://h/ab'}}", true, false},
    {LOCAL(CLAIM), LOCAL(CLAIM ", 'subPath': 'x'"), true, true},
    {LOCAL(CLAIM ", 'subPath': 'y'"), LOCAL(CLAIM ", 'subPath': 'x'"), true, false},
    /* a claim of the same name */
    {LOCAL(CLAIM), LOCAL(CLAIM), false, false},
    {LOCAL("'hostPath': {'path': '/a'}"), LOCAL("'hostPath': {'path': '/a/b'}, 'subPath': 'c'"),
     false, true},
    {LOCAL("'hostPath': {'path': '/a'}, 'subPath': 'b'"), LOCAL("'hostPath': {'path': '/a/b/c'}"),
     false, true},
    {LOCAL("'nfs': {'server': 'n', 'path': '/a'}"), LOCAL("'nfs': {'server': 'm', 'path': '/a/b'}"),
     false, true},
    {LOCAL("'nfs': {'server': 'n', 'path': '/a'}"), LOCAL("'hostPath': {'path': '/a'}"), true,
     false},
    {"{}", "{}", true, false},
    {S3("s3", "b", "p"), "{}", true, false},
};

START_TEST(what_lies_within_what)
    {
        AUTO(json) json_t *a = json_row(overlaps[_i].a), *b = json_row(overlaps[_i].b);
        const char *other = overlaps[_i].same_space ? "n" : "m";

        ck_assert_int_eq(backend_overlaps(a, "n", b, other), overlaps[_i].overlap);
        ck_assert_int_eq(backend_overlaps(b, other, a, "n"), overlaps[_i].overlap);
    }
END_TEST

static const struct {
    const char *written, *read;
} path_rows[] = {
    {"a", "a"}, {"/a/b/", "a/b"}, {"//a//", "a"}, {"a//b", "a//b"}, {"/", ""}, {"", ""},
};

START_TEST(slashes_at_the_ends)
    {
        ck_assert(span_is(backend_path(span_of(path_rows[_i].written)), path_rows[_i].read));
        ck_assert_uint_eq(backend_path((struct span){NULL, 0}).length, 0);
    }
END_TEST

SUITE(api_backend)
{
    suite_rows(tests, slashes_at_the_ends, path_rows);
    suite_rows(tests, what_lies_within_what, overlaps);
    suite_rows(tests, providers, provider_rows);
    suite_rows(tests, places, place_rows);
    suite_rows(tests, secrets, secret_rows);
    tcase_add_test(tests, volume_of_a_local_backend);
}
