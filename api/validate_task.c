#include "api/syntax.h"
#include "api/validate_core.h"
#include "api/validate_shared.h"
#include "base/tree.h"

/* ---- Function ---- */

static const struct member function_members[] = {
    {"image", STRING, .check = syntax_image},
    {"command", STRING, LIST},
    {"args", STRING, LIST},
    {"workingDir", STRING},
    {"ports", OBJECT, LIST, .of = &container_port_schema},
    {"volumeMounts", OBJECT, LIST | UNIQUE, .of = &volume_mount_schema, .key = "mountPath"},
    {"volumeDevices", OBJECT, LIST | UNIQUE, .of = &volume_device_schema, .key = "devicePath"},
    {"runtimeSettings", OBJECT, .of = &container_settings_schema},
    {"podSecurityPolicyName", STRING},
};

static void also_function(struct judge *judge, const json_t *spec)
{
    if (!tree_span(spec, "image").length)
        judge_warning(judge, REASON_REQUIRED, "image",
                      "without an image the Function runs nothing");
}

const struct schema function_schema = {MEMBERS(function_members), .variables = true,
                                       .also = also_function};

/* ---- Task ---- */

static const struct member step_param_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_line},
    {"value", STRING, REQUIRED | EMPTY_OK},
};

static const struct schema step_param = {MEMBERS(step_param_members)};

static const struct member step_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_subdomain, .hint = "the name of a Function"},
    {"params", OBJECT, LIST | UNIQUE, .of = &step_param, .key = "name"},
};

static const struct schema step = {MEMBERS(step_members)};

static const struct member task_members[] = {
    {"steps", OBJECT, LIST | REQUIRED, .of = &step, .at_least = 1,
     .hint = "the Functions to be run, one after the other"},
    {"volumes", OBJECT, LIST | UNIQUE, .of = &volume_schema, .key = "name"},
};

const struct schema task_schema = {MEMBERS(task_members), .variables = true};
