#include "api/selection.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define POD "pvc data logs; dir tmp; app data:/var/lib/db logs:/var/log tmp:/tmp data:/etc/db:conf"
#define MOUNTS_FIELD "metadata.annotations[mounts]"
#define PATHS_FIELD "metadata.annotations[paths]"

/* A list of mounts in the notation of a pod, as JSON. */
static json_t *mounts_row(const char *row)
{
    if (!row)
        return NULL;

    AUTO(free) char *text = text_format("app %s", row);
    AUTO(json) json_t *template = pod_row(text);
    json_t *mounts = tree_copy(tree_get(
        json_array_get(json_object_get(json_object_get(template, "spec"), "containers"), 0),
        "volumeMounts"));

    return mounts ? mounts : json_array();
}

static json_t *paths_row(const char *row)
{
    struct span rest = span_of(row ? row : ""), word;
    json_t *paths = row ? json_array() : NULL;

    while (text_split(&rest, ' ', &word))
        json_array_append_new(paths, json_stringn(word.data, word.length));
    return paths;
}

static char *paths_text(const json_t *paths)
{
    AUTO(text) struct text out = {0};
    const json_t *path;
    size_t i;

    tree_items (paths, i, path)
        text_addf(&out, "%s%s", i ? " " : "", json_string_value(path));
    return text_take(&out);
}

/*
 * What is asked for, and what comes of it. Spec: design, Admission (target-paths and
 * volume-mounts); stash-behaviour 2.2 and 10.1.
 */
static const struct {
    const char *pod;
    const char *asked_paths, *asked_mounts; /* NULL: did not say */
    const char *paths, *mounts;
    const char *mistake; /* a part of it; "": none at all */
    const char *field;   /* of the first mistake */
} selection_rows[] = {
    /* nothing said: every claim at its own path; slashes at the end are no part of a path */
    {POD, NULL, NULL, "/var/lib/db /var/log", "data:/var/lib/db logs:/var/log", "", NULL},
    {"pvc a; app a:/data/", NULL, NULL, "/data", "a:/data/", "", NULL},
    {"dir tmp; app tmp:/tmp", NULL, NULL, "", "", "", NULL},
    /* paths alone: the mounts that cover them */
    {POD, "/var/lib/db", NULL, "/var/lib/db", "data:/var/lib/db", "", NULL},
    {POD, "/var/lib/db/x /var/lib/db/y", NULL, "/var/lib/db/x /var/lib/db/y", "data:/var/lib/db",
     "", NULL},
    {POD, "/var/lib/db /var/log", NULL, "/var/lib/db /var/log", "data:/var/lib/db logs:/var/log",
     "", NULL},
    {POD, "/tmp/cache", NULL, "/tmp/cache", "tmp:/tmp", "", NULL},
    {POD, "/etc/db/my.cnf", NULL, "/etc/db/my.cnf", "data:/etc/db:conf", "", NULL},
    /* paths that no mount covers */
    {POD, "/opt", NULL, "", "", "/opt lies outside of every mount: it is not backed up",
     PATHS_FIELD},
    {POD, "/opt /var/log", NULL, "/var/log", "logs:/var/log", "/opt lies outside", PATHS_FIELD},
    {POD, "/", NULL, "", "", "a path is absolute and has no \"..\": left out", PATHS_FIELD},
    {POD, "var/log", NULL, "", "", "a path is absolute", PATHS_FIELD},
    {POD, "/var/log/../lib", NULL, "", "", "a path is absolute", PATHS_FIELD},
    {POD, "", NULL, "", "", "", NULL},
    /* a path below ours is not the owner's */
    {"pvc a; app a:/stash-tmp", "/stash-tmp/x", NULL, "", "", "/stash-tmp/x lies outside",
     PATHS_FIELD},
    /* mounts alone: each is a path */
    {POD, NULL, "data:/backup", "/backup", "data:/backup", "", NULL},
    {POD, NULL, "data:/backup/ logs:/logs:sub/dir", "/backup /logs",
     "data:/backup/ logs:/logs:sub/dir", "", NULL},
    {POD, NULL, "tmp:/tmp", "/tmp", "tmp:/tmp", "", NULL},
    {POD, NULL, "", "", "", "", NULL},
    /* both */
    {POD, "/backup/one", "data:/backup", "/backup/one", "data:/backup", "", NULL},
    {POD, "/backup /var/log", "data:/backup", "/backup /var/log", "data:/backup logs:/var/log",
     "/var/log is covered by none of the mounts given: volume logs at /var/log is added",
     PATHS_FIELD},
    {POD, "/opt", "data:/backup", "", "data:/backup", "/opt lies outside", PATHS_FIELD},
    /* mounts that can not be */
    {POD, NULL, "date:/backup", "", "", "no volume \"date\": did you mean \"data\"?", MOUNTS_FIELD},
    {POD, NULL, "xxxxxx:/backup", "", "", "the pod has no volume \"xxxxxx\"", MOUNTS_FIELD},
    {POD, NULL, "data:backup", "", "", "a mount needs a volume, an absolute path", MOUNTS_FIELD},
    {POD, NULL, "data:/..", "", "", "a mount needs", MOUNTS_FIELD},
    {POD, NULL, "data:/", "", "", "a mount needs", MOUNTS_FIELD},
    {POD, NULL, "data:/backup:../x", "", "", "a mount needs", MOUNTS_FIELD},
    {POD, NULL, "data:/backup:/x", "", "", "a mount needs", MOUNTS_FIELD},
    {POD, NULL, "data:/stash-tmp", "", "",
     "/stash-tmp is a path of our own container: volume data is left out", MOUNTS_FIELD},
    {POD, NULL, "data:/var/run/secrets/kubernetes.io/serviceaccount/x", "", "",
     "is a path of our own container", MOUNTS_FIELD},
    {POD, NULL, "data:/backup logs:/backup/", "/backup", "data:/backup",
     "volumes data and logs are both to be mounted at /backup/: logs is left out", MOUNTS_FIELD},
    /* a block device has no files; to mount it would hold up every pod */
    {"pvc dev; app + {'containers': [{'name': 'app', 'volumeDevices': [{'name': 'dev',"
     " 'devicePath': '/dev/x'}]}]}",
     NULL, "dev:/backup", "", "", "volume dev is a block device", MOUNTS_FIELD},
    /* one below another is fine */
    {POD, NULL, "data:/backup logs:/backup/logs", "/backup /backup/logs",
     "data:/backup logs:/backup/logs", "", NULL},
};

START_TEST(selections)
    {
        AUTO(json)
        json_t *template = pod_row(selection_rows[_i].pod),
               *paths = paths_row(selection_rows[_i].asked_paths),
               *mounts = mounts_row(selection_rows[_i].asked_mounts);
        struct selecting in = {{template, NULL}, paths, mounts, PATHS_FIELD, MOUNTS_FIELD};
        AUTO(selection) struct selection selection = {0};
        AUTO(findings) struct findings mistakes = {0}, cautions = {0};

        selection_make(&selection, &in, &mistakes, &cautions);

        AUTO(free)
        char *got_paths = paths_text(selection.paths), *got_mounts = mounts_text(selection.mounts);

        ck_assert_str_eq(got_paths, selection_rows[_i].paths);
        ck_assert_str_eq(got_mounts, selection_rows[_i].mounts);
        findings_say(&mistakes, selection_rows[_i].mistake);
        if (mistakes.count)
            ck_assert_str_eq(mistakes.items[0].field, selection_rows[_i].field);
        ck_assert_uint_eq(cautions.count, 0);
    }
END_TEST

/* The lists of somebody's BackupConfiguration may hold anything. */
static const struct {
    const char *paths, *mounts;
    size_t mistakes;
} odd_rows[] = {
    {"[1, null, {}, []]", NULL, 4},
    {NULL, "[1, null, {}, {'name': 'data'}, {'mountPath': '/x'}, {'name': 1, 'mountPath': '/x'}]",
     6},
    {NULL, "[{'name': 'data', 'mountPath': '/a\\u0000b'}]", 0},
    {"{}", NULL, 0},
};

START_TEST(odd_lists)
    {
        AUTO(json)
        json_t *template = pod_row(POD),
               *paths = odd_rows[_i].paths ? json_row(odd_rows[_i].paths) : NULL,
               *mounts = odd_rows[_i].mounts ? json_row(odd_rows[_i].mounts) : NULL;
        struct selecting in = {{template, NULL}, paths, mounts, PATHS_FIELD, MOUNTS_FIELD};
        AUTO(selection) struct selection selection = {0};
        AUTO(findings) struct findings mistakes = {0}, cautions = {0};

        selection_make(&selection, &in, &mistakes, &cautions);
        ck_assert_uint_eq(mistakes.count, odd_rows[_i].mistakes);
        ck_assert(json_is_array(selection.paths) && json_is_array(selection.mounts));
    }
END_TEST

/* What the owner should know of the claims themselves is no mistake of his. */
START_TEST(cautions_of_claims)
    {
        AUTO(json) json_t *template = pod_row("pvc a b; app a:/data");
        struct selecting in = {.claims = {template, NULL}};
        AUTO(selection) struct selection selection = {0};
        AUTO(findings) struct findings mistakes = {0}, cautions = {0};

        selection_make(&selection, &in, &mistakes, &cautions);
        ck_assert_uint_eq(mistakes.count, 0);
        findings_say(&cautions, "volume b is mounted by no container");
    }
END_TEST

SUITE(api_selection)
{
    suite_rows(tests, selections, selection_rows);
    suite_rows(tests, odd_lists, odd_rows);
    tcase_add_test(tests, cautions_of_claims);
}
