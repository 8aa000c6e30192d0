#include "api/syntax.h"
#include "api/validate_core.h"
#include "api/validate_shared.h"
#include "base/tree.h"

/* AppBindings are made by database operators too, for purposes of their own. Only what no reader of
 * them could understand is an error. */

static const struct member service_members[] = {
    {"scheme", STRING, REQUIRED},
    {"namespace", STRING, .check = syntax_label},
    {"name", STRING, REQUIRED, .check = syntax_subdomain},
    {"port", INTEGER, REQUIRED, .min = 1, .max = 65535},
    {"path", STRING},
    {"query", STRING},
};

static const struct schema service = {MEMBERS(service_members)};

static void also_client(struct judge *judge, const json_t *object)
{
    struct span url = tree_span(object, "url");

    if (syntax_has_credentials(url))
        judge_warning(
            judge, REASON_INVALID, "url",
            "credentials in an address are read by everybody: they belong into the Secret");
    if (!url.length && !judge_get(object, "service"))
        judge_warning(judge, REASON_REQUIRED, NULL,
                      "neither service nor url: nobody knows where the application is");
    if (judge_get(object, "caBundle") && tree_true(object, "insecureSkipTLSVerify"))
        judge_warning(judge, REASON_INVALID, "insecureSkipTLSVerify",
                      "makes caBundle useless: no certificate is verified");
}

static const struct member client_members[] = {
    {"url", STRING, .check = syntax_line},        {"service", OBJECT, .of = &service},
    {"insecureSkipTLSVerify", BOOLEAN},           {"caBundle", STRING, .check = syntax_base64},
    {"serverName", STRING, .check = syntax_line},
};

static const struct schema client = {MEMBERS(client_members), .also = also_client};

static const struct member secret_members[] = {
    {"apiGroup", STRING},
    {"kind", STRING},
    {"name", STRING, REQUIRED, .check = syntax_subdomain},
};

static const struct schema secret = {MEMBERS(secret_members)};

static const struct member app_ref_members[] = {
    {"apiGroup", STRING},
    {"kind", STRING},
    {"namespace", STRING, .check = syntax_label},
    {"name", STRING, REQUIRED},
};

static const struct schema app_ref = {MEMBERS(app_ref_members)};

static const struct member rename_key_members[] = {
    {"from", STRING, REQUIRED},
    {"to", STRING, REQUIRED, .check = syntax_data_key},
};

static const struct schema rename_key = {MEMBERS(rename_key_members)};

static const struct member add_key_members[] = {
    {"key", STRING, REQUIRED, .check = syntax_data_key},
    {"value", STRING, .check = syntax_base64},
    {"stringValue", STRING},
};

static const struct schema add_key = {MEMBERS(add_key_members)};

static const struct member add_keys_members[] = {
    {"secretRef", OBJECT, REQUIRED, .of = &secret_name_schema},
};

static const struct schema add_keys = {MEMBERS(add_keys_members)};

static const struct member remove_key_members[] = {
    {"key", STRING, REQUIRED},
};

static const struct schema remove_key = {MEMBERS(remove_key_members)};

static const struct member transform_members[] = {
    {"renameKey", OBJECT, CHOICE, .of = &rename_key},
    {"addKey", OBJECT, CHOICE, .of = &add_key},
    {"addKeysFrom", OBJECT, CHOICE, .of = &add_keys},
    {"removeKey", OBJECT, CHOICE, .of = &remove_key},
};

static const struct schema transform = {MEMBERS(transform_members), .choose = EXACTLY_ONE};

/* ---- parameters: free, but for what names the tasks ---- */

static const struct member addon_members[] = {
    {"backupTask", OBJECT, .of = &task_ref_schema},
    {"restoreTask", OBJECT, .of = &task_ref_schema},
};

static const struct schema addon = {MEMBERS(addon_members)};

static const struct member stash_members[] = {
    {"addon", OBJECT, .of = &addon},
};

static const struct schema stash = {MEMBERS(stash_members)};

static const struct member parameters_members[] = {
    {"stash", OBJECT, .of = &stash},
};

static const struct schema parameters = {MEMBERS(parameters_members), .open = true};

static const struct member app_members[] = {
    {"type", STRING, .check = syntax_line},
    {"version", STRING, .check = syntax_line},
    {"appRef", OBJECT, .of = &app_ref},
    {"clientConfig", OBJECT, REQUIRED, .of = &client, .hint = "where the application is"},
    {"secret", OBJECT, .of = &secret},
    {"tlsSecret", OBJECT, .of = &secret},
    {"secretTransforms", OBJECT, LIST, .of = &transform},
    {"parameters", OBJECT, .of = &parameters},
};

const struct schema app_schema = {MEMBERS(app_members)};
