#include "api/volume.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const struct {
    const char *sub_path;
    bool read_only;
    const char *made;
} mounts[] = {
    {NULL, false, "{'name': 'v', 'mountPath': '/p'}"},
    {"a/b", false, "{'name': 'v', 'mountPath': '/p', 'subPath': 'a/b'}"},
    {NULL, true, "{'name': 'v', 'mountPath': '/p', 'readOnly': true}"},
    {"s", true, "{'name': 'v', 'mountPath': '/p', 'subPath': 's', 'readOnly': true}"},
};

START_TEST(test_mount)
    {
        AUTO(json)
        json_t *made = volume_mount("v", "/p", mounts[_i].sub_path, mounts[_i].read_only);
        AUTO(json) json_t *wanted = json_row(mounts[_i].made);

        ck_assert(json_equal(made, wanted));
    }
END_TEST

static const struct {
    json_t *(*make)(const char *name, const char *of);
    const char *of, *made;
} volumes[] = {
    {volume_of_secret, "keys", "{'name': 'v', 'secret': {'secretName': 'keys'}}"},
    {volume_of_claim, "data-0", "{'name': 'v', 'persistentVolumeClaim': {'claimName': 'data-0'}}"},
    /* what is wrong about it the API server says */
    {volume_of_secret, NULL, "{'name': 'v', 'secret': {}}"},
};

START_TEST(test_volume)
    {
        AUTO(json) json_t *made = volumes[_i].make("v", volumes[_i].of);
        AUTO(json) json_t *wanted = json_row(volumes[_i].made);

        ck_assert(json_equal(made, wanted));
    }
END_TEST

SUITE(volume)
{
    suite_rows(tests, test_mount, mounts);
    suite_rows(tests, test_volume, volumes);
}
