#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Every maximum, with its unit and its reason. Work is bounded here instead of surviving exhausted
 * memory later.
 */

/* Bytes of one review. A legal object of 3 MiB is up to 28 MB once Go has escaped it twice. */
#define BODY_MAX_BYTES (32u << 20)

/* Bytes of all reviews that are being read at once, over all connections; beyond it: 503. */
#define BODY_BUDGET_BYTES (128u << 20)

/* Bytes that a thread has for the trees of one decision: those of a review of 100 KB fit. */
#define ARENA_BYTES (512u << 10)

/* Levels of nesting in JSON. jansson's own limit, and far above what Kubernetes writes (~40). */
#define JSON_MAX_DEPTH 2048u

/* Values in one JSON text: 150,000 keys are legal, twice (object and oldObject), with room. */
#define JSON_MAX_VALUES 2000000u

/* Bytes of one YAML file, levels of nesting and nodes. Y2, Y3 and Y7 of the catalogue. */
#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 64u
#define YAML_MAX_NODES 100000u

/* Files (with folders), bytes and levels of folders of one catalog. */
#define CATALOG_MAX_FILES 20000u
#define CATALOG_MAX_LEVELS 32u
#define CATALOG_MAX_BYTES (256u << 20)

/* Characters of one warning and of all: beyond that the API server cuts them. */
#define WARNING_MAX_CHARS 120u
#define WARNINGS_MAX_BYTES 4096u

/* Blueprints that one target may name, paths, mounts and parameters that its owner may write. */
#define BLUEPRINTS_MAX 8u
#define PATHS_MAX 64u
#define PATH_MAX_BYTES 4096u
#define PARAMS_MAX 64u

/* Containers, volumes and mounts of a pod that we look at: the work grows with their square. J19
 * has 1,000 containers. */
#define POD_MAX_PARTS 4000u

/* Hosts of a restore that are named to its container one by one: with more the agent asks. */
#define RESTORE_HOSTS_MAX 256u

/* Volumes that one of our containers mounts: an API server refuses patches that are too large, and
 * a node attaches some forty. */
#define MOUNTS_MAX 128u

/* Bytes of one resolved string of a blueprint. */
#define RESOLVED_MAX_BYTES (64u << 10)

/* Characters of an object's name that we make, of a label value (RFC 1123 label). */
#define NAME_MAX_CHARS 63u
#define OBJECT_NAME_MAX_CHARS 253u

/* Pairs of elements that two lists may have to be aligned: one byte each, a few ms in all. */
#define PATCH_MAX_CELLS (4u << 20)

/* Levels that a diff enters: what Kubernetes writes has about 40, and each level may compare all
 * that is below it once more. */
#define PATCH_MAX_DEPTH 64u

/* Bytes that the copy operations of one patch may make. The API server's own limit. */
#define PATCH_MAX_COPY_BYTES (3u << 20)

/* Characters of one value in a log line: an error message with file, line and column fits. */
#define LOG_VALUE_MAX_CHARS 512u

/* Lines about requests in one second: whoever reaches the port can cause them. */
#define LOG_LINES_PER_SECOND 50u

/* Bytes of one file of certificates: a CA bundle of a hundred certificates has 200 KB. */
#define CERTS_MAX_BYTES (512u << 10)

/* Milliseconds between two looks at the certificate files; until refused ones are tried again. */
#define CERTS_LOOK_MS 500
#define CERTS_RETRY_MS 10000

/* Header lines and bytes of the path of one request: Go's client sends about ten, and knows two
 * paths. */
#define HEADERS_MAX 100u
#define PATH_OF_REQUEST_MAX_BYTES 2048u

/* Milliseconds for a TLS handshake, for the headers, and for a whole request. The API server waits
 * 10 s by default and 30 s at most; an honest request takes less than one. */
#define HANDSHAKE_TIMEOUT_MS 5000
#define HEADER_TIMEOUT_MS 5000
#define REQUEST_TIMEOUT_MS 10000

/* Milliseconds between two requests of a connection: the API server's client keeps idle ones for
 * 90 s, and who closes first loses a request. */
#define KEEP_ALIVE_TIMEOUT_MS 120000

/* Milliseconds after SIGTERM in which new connections are served (endpoints take a while to know),
 * and in which everything is over (a pod has 30 s). */
#define DRAIN_DELAY_MS 5000
#define DRAIN_TIMEOUT_MS 15000

/* Connections at once, some 45 KB each: an API server keeps 25 and bursts to a few hundred. And of
 * the admin address: probes and scrapes. */
#define CONNECTIONS_MAX 2048
#define ADMIN_CONNECTIONS_MAX 64

/* Connections of one worker: more than all of them, since the limit that counts is the total. */
#define CONNECTIONS_OF_WORKER_MAX 1000000u

/* Descriptors that are not connections: sockets, epoll, files of the catalog and certificates. */
#define DESCRIPTORS_RESERVED 128u

/* Milliseconds after which a connection that was cut and is still there means that its thread
 * hangs: the longest honest decision takes well below a second. */
#define THREAD_STUCK_MS 30000

/* Milliseconds without a sign of the API server after which what is known of a cluster is called
 * stale: an idle watch has a bookmark a minute, or is begun anew. AF1 of the catalogue. */
#define CLUSTER_STALE_MS 600000

/* Bytes of one event of a watch, or item of a list: what Go's client takes, ten times what etcd
 * stores. Of one answer to a list with all its pages. */
#define KUBE_FRAME_MAX_BYTES (16u << 20)
#define KUBE_LIST_MAX_BYTES (256u << 20)

/* Bytes of what stands around the items of a list (kind, metadata). */
#define KUBE_ENVELOPE_MAX_BYTES (64u << 10)

/* Items of one page of a list, as kubectl asks for them. */
#define KUBE_PAGE_ITEMS 500

/* Characters of a resource version: it is opaque, and has about ten digits. */
#define KUBE_VERSION_MAX_CHARS 63u

/* Milliseconds of one call to the API server with its repetitions, and of a connection with its TLS
 * handshake. B6 of the catalogue. */
#define KUBE_TIMEOUT_MS 30000
#define KUBE_CONNECT_MS 10000

/* Bytes of one answer: a page of 500 pods has 10 MB. Of an answer that only says what failed. Of
 * the headers of one answer. */
#define KUBE_ANSWER_MAX_BYTES (64u << 20)
#define KUBE_FAILURE_MAX_BYTES (1u << 20)
#define KUBE_HEADERS_MAX_BYTES (128u << 10)

/* Bytes of a stream that wait for their reader: an event has some 10 KB. */
#define KUBE_STREAM_BUFFER_BYTES (1u << 20)

/* Calls a second, at once, and under way together. B4 of the catalogue. */
#define KUBE_RATE 20
#define KUBE_BURST 40

/* Those of the leader that only read, which has a look at each target when it begins: a second. */
#define KUBE_READS 50
#define KUBE_CONCURRENT 32

/* Repetitions of one request that the server asked for; the longest pause that it may ask for,
 * seconds. B2 and AF3 of the catalogue. */
#define KUBE_REPEATS_MAX 10
#define KUBE_RETRY_AFTER_MAX_S 60

/* Milliseconds between two looks at the files of token, CA and client certificate. A token lives
 * for ten minutes at least. CR2 and CR5 of the catalogue. */
#define KUBE_LOOK_MS 60000

/* Bytes of a token and of a file of certificates. */
#define KUBE_TOKEN_MAX_BYTES (64u << 10)
#define KUBE_PEM_MAX_BYTES (1u << 20)

/* Bytes that a credential plugin may print, and milliseconds that it may take: some of them ask a
 * person. */
#define KUBE_EXEC_MAX_BYTES (1u << 20)
#define KUBE_EXEC_TIMEOUT_MS 60000

/* Fields of other managers that are told of one apply; characters of one of them, and of the name
 * of a manager (what the API server allows). */
#define KUBE_CONFLICTS_MAX 64u
#define KUBE_FIELD_MAX_CHARS 256u
#define KUBE_MANAGER_MAX_CHARS 128u

/* Pages of one list: tokens that are always new end too. */
#define KUBE_PAGES_MAX 10000u

/* Characters of who holds a Lease: the name of a pod and something random. */
#define ELECTION_NAME_MAX_CHARS 320u

/* Milliseconds that giving back a Lease may take: a pod has 30 s to end. */
#define ELECTION_STOP_MS 5000

/* Events that wait or were told lately, 2 KB each, and objects whose events are counted. What an
 * object may tell at once, and then one in so many milliseconds; how many may differ in their note
 * only; how often one is tried. */
#define EVENTS_MAX 1000u
#define EVENT_BURST 25
#define EVENT_PAUSE_MS 300000
#define EVENT_ALIKE_MAX 10u
#define EVENT_TRIES 12

/* Bytes of an event's note, and of its other words: what the API server takes. */
#define EVENT_NOTE_MAX_BYTES 1024u
#define EVENT_WORD_MAX_BYTES 128u

/* Kinds of a server: some hundred, with many CRDs a thousand. Milliseconds until it is asked again
 * for one that it did not have. */
#define KUBE_KINDS_MAX 20000u
#define KUBE_DISCOVERY_AGAIN_MS 10000

/* The agent API. Connections at once (some 25 KB each), and of one address: the pods of a node may
 * share one. Bytes that libmicrohttpd has for the head and a piece of the body of one request: a
 * token has one or two KB. Bytes of all bodies that are being read; beyond it: 503. */
#define AGENT_CONNECTIONS_MAX 12000
#define AGENT_ADDRESS_CONNECTIONS_MAX 512u
#define AGENT_POOL_BYTES (12u << 10)
#define AGENT_BODY_BUDGET_BYTES (16u << 20)

/* Bytes of what a token says. */
#define AGENT_TOKEN_MAX_BYTES (8u << 10)

/* Threads that ask the API server and the desk. */
#define AGENT_WORKERS 6u

/* Requests of one pod: a second, and at once. An agent at work sends one in ten seconds. */
#define AGENT_REQUEST_RATE 2
#define AGENT_REQUEST_BURST 30

/* Tokens that were refused, from one address: a second, and at once. Each costs a TokenReview. */
#define AGENT_REFUSED_RATE 1
#define AGENT_REFUSED_BURST 20

/* Milliseconds that a verdict about a token holds, and a refusal: seconds, since a pod may be gone
 * meanwhile (which the desk looks for itself). */
#define AGENT_VERDICT_MS 30000
#define AGENT_REFUSAL_MS 10000

/* Verdicts, and pods and addresses whose rates are known. */
#define AGENT_VERDICTS_MAX 8192u
#define AGENT_RATES_MAX 16384u

/* Milliseconds for a handshake with an agent (a thousand may come at once), for its request, and
 * that it may be silent between two; that a request may wait for a thread before it is told to come
 * again. */
#define AGENT_HANDSHAKE_MS 15000
#define AGENT_REQUEST_MS 20000
#define AGENT_IDLE_MS 60000
#define AGENT_QUEUE_MS 10000

/* Milliseconds in which several wakes count as one. */
#define AGENT_WAKE_MS 20

/* Milliseconds in which agents are told that this is not the leader any more. */
#define AGENT_DRAIN_MS 1000
