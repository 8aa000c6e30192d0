#include "api/annotation.h"

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static char *dump(const json_t *tree)
{
    char *text = tree ? tree_format(tree, NULL) : text_dup("-", 1);

    for (char *c = text; *c; c++)
        *c = *c == '"' ? '\'' : *c;
    return text;
}

static json_t *one(const char *key, struct span value)
{
    json_t *tree = json_object();

    tree_put_span(tree, key, value);
    return tree;
}

/* All messages, one a line. */
static char *messages(const struct findings *findings)
{
    struct text all = {0};

    for (size_t i = 0; i < findings->count; i++)
        text_addf(&all, "%s%s", i ? "\n" : "", findings->items[i].message);
    return text_take(&all);
}

/* `told` is a piece of the only message, NULL: there is none; "a|b": of each of several. */
static void check_told(const struct findings *findings, const char *told)
{
    AUTO(free) char *all = messages(findings);
    struct span rest = span_of(told), piece;
    size_t count = 0;

    for (; text_split(&rest, '|', &piece); count++) {
        ck_assert_msg(count < findings->count, "expected \"%s\", got \"%s\"", told, all);

        const char *message = findings->items[count].message;

        ck_assert_msg(memmem(message, strlen(message), piece.data, piece.length) != NULL,
                      "expected \"%s\", got \"%s\"", told, all);
        ck_assert_int_eq(findings->items[count].level, FINDING_WARNING);
    }
    ck_assert_msg(count == findings->count, "expected \"%s\", got \"%s\"", told ? told : "", all);
}

static const struct {
    const char *value;
    const char *names; /* joined by "," */
    const char *told;
} blueprint_rows[] = {
    {"daily", "daily", NULL},
    {" daily ", "daily", NULL},
    {"daily, weekly,\tmonthly\n", "daily,weekly,monthly", NULL},
    {"daily,", "daily", NULL},
    {"daily,,weekly", "daily,weekly", "element 2 is empty"},
    {",daily", "daily", "element 1 is empty"},
    {"daily, daily", "daily", "element 2 (\"daily\") stands there twice"},
    {"", "", "it is empty"},
    {" ", "", "it is empty"},
    {",", "", "element 1 is empty"},
    {"a,b,c,d,e,f,g,h,i,j", "a,b,c,d,e,f,g,h", "only the first 8 elements count"},
    /* what is no name stays: nobody shall take it for a removal */
    {"Daily", "Daily", NULL},
    {"a b", "a b", NULL},
    {"../x", "../x", NULL},
    {"a\nb", "a?b", NULL},
};

START_TEST(blueprints)
    {
        AUTO(json) json_t *tree = one(KEY_BLUEPRINT, span_of(blueprint_rows[_i].value));
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};
        AUTO(text) struct text names = {0};

        annotations_parse(&annotations, tree, &findings);
        for (size_t i = 0; i < annotations.blueprint_count; i++)
            text_addf(&names, "%s%s", i ? "," : "", annotations.blueprints[i]);
        ck_assert_str_eq(text_get(&names), blueprint_rows[_i].names);
        check_told(&findings, blueprint_rows[_i].told);
        if (findings.count)
            ck_assert_str_eq(findings.items[0].field,
                             "metadata.annotations[stash.appscode.com/backup-blueprint]");
    }
END_TEST

#define FULL(x) x x x x x x x x

static const struct {
    const char *key, *value;
    const char *result; /* paths, mounts, exclude or dump command; single quotes */
    const char *told;
} list_rows[] = {
    {KEY_TARGET_PATHS, "/data", "['/data']", NULL},
    {KEY_TARGET_PATHS, " /data , /etc/x ", "['/data','/etc/x']", NULL},
    {KEY_TARGET_PATHS, "/data/", "['/data']", NULL},
    {KEY_TARGET_PATHS, "//data//x///", "['/data/x']", NULL},
    {KEY_TARGET_PATHS, "/data/./x/.", "['/data/x']", NULL},
    {KEY_TARGET_PATHS, "/", "['/']", NULL},
    {KEY_TARGET_PATHS, "/..data,/a..b,/...", "['/..data','/a..b','/...']", NULL},
    {KEY_TARGET_PATHS, "/a b", "['/a b']", NULL},
    {KEY_TARGET_PATHS, "data", "-", "path 1 (\"data\") is not absolute"},
    {KEY_TARGET_PATHS, "/data,./x", "['/data']", "path 2 (\"./x\") is not absolute"},
    {KEY_TARGET_PATHS, "/data,/../etc", "['/data']", "holds \"..\""},
    {KEY_TARGET_PATHS, "/data/..", "-", "holds \"..\""},
    {KEY_TARGET_PATHS, "/da\nta", "-", "control character"},
    {KEY_TARGET_PATHS, "/data,/data/", "['/data']", "element 2 (\"/data/\") stands there twice"},
    {KEY_TARGET_PATHS, "", "-", "it is empty"},
    {KEY_TARGET_PATHS, "/a,,/b", "['/a','/b']", "element 2 is empty"},
    {KEY_TARGET_PATHS, "x,y", "-", "path 1|path 2"},
    {KEY_TARGET_PATHS, "--password-command=x", "-", "not absolute"},
    {KEY_TARGET_PATHS, "$(id)", "-", "not absolute"},

    {KEY_VOLUME_MOUNTS, "data:/data", "[{'mountPath':'/data','name':'data'}]", NULL},
    {KEY_VOLUME_MOUNTS, " data : /data/ : a//b ",
     "[{'mountPath':'/data','name':'data','subPath':'a/b'}]", NULL},
    {KEY_VOLUME_MOUNTS, "a:/a,b:/b",
     "[{'mountPath':'/a','name':'a'},{'mountPath':'/b','name':'b'}]", NULL},
    {KEY_VOLUME_MOUNTS, "data", "-", "mount 1 (\"data\") is not volume:path"},
    {KEY_VOLUME_MOUNTS, "a:/a,data:/data:x:y", "[{'mountPath':'/a','name':'a'}]",
     "mount 2 (\"data:/data:x:y\") is not volume:path or volume:path:subPath"},
    {KEY_VOLUME_MOUNTS, ":/data", "-", "is not volume:path"},
    {KEY_VOLUME_MOUNTS, "data:", "-", "is not volume:path"},
    {KEY_VOLUME_MOUNTS, "data:/data:", "-", "is not volume:path"},
    {KEY_VOLUME_MOUNTS, "data::x", "-", "is not volume:path"},
    {KEY_VOLUME_MOUNTS, "::", "-", "is not volume:path"},
    {KEY_VOLUME_MOUNTS, "Da_ta:/data", "-", "names no volume"},
    {KEY_VOLUME_MOUNTS, "data:data", "-", "is not absolute"},
    {KEY_VOLUME_MOUNTS, "data:/a/../etc", "-", "holds \"..\""},
    {KEY_VOLUME_MOUNTS, "data:/data:/x", "-", "is not relative"},
    {KEY_VOLUME_MOUNTS, "data:/data:../x", "-", "holds \"..\""},
    {KEY_VOLUME_MOUNTS, "data:/data:a\tb", "-", "control character"},
    {KEY_VOLUME_MOUNTS, "data:/data:.", "[{'mountPath':'/data','name':'data'}]", NULL},
    {KEY_VOLUME_MOUNTS, "data:/", "-", "would hide"},
    {KEY_VOLUME_MOUNTS, "data:/proc", "-", "would hide"},
    {KEY_VOLUME_MOUNTS, "data:/proc/1/root", "-", "would hide"},
    {KEY_VOLUME_MOUNTS, "data://sys/./fs", "-", "would hide"},
    {KEY_VOLUME_MOUNTS, "data:/dev/shm", "-", "would hide"},
    {KEY_VOLUME_MOUNTS, "data:/var/run/secrets/kubernetes.io", "-", "would hide"},
    {KEY_VOLUME_MOUNTS, "data:/run/secrets", "-", "would hide"},
    {KEY_VOLUME_MOUNTS, "data:/stash-tmp", "-", "would hide"},
    {KEY_VOLUME_MOUNTS, "data:/stash-volumes/x", "-", "would hide"},
    /* compared by components: security 5.7 */
    {KEY_VOLUME_MOUNTS, "a:/procs,b:/stash-tmp2",
     "[{'mountPath':'/procs','name':'a'},{'mountPath':'/stash-tmp2','name':'b'}]", NULL},
    {KEY_VOLUME_MOUNTS, "a:/data,a:/data/", "[{'mountPath':'/data','name':'a'}]", "twice"},
    {KEY_VOLUME_MOUNTS, "a:/data,b:/data", "[{'mountPath':'/data','name':'a'}]",
     "mount 2 (\"b:/data\") wants a path that another one has"},
    {KEY_VOLUME_MOUNTS, "a:/data,a:/data:x", "[{'mountPath':'/data','name':'a'}]",
     "wants a path that another one has"},

    {KEY_EXCLUDE, "*.tmp, cache/**,!keep", "['*.tmp','cache/**','!keep']", NULL},
    {KEY_EXCLUDE, "--files-from=/etc/passwd", "['--files-from=/etc/passwd']", NULL},
    {KEY_EXCLUDE, "a,a", "['a']", "twice"},
    {KEY_EXCLUDE, "a\nb,c", "['c']", "pattern 1 holds a control character"},
    {KEY_EXCLUDE, "", "-", "it is empty"},

    {KEY_DUMP_COMMAND, "['pg_dump','-Fc','']", "['pg_dump','-Fc','']", NULL},
    {KEY_DUMP_COMMAND, " ['true'] ", "['true']", NULL},
    {KEY_DUMP_COMMAND, "['sh','-c','a; b | c $(id)']", "['sh','-c','a; b | c $(id)']", NULL},
    {KEY_DUMP_COMMAND, "", "-", "wants a list"},
    {KEY_DUMP_COMMAND, "pg_dump", "-", "wants a list"},
    {KEY_DUMP_COMMAND, "[]", "-", "wants a list"},
    {KEY_DUMP_COMMAND, "{'a':'b'}", "-", "wants a list"},
    {KEY_DUMP_COMMAND, "['a'] ['b']", "-", "wants a list"},
    {KEY_DUMP_COMMAND, "['a',", "-", "wants a list"},
    {KEY_DUMP_COMMAND, "['']", "-", "empty"},
    {KEY_DUMP_COMMAND, "['a',1]", "-", "else than strings"},
    {KEY_DUMP_COMMAND, "['a',['b']]", "-", "else than strings"},
    {KEY_DUMP_COMMAND, "['a','b\\u0000']", "-", "NUL"},
    {KEY_DUMP_COMMAND, "['" FULL(FULL(FULL(FULL("x")))) "x']", "-", "too long"},
    {KEY_DUMP_COMMAND, "[" FULL(FULL("'a',")) "'a']", "-", "too many"},
};

START_TEST(lists)
    {
        bool command = strcmp(list_rows[_i].key, KEY_DUMP_COMMAND) == 0;
        AUTO(free) char *value = text_dup(list_rows[_i].value, strlen(list_rows[_i].value));
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        for (char *c = value; command && *c; c++)
            *c = *c == '\'' ? '"' : *c;

        AUTO(json) json_t *tree = one(list_rows[_i].key, span_of(value));

        annotations_parse(&annotations, tree, &findings);

        const json_t *result = strcmp(list_rows[_i].key, KEY_TARGET_PATHS) == 0 ? annotations.paths
                               : strcmp(list_rows[_i].key, KEY_VOLUME_MOUNTS) == 0
                                   ? annotations.mounts
                               : command ? annotations.dump_command
                                         : annotations.exclude;
        AUTO(free) char *got = dump(result);

        ck_assert_str_eq(got, list_rows[_i].result);
        check_told(&findings, list_rows[_i].told);
    }
END_TEST

static void repeat(struct text *text, const char *piece, size_t times)
{
    for (size_t i = 0; i < times; i++)
        text_addf(text, piece, i);
}

START_TEST(lists_are_bounded)
    {
        static const struct {
            const char *key, *element;
            size_t times, kept;
            const char *told;
        } rows[] = {
            {KEY_TARGET_PATHS, "/p%zu,", 64, 64, NULL},
            {KEY_TARGET_PATHS, "/p%zu,", 65, 64, "only the first 64 elements count"},
            {KEY_VOLUME_MOUNTS, "v:/p%zu,", 65, 64, "only the first 64 elements count"},
            {KEY_EXCLUDE, "p%zu,", 65, 64, "only the first 64 elements count"},
            {KEY_TARGET_PATHS, "/%04zu", 820, 0, "is too long"},
            {KEY_EXCLUDE, "/%04zu", 820, 0, "is too long"},
        };

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            AUTO(annotations) struct annotations annotations = {0};
            AUTO(findings) struct findings findings = {0};
            AUTO(text) struct text value = {0};

            repeat(&value, rows[i].element, rows[i].times);

            AUTO(json) json_t *tree = one(rows[i].key, (struct span){value.data, value.length});

            annotations_parse(&annotations, tree, &findings);
            ck_assert_uint_eq(json_array_size(annotations.paths) +
                                  json_array_size(annotations.mounts) +
                                  json_array_size(annotations.exclude),
                              rows[i].kept);
            check_told(&findings, rows[i].told);
        }
    }
END_TEST

/* Everything that is one value. `result` is what it became, in one line. */
static const struct {
    const char *key, *value, *result, *told;
} scalar_rows[] = {
    {KEY_SCHEDULE, "*/5 * * * *", "schedule=*/5 * * * *", NULL},
    {KEY_SCHEDULE, " @daily ", "schedule=@daily", NULL},
    {KEY_SCHEDULE, "61 * * * *", "", "it is ignored"},
    {KEY_SCHEDULE, "", "", "it is ignored"},
    {KEY_SCHEDULE, "TZ=UTC 1 * * * *", "", "it is ignored"},
    {KEY_SCHEDULE, "1 * * * *\n2 * * * *", "", "it is ignored"},
    {KEY_SCHEDULE, FULL(FULL("1,1,")) "1 * * * *", "", "longer than 256 bytes"},
    {KEY_BACKUP, "false", "opted-out", NULL},
    {KEY_BACKUP, "true", "", NULL},
    {KEY_BACKUP, " false ", "opted-out", NULL},
    {KEY_BACKUP, "False", "", "neither"},
    {KEY_BACKUP, "no", "", "neither"},
    {KEY_BACKUP, "", "", "neither"},
    {KEY_PAUSED, "true", "paused", NULL},
    {KEY_PAUSED, "false", "", NULL},
    {KEY_PAUSED, "1", "", "neither"},
    {KEY_RESTORE_IF_EXISTS, "true", "restore", NULL},
    {KEY_RESTORE_IF_EXISTS, "yes", "", "neither"},
    {KEY_TIMEOUT, "1h30m", "timeout=5400", NULL},
    {KEY_TIMEOUT, " 30s ", "timeout=30", NULL},
    {KEY_TIMEOUT, "1s", "timeout=1", NULL},
    {KEY_TIMEOUT, "999ms", "", "less than a second"},
    {KEY_TIMEOUT, "0", "", "less than a second"},
    {KEY_TIMEOUT, "-1h", "", "less than a second"},
    {KEY_TIMEOUT, "1d", "", "it is ignored"},
    {KEY_TIMEOUT, "", "", "it is ignored"},
    {KEY_RETENTION, "last=5,hourly=,daily=7,weekly=4,monthly=,yearly=,within=30d",
     "retention=5,0,7,4,0,0,720h", NULL},
    {KEY_RETENTION, " last = 5 , yearly=100000 ", "retention=5,0,0,0,0,100000", NULL},
    {KEY_RETENTION, "within=2y5m7d3h", "retention=0,0,0,0,0,0,21355h", NULL},
    {KEY_RETENTION, "", "", "it is empty"},
    {KEY_RETENTION, "last", "", "\"last\" is not key=value"},
    {KEY_RETENTION, "last=5,,daily=1", "", "\"\" is not key=value"},
    {KEY_RETENTION, "last=5,daly=7", "", "did you mean \"daily\"?"},
    {KEY_RETENTION, "last=5,last=6", "", "\"last\" stands there twice"},
    {KEY_RETENTION, "last=-1", "", "last: must be a whole number"},
    {KEY_RETENTION, "last=1.5", "", "last: must be a whole number"},
    {KEY_RETENTION, "last=100001", "", "last: must be a whole number"},
    {KEY_RETENTION, "last=99999999999999999999", "", "last: must be a whole number"},
    {KEY_RETENTION, "last=0", "", "no snapshot at all"},
    {KEY_RETENTION, "last=,daily=", "", "no snapshot at all"},
    {KEY_RETENTION, "within=0d", "", "within: "},
    {KEY_RETENTION, "within=x", "", "within: "},
    {KEY_RETENTION, "within=", "", "no snapshot at all"},
    {KEY_RESOURCES, "cpu=100m,memory=128Mi,limits.memory=512Mi", "resources=100m,128Mi,,512Mi",
     NULL},
    {KEY_RESOURCES, "limits.cpu=2", "resources=,,2,", NULL},
    {KEY_RESOURCES, "cpu=1,limits.cpu=1000m", "resources=1,,1000m,", NULL},
    {KEY_RESOURCES, "cpu=0.1,memory=1e9", "resources=0.1,1e9,,", NULL},
    {KEY_RESOURCES, "cpu=2,limits.cpu=1", "", "cpu=2 is above limits.cpu=1"},
    {KEY_RESOURCES, "memory=1Gi,limits.memory=1G", "", "is above"},
    {KEY_RESOURCES, "cpu=0", "", "cpu: must be above zero"},
    {KEY_RESOURCES, "cpu=-1", "", "cpu: must be above zero"},
    {KEY_RESOURCES, "cpu=x", "", "cpu: "},
    {KEY_RESOURCES, "memory=128m", "", "memory: less than 1Mi"},
    {KEY_RESOURCES, "memory=512", "", "memory: less than 1Mi"},
    {KEY_RESOURCES, "memory=00000000000000000000000000000001Gi", "", "longer than 31"},
    {KEY_RESOURCES, "ram=1Gi", "", "unknown key \"ram\""},
    {KEY_RESOURCES, "limit.memory=1Gi", "", "did you mean \"limits.memory\"?"},
    {KEY_RESOURCES, "cpu=", "", "it sets nothing"},
    {KEY_PRIORITY, "nice=10,ionice=idle", "priority=10,3:0", NULL},
    {KEY_PRIORITY, "nice=-20", "priority=-20,0:0", NULL},
    {KEY_PRIORITY, "nice=0", "priority=0,0:0", NULL},
    {KEY_PRIORITY, "ionice=best-effort", "priority=,2:4", NULL},
    {KEY_PRIORITY, "ionice=best-effort:7", "priority=,2:7", NULL},
    {KEY_PRIORITY, "ionice=realtime:0", "priority=,1:0", NULL},
    {KEY_PRIORITY, "nice=20", "", "nice: must be a whole number from -20 to 19"},
    {KEY_PRIORITY, "nice=-21", "", "nice: "},
    {KEY_PRIORITY, "nice=1x", "", "nice: "},
    {KEY_PRIORITY, "nice=-", "", "nice: "},
    {KEY_PRIORITY, "nice=1000000000000", "", "nice: "},
    {KEY_PRIORITY, "ionice=best-effort:8", "", "ionice: "},
    {KEY_PRIORITY, "ionice=best-effort:", "", "ionice: "},
    {KEY_PRIORITY, "ionice=best-effort:1:2", "", "ionice: "},
    {KEY_PRIORITY, "ionice=idle:3", "", "ionice: "},
    {KEY_PRIORITY, "ionice=3", "", "ionice: "},
    {KEY_PRIORITY, "ionice=:", "", "ionice: "},
    {KEY_PRIORITY, "nice=,ionice=", "", "it sets nothing"},
    {KEY_PRIORITY, "oom=1", "", "unknown key"},
    {KEY_DUMP_CONTAINER, "db", "container=db", "means nothing without"},
    {KEY_DUMP_CONTAINER, "DB", "", "can not be a container"},
    {KEY_DUMP_CONTAINER, "a.b", "", "can not be a container"},
    {KEY_REFRESH, "anything\n", "", NULL},
};

static char *describe(const struct annotations *a)
{
    struct text out = {0};

    if (a->schedule)
        text_addf(&out, "schedule=%s", a->schedule);
    text_puts(&out, a->opted_out ? "opted-out" : "");
    text_puts(&out, a->paused ? "paused" : "");
    text_puts(&out, a->restore_if_exists ? "restore" : "");
    if (a->timeout_ns)
        text_addf(&out, "timeout=%lld", (long long)(a->timeout_ns / SECOND_NS));
    for (size_t i = 0; a->has_retention && i < KEEP_KINDS; i++)
        text_addf(&out, "%s%d", i ? "," : "retention=", (int)a->retention.keep[i]);
    if (a->has_retention && a->retention.has_within)
        text_addf(&out, ",%lldh", (long long)within_hours(&a->retention.within));
    for (size_t i = 0; a->has_resources && i < RESOURCE_KINDS; i++)
        text_addf(&out, "%s%s", i ? "," : "resources=", a->resources.of[i].text);
    if (a->has_priority) {
        text_puts(&out, "priority=");
        if (a->priority.has_nice)
            text_addf(&out, "%d", a->priority.nice);
        text_addf(&out, ",%d:%d", (int)a->priority.io_class, a->priority.io_level);
    }
    if (a->dump_container)
        text_addf(&out, "container=%s", a->dump_container);
    return text_take(&out);
}

START_TEST(scalars)
    {
        AUTO(json) json_t *tree = one(scalar_rows[_i].key, span_of(scalar_rows[_i].value));
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);

        AUTO(free) char *got = describe(&annotations);

        ck_assert_str_eq(got, scalar_rows[_i].result);
        check_told(&findings, scalar_rows[_i].told);
    }
END_TEST

static const struct {
    const char *tree, *params, *told;
} param_rows[] = {
    /* stash-behaviour 2.1: the value verbatim */
    {"{'params.stash.appscode.com/args': ' --all-databases,-x=1 '}",
     "[{'name':'args','value':' --all-databases,-x=1 '}]", NULL},
    {"{'params.stash.appscode.com/a': '', 'params.stash.appscode.com/b': 'c'}",
     "[{'name':'a','value':''},{'name':'b','value':'c'}]", NULL},
    /* security 5.2, PE2: nothing that is computed */
    {"{'params.stash.appscode.com/REPOSITORY_SECRET_NAME': 'x'}", "-", "is computed"},
    {"{'params.stash.appscode.com/TARGET_NAMESPACE': 'x'}", "-", "is computed"},
    {"{'params.stash.appscode.com/NAMESPACE': 'x'}", "-", "is computed"},
    {"{'params.stash.appscode.com/ADDON_IMAGE': 'x'}", "-", "is computed"},
    {"{'params.stash.appscode.com/': 'x'}", "-", "can not be the name"},
    {"{'params.stash.appscode.com/a/b': 'x'}", "-", "can not be the name"},
    {"{'params.stash.appscode.com/${x}': 'x'}", "-", "can not be the name"},
    {"{'params.stash.appscode.com/a': 'x\\u0000y'}", "-", "holds a NUL"},
    {"{'params.stash.appscode.com/a': 1}", "-", "is not a string"},
    {"{'param.stash.appscode.com/args': 'x'}", "-", "did you mean params.stash.appscode.com/args?"},
    {"{'params.stash.appscode.co/foo': 'x'}", "-", "did you mean params.stash.appscode.com/foo?"},
};

START_TEST(params)
    {
        AUTO(json) json_t *tree = json_row(param_rows[_i].tree);
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);

        AUTO(free) char *got = dump(annotations.params);

        ck_assert_str_eq(got, param_rows[_i].params);
        check_told(&findings, param_rows[_i].told);
    }
END_TEST

START_TEST(params_are_bounded)
    {
        AUTO(json) json_t *tree = json_object();
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};
        AUTO(text) struct text value = {0};

        repeat(&value, "%08zu", 8192);
        tree_put_span(tree, KEY_PARAMS_PREFIX "fits", (struct span){value.data, value.length});
        text_putc(&value, 'x');
        tree_put_span(tree, KEY_PARAMS_PREFIX "long", (struct span){value.data, value.length});
        for (size_t i = 0; i < PARAMS_MAX; i++) {
            AUTO(free) char *key = text_format("%sp%zu", KEY_PARAMS_PREFIX, i);

            tree_put_text(tree, key, "x");
        }
        annotations_parse(&annotations, tree, &findings);
        ck_assert_uint_eq(json_array_size(annotations.params), PARAMS_MAX);
        check_told(&findings, "longer than 65536 bytes|only 64 parameters count");
    }
END_TEST

/* Keys that are none, and keys that are somebody else's. */
static const struct {
    const char *key, *told;
} key_rows[] = {
    {"stash.appscode.com/backup-bluprint", "did you mean stash.appscode.com/backup-blueprint?"},
    {"stash.appscode.com/target-path", "did you mean stash.appscode.com/target-paths?"},
    {"stash.appscode.com/volumemounts", "did you mean stash.appscode.com/volume-mounts?"},
    {"stash.appscode.com/paused", "did you mean granary.dev/paused?"},
    {"stash.appscode.com/something", "no such annotation: it means nothing"},
    {"granary.dev/schedule", "did you mean stash.appscode.com/schedule?"},
    {"granary.dev/scheduel", "did you mean stash.appscode.com/schedule?"},
    {"granary.dev/retentoin", "did you mean granary.dev/retention?"},
    {"granary.dev/", "it means nothing"},
    {"granary.dev/blueprint", "is a label of namespaces"},
    {"granary.dev/start-anyway", "belongs on a RestoreSession"},
    {"granary.dev/adopt", "belongs on a Repository"},
    {"granary.dev/a-long-name-that-nobody-ever-gave-to-an-annotation-of-a-backup", "means nothing"},
    {"stash.appscode.com/Backup-Blueprint", "did you mean stash.appscode.com/backup-blueprint?"},
    {"granary.dev/target-kind", "is a label of what a backup makes"},
    {"stash.appcode.com/backup-blueprint", "did you mean stash.appscode.com/backup-blueprint?"},
    {"Granary.dev/backup", "did you mean granary.dev/backup?"},
    {"granary.de/retention", "did you mean granary.dev/retention?"},
    {"backup-blueprint", "did you mean stash.appscode.com/backup-blueprint?"},
    {"target-paths", "did you mean stash.appscode.com/target-paths?"},
    /* bookkeeping, of both */
    {KEY_STAMP, NULL},
    {KEY_AGENT, NULL},
    {KEY_TARGET, NULL},
    {KEY_STASH_BACKUP_INVOKER, NULL},
    {KEY_STASH_BACKUP_INVOKER_KIND, NULL},
    {KEY_STASH_RESTORE_HASH, NULL},
    /* others' */
    {"schedule", NULL},
    {"backup", NULL},
    {"velero.io/exclude", NULL},
    {"granary.example.com/backup", NULL},
    {"deployment.kubernetes.io/revision", NULL},
    {"kubectl.kubernetes.io/last-applied-configuration", NULL},
    {"stash.appscode.com", NULL},
    {"granary.dev", NULL},
    {"/", NULL},
    {"", NULL},
};

START_TEST(keys)
    {
        AUTO(json) json_t *tree = one(key_rows[_i].key, span_of("x"));
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);
        check_told(&findings, key_rows[_i].told);
        if (findings.count) {
            AUTO(free) char *field = text_format("metadata.annotations[%s]", key_rows[_i].key);

            ck_assert_str_eq(findings.items[0].field, field);
        }
    }
END_TEST

static const char *const owned_keys[] = {
    KEY_SCHEDULE,          KEY_TARGET_PATHS, KEY_VOLUME_MOUNTS,  KEY_BACKUP,  KEY_PAUSED,
    KEY_EXCLUDE,           KEY_RETENTION,    KEY_RESOURCES,      KEY_TIMEOUT, KEY_PRIORITY,
    KEY_RESTORE_IF_EXISTS, KEY_DUMP_COMMAND, KEY_DUMP_CONTAINER,
};

/* J5: a NUL is legal in an annotation, and the owner's mistake in one of ours. */
START_TEST(nul_in_a_value)
    {
        AUTO(json) json_t *tree = one(owned_keys[_i], (struct span){"/a\0b", 4});
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);
        check_told(&findings, "holds a NUL");

        AUTO(free) char *got = describe(&annotations);

        ck_assert_str_eq(got, "");
        ck_assert(!annotations.paths && !annotations.mounts && !annotations.exclude);
    }
END_TEST

/* J5: still a reason for a backup, though not one that can be found. */
START_TEST(nul_in_the_blueprint)
    {
        AUTO(json) json_t *tree = one(KEY_BLUEPRINT, (struct span){"a\0b", 3});
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);
        check_told(&findings, "holds a NUL");
        ck_assert_uint_eq(annotations.blueprint_count, 1);
        ck_assert_str_eq(annotations.blueprints[0], "a?b");
    }
END_TEST

static const char *const shape_rows[] = {"null", "[]", "'x'", "1", "{}"};

START_TEST(no_annotations)
    {
        AUTO(json) json_t *tree = json_row(shape_rows[_i]);
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);
        annotations_parse(&annotations, NULL, &findings);
        ck_assert_uint_eq(findings.count, 0);
        ck_assert_uint_eq(annotations.blueprint_count, 0);
    }
END_TEST

START_TEST(values_that_are_no_strings)
    {
        AUTO(json)
        json_t *tree = json_row("{'stash.appscode.com/backup-blueprint': 1,"
                                " 'stash.appscode.com/schedule': null,"
                                " 'granary.dev/stamp': {}, 'x/y': []}");
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);
        check_told(&findings, "is not a string|is not a string");
        ck_assert_uint_eq(annotations.blueprint_count, 1);
    }
END_TEST

/* SEC1: whatever is written, the result has the shape that its type has, and nothing else. */
static const char *const payloads[] = {
    "--password-command=touch /tmp/x",
    "-o sftp.command=sh",
    "$(id)",
    "`id`",
    "; rm -rf /",
    "a\nb",
    "\"}],\"image\":\"evil",
    "${REPOSITORY_SECRET_NAMESPACE}",
    "../../etc",
    "/proc/1/root",
    "x\",\"image\":\"evil\",\"securityContext\":{\"privileged\":true},\"z\":\"",
    "%s%n%s%n",
    "\xe2\x80\xae evil",
    "data:/data:../../etc",
    "data:/proc/1/root",
};

START_TEST(payloads_change_no_shape)
    {
        for (size_t i = 0; i < sizeof owned_keys / sizeof *owned_keys; i++) {
            AUTO(json) json_t *tree = one(owned_keys[i], span_of(payloads[_i]));
            AUTO(annotations) struct annotations annotations = {0};
            AUTO(findings) struct findings findings = {0};
            const json_t *mount;
            size_t index;

            annotations_parse(&annotations, tree, &findings);
            ck_assert(!annotations.schedule && !annotations.dump_command &&
                      !annotations.dump_container && !annotations.has_resources &&
                      !annotations.has_retention && !annotations.has_priority &&
                      !annotations.timeout_ns && !annotations.opted_out);
            tree_items (annotations.mounts, index, mount)
                ck_assert_msg(false, "%s made a mount", payloads[_i]);
            tree_items (annotations.paths, index, mount)
                ck_assert(json_string_value(mount)[0] == '/');
            for (size_t f = 0; f < findings.count; f++)
                ck_assert(strcspn(findings.items[f].message, "\n\r\x1b") ==
                          strlen(findings.items[f].message));
        }
    }
END_TEST

START_TEST(payloads_in_parameters_are_values)
    {
        AUTO(json) json_t *tree = one(KEY_PARAMS_PREFIX "args", span_of(payloads[_i]));
        AUTO(annotations) struct annotations annotations = {0};
        AUTO(findings) struct findings findings = {0};

        annotations_parse(&annotations, tree, &findings);

        const json_t *param = json_array_get(annotations.params, 0);

        ck_assert_uint_eq(json_object_size(param), 2);
        ck_assert_str_eq(tree_text(param, "value"), payloads[_i]);
    }
END_TEST

static const struct {
    const char *key, *value;
    bool fine;
    enum error_code code;
} check_rows[] = {
    {KEY_SCHEDULE, "@daily", true, ERROR_NONE},
    {KEY_SCHEDULE, "x", false, ERROR_INVALID},
    {KEY_BLUEPRINT, "a,b", true, ERROR_NONE},
    {KEY_TARGET_PATHS, "/a,b", false, ERROR_INVALID},
    {KEY_RETENTION, "last=1", true, ERROR_NONE},
    {KEY_PARAMS_PREFIX "x", "any", true, ERROR_NONE},
    {KEY_PARAMS_PREFIX "NAMESPACE", "any", false, ERROR_INVALID},
    {KEY_REFRESH, "any", true, ERROR_NONE},
    {KEY_STAMP, "any", false, ERROR_NOT_FOUND},
    {"granary.dev/x", "any", false, ERROR_NOT_FOUND},
    {"x", "any", false, ERROR_NOT_FOUND},
    {KEY_SCHEDULE, "\xff", false, ERROR_INVALID},
};

START_TEST(one_value)
    {
        struct error err = {0};

        ck_assert_int_eq(
            annotation_value_check(check_rows[_i].key, span_of(check_rows[_i].value), &err),
            check_rows[_i].fine);
        ck_assert_int_eq(err.code, check_rows[_i].code);
    }
END_TEST

SUITE(api_annotation)
{
    suite_rows(tests, blueprints, blueprint_rows);
    suite_rows(tests, lists, list_rows);
    tcase_add_test(tests, lists_are_bounded);
    suite_rows(tests, scalars, scalar_rows);
    suite_rows(tests, params, param_rows);
    tcase_add_test(tests, params_are_bounded);
    suite_rows(tests, keys, key_rows);
    suite_rows(tests, nul_in_a_value, owned_keys);
    tcase_add_test(tests, nul_in_the_blueprint);
    suite_rows(tests, no_annotations, shape_rows);
    tcase_add_test(tests, values_that_are_no_strings);
    suite_rows(tests, payloads_change_no_shape, payloads);
    suite_rows(tests, payloads_in_parameters_are_values, payloads);
    suite_rows(tests, one_value, check_rows);
}
