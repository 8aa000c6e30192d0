/*
 * Whole requests: each folder of tests/golden holds a review.json as an API server sends it and the
 * answer, with its patch decoded; what the cluster knows (cluster.json) and the settings
 * (settings.json) stand beside them, or once for all in the folder above. make_cases.py writes the
 * requests and `make golden` the answers; read that diff before the commit.
 *
 * Beside the answer each case proves: the patch applies; it holds add, remove and replace only, all
 * below /spec; run on its own result there is nothing left to do, on CREATE and on UPDATE; and an
 * older API server (v1beta1) gets the same.
 */
#include <dirent.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <unistd.h>

#include "api/cluster.h"
#include "api/settings.h"
#include "base/patch.h"
#include "base/tree.h"
#include "tests/unit/suite.h"
#include "webhook/admit.h"

#define FOLDER "tests/golden"

static struct dirent **cases;
static int case_count;

static int is_case(const struct dirent *entry)
{
    AUTO(free) char *path = text_format(FOLDER "/%s/review.json", entry->d_name);

    return entry->d_name[0] != '.' && access(path, F_OK) == 0;
}

/* NULL when there is no such file. */
static json_t *read_json(const char *name, const char *file)
{
    AUTO(free) char *path = text_format(FOLDER "/%s/%s", name, file);
    json_error_t at;

    if (access(path, F_OK) != 0)
        return NULL;

    json_t *tree = json_load_file(path, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &at);

    ck_assert_msg(tree != NULL, "%s:%d: %s", path, at.line, at.text);
    return tree;
}

/* The file of the case, or else the one of all cases. */
static json_t *read_usual(const char *name, const char *file)
{
    json_t *tree = read_json(name, file);

    return tree ? tree : read_json(".", file);
}

static void read_settings(struct settings *settings, const char *name)
{
    AUTO(json) json_t *tree = read_usual(name, "settings.json");
    struct error err = {0};

    ck_assert_msg(settings_parse(settings, tree, &err), "%s: %s", name, err.message);
}

/* The response, with its patch decoded. */
static json_t *decoded(const struct admit_answer *answer)
{
    json_error_t at;
    json_t *review = json_loads(text_get(&answer->body), JSON_REJECT_DUPLICATES, &at);
    json_t *response = json_object_get(review, "response");
    const char *patch = tree_text(response, "patch");
    gnutls_datum_t coded, plain;

    ck_assert_msg(review != NULL, "%s in %s", at.text, text_get(&answer->body));
    if (!patch)
        return review;
    coded = (gnutls_datum_t){(unsigned char *)patch, (unsigned)strlen(patch)};
    ck_assert_int_eq(gnutls_base64_decode2(&coded, &plain), 0);
    tree_put_new(response, "patch", json_loadb((char *)plain.data, plain.size, 0, &at));
    gnutls_free(plain.data);
    ck_assert(json_is_array(json_object_get(response, "patch")));
    return review;
}

static json_t *ask(const struct settings *settings, const struct cluster *cluster,
                   const json_t *review)
{
    AUTO(admit_answer) struct admit_answer answer = {0};
    AUTO(free) char *body = json_dumps(review, 0);
    struct error err = {0};

    ck_assert_msg(admit_once(settings, cluster, span_of(body), &answer, &err), "%d %s", err.code,
                  err.message);
    return decoded(&answer);
}

static void judge_patch(const json_t *patch)
{
    const json_t *operation;
    size_t i;

    tree_items (patch, i, operation) {
        const char *op = tree_text(operation, "op"), *path = tree_text(operation, "path");

        ck_assert_msg(!strcmp(op, "add") || !strcmp(op, "remove") || !strcmp(op, "replace"),
                      "operation %s", op);
        ck_assert_msg(!strncmp(path, "/spec/", 6), "path %s", path);
    }
}

static void nothing_left(const struct settings *settings, const struct cluster *cluster,
                         const json_t *review, const json_t *result, bool update)
{
    AUTO(json) json_t *again = tree_copy(review);
    json_t *request = json_object_get(again, "request");

    tree_put_new(request, "object", tree_copy(result));
    if (update) {
        tree_put_text(request, "operation", "UPDATE");
        tree_put_new(request, "oldObject", tree_copy(result));
    }

    AUTO(json) json_t *answer = ask(settings, cluster, again);

    ck_assert_msg(!tree_at(answer, "response.patch"), "a second run patches again");
}

static void prove(const struct settings *settings, const struct cluster *cluster,
                  const json_t *review, const json_t *answer)
{
    const json_t *patch = tree_at(answer, "response.patch");
    struct error err = {0};

    if (!patch)
        return;
    judge_patch(patch);

    AUTO(json) json_t *result = patch_apply(tree_at(review, "request.object"), patch, &err);

    ck_assert_msg(result != NULL, "%s", err.message);
    nothing_left(settings, cluster, review, result, false);
    nothing_left(settings, cluster, review, result, true);
}

static void same_for_v1beta1(const struct settings *settings, const struct cluster *cluster,
                             const json_t *review, const json_t *answer)
{
    AUTO(json) json_t *older = tree_copy(review), *expected = tree_copy(answer);

    tree_put_text(older, "apiVersion", "admission.k8s.io/v1beta1");
    tree_put_text(expected, "apiVersion", "admission.k8s.io/v1beta1");

    AUTO(json) json_t *got = ask(settings, cluster, older);

    ck_assert(tree_equal(got, expected));
}

static void compare(const char *name, const json_t *got)
{
    AUTO(free) char *path = text_format(FOLDER "/%s/answer.json", name);

    if (getenv("GOLDEN")) {
        ck_assert_int_eq(json_dump_file(got, path, JSON_INDENT(2)), 0);
        return;
    }

    AUTO(json) json_t *expected = read_json(name, "answer.json");

    if (tree_equal(got, expected))
        return;

    AUTO(json) json_t *difference = expected ? patch_diff(expected, got, "") : NULL;
    AUTO(free) char *text = json_dumps(difference, JSON_INDENT(2));

    ck_abort_msg("%s: the answer differs from answer.json by %s", name, text ? text : "everything");
}

START_TEST(golden)
    {
        const char *name = cases[_i]->d_name;
        AUTO(json) json_t *review = read_json(name, "review.json");
        AUTO(json) json_t *objects = read_usual(name, "cluster.json");
        AUTO(cluster) const struct cluster *cluster = cluster_make(objects);
        struct settings settings;

        ck_assert_msg(review != NULL, "%s: no review.json", name);
        read_settings(&settings, name);

        AUTO(json) json_t *answer = ask(&settings, cluster, review);

        compare(name, answer);
        prove(&settings, cluster, review, answer);
        same_for_v1beta1(&settings, cluster, review, answer);
        settings_done(&settings);
    }
END_TEST

SUITE(golden)
{
    case_count = scandir(FOLDER, &cases, is_case, alphasort);
    if (case_count <= 0)
        abort(); /* not run in the folder of the project */
    tcase_add_loop_test(tests, golden, 0, case_count);
}
