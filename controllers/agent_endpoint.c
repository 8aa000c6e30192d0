#include "controllers/agent_endpoint.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/tree.h"
#include "controllers/certificates.h"
#include "kube/verbs.h"

#define SERVICE_LABEL "kubernetes.io/service-name"
#define PORT_NAME "agents"

const struct kube_resource agent_endpoint_resource = {"discovery.k8s.io", "v1", "endpointslices",
                                                      "EndpointSlice", true};

static bool is_six(const char *ip)
{
    return strchr(ip, ':') != NULL;
}

const char *agent_endpoint_name(const struct agent_endpoint *endpoint)
{
    return is_six(endpoint->ip) ? "granary-agents-ipv6" : "granary-agents-ipv4";
}

/* The API server refuses the others. Spec: ValidateNonSpecialIP. */
bool agent_endpoint_possible(const char *ip)
{
    struct in_addr four;
    struct in6_addr six;

    if (inet_pton(AF_INET, ip, &four) == 1) {
        uint32_t number = ntohl(four.s_addr);

        return number != INADDR_ANY && number >> 24 != 127 && number >> 16 != 0xa9fe &&
               number >> 28 < 0xe;
    }
    return inet_pton(AF_INET6, ip, &six) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&six) &&
           !IN6_IS_ADDR_LOOPBACK(&six) && !IN6_IS_ADDR_LINKLOCAL(&six) &&
           !IN6_IS_ADDR_MULTICAST(&six);
}

static json_t *labels(void)
{
    json_t *made = json_object();

    tree_put_text(made, SERVICE_LABEL, CERTIFICATES_AGENTS_SERVICE);
    tree_put_text(made, "endpointslice.kubernetes.io/managed-by", "granary-controller");
    tree_put_text(made, "app.kubernetes.io/part-of", "granary");
    return made;
}

static json_t *endpoints(const struct agent_endpoint *endpoint)
{
    json_t *list = json_array(), *made = json_object(), *addresses = json_array();
    json_t *conditions = json_object();

    tree_push_text(addresses, endpoint->ip);
    tree_put_bool(conditions, "ready", true);
    tree_put_new(made, "addresses", addresses);
    tree_put_new(made, "conditions", conditions);
    tree_push_new(list, made);
    return list;
}

static json_t *ports(const struct agent_endpoint *endpoint)
{
    json_t *list = json_array(), *made = json_object();

    tree_put_text(made, "name", PORT_NAME);
    tree_put_text(made, "protocol", "TCP");
    tree_put_int(made, "port", endpoint->port);
    tree_push_new(list, made);
    return list;
}

json_t *agent_endpoint_object(const struct agent_endpoint *endpoint)
{
    json_t *made = json_object(), *metadata = json_object();

    tree_put_text(made, "apiVersion", "discovery.k8s.io/v1");
    tree_put_text(made, "kind", agent_endpoint_resource.kind);
    tree_put_text(metadata, "name", agent_endpoint_name(endpoint));
    tree_put_text(metadata, "namespace", endpoint->space);
    tree_put_new(metadata, "labels", labels());
    tree_put_new(made, "metadata", metadata);
    tree_put_text(made, "addressType", is_six(endpoint->ip) ? "IPv6" : "IPv4");
    tree_put_new(made, "endpoints", endpoints(endpoint));
    tree_put_new(made, "ports", ports(endpoint));
    return made;
}

/* The only one of a list. */
static const json_t *one_of(const json_t *object, const char *key)
{
    const json_t *list = tree_get(object, key);

    return json_array_size(list) == 1 ? json_array_get(list, 0) : NULL;
}

bool agent_endpoint_stands(const struct agent_endpoint *endpoint, const json_t *slice)
{
    const json_t *here = one_of(slice, "endpoints"), *port = one_of(slice, "ports");
    const json_t *addresses = tree_get(here, "addresses");

    return json_array_size(addresses) == 1 &&
           span_is(tree_value(json_array_get(addresses, 0)), endpoint->ip) &&
           tree_true(tree_get(here, "conditions"), "ready") &&
           tree_int(port, "port", 0) == endpoint->port &&
           span_is(tree_span(port, "name"), PORT_NAME) &&
           span_is(tree_span(tree_at(slice, "metadata.labels"), SERVICE_LABEL),
                   CERTIFICATES_AGENTS_SERVICE);
}

static void add(json_t *patch, const char *path, json_t *value_new)
{
    json_t *operation = json_object();

    tree_put_text(operation, "op", "add");
    tree_put_text(operation, "path", path);
    tree_put_new(operation, "value", value_new);
    tree_push_new(patch, operation);
}

json_t *agent_endpoint_patch(const struct agent_endpoint *endpoint, const json_t *slice)
{
    json_t *patch = json_array();

    add(patch, "/metadata/labels", labels());
    add(patch, "/endpoints", endpoints(endpoint));
    add(patch, "/ports", ports(endpoint));
    kube_json_patch_test(patch, "/metadata/resourceVersion",
                         tree_get(tree_get(slice, "metadata"), "resourceVersion"));
    return patch;
}
