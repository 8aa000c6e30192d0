#include "tests/unit/api/planned.h"

#include <check.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"

void auto_planned(struct planned *asked)
{
    plan_done(&asked->plan);
    cluster_unref(asked->cluster);
    settings_done(&asked->settings);
    json_decref(asked->object);
    json_decref(asked->objects);
    text_done(&asked->trace);
}

static const char *version_of(const char *kind)
{
    return !strcmp(kind, "PersistentVolumeClaim") || !strcmp(kind, "ReplicationController") ? "v1"
           : !strcmp(kind, "AppBinding") ? "appcatalog.appscode.com/v1alpha1"
                                         : "apps/v1";
}

static json_t *object_of(const struct request_row *row)
{
    const char *kind = row->kind ? row->kind : "Deployment";
    AUTO(free)
    char *text = text_format("{'apiVersion': '%s', 'kind': '%s', 'metadata': {'name': 'web',"
                             " 'namespace': 'shop', 'uid': 'u-1', 'annotations': {%s}}}",
                             version_of(kind), kind, row->annotations ? row->annotations : ASKS);
    AUTO(json) json_t *object = json_row(text), *spec = json_object();

    if (row->spec)
        json_object_set_new(object, "spec", json_row(row->spec));
    else if (strcmp(version_of(kind), "apps/v1") == 0) {
        tree_put_new(spec, "template", pod_row(row->pod ? row->pod : WEB_POD));
        tree_put_new(object, "spec", TAKE(spec));
    }
    if (row->metadata) {
        AUTO(free) char *more = text_format("{'metadata': {%s}}", row->metadata);
        AUTO(json) json_t *merged = json_row(more);

        merge_row(object, merged);
    }
    return TAKE(object);
}

void plan_row(struct planned *asked, const struct request_row *row)
{
    static const char *const usual[OBJECTS_MAX] = {DAILY};
    const char *const *objects = row->objects[0] ? row->objects : usual;
    AUTO(json) json_t *settings = row->settings ? json_row(row->settings) : NULL;
    struct error err = {0};

    *asked = (struct planned){.object = object_of(row), .objects = json_array()};
    for (size_t i = 0; i < OBJECTS_MAX && objects[i]; i++)
        tree_push_new(asked->objects, json_row(objects[i]));
    asked->cluster = cluster_make(asked->objects);
    ck_assert_msg(settings_parse(&asked->settings, settings, &err), "%s", err.message);
    ck_assert(target_of_object(&asked->target, asked->object, "default"));
    plan_make(&asked->plan, &(struct plan_request){&asked->settings, asked->cluster, &asked->target,
                                                   &asked->trace, row->bare});
}
