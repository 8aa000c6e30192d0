#include "webhook/admit.h"

#include <string.h>

#include "api/keys.h"
#include "base/patch.h"
#include "base/tree.h"
#include "tests/unit/asking.h"
#include "tests/unit/defaulting.h"
#include "tests/unit/json.h"
#include "tests/unit/strict.h"
#include "tests/unit/suite.h"

#define GOLDEN "tests/golden/"

static json_t *load(const char *path)
{
    json_error_t at;
    json_t *tree = json_load_file(path, JSON_ALLOW_NUL, &at);

    ck_assert_msg(tree != NULL, "%s: %s", path, at.text);
    return tree;
}

static void make(struct asking *asking, const json_t *objects)
{
    AUTO(json) json_t *settings = load(GOLDEN "settings.json");

    asking_make(asking, objects, settings);
}

/* What most of these requests meet: the blueprint of the golden cases, which lets owners set
 * everything. */
static void make_usual(struct asking *asking)
{
    AUTO(json) json_t *objects = load(GOLDEN "cluster.json");
    json_t *spec = json_object_get(json_array_get(objects, 0), "spec");

    tree_put_new(
        spec, "overrides",
        json_row("[{'key':'schedule'},{'key':'paths'},{'key':'params'},{'key':'paused'},"
                 "{'key':'exclude'},{'key':'restore-if-exists'},{'key':'retention'},"
                 "{'key':'resources'},{'key':'timeout'},{'key':'priority'},{'key':'dump'}]"));
    make(asking, objects);
}

static json_t *answered(const struct asking *asking, const json_t *review)
{
    struct error err = {0};
    json_t *answer = asking_answer(asking, review, &err);

    ck_assert_msg(answer != NULL, "%d %s", err.code, err.message);
    return answer;
}

/* Its own result, asked again as an update, is left alone. */
static void settles(const struct asking *asking, const json_t *review, const json_t *result)
{
    AUTO(json) json_t *again = tree_copy(review);
    json_t *request = json_object_get(again, "request");

    tree_put_text(request, "operation", "UPDATE");
    tree_put_new(request, "object", tree_copy(result));
    tree_put_new(request, "oldObject", tree_copy(result));

    AUTO(json) json_t *answer = answered(asking, again);
    AUTO(free) char *patch = json_dumps(tree_at(answer, "response.patch"), JSON_ENCODE_ANY);

    ck_assert_msg(!tree_at(answer, "response.patch"), "a second run patches: %.2000s", patch);
}

/* ---- J9: what is damaged ---- */

/* What takes a value's place; the last is nothing at all. */
static const char *const damages[] = {"null", "'x'", "7", "true", "[]", "{}", "[7]", "[{}]", NULL};

#define DAMAGES (sizeof damages / sizeof *damages)

static void damage_member(json_t *parent, const char *key, size_t index, size_t how)
{
    json_t *value = damages[how] ? json_row(damages[how]) : NULL;

    if (key && value)
        tree_put_new(parent, key, value);
    else if (key)
        json_object_del(parent, key);
    else if (value)
        json_array_set_new(parent, index, value);
    else
        json_array_remove(parent, index);
}

/* Damages the n-th value below `tree`, counted in the order in which they stand; false when there
 * are no more. *n is what is left to count. */
static bool damage(json_t *tree, size_t *n, size_t how)
{
    const char *key = NULL;
    json_t *child;
    size_t index = 0;
    void *next;

    json_object_foreach_safe(tree, next, key, child)
    {
        if ((*n)-- == 0) {
            damage_member(tree, key, 0, how);
            return true;
        }
        if (damage(child, n, how))
            return true;
    }
    json_array_foreach(tree, index, child)
    {
        if ((*n)-- == 0) {
            damage_member(tree, NULL, index, how);
            return true;
        }
        if (damage(child, n, how))
            return true;
    }
    return false;
}

static void judge_damaged(const struct asking *asking, const json_t *review)
{
    struct error err = {0};
    AUTO(json) json_t *answer = asking_answer(asking, review, &err);

    if (!answer) {
        ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
        return;
    }
    if (!tree_true(tree_get(answer, "response"), "allowed")) {
        /* an AppBinding is of our own kinds, too */
        ck_assert_str_eq(tree_text(tree_at(review, "request.kind"), "kind"), "AppBinding");
        return;
    }

    AUTO(json) json_t *result = asking_result(review, answer);

    if (tree_at(answer, "response.patch"))
        settles(asking, review, result);
}

static const char *const damaged_cases[] = {
    "replace-with-new-image", "restore-create",     "statefulset-claim-templates",
    "sub-path-expr",          "stash-owner-image",  "appbinding-create",
    "claim-create",           "annotation-removed",
};

/* Each value of a review taken out, or replaced by something else. */
START_TEST(damaged_review)
    {
        const char *name = damaged_cases[_i];
        AUTO(free) char *review_path = text_format(GOLDEN "%s/review.json", name);
        AUTO(free) char *cluster_path = text_format(GOLDEN "%s/cluster.json", name);
        AUTO(json) json_t *review = load(review_path);
        AUTO(json) json_t *given = json_load_file(cluster_path, 0, NULL);
        AUTO(json) json_t *objects = given ? tree_copy(given) : load(GOLDEN "cluster.json");
        AUTO(asking) struct asking asking = {0};
        size_t count = 0, stride = suite_stride();

        make(&asking, objects);
        for (size_t n = 0;; n++) {
            AUTO(json) json_t *probe = tree_copy(review);
            size_t left = n;

            if (!damage(probe, &left, 0))
                break;
            count++;
            for (size_t how = n % stride; how < DAMAGES; how += stride) {
                AUTO(json) json_t *damaged = tree_copy(review);

                left = n;
                damage(damaged, &left, how);
                judge_damaged(&asking, damaged);
            }
        }
        ck_assert_uint_gt(count, 40);
    }
END_TEST

/* The same of what the cluster holds: an object that slipped past validation, or that another
 * version of the API wrote, fails nobody's request and makes no pod invalid. */
static const char *const damaged_clusters[] = {
    "blueprint-all-fields", "configuration-by-hand", "restore-of-some-hosts", "runtime-settings",
    "local-claim",          "repository-moved",      "namespace-label",
};

static void judge_over_damaged(const json_t *review, const json_t *objects)
{
    AUTO(asking) struct asking asking = {0};

    make(&asking, objects);

    AUTO(json) json_t *answer = answered(&asking, review);
    AUTO(json) json_t *result = asking_result(review, answer);
    AUTO(free) char *fault = strict_fault(tree_at(result, "spec.template"), NULL);
    AUTO(free) char *shown = json_dumps(objects, 0);

    ck_assert(tree_true(tree_get(answer, "response"), "allowed"));
    ck_assert_msg(!fault, "%s with %.2000s", fault, shown);
    settles(&asking, review, result);
}

START_TEST(damaged_cluster)
    {
        const char *name = damaged_clusters[_i];
        AUTO(free) char *review_path = text_format(GOLDEN "%s/review.json", name);
        AUTO(free) char *cluster_path = text_format(GOLDEN "%s/cluster.json", name);
        AUTO(json) json_t *review = load(review_path);
        AUTO(json) json_t *objects = load(cluster_path);
        size_t stride = suite_stride();

        for (size_t n = 0;; n++) {
            AUTO(json) json_t *probe = tree_copy(objects);
            size_t left = n;

            if (!damage(probe, &left, 0))
                break;
            for (size_t how = n % stride; how < DAMAGES; how += stride) {
                AUTO(json) json_t *damaged = tree_copy(objects);

                left = n;
                damage(damaged, &left, how);
                judge_over_damaged(review, damaged);
            }
        }
    }
END_TEST

/* ---- one Deployment, in all shapes ---- */

static json_t *shop(void)
{
    AUTO(json) json_t *review = load(GOLDEN "deployment-create/review.json");

    return tree_copy(tree_at(review, "request.object"));
}

static json_t *pod_of(json_t *workload)
{
    return (json_t *)tree_at(workload, "spec.template.spec");
}

static json_t *annotations_of(json_t *workload)
{
    return (json_t *)tree_at(workload, "metadata.annotations");
}

/* What comes out of a CREATE, after everything that every outcome has to keep to. */
static json_t *created(const struct asking *asking, const json_t *object)
{
    AUTO(json) json_t *review = asking_review("CREATE", object, NULL);
    AUTO(json) json_t *answer = answered(asking, review);
    json_t *result = asking_result(review, answer);

    ck_assert(tree_true(tree_get(answer, "response"), "allowed"));
    settles(asking, review, result);
    return result;
}

static const json_t *sidecar_in(const json_t *object)
{
    return tree_named(tree_at(object, "spec.template.spec.containers"), CONTAINER_SIDECAR);
}

/* The workload after an update of it; old and new as an API server shows them. */
static json_t *updated(const struct asking *asking, const json_t *old, const json_t *now)
{
    AUTO(json) json_t *review = asking_review("UPDATE", now, old);
    AUTO(json) json_t *answer = answered(asking, review);

    return asking_result(review, answer);
}

static json_t *without_annotation(const json_t *object, const char *key)
{
    json_t *copy = tree_copy(object);

    json_object_del(annotations_of(copy), key);
    return copy;
}

/* J23: each list absent, null, empty or with something of its owner's in it, in all combinations;
 * J24: and when the annotation goes, the owner's object is there again. */
#define SHAPES 4
#define LISTS 5

static void put_shape(json_t *object, const char *key, int shape, const char *full)
{
    static const char *const empty[] = {NULL, "null", "[]"};

    json_object_del(object, key);
    if (shape == 3)
        tree_put_new(object, key, json_row(full));
    else if (empty[shape])
        tree_put_new(object, key, json_row(empty[shape]));
}

static json_t *shaped(int number)
{
    json_t *object = shop(), *pod = pod_of(object);
    json_t *container = json_array_get(json_object_get(pod, "containers"), 0);
    json_t *metadata =
        json_object_get(json_object_get(json_object_get(object, "spec"), "template"), "metadata");

    put_shape(pod, "volumes", number % SHAPES,
              "[{'name':'data','persistentVolumeClaim':{'claimName':'d'}}]");
    put_shape(pod, "initContainers", number / 4 % SHAPES, "[{'name':'setup','image':'i'}]");
    put_shape(pod, "imagePullSecrets", number / 16 % SHAPES, "[{'name':'registry'}]");
    put_shape(container, "env", number / 64 % SHAPES, "[{'name':'A','value':'1'}]");
    put_shape(metadata, "annotations", number / 256 % SHAPES, "{'example.com/a':'1'}");
    if (number / 256 % SHAPES == 2) /* the empty one of a map */
        tree_put_new(metadata, "annotations", json_object());
    return object;
}

static void judge_shape(const struct asking *asking, int number)
{
    AUTO(json) json_t *object = shaped(number);

    default_object(object);

    AUTO(json) json_t *result = created(asking, object);
    AUTO(free) char *fault = strict_fault(tree_at(result, "spec.template"), NULL);
    bool backed_up = number % SHAPES == 3;

    ck_assert_int_eq(sidecar_in(result) != NULL, backed_up);
    ck_assert_msg(!fault || !backed_up, "%d: %s", number, fault);
    default_object(result);

    AUTO(json) json_t *stripped = without_annotation(result, KEY_BLUEPRINT);
    AUTO(json) json_t *removed = updated(asking, result, stripped);
    AUTO(json) json_t *original = without_annotation(object, KEY_BLUEPRINT);

    asking_must_be_same("the object", removed, original);
}

START_TEST(lists_of_all_shapes)
    {
        AUTO(asking) struct asking asking = {0};

        make_usual(&asking);
        for (int number = 0; number < 1 << (2 * LISTS); number += (int)suite_stride())
            judge_shape(&asking, number);
    }
END_TEST

/* J21: each kind of target, by its group; what is none is left alone. */
static const struct {
    const char *version, *kind;
    bool injected;
} kinds[] = {
    {"apps/v1", "Deployment", true},
    {"apps/v1", "StatefulSet", true},
    {"apps/v1", "DaemonSet", true},
    {"apps/v1", "ReplicaSet", true},
    {"v1", "ReplicationController", true},
    {"apps.openshift.io/v1", "DeploymentConfig", true},
    {"extensions/v1beta1", "Deployment", false}, /* request.kind is apps/v1, see requestKind */
    {"batch/v1", "Job", false},
    {"batch/v1", "CronJob", false},
    {"v1", "Pod", false},
    {"v1", "Deployment", false},
    {"apps/v1", "deployment", false},
    {"example.com/v1", "Shop", false},
    {"apps/v1", "PersistentVolumeClaim", false},
};

START_TEST(kind_of_target)
    {
        AUTO(json) json_t *object = shop();
        AUTO(asking) struct asking asking = {0};

        make_usual(&asking);
        tree_put_text(object, "apiVersion", kinds[_i].version);
        tree_put_text(object, "kind", kinds[_i].kind);

        AUTO(json) json_t *result = created(&asking, object);

        ck_assert_int_eq(sidecar_in(result) != NULL, kinds[_i].injected);
    }
END_TEST

/* J12, J14: nothing but a CREATE or an UPDATE of the object itself is ever patched. */
static const struct {
    const char *operation, *sub_resource;
} untouched[] = {
    {"DELETE", NULL},
    {"CONNECT", NULL},
    {"create", NULL},
    {"PATCH", NULL},
    {"", NULL},
    {"UPDATE", "status"},
    {"UPDATE", "scale"},
    {"CREATE", "eviction"},
    {"CREATE", "binding"},
    {"UPDATE", "ephemeralcontainers"},
    {"UPDATE", "x"},
};

START_TEST(nothing_to_patch)
    {
        AUTO(json) json_t *object = shop();
        AUTO(json) json_t *review = asking_review(untouched[_i].operation, object, object);
        AUTO(asking) struct asking asking = {0};

        make_usual(&asking);
        tree_put_text(json_object_get(review, "request"), "subResource",
                      untouched[_i].sub_resource);

        AUTO(json) json_t *answer = answered(&asking, review);

        ck_assert(tree_true(tree_get(answer, "response"), "allowed"));
        ck_assert_ptr_null(tree_at(answer, "response.patch"));
        ck_assert_ptr_null(tree_at(answer, "response.warnings"));
    }
END_TEST

/* J13, J18 */
START_TEST(same_answer_whoever_asks)
    {
        static const char *const rows[] = {
            "{'dryRun':true}",
            "{'dryRun':'true'}",
            "{'userInfo':{}}",
            "{'userInfo':{'username':'system:serviceaccount:granary-system:granary-controller'}}",
            "{'userInfo':{'username':'jane','groups':['system:masters'],'extra':{'':[]}}}",
            "{'options':{'kind':'CreateOptions','dryRun':['All'],'fieldManager':'x'}}",
        };
        AUTO(json) json_t *object = shop();
        AUTO(json) json_t *review = asking_review("CREATE", object, NULL);
        AUTO(json) json_t *more = json_row(rows[_i]);
        AUTO(asking) struct asking asking = {0};

        make_usual(&asking);

        AUTO(json) json_t *plain = answered(&asking, review);

        json_object_update(json_object_get(review, "request"), more);

        AUTO(json) json_t *other = answered(&asking, review);

        ck_assert(tree_equal(plain, other));
    }
END_TEST

/* ---- J22: what is there already ---- */

static const struct {
    const char *what, *volumes, *container; /* put into the owner's template */
    bool injected;
} present[] = {
    {"a container of our name", NULL, "{'name':'stash','image':'i'}", false},
    {"an init container's name of ours", NULL, "{'name':'stash-init','image':'i'}", true},
    {"a volume of ours", "[{'name':'stash-tmp-dir','emptyDir':{}}]", NULL, false},
    {"our volume of a local backend", "[{'name':'stash-local','emptyDir':{}}]", NULL, false},
    {"our identity", "[{'name':'granary-identity','emptyDir':{}}]", NULL, false},
    {"Stash's old name of a volume", "[{'name':'stash-scratchdir','emptyDir':{}}]", NULL, true},
    {"our mount path", NULL,
     "{'name':'b','image':'i','volumeMounts':[{'name':'data','mountPath':'/stash-tmp'}]}", true},
};

START_TEST(names_that_are_there)
    {
        AUTO(json) json_t *object = shop();
        AUTO(json) json_t *volumes = present[_i].volumes ? json_row(present[_i].volumes) : NULL;
        AUTO(asking) struct asking asking = {0};

        make_usual(&asking);
        json_array_extend(json_object_get(pod_of(object), "volumes"), volumes);
        if (present[_i].container)
            json_array_append_new(json_object_get(pod_of(object), "containers"),
                                  json_row(present[_i].container));

        AUTO(json) json_t *result = created(&asking, object);

        ck_assert_msg((tree_at(result, "spec.template.metadata.annotations") != NULL) ==
                          present[_i].injected,
                      "%s", present[_i].what);
        if (!present[_i].injected)
            ck_assert(tree_equal(result, object));
    }
END_TEST

/* ---- J19: sizes ---- */

static const struct {
    size_t containers, mounts, annotations;
    bool injected;
} sizes[] = {
    {1, 1, 0, true},     {1000, 1, 0, true},  {200, 5, 100, true},
    {1, 1, 50000, true}, {3000, 3, 0, false}, /* more than we look at */
};

static json_t *sized(size_t containers, size_t mounts, size_t annotations)
{
    json_t *object = shop(), *list = json_object_get(pod_of(object), "containers");

    for (size_t i = 1; i < containers; i++) {
        AUTO(free) char *name = text_format("app-%zu", i);
        json_t *container =
            json_pack("{s:s, s:s, s:[]}", "name", name, "image", "i", "volumeMounts");

        for (size_t m = 0; m < mounts; m++) {
            AUTO(free) char *path = text_format("/data/%zu", m);

            json_array_append_new(json_object_get(container, "volumeMounts"),
                                  json_pack("{s:s, s:s}", "name", "data", "mountPath", path));
        }
        json_array_append_new(list, container);
    }
    for (size_t i = 0; i < annotations; i++) {
        AUTO(free) char *key = text_format("example.com/key-%zu", i);

        tree_put_text(annotations_of(object), key, "a value of some length, as people write them");
    }
    return object;
}

START_TEST(large_objects)
    {
        AUTO(json)
        json_t *object = sized(sizes[_i].containers, sizes[_i].mounts, sizes[_i].annotations);
        AUTO(asking) struct asking asking = {0};

        make_usual(&asking);

        AUTO(json) json_t *result = created(&asking, object);

        ck_assert_int_eq(sidecar_in(result) != NULL, sizes[_i].injected);
    }
END_TEST

/* JP7: many volumes do not make a patch that nobody takes; a Job mounts them then. */
START_TEST(many_claims)
    {
        AUTO(json) json_t *object = shop();
        json_t *pod = pod_of(object);
        json_t *mounts =
            json_object_get(json_array_get(json_object_get(pod, "containers"), 0), "volumeMounts");
        AUTO(asking) struct asking asking = {0};

        make_usual(&asking);
        tree_put_text(annotations_of(object), KEY_RESTORE_IF_EXISTS, "true");
        for (int i = 0; i < 1 << _i; i++) {
            AUTO(free) char *name = text_format("a-volume-with-a-long-name-%d", i);
            AUTO(free) char *path = text_format("/var/lib/a-folder-with-a-long-name/%d", i);

            json_array_append_new(json_object_get(pod, "volumes"),
                                  json_pack("{s:s, s:{s:s}}", "name", name, "persistentVolumeClaim",
                                            "claimName", name));
            json_array_append_new(mounts, json_pack("{s:s, s:s}", "name", name, "mountPath", path));
        }

        AUTO(json) json_t *result = created(&asking, object);
        AUTO(free) char *fault = strict_fault(tree_at(result, "spec.template"), NULL);

        ck_assert_msg(!fault, "%s", fault);
        ck_assert_int_eq(sidecar_in(result) != NULL, _i < 7);
    }
END_TEST

/* ---- J17: names and values ---- */

static const char *const odd_values[] = {
    "\xe2\x80\xae\xd8\xa7\xd9\x84\xd8\xb9", /* right to left */
    "\xf0\x9f\x98\x80",                     /* emoji */
    "n\xd1\x96ghtly",                       /* a homoglyph */
    "NIGHTLY",
    "nightly\t",
    " nightly ",
    "nightly,nightly",
    ",",
    ",,,",
    "nightly,,nightly",
    "/",
    "..",
    "-",
    "null",
    "[\"nightly\"]",
    "\x1b[2J",
    "%s%n%x",
    "${TARGET_NAME}",
};

START_TEST(odd_value)
    {
        static const char *const keys[] = {
            KEY_BLUEPRINT, KEY_SCHEDULE, KEY_TARGET_PATHS, KEY_VOLUME_MOUNTS,
            KEY_BACKUP,    KEY_PAUSED,   KEY_EXCLUDE,      KEY_RETENTION,
            KEY_RESOURCES, KEY_TIMEOUT,  KEY_PRIORITY,     KEY_RESTORE_IF_EXISTS,
            KEY_REFRESH,   KEY_STAMP,    KEY_DUMP_COMMAND,
        };
        size_t stride = suite_stride();
        AUTO(asking) struct asking asking = {0};

        make_usual(&asking);
        for (size_t i = (size_t)_i % stride; i < sizeof keys / sizeof *keys; i += stride) {
            AUTO(json) json_t *object = shop();

            tree_put_text(annotations_of(object), keys[i], odd_values[_i]);

            AUTO(json) json_t *result = created(&asking, object);
            AUTO(free) char *fault = strict_fault(tree_at(result, "spec.template"), NULL);

            ck_assert_msg(!fault, "%s", fault);
        }
    }
END_TEST

/* As much as an API server lets through: the longest key, and 256 KiB of annotations. */
START_TEST(largest_annotations)
    {
        AUTO(asking) struct asking asking = {0};
        AUTO(json) json_t *object = shop();
        AUTO(text) struct text key = {0}, value = {0};

        for (size_t i = 0; i < 253; i++)
            text_putc(&key, i % 50 == 49 ? '.' : 'p');
        text_putc(&key, '/');
        for (size_t i = 0; i < 63; i++)
            text_putc(&key, 'n');
        while (value.length < (256u << 10) - 1000)
            text_puts(&value, "/data/\xc3\xa9,");
        make_usual(&asking);
        tree_put_text(annotations_of(object), text_get(&key), "x");
        tree_put_text(annotations_of(object), _i ? "example.com/notes" : KEY_TARGET_PATHS,
                      text_get(&value));

        AUTO(json) json_t *result = created(&asking, object);

        ck_assert_int_eq(sidecar_in(result) != NULL, _i);
        ck_assert_str_eq(tree_text(annotations_of(result), text_get(&key)), "x");
    }
END_TEST

static const size_t lengths[] = {0, 1, 47, 52, 53, 62, 63, 64, 252, 253, 254, 4096};

/* Names that are too long for what follows from them are cut there, and stay distinct. */
START_TEST(long_name)
    {
        AUTO(asking) struct asking asking = {0};
        AUTO(text) struct text name = {0};
        AUTO(json) json_t *object = shop();

        for (size_t i = 0; i < lengths[_i]; i++)
            text_putc(&name, i % 50 == 49 ? '.' : 'a');
        make_usual(&asking);
        tree_put_text(json_object_get(object, "metadata"), "name", text_get(&name));

        AUTO(json) json_t *review = asking_review("CREATE", object, NULL);
        AUTO(json) json_t *answer = answered(&asking, review);
        const char *follows = tree_text(tree_at(answer, "response.auditAnnotations"), "repository");

        if (lengths[_i] == 0 || lengths[_i] > 256) { /* generateName, or no name at all */
            ck_assert_ptr_null(follows);
            return;
        }
        ck_assert_str_eq(
            tree_text(tree_at(answer, "response.auditAnnotations"), "backup-configuration"),
            follows);
        ck_assert(!strncmp(follows, "demo/deploy-a", 13));
        ck_assert_uint_le(strlen(follows), strlen("demo/") + 63);
    }
END_TEST

/* ---- SEC1: what an owner writes stays a value ---- */

static const char *const payloads[] = {
    "--password-command=sh -c id",
    "-o sftp.command=sh",
    "$(id)",
    "`id`",
    "a;id",
    "a\nb",
    "a\r\nX: y",
    "\"}],\"image\":\"evil",
    "\"},{\"name\":\"x\"",
    "${REPOSITORY_SECRET_NAMESPACE}",
    "$(POD_NAME)",
    "../../etc",
    "/proc/1/root",
    "/var/run/secrets/kubernetes.io/serviceaccount",
    "data:/var/run/secrets/kubernetes.io/serviceaccount",
    "data:/stash-tmp",
    "data:/data:../../..",
    "granary-identity:/x",
    "/",
    "data:/",
    "cpu=1,image=evil",
    "[\"sh\",\"-c\",\"id\"]",
    "nightly\",\"x",
};

static const char *const owner_keys[] = {
    KEY_BLUEPRINT,
    KEY_SCHEDULE,
    KEY_TARGET_PATHS,
    KEY_VOLUME_MOUNTS,
    KEY_BACKUP,
    KEY_PAUSED,
    KEY_EXCLUDE,
    KEY_RETENTION,
    KEY_RESOURCES,
    KEY_TIMEOUT,
    KEY_PRIORITY,
    KEY_REFRESH,
    KEY_RESTORE_IF_EXISTS,
    KEY_STAMP,
    KEY_DUMP_COMMAND,
    KEY_DUMP_CONTAINER,
    KEY_PARAMS_PREFIX "args",
    KEY_AGENT,
    KEY_PREFIX "image",
};

/* The owner's part, for comparison. */
static json_t *owners_part(const json_t *object)
{
    static const char *const volumes[] = {VOLUME_IDENTITY, VOLUME_SCRATCH, NULL};
    json_t *copy = tree_copy(object), *pod = pod_of(copy);
    json_t *metadata = (json_t *)tree_at(copy, "spec.template.metadata");
    json_t *list = json_object_get(pod, "containers");
    long at = tree_named_index(list, CONTAINER_SIDECAR);

    if (at >= 0)
        json_array_remove(list, (size_t)at);
    list = json_object_get(pod, "volumes");
    for (size_t i = 0; volumes[i]; i++)
        if ((at = tree_named_index(list, volumes[i])) >= 0)
            json_array_remove(list, (size_t)at);
    json_object_del(json_object_get(metadata, "annotations"), KEY_AGENT);
    if (json_object_size(json_object_get(metadata, "annotations")) == 0)
        json_object_del(metadata, "annotations");
    return copy;
}

/* Names of fields, the number of elements, and every string that decides what runs. */
static void judge_sidecar(const json_t *sidecar, const json_t *usual)
{
    static const char *const fixed[] = {"name", "image", "imagePullPolicy",
                                        "args", "env",   "securityContext"};
    const json_t *value;
    const char *key;

    tree_each (sidecar, key, value)
        ck_assert_msg(tree_get(usual, key), "a field %s", key);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        ck_assert_msg(tree_equal(tree_get(sidecar, fixed[i]), tree_get(usual, fixed[i])), "%s",
                      fixed[i]);
}

static void judge_payload(const struct asking *asking, const json_t *usual, const char *key,
                          struct span value)
{
    AUTO(json) json_t *object = shop();

    tree_put_span(annotations_of(object), key, value);

    AUTO(json) json_t *result = created(asking, object);
    AUTO(json) json_t *owners = sidecar_in(result) ? owners_part(result) : tree_copy(result);
    AUTO(free) char *fault = strict_fault(tree_at(result, "spec.template"), NULL);

    ck_assert_msg(!fault, "%s with %s: %.200s", fault, key, value.data);
    ck_assert_msg(tree_equal(owners, object), "%s: %.200s", key, value.data);
    if (sidecar_in(result))
        judge_sidecar(sidecar_in(result), usual);
}

START_TEST(payload)
    {
        AUTO(asking) struct asking asking = {0};
        AUTO(json) json_t *plain = shop();
        size_t stride = suite_stride();

        make_usual(&asking);

        AUTO(json) json_t *usual = created(&asking, plain);

        for (size_t i = (size_t)_i % stride; i < sizeof payloads / sizeof *payloads; i += stride)
            judge_payload(&asking, sidecar_in(usual), owner_keys[_i], span_of(payloads[i]));
        judge_payload(&asking, sidecar_in(usual), owner_keys[_i],
                      (struct span){"nightly\0--x", 11});

        AUTO(text) struct text large = {0};

        for (size_t i = 0; i < 64 << 10; i++)
            text_putc(&large, "a,:/\n"[i % 5]);
        judge_payload(&asking, sidecar_in(usual), owner_keys[_i],
                      (struct span){large.data, large.length});
    }
END_TEST

/* ---- SEC10: names that break lines, headers and paths ---- */

static const char *const hostile_names[] = {
    "a\r\nX-Evil: 1",
    "a\nb",
    "\x1b[2J",
    "a\x7f",
    "a/../../b",
    "../etc/passwd",
    "a\tb",
    "\"}],[{",
    "a b",
    "%0d%0a",
    "$(id)",
    "`id`;id",
    "${X}",
    "\xe2\x80\xa8line",
    "",
};

static void put_at(json_t *object, const char *path, const char *key, const char *value)
{
    tree_put_text((json_t *)tree_at(object, path), key, value);
}

/* Each place of a name, in the review or in what the cluster holds. */
static void break_name(json_t *review, json_t *objects, int place, const char *name)
{
    json_t *blueprint = json_array_get(objects, 0);

    switch (place) {
    case 0:
        put_at(review, "request", "name", name);
        put_at(review, "request.object.metadata", "name", name);
        break;
    case 1:
        put_at(review, "request", "namespace", name);
        put_at(review, "request.object.metadata", "namespace", name);
        break;
    case 2:
        put_at(review, "request.object.metadata.annotations", KEY_BLUEPRINT, name);
        put_at(blueprint, "metadata", "name", name);
        break;
    case 3:
        put_at(review, "request.object.metadata.annotations", KEY_BLUEPRINT, name);
        break;
    case 4: {
        json_t *pod = (json_t *)tree_at(review, "request.object.spec.template.spec");
        json_t *volume = json_array_get(json_object_get(pod, "volumes"), 0);
        json_t *container = json_array_get(json_object_get(pod, "containers"), 0);

        tree_put_text(volume, "name", name);
        tree_put_text(json_array_get(json_object_get(container, "volumeMounts"), 0), "name", name);
        break;
    }
    default: {
        json_t *user = json_object();

        tree_put_text(user, "username", name);
        tree_put_new((json_t *)tree_at(review, "request"), "userInfo", user);
    }
    }
}

/* One line each: what is logged and audited of it can not be taken for two entries. */
static void judge_lines(const json_t *answer)
{
    const json_t *value;
    const char *key;

    tree_each (tree_at(answer, "response.auditAnnotations"), key, value) {
        struct span text = tree_value(value);

        for (size_t i = 0; i < text.length; i++)
            ck_assert_msg((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7f, "%s: %s",
                          key, text.data);
    }
}

static void judge_name(const json_t *usual, int place, const char *name)
{
    AUTO(json) json_t *objects = load(GOLDEN "cluster.json"), *object = shop();
    AUTO(json) json_t *review = asking_review("CREATE", object, NULL);
    AUTO(asking) struct asking asking = {0};

    break_name(review, objects, place, name);
    make(&asking, objects);

    AUTO(json) json_t *answer = answered(&asking, review);
    AUTO(json) json_t *result = asking_result(review, answer);
    const json_t *sidecar = sidecar_in(result);

    judge_lines(answer);
    if (!sidecar)
        return;

    AUTO(json) json_t *owners = owners_part(result);
    const char *const fixed[] = {"image", "args", "env", "securityContext"};

    ck_assert(tree_equal(owners, tree_at(review, "request.object")));
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        ck_assert(tree_equal(tree_get(sidecar, fixed[i]), tree_get(usual, fixed[i])));
}

START_TEST(hostile_name)
    {
        AUTO(asking) struct asking asking = {0};
        AUTO(json) json_t *plain = shop();

        make_usual(&asking);

        AUTO(json) json_t *usual = created(&asking, plain);

        for (size_t i = 0; i < sizeof hostile_names / sizeof *hostile_names; i++)
            judge_name(sidecar_in(usual), _i, hostile_names[i]);
    }
END_TEST

/* SEC11: an answer holds no address with a password in it, whoever
 * asks. */
START_TEST(tells_no_credentials)
    {
        AUTO(json) json_t *objects = load(GOLDEN "cluster.json");
        AUTO(json) json_t *object = shop();
        AUTO(asking) struct asking asking = {0};

        tree_put_new(json_object_get(json_array_get(objects, 0), "spec"), "backend",
                     json_row("{'rest':{'url':'https://user:hunter2@rest.example.com/demo'},"
                              "'storageSecretName':'s'}"));
        make(&asking, objects);

        AUTO(json) json_t *review = asking_review("CREATE", object, NULL);
        AUTO(json) json_t *answer = answered(&asking, review);
        AUTO(free) char *shown = json_dumps(answer, 0);

        ck_assert_ptr_null(strstr(shown, "hunter2"));
    }
END_TEST

/* Each endpoint answers its own question only. */
START_TEST(endpoints)
    {
        AUTO(json) json_t *review = load(GOLDEN "restore-session-rules-in-both/review.json");
        AUTO(free) char *body = json_dumps(review, 0);
        AUTO(asking) struct asking asking = {0};
        struct error err = {0};

        make_usual(&asking);
        for (int endpoint = ADMIT_MUTATE; endpoint <= ADMIT_VALIDATE; endpoint++) {
            AUTO(admit_answer) struct admit_answer answer = {0};

            ck_assert(admit(&asking.settings, asking.cluster, (enum admit_endpoint)endpoint,
                            span_of(body), &answer, &err));
            ck_assert_str_eq(answer.outcome, "refused");
            ck_assert_str_eq(answer.kind, "RestoreSession");
            ck_assert_str_eq(answer.operation, "CREATE");
            ck_assert_ptr_null(strstr(text_get(&answer.body), "patch"));
        }

        AUTO(json) json_t *workload = load(GOLDEN "deployment-create/review.json");
        AUTO(free) char *question = json_dumps(workload, 0);
        AUTO(admit_answer) struct admit_answer validated = {0};

        ck_assert(admit(&asking.settings, asking.cluster, ADMIT_VALIDATE, span_of(question),
                        &validated, &err));
        ck_assert_str_eq(validated.outcome, "skipped");
    }
END_TEST

SUITE(admit)
{
    suite_rows(tests, damaged_review, damaged_cases);
    suite_rows(tests, damaged_cluster, damaged_clusters);
    tcase_add_test(tests, lists_of_all_shapes);
    suite_rows(tests, kind_of_target, kinds);
    suite_rows(tests, nothing_to_patch, untouched);
    tcase_add_loop_test(tests, same_answer_whoever_asks, 0, 6);
    suite_rows(tests, names_that_are_there, present);
    suite_rows(tests, large_objects, sizes);
    tcase_add_loop_test(tests, many_claims, 0, 11);
    suite_rows(tests, odd_value, odd_values);
    suite_rows(tests, long_name, lengths);
    tcase_add_loop_test(tests, largest_annotations, 0, 2);
    suite_rows(tests, payload, owner_keys);
    tcase_add_loop_test(tests, hostile_name, 0, 6);
    tcase_add_test(tests, tells_no_credentials);
    tcase_add_test(tests, endpoints);
}
