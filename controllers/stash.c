#include "controllers/stash.h"

#include "base/tree.h"
#include "controllers/certificates.h"

enum status_found stash_judge(enum error_code mutating, enum error_code validating)
{
    if (mutating == ERROR_NONE || validating == ERROR_NONE)
        return STATUS_YES;
    return mutating == ERROR_NOT_FOUND && validating == ERROR_NOT_FOUND ? STATUS_NO
                                                                        : STATUS_UNKNOWN;
}

static enum error_code look_at(struct kube_client *client, enum certificates_object kind,
                               struct error *err)
{
    struct kube_ref ref = {.resource = certificates_resource(kind), .name = STASH_CONFIGURATION};
    struct error failed = {.code = ERROR_NONE};
    AUTO(json) json_t *found = kube_get_metadata(client, &ref, &failed);

    if (found)
        return ERROR_NONE;
    if (failed.code != ERROR_NOT_FOUND)
        *err = failed;
    return failed.code;
}

enum status_found stash_look(struct kube_client *client, struct error *err)
{
    enum error_code mutating = look_at(client, CERTIFICATES_MUTATING, err);
    enum error_code validating = look_at(client, CERTIFICATES_VALIDATING, err);

    return stash_judge(mutating, validating);
}
