/*
 * Bytes as the template of a hook, as an argument for restic, and as each of the forms that a
 * string takes: no byte makes them read on, and what they refuse they explain.
 */
#include "api/hook_template.h"
#include "api/restic_args.h"
#include "api/syntax.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"

static bool (*const checks[])(struct span text, struct error *err) = {
    hook_template_check, syntax_label,          syntax_subdomain,     syntax_label_key,
    syntax_label_value,  syntax_annotation_key, syntax_env_name,      syntax_data_key,
    syntax_port_name,    syntax_header_name,    syntax_absolute_path, syntax_relative_path,
    syntax_host,         syntax_snapshot,       syntax_time,          syntax_base64,
    syntax_bucket,       syntax_prefix,         syntax_s3_endpoint,   syntax_rest_url,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *copy = text_dup((const char *)data, size); /* ends in NUL behind its length */
    struct span text = {copy, size};
    AUTO(json) json_t *args = json_array();
    struct error err = {0};
    size_t index = 0;

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct error why = {0};

        FUZZ_MUST(checks[i](text, &why) || (why.code == ERROR_INVALID && why.message[0]));
    }
    tree_push_new(args, json_stringn_nocheck(copy, size));
    if (restic_args_check(args, RESTIC_BACKUP, &index, &err))
        FUZZ_MUST(size > 1 && copy[0] == '-');
    else
        FUZZ_MUST(index == 0 && err.code == ERROR_FORBIDDEN);
    return 0;
}
