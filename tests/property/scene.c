#include "tests/property/scene.h"

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"

static const char *pick(struct random *random, const char *const *words, size_t count)
{
    return words[random_below(random, count)];
}

#define PICK(random, words) pick(random, words, sizeof(words) / sizeof *(words))

static json_t *parsed(const char *row)
{
    AUTO(text) struct text text = {0};

    for (; *row; row++)
        text_putc(&text, *row == '\'' ? '"' : *row);
    return json_loads(text_get(&text), JSON_DECODE_ANY, NULL);
}

/* One of the rows, read as JSON with single quotes; "" is absence. */
static void put_row(struct random *random, json_t *object, const char *key, const char *const *rows,
                    size_t count)
{
    const char *row = pick(random, rows, count);

    if (*row)
        tree_put_new(object, key, parsed(row));
}

#define PUT_ROW(random, object, key, rows)                                                         \
    put_row(random, object, key, rows, sizeof(rows) / sizeof *(rows))

/* ---- pods ---- */

static const char *const volume_names[] = {"data", "logs", "cache", "conf"};
static const char *const sources[] = {
    "{'persistentVolumeClaim':{'claimName':'a'}}",
    "{'persistentVolumeClaim':{'claimName':'b'}}",
    "{'persistentVolumeClaim':{'claimName':'c','readOnly':true}}",
    "{'emptyDir':{}}",
    "{'emptyDir':{'medium':'Memory','sizeLimit':'1Gi'}}",
    "{'configMap':{'name':'conf'}}",
    "{'secret':{'secretName':'conf'}}",
    "{'hostPath':{'path':'/srv','type':''}}",
    "{'nfs':{'server':'nfs','path':'/'}}",
    "{'ephemeral':{'volumeClaimTemplate':{'spec':{}}}}",
};

static json_t *volumes(struct random *random)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof volume_names / sizeof *volume_names; i++) {
        json_t *volume;

        if (random_often(random, 40))
            continue;
        volume = parsed(sources[random_often(random, 50)
                                    ? 0
                                    : random_below(random, sizeof sources / sizeof *sources)]);
        tree_put_text(volume, "name", volume_names[i]);
        json_array_insert_new(list, random_below(random, json_array_size(list) + 1), volume);
    }
    return list;
}

static bool is_mounted_at(const json_t *mounts, const char *path)
{
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount) {
        if (strcmp(tree_text(mount, "mountPath"), path) == 0)
            return true;
    }
    return false;
}

/* A path of a mount, with the variables that it needs in env. */
static void put_part(struct random *random, json_t *mount, json_t *env)
{
    static const char *const literals[] = {"a", "", "$(POD)"};

    if (random_often(random, 10)) {
        tree_put_text(mount, "subPath", "part");
    } else if (random_often(random, 10)) {
        tree_put_text(mount, "subPathExpr", "$(PART)/$(POD)");
        if (!tree_named(env, "POD"))
            tree_push_new(env, parsed("{'name':'POD','valueFrom':{'fieldRef':{'apiVersion':'v1',"
                                      "'fieldPath':'metadata.name'}}}"));
        if (!tree_named(env, "PART"))
            tree_push_new(
                env,
                random_often(random, 20)
                    ? parsed("{'name':'PART','valueFrom':{'secretKeyRef':{'name':'s',"
                             "'key':'k'}}}")
                    : json_pack("{s:s, s:s}", "name", "PART", "value", PICK(random, literals)));
    }
}

static json_t *mounts(struct random *random, const json_t *names, json_t *env)
{
    static const char *const paths[] = {
        "/data",  "/data/logs", "/var/lib/shop", "/var",         "/cache",
        "/data/", "/stash-tmp", "/backup",       MOUNT_IDENTITY, "/stash-volumes/data"};
    json_t *list = json_array();

    for (size_t i = random_below(random, 4); i > 0 && json_array_size(names); i--) {
        const char *path = PICK(random, paths);
        const json_t *name = json_array_get(names, random_below(random, json_array_size(names)));
        json_t *mount;

        if (is_mounted_at(list, path))
            continue;
        mount = json_pack("{s:O, s:s}", "name", name, "mountPath", path);
        if (random_often(random, 20))
            tree_put_bool(mount, "readOnly", true);
        put_part(random, mount, env);
        tree_push_new(list, mount);
    }
    return list;
}

static json_t *container(struct random *random, const char *name, const json_t *names)
{
    static const char *const resources[] = {
        "{}",
        "{}",
        "{'limits':{'cpu':'1','memory':'1Gi'},'requests':{'cpu':'1000m','memory':'1024Mi'}}",
        "{'limits':{'cpu':'500m','memory':'64Mi'},'requests':{'cpu':'500m','memory':'64Mi'}}",
        "{'limits':{'memory':'64Mi'}}",
        "{'requests':{'cpu':'2'}}",
    };
    static const char *const contexts[] = {
        "",
        "",
        "{}",
        "{'runAsUser':1000}",
        "{'runAsUser':1000,'runAsGroup':1000,'runAsNonRoot':true}",
        "{'runAsUser':2000}",
        "{'runAsUser':0,'runAsNonRoot':false}",
        "{'privileged':true}",
        "{'runAsNonRoot':true,'runAsUser':1000,'allowPrivilegeEscalation':false,"
        "'capabilities':{'drop':['ALL']},'seccompProfile':{'type':'RuntimeDefault'}}",
        "{'runAsNonRoot':true,'runAsUser':1000,'allowPrivilegeEscalation':false,"
        "'capabilities':{'drop':['ALL']},'seccompProfile':{'type':'RuntimeDefault'}}",
    };
    json_t *made = json_pack("{s:s, s:s}", "name", name, "image", "registry/app:1");
    json_t *env = json_array();

    if (random_often(random, 30))
        tree_push_new(env, json_pack("{s:s, s:s}", "name", "POD_NAME", "value", "x"));
    PUT_ROW(random, made, "resources", resources);
    PUT_ROW(random, made, "securityContext", contexts);
    tree_put_new(made, "volumeMounts", mounts(random, names, env));
    if (json_array_size(env) == 0 && random_often(random, 50))
        json_decref(env);
    else
        tree_put_new(made, "env", env);
    return made;
}

static void put_containers(struct random *random, json_t *pod, const json_t *names)
{
    static const char *const called[] = {"app", "proxy", "log"};
    static const char *const setups[] = {"setup", "migrate"};
    json_t *list = json_array(), *init = json_array();

    for (size_t i = 0; i < 1 + random_below(random, 3); i++)
        tree_push_new(list, container(random, called[i], names));
    for (size_t i = random_often(random, 60) ? 2 : random_below(random, 2); i < 2; i++)
        tree_push_new(init, container(random, setups[i], names));
    if (random_often(random, 3))
        tree_push_new(list, container(random, CONTAINER_SIDECAR, names));
    tree_put_new(pod, "containers", list);
    if (json_array_size(init))
        tree_put_new(pod, "initContainers", init);
    else
        json_decref(init);
}

/* Names that a container may mount. */
static json_t *names_of(const json_t *list, bool with_claim_templates)
{
    json_t *names = json_array();
    const json_t *volume;
    size_t i;

    tree_items (list, i, volume)
        tree_push_text(names, tree_text(volume, "name"));
    if (with_claim_templates)
        tree_push_text(names, "store");
    return names;
}

/* A container may contradict the pod's promise: the API takes that, no kubelet starts it. */
static void keep_promises(json_t *pod)
{
    static const char *const lists[] = {"containers", "initContainers"};
    const json_t *context = tree_get(pod, "securityContext");
    json_t *one;
    size_t i;

    if (!tree_true(context, "runAsNonRoot"))
        return;
    for (size_t l = 0; l < 2; l++)
        json_array_foreach(json_object_get(pod, lists[l]), i, one)
        {
            json_t *own = json_object_get(one, "securityContext");

            if (tree_int(own, "runAsUser", -1) == 0)
                json_object_del(one, "securityContext");
        }
}

json_t *scene_template(struct random *random, bool with_claim_templates)
{
    static const char *const contexts[] = {
        "",
        "{}",
        "{}",
        "{'runAsNonRoot':true}",
        "{'runAsNonRoot':true,'runAsUser':1000,'fsGroup':1000}",
        "{'runAsUser':1000,'runAsGroup':3000}",
        "{'seccompProfile':{'type':'RuntimeDefault'},'runAsNonRoot':true}",
    };
    static const char *const annotations[] = {"", "", "{'example.com/a':'1'}",
                                              "{'" KEY_STASH_BACKUP_HASH "':'1'}"};
    static const char *const switches[] = {"shareProcessNamespace", "hostNetwork", "hostPID"};
    json_t *pod = json_object(), *metadata = parsed("{'labels':{'app':'shop'}}");
    json_t *list = volumes(random);
    AUTO(json) json_t *names = names_of(list, with_claim_templates);

    if (random_often(random, 2))
        tree_push_new(list, parsed("{'name':'" VOLUME_SCRATCH "','emptyDir':{}}"));
    put_containers(random, pod, names);
    if (json_array_size(list))
        tree_put_new(pod, "volumes", list);
    else
        json_decref(list);
    PUT_ROW(random, pod, "securityContext", contexts);
    keep_promises(pod);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        if (random_often(random, 4))
            tree_put_bool(pod, switches[i], true);
    if (random_often(random, 4))
        tree_put_new(pod, "nodeSelector", parsed("{'kubernetes.io/os':'windows'}"));
    if (random_often(random, 4))
        tree_put_new(pod, "resources", parsed("{'limits':{'cpu':'4','memory':'4Gi'}}"));
    PUT_ROW(random, metadata, "annotations", annotations);
    return json_pack("{s:o, s:o}", "metadata", metadata, "spec", pod);
}

json_t *scene_template_of(json_t *object)
{
    return json_object_get(json_object_get(object, "spec"), "template");
}

json_t *scene_pod_of(json_t *object)
{
    return json_object_get(scene_template_of(object), "spec");
}

/* ---- what the owner writes ---- */

static json_t *annotations(struct random *random)
{
    static const char *const named[] = {
        "nightly",          "nightly", "weekly",          "nightly,weekly",
        "weekly , nightly", "missing", "nightly,missing", ""};
    static const struct {
        const char *key, *value;
    } rows[] = {
        {KEY_SCHEDULE, "0 1 * * *"},
        {KEY_SCHEDULE, "x"},
        {KEY_TARGET_PATHS, "/data"},
        {KEY_TARGET_PATHS, "/data/logs,/var/lib/shop/x,/nowhere"},
        {KEY_TARGET_PATHS, "../x"},
        {KEY_VOLUME_MOUNTS, "data:/data"},
        {KEY_VOLUME_MOUNTS, "data:/source,logs:/source/logs:part"},
        {KEY_VOLUME_MOUNTS, "unknown:/x,store:/store"},
        {KEY_BACKUP, "false"},
        {KEY_PAUSED, "true"},
        {KEY_EXCLUDE, "*.tmp"},
        {KEY_RETENTION, "last=1"},
        {KEY_RESOURCES, "memory=128Mi,limits.memory=2Gi"},
        {KEY_RESOURCES, "cpu=3"},
        {KEY_TIMEOUT, "1h"},
        {KEY_PRIORITY, "nice=5"},
        {KEY_RESTORE_IF_EXISTS, "true"},
        {KEY_STAMP, "1"},
        {KEY_REFRESH, "1"},
        {KEY_PARAMS_PREFIX "args", "x"},
        {"example.com/a", "1"},
    };
    json_t *made = json_object();

    if (random_often(random, 85))
        tree_put_text(made, KEY_BLUEPRINT, PICK(random, named));
    for (size_t i = random_below(random, 4); i > 0; i--) {
        size_t row = random_below(random, sizeof rows / sizeof *rows);

        tree_put_text(made, rows[row].key, rows[row].value);
    }
    if (random_often(random, 5)) {
        AUTO(text) struct text value = {0};

        random_add_text(random, &value, false);
        tree_put_span(made, rows[random_below(random, sizeof rows / sizeof *rows)].key,
                      (struct span){text_get(&value), value.length});
    }
    return made;
}

/* ---- what the administrator writes ---- */

static const char *const backends[] = {
    "{'s3':{'endpoint':'s3','bucket':'b','prefix':'${TARGET_NAMESPACE}/${TARGET_NAME}'},"
    "'storageSecretName':'s'}",
    "{'s3':{'endpoint':'s3','bucket':'b','prefix':'${TARGET_NAMESPACE}/${TARGET_NAME}'},"
    "'storageSecretName':'s'}",
    "{'local':{'mountPath':'/backup','persistentVolumeClaim':{'claimName':'backup'}},"
    "'storageSecretName':'s'}",
    "{'local':{'mountPath':'/safe','hostPath':{'path':'/safe'}},'storageSecretName':'s'}",
    "{'local':{'mountPath':'/data','nfs':{'server':'n','path':'/'},'subPath':'${TARGET_NAME}'},"
    "'storageSecretName':'s'}",
    "{'s3':{'endpoint':'s3','bucket':'b','prefix':'${TARGET_APP_TYPE}'},'storageSecretName':'s'}",
    "{'local':{'mountPath':'/safe','iscsi':{'targetPortal':'t','iqn':'i','lun':0}}}",
    "{'local':{'mountPath':'/safe','rbd':{'monitors':['m'],'image':'i','readOnly':false}}}",
    "{'local':{'mountPath':'/safe','azureDisk':{'diskName':'d','diskURI':'u'}}}",
    "{'local':{'mountPath':'/safe','ephemeral':{'volumeClaimTemplate':{'spec':{'accessModes':"
    "['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}}}}",
};

static json_t *blueprint(struct random *random, const char *name, bool *loose)
{
    static const char *const accesses[] = {"", "", "'Auto'", "'Follow'", "'Root'"};
    static const char *const modes[] = {"", "", "", "'Sidecar'", "'Job'"};
    static const char *const settings[] = {
        "",
        "",
        "",
        "{'container':{'resources':{'limits':{'memory':'2Gi'}}}}",
        "{'container':{'resources':{'requests':{'cpu':'2','memory':'3Gi'}}}}",
        ("{'container':{'env':[{'name':'PART','value':'z'},{'name':'POD_NAME','value':'y'}],"
         "'envFrom':[{'configMapRef':{'name':'c'}}],'livenessProbe':{'exec':{'command':['true']}}}"
         "}"),
        ("{'container':{'livenessProbe':{'httpGet':{'port':1},'initialDelaySeconds':0},"
         "'readinessProbe':{'grpc':{'port':1}},'lifecycle':{'preStop':{'httpGet':{'port':1}}},"
         "'env':[{'name':'CPUS','valueFrom':{'resourceFieldRef':{'resource':'limits.cpu'}}}]}}"),
        "{'container':{'securityContext':{'runAsUser':4000,'runAsGroup':4000}}}",
        "{'container':{'securityContext':{'runAsNonRoot':true}}}",
        "{'container':{'securityContext':{'privileged':true}}}",
        "{'container':{'nice':{'adjustment':3}}}",
    };
    static const char *const temp_dirs[] = {"", "", "", "{'medium':'Memory'}",
                                            "{'sizeLimit':'2Gi'}"};
    static const char *const overrides[] = {
        "", "", "[]",
        ("[{'key':'resources'},{'key':'retention'},{'key':'paths'},"
         "{'key':'restore-if-exists'}]")};
    json_t *spec = parsed("{'schedule':'0 2 * * *','retentionPolicy':{'name':'k','keepLast':3,"
                          "'prune':true}}");

    PUT_ROW(random, spec, "backend", backends);
    PUT_ROW(random, spec, "fileAccess", accesses);
    PUT_ROW(random, spec, "mode", modes);
    PUT_ROW(random, spec, "runtimeSettings", settings);
    PUT_ROW(random, spec, "tempDir", temp_dirs);
    PUT_ROW(random, spec, "overrides", overrides);
    if (random_often(random, 5))
        tree_put_text(spec, "schedule", "never");
    if (random_often(random, 10))
        tree_put_text(spec, "repoNamespace", "elsewhere");
    *loose = *loose || tree_at(spec, "runtimeSettings.container.securityContext") ||
             span_is(tree_span(spec, "fileAccess"), "Root");
    return json_pack("{s:s, s:s, s:{s:s, s:i}, s:o}", "apiVersion", API_STASH_V1BETA1, "kind",
                     "BackupBlueprint", "metadata", "name", name, "generation", 1, "spec", spec);
}

static json_t *by_hand(struct random *random, const char *kind)
{
    static const char *const mounted[] = {
        "",
        "[{'name':'data','mountPath':'/data'}]",
        "[{'name':'logs','mountPath':'/data'},{'name':'unknown','mountPath':'/x'}]",
        "[{'name':'store','mountPath':'/store'}]",
    };
    json_t *made = json_pack(
        "{s:s, s:s, s:{s:s, s:s}, s:{s:{s:s}, s:s, s:{s:s, s:i, s:b}, s:{s:{s:s, s:s, "
        "s:s}, s:[s]}}}",
        "apiVersion", API_STASH_V1BETA1, "kind", "BackupConfiguration", "metadata", "name",
        "by-hand", "namespace", "demo", "spec", "repository", "name", "by-hand", "schedule",
        "0 3 * * *", "retentionPolicy", "name", "k", "keepLast", 3, "prune", 1, "target", "ref",
        "apiVersion", "apps/v1", "kind", kind, "name", "shop", "paths", "/data");
    json_t *target = json_object_get(json_object_get(made, "spec"), "target");

    PUT_ROW(random, target, "volumeMounts", mounted);
    return made;
}

static json_t *restore(struct random *random, const char *kind)
{
    static const char *const phases[] = {"", "'Running'", "'Succeeded'", "'Failed'"};
    static const char *const rules[] = {"[{'paths':['/data']}]",
                                        "[{'targetHosts':['host-0'],'paths':['/data']}]"};
    json_t *status = json_object(), *target = json_object();

    tree_put_new(
        target, "ref",
        json_pack("{s:s, s:s, s:s}", "apiVersion", "apps/v1", "kind", kind, "name", "shop"));
    PUT_ROW(random, target, "rules", rules);
    PUT_ROW(random, status, "phase", phases);
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:{s:{s:s}, s:o}, s:o}", "apiVersion",
                     API_STASH_V1BETA1, "kind", "RestoreSession", "metadata", "name", "restore",
                     "namespace", "demo", "uid", "5e551011-0000-4000-8000-010300000000", "spec",
                     "repository", "name", "by-hand", "target", target, "status", status);
}

static json_t *repository(struct random *random)
{
    json_t *spec = json_object();

    PUT_ROW(random, spec, "backend", backends);
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:o}", "apiVersion", API_STASH_V1ALPHA1, "kind",
                     "Repository", "metadata", "name", "by-hand", "namespace", "demo", "spec",
                     spec);
}

static json_t *cluster_objects(struct random *random, const char *kind, bool *loose)
{
    json_t *objects = json_array();

    tree_push_new(objects, blueprint(random, "nightly", loose));
    if (random_often(random, 70))
        tree_push_new(objects, blueprint(random, "weekly", loose));
    tree_push_new(
        objects, random_often(random, 20)
                     ? parsed("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'demo',"
                              "'labels':{'" LABEL_BLUEPRINT "':'weekly'}}}")
                     : parsed("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'demo'}}"));
    tree_push_new(objects, repository(random));
    if (random_often(random, 20))
        tree_push_new(objects, by_hand(random, kind));
    if (random_often(random, 25))
        tree_push_new(objects, restore(random, kind));
    return objects;
}

struct scene scene_make(struct random *random)
{
    static const char *const kinds[] = {"Deployment", "StatefulSet", "DaemonSet"};
    const char *kind = PICK(random, kinds);
    bool claims = strcmp(kind, "StatefulSet") == 0 && random_often(random, 70);
    struct scene scene = {0};
    json_t *spec = json_pack("{s:o}", "template", scene_template(random, claims));

    if (claims)
        tree_put_new(spec, "volumeClaimTemplates",
                     parsed("[{'metadata':{'name':'store'},'spec':{}}]"));
    scene.object = json_pack("{s:s, s:s, s:{s:s, s:s, s:o}, s:o}", "apiVersion", "apps/v1", "kind",
                             kind, "metadata", "name", "shop", "namespace", "demo", "annotations",
                             annotations(random), "spec", spec);
    scene.objects = cluster_objects(random, kind, &scene.loose);
    return scene;
}

void scene_done(struct scene *scene)
{
    json_decref(scene->object);
    json_decref(scene->objects);
}
