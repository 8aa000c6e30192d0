#pragma once

#include <jansson.h>

/*
 * What an API server makes of a pod template before it stores it: defaults filled in, zero values
 * left out. Only what our part of a template may hold.
 *
 * Spec: SetDefaults_* in k8s.io/kubernetes/pkg/apis/core/v1; `omitempty` in k8s.io/api/core/v1.
 */

/** Of a workload: its spec.template. In place. */
void default_object(json_t *object);

/** Of one container, of one volume. In place. */
void default_container(json_t *container);
void default_volume(json_t *volume);
