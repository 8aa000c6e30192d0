#include "api/substitute.h"

#include "api/expand.h"
#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const struct variables variables = {
    .count = 6,
    .items = {{"TARGET_NAME", {"web-1", 5}, "metadata.name"},
              {"TARGET_NAMESPACE", {"shop", 4}, "metadata.namespace"},
              {"TARGET_APP_GROUP", {"", 0}, "spec.type"},
              {"TARGET_APP_VERSION",
               {"\xc3\xa4"
                "b\xe2\x82\xac"
                "d",
                7},
               "spec.version"},
              {"TARGET_APP_TYPE", {"a/../${TARGET_NAME}$$*", 22}, "spec.type"},
              {"TARGET_KIND", {"x\ny", 3}, "kind"}},
};

static bool expand_with(struct text *out, struct span in, const struct variables *with,
                        enum unknown unknown, struct error *err)
{
    struct expanding how = {.variables = with, .unknown = unknown};

    return expand_text(out, in, &how, err);
}

/* stash-behaviour 2.3 */
static const struct {
    const char *in, *out, *error; /* error: a piece of the message */
} text_rows[] = {
    {"", "", NULL},
    {"plain", "plain", NULL},
    {"${TARGET_NAME}", "web-1", NULL},
    {"a/${TARGET_NAMESPACE}/${TARGET_NAME}/b", "a/shop/web-1/b", NULL},
    {"${TARGET_APP_GROUP}", "", NULL},
    /* what is not ours */
    {"$TARGET_NAME $(TARGET_NAME) $ $1", "$TARGET_NAME $(TARGET_NAME) $ $1", NULL},
    {"$${TARGET_NAME}", "${TARGET_NAME}", NULL},
    {"$$$$", "$$", NULL},
    {"$$$", "$$", NULL},
    {"$$${TARGET_NAME}", "$web-1", NULL},
    {"100$", "100$", NULL},
    {"a\\}b}", "a\\}b}", NULL},
    /* defaults are for keys that are not there, not for empty values */
    {"${NOTHING:=d}", "d", NULL},
    {"${NOTHING=d}", "d", NULL},
    {"${NOTHING:-d}", "d", NULL},
    {"${NOTHING:=}", "", NULL},
    {"${NOTHING:=a b:c=d-e}", "a b:c=d-e", NULL},
    {"${NOTHING:=a\\}b\\c}", "a}b\\c", NULL},
    {"${NOTHING:=$$$x$(y)}", "$$x$(y)", NULL},
    {"${TARGET_NAME:=d}", "web-1", NULL},
    {"${TARGET_NAME=d}", "web-1", NULL},
    {"${TARGET_APP_GROUP:=d}", "", NULL},
    {"${TARGET_APP_GROUP:-d}", "", NULL},
    {"${NOTHING:=${TARGET_NAME}}-x", "web-1-x", NULL},
    {"${NOTHING:-${LESS:-${TARGET_NAME^}}}", "Web-1", NULL},
    {"${TARGET_NAME:=${NOTHING}}", "web-1", NULL},
    {"${TARGET_NAME:=${NOTHING^^}${NONE:1:2}${NONE//a/b}}", "web-1", NULL},
    {"${TARGET_NAME:=${TARGET_KIND}}", "web-1", NULL},
    {"${A=${A=${A=${A=${A=${A=${A=${A=1}}}}}}}}", "1", NULL},
    {"${A=${A=${A=${A=${A=${A=${A=${A=${A=1}}}}}}}}}", NULL, "too many defaults"},
    /* values are never read again */
    {"${TARGET_APP_TYPE}", "a/../${TARGET_NAME}$$*", NULL},
    {"${NOTHING:=${TARGET_APP_TYPE}}", "a/../${TARGET_NAME}$$*", NULL},
    /* length and cases */
    {"${#TARGET_NAME}", "5", NULL},
    {"${#TARGET_APP_GROUP}", "0", NULL},
    {"${#TARGET_APP_VERSION}", "4", NULL},
    {"${TARGET_NAME^}", "Web-1", NULL},
    {"${TARGET_NAME^^}", "WEB-1", NULL},
    {"${TARGET_NAME,}${TARGET_NAME,,}", "web-1web-1", NULL},
    {"${TARGET_APP_GROUP^}${TARGET_APP_GROUP,,}", "", NULL},
    /* slices count characters, not bytes */
    {"${TARGET_NAME:1}", "eb-1", NULL},
    {"${TARGET_NAME:1:2}", "eb", NULL},
    {"${TARGET_NAME:0:99}", "web-1", NULL},
    {"${TARGET_NAME:99}", "", NULL},
    {"${TARGET_NAME:5:1}", "", NULL},
    {"${TARGET_NAME:2:0}", "", NULL},
    {"${TARGET_NAME: -2}", "-1", NULL},
    {"${TARGET_NAME: -2:1}", "-", NULL},
    {"${TARGET_NAME: -9}", "", NULL},
    {"${TARGET_APP_VERSION:1:2}", "b\xe2\x82\xac", NULL},
    {"${TARGET_APP_VERSION: -1}", "d", NULL},
    {"${TARGET_NAME:x}", NULL, "whole numbers"},
    {"${TARGET_NAME:}", NULL, "whole numbers"},
    {"${TARGET_NAME:1:}", NULL, "whole numbers"},
    {"${TARGET_NAME:1:-1}", NULL, "whole numbers"},
    {"${TARGET_NAME:1234567}", NULL, "whole numbers"},
    {"${TARGET_NAME:1:2:3}", NULL, "operator"},
    {"${TARGET_NAME:?unset}", NULL, "whole numbers"},
    {"${TARGET_NAME:+x}", NULL, "whole numbers"},
    /* shortest and longest, start and end */
    {"${TARGET_NAME#we}", "b-1", NULL},
    {"${TARGET_NAME#eb}", "web-1", NULL},
    {"${TARGET_NAME#*-}", "1", NULL},
    {"${TARGET_NAME#*}", "web-1", NULL},
    {"${TARGET_NAME##*}", "", NULL},
    {"${TARGET_NAME#?}", "eb-1", NULL},
    {"${TARGET_NAME#}", "web-1", NULL},
    {"${TARGET_APP_TYPE#*/}", "../${TARGET_NAME}$$*", NULL},
    {"${TARGET_APP_TYPE##*/}", "${TARGET_NAME}$$*", NULL},
    {"${TARGET_APP_TYPE##*\\}}", "$$*", NULL},
    {"${TARGET_APP_TYPE%\\*}", "a/../${TARGET_NAME}$$", NULL},
    {"${TARGET_APP_TYPE%/*}", "a/..", NULL},
    {"${TARGET_APP_TYPE%%/*}", "a", NULL},
    {"${TARGET_NAME%-1}", "web", NULL},
    {"${TARGET_NAME%*}", "web-1", NULL},
    {"${TARGET_NAME%%*}", "", NULL},
    {"${TARGET_NAME%%x}", "web-1", NULL},
    {"${TARGET_APP_VERSION#?}",
     "b\xe2\x82\xac"
     "d",
     NULL},
    {"${TARGET_APP_VERSION%?d}",
     "\xc3\xa4"
     "b",
     NULL},
    {"${TARGET_APP_VERSION#\xc3\xa4}",
     "b\xe2\x82\xac"
     "d",
     NULL},
    {"${TARGET_APP_GROUP#*}${TARGET_APP_GROUP%%?}", "", NULL},
    {"${TARGET_NAME#[a-w]}", NULL, "sets"},
    {"${TARGET_NAME#\\[}", "web-1", NULL},
    {"${TARGET_NAME#0123456789012345678901234567890123456789012345678901234567890123}", NULL,
     "longer than 63"},
    /* replacing */
    {"${TARGET_NAME/-/_}", "web_1", NULL},
    {"${TARGET_NAMESPACE/?/x}", "xhop", NULL},
    {"${TARGET_NAMESPACE//?/x}", "xxxx", NULL},
    {"${TARGET_NAME//[a]/x}", NULL, "sets"},
    {"${TARGET_NAME/web}", "-1", NULL},
    {"${TARGET_NAME//web/}", "-1", NULL},
    {"${TARGET_NAME/e*/x}", "wx", NULL},
    {"${TARGET_NAME//nothing/x}", "web-1", NULL},
    {"${TARGET_NAME///x}", "web-1", NULL},
    {"${TARGET_NAME/#web/x}", "x-1", NULL},
    {"${TARGET_NAME/#eb/x}", "web-1", NULL},
    {"${TARGET_NAME/%1/x}", "web-x", NULL},
    {"${TARGET_NAME/%web/x}", "web-1", NULL},
    {"${TARGET_NAME/-/\\/\\}$$\\\\}", "web/}$\\1", NULL},
    {"${TARGET_NAME/-/a/b}", "weba/b1", NULL},
    {"${TARGET_NAME/\\-/_}", "web_1", NULL},
    {"${TARGET_APP_TYPE//\\//-}", "a-..-${TARGET_NAME}$$*", NULL},
    {"${TARGET_NAME/${TARGET_NAME}/x}", NULL, "takes no variables"},
    {"${TARGET_NAME#${TARGET_NAME}}", NULL, "takes no variables"},
    /* unknown, malformed */
    {"${NOTHING}", NULL, "unknown variable ${NOTHING}"},
    {"${TARGET_NMAE}", NULL, "did you mean ${TARGET_NAME}?"},
    {"${target_name}", NULL, "unknown variable"},
    {"${TARGET_RESOURCE}", NULL, "${TARGET_RESOURCE}"},
    {"${#NOTHING}", NULL, "unknown variable"},
    {"${NOTHING^^}", NULL, "unknown variable"},
    {"${NOTHING:1}", NULL, "unknown variable"},
    {"${", NULL, "malformed"},
    {"${}", NULL, "malformed"},
    {"${ TARGET_NAME}", NULL, "malformed"},
    {"${TARGET_NAME }", NULL, "operator"},
    {"${TARGET_NAME", NULL, "no closing brace"},
    {"${TARGET_NAME:=", NULL, "no closing brace"},
    {"${NOTHING:=a", NULL, "no closing brace"},
    {"${NOTHING:=a\\}", NULL, "no closing brace"},
    {"${TARGET_NAME#a", NULL, "no closing brace"},
    {"${TARGET_NAME#a\\", NULL, "no closing brace"},
    {"${TARGET_NAME#a\\}", NULL, "no closing brace"},
    {"${TARGET_NAME/a/", NULL, "no closing brace"},
    {"${TARGET_NAME/a", NULL, "no closing brace"},
    {"${#TARGET_NAME", NULL, "operator"},
    {"${#TARGET_NAME:=1}", NULL, "operator"},
    {"${#}", NULL, "malformed"},
    {"${!TARGET_NAME}", NULL, "malformed"},
    {"${TARGET_NAME@Q}", NULL, "operator"},
    {"${TARGET-NAME}", NULL, "unknown variable ${TARGET}"},
    {"${TARGET_NAME^^^}", NULL, "operator"},
    {"${${TARGET_NAME}}", NULL, "malformed"},
    {"fine ${TARGET_NAME} ${", NULL, "malformed"},
    /* a value that no object of Kubernetes would have */
    {"${TARGET_KIND}", NULL, "control character"},
    {"${TARGET_KIND:=d}", NULL, "control character"},
    {"${#TARGET_KIND}", NULL, "control character"},
};

START_TEST(text_of_a_field)
    {
        AUTO(text) struct text out = {0};
        struct error err = {0};

        text_puts(&out, "before ");

        bool fine = expand_with(&out, span_of(text_rows[_i].in), &variables, UNKNOWN_REFUSED, &err);

        ck_assert_int_eq(fine, text_rows[_i].out != NULL);
        if (fine) {
            ck_assert_str_eq(text_get(&out) + strlen("before "), text_rows[_i].out);
            ck_assert_int_eq(err.code, ERROR_NONE);
        } else {
            ck_assert_str_eq(text_get(&out), "before ");
            ck_assert_int_eq(err.code, ERROR_INVALID);
            ck_assert_msg(strstr(err.message, text_rows[_i].error) != NULL, "%s", err.message);
        }
    }
END_TEST

/* stash-behaviour 10.1, 6: shell text in hooks */
static const struct {
    const char *in, *out, *error;
} kept_rows[] = {
    {"mysqldump -u${MYSQL_USER} ${TARGET_NAME}", "mysqldump -u${MYSQL_USER} web-1", NULL},
    {"${PGUSER:-postgres}", "${PGUSER:-postgres}", NULL},
    {"${A:=${B:=${TARGET_NAME}}}", "${A:=${B:=web-1}}", NULL},
    {"${arr[@]} ${!x} ${#} ${} ${", "${arr[@]} ${!x} ${#} ${} ${", NULL},
    {"${X%%.*}${X/a/b}${#X}", "${X%%.*}${X/a/b}${#X}", NULL},
    {"for i in ${LIST", "for i in ${LIST", NULL},
    {"${TARGET_NAME@Q}", "${TARGET_NAME@Q}", NULL},
    {"${TARGET_NAME", "${TARGET_NAME", NULL},
    {"${TARGET_NAME#[a-w]}", "${TARGET_NAME#[a-w]}", NULL},
    {"${TARGET_NAME:-${X}}", "web-1", NULL},
    {"${TARGET_NAME:-${X:-${Y}}} ${Z}", "web-1 ${Z}", NULL},
    /* the default of one of ours is used, that of a shell's is the shell's */
    {"${TARGET_RESOURCE:-none}", "none", NULL},
    {"${TARGET_RESOURCE:-${HOME}}", "${TARGET_RESOURCE:-${HOME}}", NULL},
    {"$${TARGET_NAME} $$", "${TARGET_NAME} $", NULL},
    {"echo $HOME $(id) `id`; id", "echo $HOME $(id) `id`; id", NULL},
    {"${TARGET_RESOURCE}", NULL, "TARGET_RESOURCE"},
    {"${TARGET_KIND}", NULL, "control character"},
};

START_TEST(text_of_hooks)
    {
        AUTO(text) struct text out = {0};
        struct error err = {0};
        bool fine = expand_with(&out, span_of(kept_rows[_i].in), &variables, UNKNOWN_KEPT, &err);

        ck_assert_int_eq(fine, kept_rows[_i].out != NULL);
        if (fine) {
            ck_assert_str_eq(text_get(&out), kept_rows[_i].out);
            ck_assert_int_eq(err.code, ERROR_NONE);
        } else {
            ck_assert_msg(strstr(err.message, kept_rows[_i].error) != NULL, "%s", err.message);
        }
    }
END_TEST

START_TEST(nul_is_carried_through)
    {
        AUTO(text) struct text out = {0};
        struct error err = {0};

        ck_assert(expand_with(&out, (struct span){"a\0${TARGET_NAME}\0$", 18}, &variables,
                              UNKNOWN_REFUSED, &err));
        ck_assert_uint_eq(out.length, 9);
        ck_assert_int_eq(memcmp(out.data, "a\0web-1\0$", 9), 0);
    }
END_TEST

static void repeat(struct text *text, const char *piece, size_t times)
{
    for (size_t i = 0; i < times; i++)
        text_puts(text, piece);
}

/* A long string is refused at its limit, also within one operator; shell text of any shape takes
 * time in proportion to its length. */
START_TEST(work_is_bounded)
    {
        static const struct {
            const char *piece;
            size_t times;
            enum unknown unknown;
            bool fine;
        } rows[] = {
            {"x", RESOLVED_MAX_BYTES - 4, UNKNOWN_REFUSED, true},
            {"${TARGET_NAME}", RESOLVED_MAX_BYTES, UNKNOWN_REFUSED, false},
            {"${A:=", 200000, UNKNOWN_KEPT, false},
            {"${A:=", 13000, UNKNOWN_KEPT, true},
            {"${TARGET_NAME:=${A}", 3400, UNKNOWN_KEPT, true},
            {"${TARGET_NAME#", 4600, UNKNOWN_KEPT, true},
            {"${TARGET_NAME//a/", 3800, UNKNOWN_KEPT, true},
        };

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            AUTO(text) struct text in = {0};
            AUTO(text) struct text out = {0};
            struct error err = {0};

            repeat(&in, rows[i].piece, rows[i].times);
            text_puts(&in, " $$");
            ck_assert_int_eq(expand_with(&out, (struct span){in.data, in.length}, &variables,
                                         rows[i].unknown, &err),
                             rows[i].fine);
            ck_assert_int_eq(err.code, rows[i].fine ? ERROR_NONE : ERROR_TOO_LARGE);
        }
    }
END_TEST

START_TEST(a_replacement_is_bounded)
    {
        AUTO(text) struct text in = {0};
        AUTO(text) struct text out = {0};
        struct error err = {0};

        text_puts(&in, "${TARGET_NAME//?/");
        repeat(&in, "x", 40000);
        text_puts(&in, "}");
        ck_assert(!expand_with(&out, (struct span){in.data, in.length}, &variables, UNKNOWN_REFUSED,
                               &err));
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
        ck_assert_uint_eq(out.length, 0);
    }
END_TEST

START_TEST(a_long_value_is_refused)
    {
        char value[VARIABLE_MAX_BYTES + 1];
        struct variables one = {.count = 1};
        AUTO(text) struct text out = {0};
        struct error err = {0};

        memset(value, 'a', sizeof value);
        one.items[0] = (struct variable){"TARGET_NAME", {value, sizeof value}, ""};
        ck_assert(!expand_with(&out, span_of("${TARGET_NAME}"), &one, UNKNOWN_REFUSED, &err));
        ck_assert(strstr(err.message, "longer than 256") != NULL);
        one.items[0].value.length--;
        ck_assert(expand_with(&out, span_of("${TARGET_NAME}"), &one, UNKNOWN_REFUSED, &err));
    }
END_TEST

static const struct {
    const char *tree, *result, *error;
} tree_rows[] = {
    {"{'a': ['${TARGET_NAME}', 1, null, true, {'b': 'x${TARGET_NAMESPACE}'}], 'c': 'd'}",
     "{'a': ['web-1', 1, null, true, {'b': 'xshop'}], 'c': 'd'}", NULL},
    /* keys stay, whatever they look like */
    {"{'${TARGET_NAME}': 1, '${X': '${TARGET_NAME}'}", "{'${TARGET_NAME}': 1, '${X': 'web-1'}",
     NULL},
    /* hooks keep what is the shell's, nothing else does */
    {"{'hooks': {'preBackup': {'exec': {'command': ['${HOME}', '${TARGET_NAME}']}}}}",
     "{'hooks': {'preBackup': {'exec': {'command': ['${HOME}', 'web-1']}}}}", NULL},
    {"{'a': {'hooks': ['${HOME}']}}", NULL,
     "blueprint daily: spec.a.hooks[0]: unknown variable ${HOME}"},
    {"{'a': {'x.y/z': {'b': '${'}}}", NULL, "spec.a[x.y/z].b: malformed"},
    {"['${X}']", NULL, "spec[0]: unknown"},
    {"'${X}'", NULL, "spec: unknown"},
    {"'${TARGET_NAME}'", "'web-1'", NULL},
    {"{'schedule': 3, 'backend': {'s3': {'prefix': '/a/${TARGET_NAMESPACE}/${TARGET_NAME}'}}}",
     "{'schedule': 3, 'backend': {'s3': {'prefix': '/a/shop/web-1'}}}", NULL},
    /* PE5, SEC7: the owner's free text leads nowhere else */
    {"{'backend': {'s3': {'prefix': '${TARGET_APP_TYPE}'}}}", NULL,
     "spec.backend.s3.prefix: \"a/.."},
    {"{'backend': {'local': {'subPath': 'x/${TARGET_APP_TYPE}'}}}", NULL, "must not hold \"..\""},
    {"{'backend': {'s3': {'prefix': '${TARGET_NAME}..'}}}",
     "{'backend': {'s3': {'prefix': 'web-1..'}}}", NULL},
    {"{'backend': {'storageSecretName': '${TARGET_APP_TYPE}'}}", NULL, "must be a name"},
    {"{'backend': {'storageSecretName': '${TARGET_NAME}-secret'}}",
     "{'backend': {'storageSecretName': 'web-1-secret'}}", NULL},
    {"{'repoNamespace': '${TARGET_APP_GROUP}'}", NULL, "must be a name"},
    {"{'backend': {'s3': {'prefix': 'a/../b'}}}", "{'backend': {'s3': {'prefix': 'a/../b'}}}",
     NULL},
    {"{'a': 'b\\u0000${TARGET_NAME}'}", "{'a': 'b\\u0000web-1'}", NULL},
};

START_TEST(a_whole_tree)
    {
        struct substitution how = {.variables = &variables, .blueprint = "daily"};
        AUTO(json) json_t *before = json_row(tree_rows[_i].tree);
        AUTO(json) json_t *untouched = tree_copy(before);
        struct error err = {0};
        AUTO(json) json_t *after = substitute_tree(before, &how, "spec", &err);

        ck_assert(tree_equal(before, untouched));
        if (tree_rows[_i].result) {
            AUTO(json) json_t *wanted = json_row(tree_rows[_i].result);

            ck_assert_msg(tree_equal(after, wanted), "%s", err.message);
        } else {
            ck_assert_ptr_null(after);
            ck_assert_msg(strstr(err.message, tree_rows[_i].error) != NULL, "%s", err.message);
        }
    }
END_TEST

/* What holds no variable is the same object, not a copy. */
START_TEST(unchanged_parts_are_shared)
    {
        struct substitution how = {.variables = &variables, .blueprint = "daily"};
        AUTO(json)
        json_t *before = json_row("{'a': {'b': ['c', 'd']}, 'e': ['${TARGET_NAME}', {}]}");
        struct error err = {0};
        AUTO(json) json_t *after = substitute_tree(before, &how, "spec", &err);

        ck_assert_ptr_nonnull(after);
        ck_assert_ptr_ne(after, before);
        ck_assert_ptr_eq(tree_get(after, "a"), tree_get(before, "a"));
        ck_assert_ptr_ne(tree_get(after, "e"), tree_get(before, "e"));

        AUTO(json) json_t *same = substitute_tree(after, &how, "spec", &err);

        ck_assert_ptr_eq(same, after);
    }
END_TEST

START_TEST(hooks_alone)
    {
        struct substitution how = {.variables = &variables, .blueprint = "daily"};
        AUTO(json) json_t *before = json_row("['${HOME}']");
        struct error err = {0};
        AUTO(json) json_t *after = substitute_tree(before, &how, "spec.hooks.preBackup", &err);

        ck_assert_ptr_eq(after, before);
    }
END_TEST

static void note(void *context, const struct variable *variable, const char *field)
{
    text_addf(context, "%s=%.*s (%s) in %s\n", variable->name, (int)variable->value.length,
              variable->value.data, variable->origin, field);
}

START_TEST(each_use_is_told)
    {
        AUTO(text) struct text told = {0};
        struct substitution how = {
            .variables = &variables, .blueprint = "daily", .used = note, .context = &told};
        AUTO(json)
        json_t *before = json_row(
            "{'a': [{'b': '${TARGET_NAME}'}], 'c': '${TARGET_NAMESPACE:=${TARGET_NAME}}'}");
        struct error err = {0};
        AUTO(json) json_t *after = substitute_tree(before, &how, "spec", &err);

        ck_assert_ptr_nonnull(after);
        ck_assert_str_eq(text_get(&told), "TARGET_NAME=web-1 (metadata.name) in spec.a[0].b\n"
                                          "TARGET_NAMESPACE=shop (metadata.namespace) in spec.c\n");
    }
END_TEST

START_TEST(check_finds_all_at_once)
    {
        AUTO(findings) struct findings findings = {0};
        AUTO(json)
        json_t *spec = json_row(
            "{'a': '${', 'b': ['${TARGET_NAEM}', '${TARGET_APP_VERSION}', '${X:=1}'],"
            " 'hooks': ['${X}'], 'repoNamespace': '${TARGET_NAME:3}', 'c': '${TARGET_NAME#[}'}");

        substitute_check(spec, "spec", &findings);
        ck_assert_uint_eq(findings.count, 3);
        ck_assert_str_eq(findings.items[0].field, "spec.a");
        ck_assert_str_eq(findings.items[1].field, "spec.b[0]");
        ck_assert(strstr(findings.items[1].message, "did you mean ${TARGET_NAME}?") != NULL);
        ck_assert_str_eq(findings.items[2].field, "spec.c");
        ck_assert_int_eq(findings.items[2].level, FINDING_ERROR);
    }
END_TEST

/* stash-behaviour 2.3, every cell of the table; spec/stash-behaviour 10.1, 6: TARGET_RESOURCE for
 * all, and the AppBinding's own version */
static const struct {
    const char *api_version, *kind, *spec, *name, *value; /* NULL: there is none */
} variable_rows[] = {
    {"apps/v1", "Deployment", "{}", "TARGET_API_VERSION", "apps/v1"},
    {"apps/v1", "Deployment", "{}", "TARGET_KIND", "deployment"},
    {"apps/v1", "Deployment", "{}", "TARGET_NAME", "data"},
    {"apps/v1", "Deployment", "{}", "TARGET_NAMESPACE", "shop"},
    {"apps/v1", "Deployment", "{}", "TARGET_RESOURCE", "deployments"},
    {"apps/v1", "Deployment", "{'type': 'x', 'version': 'y'}", "TARGET_APP_VERSION", NULL},
    {"apps/v1", "Deployment", "{'type': 'x', 'version': 'y'}", "TARGET_APP_TYPE", NULL},
    {"apps/v1", "StatefulSet", "{}", "TARGET_KIND", "statefulset"},
    {"apps/v1", "StatefulSet", "{}", "TARGET_RESOURCE", "statefulsets"},
    {"apps/v1", "DaemonSet", "{}", "TARGET_RESOURCE", "daemonsets"},
    {"apps/v1", "ReplicaSet", "{}", "TARGET_RESOURCE", "replicasets"},
    {"v1", "ReplicationController", "{}", "TARGET_RESOURCE", "replicationcontrollers"},
    {"apps.openshift.io/v1", "DeploymentConfig", "{}", "TARGET_RESOURCE", "deploymentconfigs"},
    {"apps.openshift.io/v1", "DeploymentConfig", "{}", "TARGET_API_VERSION",
     "apps.openshift.io/v1"},
    {"v1", "PersistentVolumeClaim", "{}", "TARGET_API_VERSION", "v1"},
    {"v1", "PersistentVolumeClaim", "{}", "TARGET_KIND", "persistentvolumeclaim"},
    {"v1", "PersistentVolumeClaim", "{}", "TARGET_RESOURCE", "persistentvolumeclaims"},
    {"v1", "PersistentVolumeClaim", "{}", "TARGET_APP_GROUP", NULL},
    {"appcatalog.appscode.com/v1alpha1", "AppBinding", "{}", "TARGET_API_VERSION",
     "appcatalog.appscode.com/v1alpha1"},
    {"x", "AppBinding", "{}", "TARGET_KIND", "appbinding"},
    {"x", "AppBinding", "{}", "TARGET_RESOURCE", "appbindings"},
    {"x", "AppBinding", "{'version': '11.9'}", "TARGET_APP_VERSION", "11.9"},
    {"x", "AppBinding", "{'type': 'kubedb.com/postgres'}", "TARGET_APP_TYPE",
     "kubedb.com/postgres"},
    {"x", "AppBinding", "{'type': 'kubedb.com/postgres'}", "TARGET_APP_GROUP", "kubedb.com"},
    {"x", "AppBinding", "{'type': 'kubedb.com/postgres'}", "TARGET_APP_RESOURCE", "postgres"},
    {"x", "AppBinding", "{'type': 'a/b/c'}", "TARGET_APP_GROUP", "a/b"},
    {"x", "AppBinding", "{'type': 'a/b/c'}", "TARGET_APP_RESOURCE", "c"},
    {"x", "AppBinding", "{'type': 'etcd'}", "TARGET_APP_GROUP", ""},
    {"x", "AppBinding", "{'type': 'etcd'}", "TARGET_APP_RESOURCE", "etcd"},
    {"x", "AppBinding", "{'type': '/etcd'}", "TARGET_APP_GROUP", ""},
    {"x", "AppBinding", "{'type': 'etcd/'}", "TARGET_APP_RESOURCE", ""},
    {"x", "AppBinding", "{'type': 'etcd/'}", "TARGET_APP_GROUP", "etcd"},
    {"x", "AppBinding", "{}", "TARGET_APP_VERSION", ""},
    {"x", "AppBinding", "{}", "TARGET_APP_GROUP", ""},
    {"x", "AppBinding", "{'type': 7, 'version': null}", "TARGET_APP_TYPE", ""},
};

START_TEST(variables_of_targets)
    {
        AUTO(variables) struct variables found = {0};
        AUTO(json) json_t *spec = json_row(variable_rows[_i].spec);

        variables_of_target(&found, variable_rows[_i].api_version, variable_rows[_i].kind, "shop",
                            "data", spec);

        const struct variable *variable = variables_find(&found, span_of(variable_rows[_i].name));

        ck_assert_int_eq(variable != NULL, variable_rows[_i].value != NULL);
        if (variable) {
            ck_assert(span_is(variable->value, variable_rows[_i].value));
            ck_assert_ptr_nonnull(variable->origin);
        }
    }
END_TEST

START_TEST(an_app_binding_without_spec)
    {
        AUTO(variables) struct variables found = {0};

        variables_of_target(&found, "x", "AppBinding", "shop", "data", NULL);
        ck_assert_uint_eq(found.count, VARIABLES_MAX);
        ck_assert_uint_eq(variables_find(&found, span_of("TARGET_APP_TYPE"))->value.length, 0);
    }
END_TEST

SUITE(api_substitute)
{
    suite_rows(tests, text_of_a_field, text_rows);
    suite_rows(tests, text_of_hooks, kept_rows);
    tcase_add_test(tests, nul_is_carried_through);
    tcase_add_test(tests, work_is_bounded);
    tcase_add_test(tests, a_replacement_is_bounded);
    tcase_add_test(tests, a_long_value_is_refused);
    suite_rows(tests, a_whole_tree, tree_rows);
    tcase_add_test(tests, unchanged_parts_are_shared);
    tcase_add_test(tests, hooks_alone);
    tcase_add_test(tests, each_use_is_told);
    tcase_add_test(tests, check_finds_all_at_once);
    suite_rows(tests, variables_of_targets, variable_rows);
    tcase_add_test(tests, an_app_binding_without_spec);
}
