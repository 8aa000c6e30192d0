#include "api/quantity.h"
#include "api/syntax.h"
#include "api/validate_core.h"
#include "base/tree.h"

#define MODE_MAX 0777

/* ---- files from ConfigMaps, Secrets and the pod itself ---- */

static bool file_path(struct span path, struct error *err)
{
    if (path.length >= 2 && path.data[0] == '.' && path.data[1] == '.')
        return error_set(err, ERROR_INVALID, "must not begin with \"..\"");
    return syntax_relative_path(path, err);
}

static const struct member key_to_path_members[] = {
    {"key", STRING, REQUIRED},
    {"path", STRING, REQUIRED, .check = file_path},
    {"mode", INTEGER, .min = 0, .max = MODE_MAX},
};

static const struct schema key_to_path = {MEMBERS(key_to_path_members)};

static const struct member config_map_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_subdomain},
    {"items", OBJECT, LIST, .of = &key_to_path},
    {"defaultMode", INTEGER, .min = 0, .max = MODE_MAX},
    {"optional", BOOLEAN},
};

static const struct schema config_map = {MEMBERS(config_map_members)};

static const struct member secret_members[] = {
    {"secretName", STRING, REQUIRED, .check = syntax_subdomain},
    {"items", OBJECT, LIST, .of = &key_to_path},
    {"defaultMode", INTEGER, .min = 0, .max = MODE_MAX},
    {"optional", BOOLEAN},
};

static const struct schema secret = {MEMBERS(secret_members)};

static const struct member pod_file_members[] = {
    {"path", STRING, REQUIRED, .check = file_path},
    {"fieldRef", OBJECT, CHOICE, .of = &volume_field_schema},
    {"resourceFieldRef", OBJECT, CHOICE, .of = &volume_resource_schema},
    {"mode", INTEGER, .min = 0, .max = MODE_MAX},
};

static const struct schema pod_file = {MEMBERS(pod_file_members), .choose = EXACTLY_ONE};

static const struct member downward_members[] = {
    {"items", OBJECT, LIST, .of = &pod_file},
    {"defaultMode", INTEGER, .min = 0, .max = MODE_MAX},
};

static const struct schema downward = {MEMBERS(downward_members)};

/* ---- projected ---- */

static const struct member projected_map_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_subdomain},
    {"items", OBJECT, LIST, .of = &key_to_path},
    {"optional", BOOLEAN},
};

static const struct schema projected_map = {MEMBERS(projected_map_members)};

static const struct member projected_pod_members[] = {
    {"items", OBJECT, LIST, .of = &pod_file},
};

static const struct schema projected_pod = {MEMBERS(projected_pod_members)};

static const struct member token_members[] = {
    {"audience", STRING},
    {"expirationSeconds", INTEGER, .min = 600, .max = INT64_C(1) << 32},
    {"path", STRING, REQUIRED, .check = file_path},
};

static const struct schema token = {MEMBERS(token_members)};

static const struct member bundle_members[] = {
    {"name", STRING},
    {"signerName", STRING},
    {"labelSelector", OBJECT, .of = &selector_schema},
    {"optional", BOOLEAN},
    {"path", STRING, REQUIRED, .check = file_path},
};

static const struct schema bundle = {MEMBERS(bundle_members)};

static const struct schema anything = {.open = true};

static const struct member projection_members[] = {
    {"secret", OBJECT, CHOICE, .of = &projected_map},
    {"configMap", OBJECT, CHOICE, .of = &projected_map},
    {"downwardAPI", OBJECT, CHOICE, .of = &projected_pod},
    {"serviceAccountToken", OBJECT, CHOICE, .of = &token},
    {"clusterTrustBundle", OBJECT, CHOICE, .of = &bundle},
    {"podCertificate", OBJECT, CHOICE, .of = &anything},
};

static const struct schema projection = {MEMBERS(projection_members), .choose = EXACTLY_ONE};

static const struct member projected_members[] = {
    {"sources", OBJECT, LIST, .of = &projection},
    {"defaultMode", INTEGER, .min = 0, .max = MODE_MAX},
};

static const struct schema projected = {MEMBERS(projected_members)};

/* ---- claims ---- */

static const char *const access_modes[] = {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany",
                                           "ReadWriteOncePod", NULL};
static const char *const volume_modes[] = {"Filesystem", "Block", NULL};

static void also_storage(struct judge *judge, const json_t *object)
{
    const json_t *wanted = tree_at(object, "requests.storage");
    const json_t *limit = tree_at(object, "limits.storage");
    struct quantity a, b;
    struct error err;

    if (!wanted)
        judge_error(judge, REASON_REQUIRED, "requests[storage]", "is required: the size");
    else if (quantity_read(wanted, &a, &err) && quantity_sign(&a) == 0)
        judge_error(judge, REASON_INVALID, "requests[storage]", "must be above zero");
    if (wanted && limit && quantity_read(wanted, &a, &err) && quantity_read(limit, &b, &err) &&
        quantity_compare(&a, &b) > 0)
        judge_error(judge, REASON_INVALID, "requests[storage]", "must not be above the limit");
}

static const struct member storage_members[] = {
    {"limits", QUANTITY, MAP},
    {"requests", QUANTITY, MAP},
};

static const struct schema storage = {MEMBERS(storage_members), .also = also_storage};

static const struct member data_source_members[] = {
    {"apiGroup", STRING, .check = syntax_subdomain},
    {"kind", STRING, REQUIRED},
    {"name", STRING, REQUIRED},
    {"namespace", STRING, .check = syntax_label},
};

static const struct schema data_source = {MEMBERS(data_source_members)};

static void also_claim(struct judge *judge, const json_t *object)
{
    const json_t *modes = judge_get(object, "accessModes"), *mode;
    size_t i;

    tree_items (modes, i, mode)
        if (span_is(tree_value(mode), "ReadWriteOncePod") && json_array_size(modes) > 1)
            judge_error(judge, REASON_FORBIDDEN, "accessModes",
                        "ReadWriteOncePod stands alone or not at all");
}

static const struct member claim_members[] = {
    {"accessModes", STRING, LIST | REQUIRED, .words = access_modes, .at_least = 1},
    {"resources", OBJECT, REQUIRED, .of = &storage, .hint = "requests.storage says the size"},
    {"selector", OBJECT, .of = &selector_schema},
    {"storageClassName", STRING, .check = syntax_subdomain},
    {"volumeMode", STRING, .words = volume_modes},
    {"volumeName", STRING, .check = syntax_subdomain},
    {"volumeAttributesClassName", STRING, .check = syntax_subdomain},
    {"dataSource", OBJECT, .of = &data_source},
    {"dataSourceRef", OBJECT, .of = &data_source},
};

static const struct schema claim = {MEMBERS(claim_members), .also = also_claim};

static const struct member claim_metadata_members[] = {
    {"name", STRING, .check = syntax_subdomain},
    {"generateName", STRING},
    {"namespace", STRING, .check = syntax_label},
    {"labels", STRING, MAP, .check = syntax_label_value, .key_check = syntax_label_key},
    {"annotations", STRING, MAP, .key_check = syntax_annotation_key},
    {"ownerReferences", ANY},
    {"creationTimestamp", ANY},
};

static const struct schema claim_metadata = {MEMBERS(claim_metadata_members)};

static const struct member claim_template_members[] = {
    {"metadata", OBJECT, .of = &claim_metadata},
    {"spec", OBJECT, REQUIRED, .of = &claim},
    {"status", ANY},
};

const struct schema claim_template_schema = {MEMBERS(claim_template_members)};

static const struct member ephemeral_members[] = {
    {"volumeClaimTemplate", OBJECT, REQUIRED, .of = &claim_template_schema},
};

static const struct schema ephemeral = {MEMBERS(ephemeral_members)};

/* ---- sources that somebody provides ---- */

static const struct member pvc_members[] = {
    {"claimName", STRING, REQUIRED, .check = syntax_subdomain},
    {"readOnly", BOOLEAN},
};

static const struct schema pvc = {MEMBERS(pvc_members)};

static const char *const media[] = {"",  "Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi",
                                    NULL};

static const struct member empty_dir_members[] = {
    {"medium", STRING, .words = media},
    {"sizeLimit", QUANTITY},
};

static const struct schema empty_dir = {MEMBERS(empty_dir_members)};

static const char *const host_path_types[] = {
    "",           "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket",
    "CharDevice", "BlockDevice",       NULL};

/* No ".." in the path, but it may be relative to nothing in particular: the kubelet's business. */
static bool host_path_path(struct span path, struct error *err)
{
    if (path.length && path.data[0] == '/')
        return syntax_absolute_path(path, err);
    return syntax_relative_path(path, err);
}

static const struct member host_path_members[] = {
    {"path", STRING, REQUIRED, .check = host_path_path},
    {"type", STRING, .words = host_path_types},
};

static const struct schema host_path = {MEMBERS(host_path_members)};

static const struct member nfs_members[] = {
    {"server", STRING, REQUIRED},
    {"path", STRING, REQUIRED, .check = syntax_absolute_path},
    {"readOnly", BOOLEAN},
};

static const struct schema nfs = {MEMBERS(nfs_members)};

static const struct member csi_members[] = {
    {"driver", STRING, REQUIRED},
    {"fsType", STRING},
    {"readOnly", BOOLEAN},
    {"volumeAttributes", STRING, MAP},
    {"nodePublishSecretRef", OBJECT, .of = &secret_name_schema},
};

static const struct schema csi = {MEMBERS(csi_members)};

static const char *const pull_policies[] = {"", "Always", "IfNotPresent", "Never", NULL};

static const struct member image_members[] = {
    {"reference", STRING, .check = syntax_image},
    {"pullPolicy", STRING, .words = pull_policies},
};

static const struct schema image = {MEMBERS(image_members)};

static const struct member gce_members[] = {
    {"pdName", STRING, REQUIRED},
    {"fsType", STRING},
    {"partition", INTEGER, .min = 0, .max = 255},
    {"readOnly", BOOLEAN},
};

static const struct schema gce = {MEMBERS(gce_members)};

static const struct member aws_members[] = {
    {"volumeID", STRING, REQUIRED},
    {"fsType", STRING},
    {"partition", INTEGER, .min = 0, .max = 255},
    {"readOnly", BOOLEAN},
};

static const struct schema aws = {MEMBERS(aws_members)};

static const char *const disk_kinds[] = {"Shared", "Dedicated", "Managed", NULL};
static const char *const disk_caching[] = {"None", "ReadOnly", "ReadWrite", NULL};

static const struct member azure_disk_members[] = {
    {"diskName", STRING, REQUIRED},
    {"diskURI", STRING, REQUIRED},
    {"cachingMode", STRING, .words = disk_caching},
    {"fsType", STRING},
    {"kind", STRING, .words = disk_kinds},
    {"readOnly", BOOLEAN},
};

static const struct schema azure_disk = {MEMBERS(azure_disk_members)};

static const struct member azure_file_members[] = {
    {"secretName", STRING, REQUIRED},
    {"shareName", STRING, REQUIRED},
    {"readOnly", BOOLEAN},
};

static const struct schema azure_file = {MEMBERS(azure_file_members)};

static const struct member cephfs_members[] = {
    {"monitors", STRING, LIST | REQUIRED, .at_least = 1},
    {"path", STRING},
    {"user", STRING},
    {"secretFile", STRING},
    {"secretRef", OBJECT, .of = &secret_name_schema},
    {"readOnly", BOOLEAN},
};

static const struct schema cephfs = {MEMBERS(cephfs_members)};

static const struct member cinder_members[] = {
    {"volumeID", STRING, REQUIRED},
    {"fsType", STRING},
    {"readOnly", BOOLEAN},
    {"secretRef", OBJECT, .of = &secret_name_schema},
};

static const struct schema cinder = {MEMBERS(cinder_members)};

static const struct member fc_members[] = {
    {"targetWWNs", STRING, LIST}, {"lun", INTEGER, .min = 0, .max = 255},
    {"fsType", STRING},           {"readOnly", BOOLEAN},
    {"wwids", STRING, LIST},
};

static const struct schema fc = {MEMBERS(fc_members)};

static const struct member flex_members[] = {
    {"driver", STRING, REQUIRED},
    {"fsType", STRING},
    {"secretRef", OBJECT, .of = &secret_name_schema},
    {"readOnly", BOOLEAN},
    {"options", STRING, MAP},
};

static const struct schema flex = {MEMBERS(flex_members)};

static const struct member glusterfs_members[] = {
    {"endpoints", STRING, REQUIRED},
    {"path", STRING, REQUIRED},
    {"readOnly", BOOLEAN},
};

static const struct schema glusterfs = {MEMBERS(glusterfs_members)};

static const struct member iscsi_members[] = {
    {"targetPortal", STRING, REQUIRED},
    {"iqn", STRING, REQUIRED},
    {"lun", INTEGER, REQUIRED, .min = 0, .max = 255},
    {"iscsiInterface", STRING},
    {"fsType", STRING},
    {"readOnly", BOOLEAN},
    {"portals", STRING, LIST},
    {"chapAuthDiscovery", BOOLEAN},
    {"chapAuthSession", BOOLEAN},
    {"secretRef", OBJECT, .of = &secret_name_schema},
    {"initiatorName", STRING},
};

static const struct schema iscsi = {MEMBERS(iscsi_members)};

static const struct member portworx_members[] = {
    {"volumeID", STRING, REQUIRED},
    {"fsType", STRING},
    {"readOnly", BOOLEAN},
};

static const struct schema portworx = {MEMBERS(portworx_members)};

static const struct member rbd_members[] = {
    {"monitors", STRING, LIST | REQUIRED, .at_least = 1},
    {"image", STRING, REQUIRED},
    {"fsType", STRING},
    {"pool", STRING},
    {"user", STRING},
    {"keyring", STRING},
    {"secretRef", OBJECT, .of = &secret_name_schema},
    {"readOnly", BOOLEAN},
};

static const struct schema rbd = {MEMBERS(rbd_members)};

static const struct member vsphere_members[] = {
    {"volumePath", STRING, REQUIRED},
    {"fsType", STRING},
    {"storagePolicyName", STRING},
    {"storagePolicyID", STRING},
};

static const struct schema vsphere = {MEMBERS(vsphere_members)};

#define GONE "this kind of volume was removed from Kubernetes"
#define GIT_REPO "gitRepo volumes are switched off in Kubernetes: they ran commands on nodes"

static const struct member volume_source_members[] = {
    {"persistentVolumeClaim", OBJECT, CHOICE, .of = &pvc},
    {"nfs", OBJECT, CHOICE, .of = &nfs},
    {"hostPath", OBJECT, CHOICE, .of = &host_path},
    {"csi", OBJECT, CHOICE, .of = &csi},
    {"emptyDir", OBJECT, CHOICE, .of = &empty_dir},
    {"ephemeral", OBJECT, CHOICE, .of = &ephemeral},
    {"configMap", OBJECT, CHOICE, .of = &config_map},
    {"secret", OBJECT, CHOICE, .of = &secret},
    {"downwardAPI", OBJECT, CHOICE, .of = &downward},
    {"projected", OBJECT, CHOICE, .of = &projected},
    {"image", OBJECT, CHOICE, .of = &image},
    {"awsElasticBlockStore", OBJECT, CHOICE, .of = &aws},
    {"azureDisk", OBJECT, CHOICE, .of = &azure_disk},
    {"azureFile", OBJECT, CHOICE, .of = &azure_file},
    {"cephfs", OBJECT, CHOICE, .of = &cephfs},
    {"cinder", OBJECT, CHOICE, .of = &cinder},
    {"fc", OBJECT, CHOICE, .of = &fc},
    {"flexVolume", OBJECT, CHOICE, .of = &flex},
    {"gcePersistentDisk", OBJECT, CHOICE, .of = &gce},
    {"glusterfs", OBJECT, CHOICE, .of = &glusterfs},
    {"iscsi", OBJECT, CHOICE, .of = &iscsi},
    {"portworxVolume", OBJECT, CHOICE, .of = &portworx},
    {"rbd", OBJECT, CHOICE, .of = &rbd},
    {"vsphereVolume", OBJECT, CHOICE, .of = &vsphere},
    {"flocker", OBJECT, CHOICE, .refused = GONE},
    {"gitRepo", OBJECT, CHOICE, .refused = GIT_REPO},
    {"photonPersistentDisk", OBJECT, CHOICE, .refused = GONE},
    {"quobyte", OBJECT, CHOICE, .refused = GONE},
    {"scaleIO", OBJECT, CHOICE, .refused = GONE},
    {"storageos", OBJECT, CHOICE, .refused = GONE},
};

const struct schema volume_source_schema = {MEMBERS(volume_source_members), .choose = EXACTLY_ONE};

static const struct member volume_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_label},
};

/* A volume without a source is an emptyDir. */
static const struct schema volume_sources = {MEMBERS(volume_source_members), .choose = AT_MOST_ONE};

const struct schema volume_schema = {MEMBERS(volume_members), .inlined = &volume_sources};

/* ---- mounts ---- */

static void also_mount(struct judge *judge, const json_t *object)
{
    struct span recursive = tree_span(object, "recursiveReadOnly");

    if (tree_span(object, "subPath").length && tree_span(object, "subPathExpr").length)
        judge_error(judge, REASON_INVALID, "subPathExpr", "is not allowed beside subPath");
    if (recursive.length && !span_is(recursive, "Disabled") && !tree_true(object, "readOnly"))
        judge_error(judge, REASON_FORBIDDEN, "recursiveReadOnly", "is allowed only with readOnly");
}

static const char *const propagations[] = {"None", "HostToContainer", "Bidirectional", NULL};
static const char *const recursions[] = {"Disabled", "IfPossible", "Enabled", NULL};

static const struct member volume_mount_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_label},
    {"mountPath", STRING, REQUIRED, .check = syntax_absolute_path},
    {"subPath", STRING, .check = syntax_relative_path},
    {"subPathExpr", STRING, .check = syntax_relative_path},
    {"readOnly", BOOLEAN},
    {"mountPropagation", STRING, .words = propagations},
    {"recursiveReadOnly", STRING, .words = recursions},
};

const struct schema volume_mount_schema = {MEMBERS(volume_mount_members), .also = also_mount};
