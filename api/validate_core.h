#pragma once

#include "api/validate_schema.h"

/*
 * Those types of Kubernetes that stand inside our kinds and reach a pod, judged by the rules of the
 * API server (k8s.io/kubernetes pkg/apis/core/validation): what passes here makes no valid pod
 * invalid. What depends on the rest of the pod (a claim of a dynamic resource, a grace period, an
 * operating system) is refused, since it is not known here.
 */

/* metav1.LabelSelector */
extern const struct schema selector_schema;

/* core/v1: {name, optional?}, {name} of a LocalObjectReference */
extern const struct schema secret_name_schema;

/* runtimeSettings.container: resources, probes, lifecycle, securityContext, nice, ionice, env */
extern const struct schema container_settings_schema;

/* runtimeSettings.pod */
extern const struct schema pod_settings_schema;

/* the sources of a core/v1 Volume without its name; with it; and a VolumeMount of a container */
extern const struct schema volume_source_schema;
extern const struct schema volume_schema;
extern const struct schema volume_mount_schema;

/* core/v1 ContainerPort, VolumeDevice */
extern const struct schema container_port_schema;
extern const struct schema volume_device_schema;

/* a PersistentVolumeClaim with partial metadata: interimVolumeTemplate, volumeClaimTemplates */
extern const struct schema claim_template_schema;

/* core/v1 ExecAction, HTTPGetAction, TCPSocketAction, and the pieces of them */
extern const struct schema exec_schema;
extern const struct schema http_get_schema;
extern const struct schema tcp_socket_schema;
extern const struct schema http_header_schema;
extern const char *const http_schemes[];

/* Parts of a securityContext that container and pod share. */
extern const struct schema selinux_schema;
extern const struct schema seccomp_schema;
extern const struct schema apparmor_schema;

/* A field of the pod that a downwardAPI volume or a variable may show. */
extern const struct schema volume_field_schema;
extern const struct schema volume_resource_schema;
