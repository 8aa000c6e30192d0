#include "controllers/agent_service.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "controllers/agent_endpoint.h"
#include "controllers/certificates.h"

/* Between two looks at the facts; until what failed is tried again. */
#define TURN_MS 1000
#define RETRY_MS 5000

struct agent_service {
    struct agent_service_plan plan;
    struct certs_store *certs;
    const char *ip;        /* where agents find us; NULL: nobody knows */
    struct error said;     /* so that the same is logged once */
    bool draining;         /* this and the API under the lock */
    struct agent_api *api; /* NULL: not yet */
    pthread_mutex_t lock;
};

/* The pod's own address comes by the downward API. */
static const char *find_ip(const struct controller_options *options)
{
    const char *ip = options->advertise ? options->advertise : getenv("POD_IP");

    return ip && agent_endpoint_possible(ip) ? ip : NULL;
}

struct agent_service *agent_service_make(const struct agent_service_plan *plan)
{
    const struct controller_options *options = plan->options;
    struct certs_files files = {.cert = options->agent_cert, .key = options->agent_key};
    struct agent_service *service;

    if (options->agent_listen.size == 0)
        return NULL;
    service = text_alloc(sizeof *service);
    *service = (struct agent_service){
        .plan = *plan,
        .certs = certs_store_make(&files),
        .ip = find_ip(options),
    };
    pthread_mutex_init(&service->lock, NULL);
    if (!service->ip)
        log_warn("no address of this pod is known: agents are not led here",
                 LOG_S("needed", "--advertise-address, or POD_IP"));
    return service;
}

struct certs_store *agent_service_certs(struct agent_service *service)
{
    return service && !service->plan.options->agent_cert ? service->certs : NULL;
}

static bool review(void *context, struct span token, struct kube_identity *identity,
                   struct error *err)
{
    return kube_token_review(context, token, IDENTITY_AUDIENCE, identity, err);
}

static void say(struct agent_service *service, const char *what, const struct error *err)
{
    if (strcmp(service->said.message, err->message) == 0)
        return;
    service->said = *err;
    log_warn(what, LOG_S("error", err->message));
}

static bool start(struct agent_service *service, const struct agent_desk *desk)
{
    struct agent_api_plan plan = {
        .listen = service->plan.options->agent_listen,
        .certs = service->certs,
        .judge = {review, service->plan.judge},
        .desk = *desk,
    };
    struct error err = {.message = ""};
    struct agent_api *api = agent_api_start(&plan, &err);

    if (!api) {
        say(service, "agents can not be served", &err);
        return false;
    }
    pthread_mutex_lock(&service->lock);
    service->api = api;
    if (service->draining)
        agent_api_drain(api);
    pthread_mutex_unlock(&service->lock);
    return true;
}

static int port_of(const struct address *address)
{
    struct sockaddr_in six_or_four; /* the port stands at the same place in both */

    memcpy(&six_or_four, &address->socket, sizeof six_or_four);
    return ntohs(six_or_four.sin_port);
}

static bool write_slice(struct agent_service *service, const struct agent_endpoint *endpoint,
                        const struct kube_ref *ref, const json_t *slice, struct error *err)
{
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json)
    json_t *body = slice ? agent_endpoint_patch(endpoint, slice) : agent_endpoint_object(endpoint);
    struct kube_options how = {.manager = "granary-controller"};
    struct kube_client *client = service->plan.client;

    if (!service->plan.may_write(service->plan.context))
        return error_set(err, ERROR_UNAVAILABLE, "not the leader any more");
    if (slice ? !kube_json_patch(client, ref, body, &how, &result, err)
              : !kube_create(client, ref, body, &how, &result, err))
        return false;
    log_info("agents are led here", LOG_S("address", endpoint->ip), LOG_N("port", endpoint->port));
    return true;
}

/* Also somebody else's change of it is put right. */
static bool see_to_slice(struct agent_service *service, struct error *err)
{
    struct address address = agent_api_address(service->api);
    struct agent_endpoint endpoint = {service->plan.space, service->ip, port_of(&address)};
    struct kube_ref ref = {&agent_endpoint_resource, endpoint.space, agent_endpoint_name(&endpoint),
                           NULL};
    AUTO(json) json_t *slice = kube_get(service->plan.client, &ref, err);

    if (!slice && err->code != ERROR_NOT_FOUND)
        return false;
    return (slice && agent_endpoint_stands(&endpoint, slice)) ||
           write_slice(service, &endpoint, &ref, slice, err);
}

int64_t agent_service_lead(struct agent_service *service, int64_t calm_ms)
{
    struct error err = {.message = ""};

    if (!service || !service->ip || !service->api ||
        agent_api_look(service->api).certificate_until_s == 0)
        return TURN_MS;
    if (see_to_slice(service, &err)) {
        service->said.message[0] = '\0';
        return calm_ms;
    }
    say(service, "agents can not be led here", &err);
    return err.code == ERROR_CONFLICT ? 0 : RETRY_MS;
}

int64_t agent_service_turn(struct agent_service *service, const struct agent_desk *desk)
{
    if (!service || !desk)
        return TURN_MS;
    if (!service->api && !start(service, desk))
        return RETRY_MS;

    struct agent_api_facts facts = agent_api_look(service->api);

    status_open(service->plan.status)->agents = facts;
    status_close(service->plan.status);
    return TURN_MS;
}

void agent_service_wake(struct agent_service *service)
{
    if (!service)
        return;
    pthread_mutex_lock(&service->lock);
    agent_api_wake(service->api);
    pthread_mutex_unlock(&service->lock);
}

void agent_service_drain(struct agent_service *service)
{
    if (!service)
        return;
    pthread_mutex_lock(&service->lock);
    service->draining = true;
    agent_api_drain(service->api);
    pthread_mutex_unlock(&service->lock);
}

void agent_service_end(struct agent_service *service)
{
    struct agent_api *api;

    if (!service)
        return;
    pthread_mutex_lock(&service->lock);
    api = TAKE(service->api);
    pthread_mutex_unlock(&service->lock);
    agent_api_stop(api);
}

void agent_service_free(struct agent_service *service)
{
    if (!service)
        return;
    certs_store_free(service->certs);
    pthread_mutex_destroy(&service->lock);
    free(service);
}
