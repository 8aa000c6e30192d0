/*
 * Whole requests: each folder of tests/golden holds a review.json as an API server sends it and the
 * answer, with its patch decoded; what the cluster knows (cluster.json) and the settings
 * (settings.json) stand beside them, or once for all in the folder above. make_cases.py writes the
 * requests and `make golden` the answers; read that diff before the commit.
 *
 * Beside the answer each case proves: the patch applies; it holds add, remove and replace only, and
 * touches nothing but what is ours to touch; run on its own result, with an API server's defaults,
 * there is nothing left to do, on CREATE and on UPDATE; and an older API server (v1beta1) gets the
 * same.
 */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "base/patch.h"
#include "base/tree.h"
#include "tests/unit/asking.h"
#include "tests/unit/defaulting.h"
#include "tests/unit/suite.h"

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

/* What admission knows in this case. */
static void read_asking(struct asking *asking, const char *name)
{
    AUTO(json) json_t *objects = read_usual(name, "cluster.json");
    AUTO(json) json_t *settings = read_usual(name, "settings.json");

    asking_make(asking, objects, settings);
}

static json_t *ask(const struct asking *asking, const json_t *review)
{
    struct error err = {0};
    json_t *answer = asking_answer(asking, review, &err);

    ck_assert_msg(answer != NULL, "%d %s", err.code, err.message);
    return answer;
}

static void nothing_left(const struct asking *asking, const json_t *review, const json_t *result,
                         bool update)
{
    AUTO(json) json_t *again = tree_copy(review);
    AUTO(json) json_t *stored = tree_copy(result);
    json_t *request = json_object_get(again, "request");

    default_object(stored);
    tree_put_new(request, "object", tree_copy(stored));
    if (update) {
        tree_put_text(request, "operation", "UPDATE");
        tree_put_new(request, "oldObject", tree_copy(stored));
    }

    AUTO(json) json_t *answer = ask(asking, again);

    ck_assert_msg(!tree_at(answer, "response.patch"), "a second run patches again");
}

static void prove(const struct asking *asking, const json_t *review, const json_t *answer)
{
    if (!tree_at(answer, "response.patch"))
        return;

    AUTO(json) json_t *result = asking_result(review, answer);

    nothing_left(asking, review, result, false);
    nothing_left(asking, review, result, true);
}

static void same_for_v1beta1(const struct asking *asking, const json_t *review,
                             const json_t *answer)
{
    AUTO(json) json_t *older = tree_copy(review), *expected = tree_copy(answer);

    tree_put_text(older, "apiVersion", "admission.k8s.io/v1beta1");
    tree_put_text(expected, "apiVersion", "admission.k8s.io/v1beta1");

    AUTO(json) json_t *got = ask(asking, older);

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

    ck_abort_msg("%s: the answer differs from answer.json by %.3000s", name,
                 text ? text : "everything");
}

START_TEST(golden)
    {
        const char *name = cases[_i]->d_name;
        AUTO(json) json_t *review = read_json(name, "review.json");
        AUTO(asking) struct asking asking = {0};

        read_asking(&asking, name);

        AUTO(json) json_t *answer = ask(&asking, review);

        compare(name, answer);
        prove(&asking, review, answer);
        same_for_v1beta1(&asking, review, answer);
    }
END_TEST

SUITE(golden)
{
    case_count = scandir(FOLDER, &cases, is_case, alphasort);
    if (case_count <= 0)
        abort(); /* not run in the folder of the project */
    tcase_add_loop_test(tests, golden, 0, case_count);
}
