#pragma once

#include "controllers/agent_api.h"
#include "controllers/options.h"
#include "controllers/status.h"
#include "kube/verbs.h"

/*
 * The agent API as a leader serves it: its certificate, its server once there is a desk, and the
 * EndpointSlice that leads agents here.
 */
struct agent_service;

/** All borrowed. */
struct agent_service_plan {
    struct kube_client *client; /* fenced */
    struct kube_client *judge;  /* for TokenReviews: one of its own, so that no other call waits */
    const struct controller_options *options;
    const char *space; /* our namespace */
    struct status *status;
    bool (*may_write)(void *context); /* as in struct certificates_loop */
    void *context;
};

/** NULL when agents are not to be served. To be released by agent_service_free(). */
struct agent_service *agent_service_make(const struct agent_service_plan *plan);

/** Where its certificate is to be put; NULL when that comes from files, or without a service. */
struct certs_store *agent_service_certs(struct agent_service *service);

/**
 * Serves, with this desk from the first time on. NULL is fine.
 *
 * @return  Milliseconds until the next turn.
 */
int64_t agent_service_turn(struct agent_service *service, const struct agent_desk *desk);

/**
 * Sees to the EndpointSlice, once there is a certificate: nobody is led to a door that is shut.
 * NULL is fine. From the thread of the turns.
 *
 * @param calm_ms  Until the next look when it stands as it should.
 * @return         Milliseconds until the next look.
 */
int64_t agent_service_lead(struct agent_service *service, int64_t calm_ms);

/** As agent_api_wake() and agent_api_drain(). Any thread; NULL is fine. */
void agent_service_wake(struct agent_service *service);
void agent_service_drain(struct agent_service *service);

/** Ends: the desk is asked nothing afterwards. From the thread of the turns; NULL is fine. */
void agent_service_end(struct agent_service *service);

/** Frees, after the end. NULL is fine. */
void agent_service_free(struct agent_service *service);
