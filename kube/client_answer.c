#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "kube/transfer.h"

void kube_answer_done(struct kube_answer *answer)
{
    text_done(&answer->body);
    json_decref(answer->json);
    *answer = (struct kube_answer){0};
}

static const json_t *status_of(const struct kube_answer *answer)
{
    const char *kind = tree_text(answer->json, "kind");

    return kind && strcmp(kind, "Status") == 0 ? answer->json : NULL;
}

const char *kube_answer_reason(const struct kube_answer *answer)
{
    const char *reason = tree_text(status_of(answer), "reason");

    return reason ? reason : "";
}

bool kube_answer_has_cause(const struct kube_answer *answer, const char *reason)
{
    const json_t *causes = tree_at(status_of(answer), "details.causes"), *cause;
    size_t i;

    tree_items (causes, i, cause) {
        const char *found = tree_text(cause, "reason");

        if (found && strcmp(found, reason) == 0)
            return true;
    }
    return false;
}

/* The nearest code that we have a name for. */
static enum error_code nearest(int status)
{
    static const enum error_code known[] = {
        ERROR_BAD_REQUEST,
        ERROR_UNAUTHORIZED,
        ERROR_FORBIDDEN,
        ERROR_NOT_FOUND,
        ERROR_METHOD,
        ERROR_CONFLICT,
        ERROR_GONE,
        ERROR_TOO_LARGE,
        ERROR_LENGTH_REQUIRED,
        ERROR_URI_TOO_LONG,
        ERROR_MEDIA_TYPE,
        ERROR_INVALID,
        ERROR_TOO_MANY_REQUESTS,
        ERROR_INTERNAL,
        ERROR_UNAVAILABLE,
        ERROR_TIMEOUT,
        ERROR_HEADERS_TOO_LARGE,
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((int)known[i] == status)
            return known[i];
    if (status == 502)
        return ERROR_UNAVAILABLE;
    return status >= 400 && status < 500 ? ERROR_BAD_REQUEST : ERROR_INTERNAL;
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";

    return strncasecmp(type, json, sizeof json - 1) == 0 &&
           (type[sizeof json - 1] == '\0' || strchr("; \t", type[sizeof json - 1]));
}

/* What a reader needs to find the request again; queries are long. */
static int path_length(const struct kube_request *request)
{
    return (int)strcspn(request->path, "?");
}

static const char *certificate_fault(long verified)
{
    static const struct {
        unsigned bit;
        const char *fault;
    } faults[] = {
        {GNUTLS_CERT_EXPIRED, "it has expired"},
        {GNUTLS_CERT_NOT_ACTIVATED, "it is not valid yet (is a clock wrong?)"},
        {GNUTLS_CERT_REVOKED, "it is revoked"},
        {GNUTLS_CERT_INSECURE_ALGORITHM, "it is signed with an insecure algorithm"},
        {GNUTLS_CERT_SIGNER_NOT_CA, "it is signed by what is no CA"},
        {GNUTLS_CERT_SIGNER_NOT_FOUND, "no CA of the configuration has signed it"},
        /* a CA of that name is there, with another key: it was rotated */
        {GNUTLS_CERT_SIGNATURE_FAILURE, "no CA of the configuration has signed it"},
    };

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (verified > 0 && ((unsigned long)verified & faults[i].bit))
            return faults[i].fault;
    return "it is for another name";
}

bool transfer_failure(const struct transfer *transfer, const struct kube_request *request,
                      struct error *err)
{
    const char *method = request->method, *path = request->path;
    int length = path_length(request);

    if (transfer->too_large || transfer->result == CURLE_FILESIZE_EXCEEDED)
        error_set(err, ERROR_TOO_LARGE, "%s %.*s: the answer is too large", method, length, path);
    else if (transfer->header_bytes > KUBE_HEADERS_MAX_BYTES)
        error_set(err, ERROR_TOO_LARGE, "%s %.*s: the headers of the answer are too large", method,
                  length, path);
    else if (transfer->result == CURLE_ABORTED_BY_CALLBACK)
        error_set(err, ERROR_UNAVAILABLE, "stopped");
    else if (transfer->result == CURLE_PEER_FAILED_VERIFICATION)
        error_set(err, ERROR_UNAVAILABLE, "%s %.*s: the server's certificate is refused: %s",
                  method, length, path, certificate_fault(transfer->verified));
    else
        error_set(err, ERROR_UNAVAILABLE, "%s %.*s: %s", method, length, path,
                  *transfer->error ? transfer->error : curl_easy_strerror(transfer->result));
    access_hide(&transfer->view, err->message);
    return false;
}

static bool refuse(const struct transfer *transfer, const struct kube_request *request,
                   const struct kube_answer *answer, struct error *err)
{
    struct span message = tree_span(status_of(answer), "message");
    enum error_code code = nearest(answer->status);

    if (message.length)
        error_set(err, code, "%.*s", (int)message.length, message.data);
    else if (transfer->location && answer->status >= 300 && answer->status < 400)
        error_set(err, ERROR_BAD_REQUEST,
                  "%s %.*s: the server redirects, which is not followed: is its address right?",
                  request->method, path_length(request), request->path);
    else
        error_set(err, code, "%s %.*s: HTTP %d%s%s", request->method, path_length(request),
                  request->path, answer->status, *transfer->content_type ? ", " : "",
                  transfer->content_type);
    access_hide(&transfer->view, err->message);
    return false;
}

static bool strange(const struct kube_request *request, struct error *err, const char *what)
{
    return error_set(err, ERROR_INTERNAL, "%s %.*s: %s (is this an API server?)", request->method,
                     path_length(request), request->path, what);
}

/* A good status with something else in it is no answer of an API server. */
static bool check_good(const struct transfer *transfer, const struct kube_request *request,
                       const struct kube_answer *answer, struct error *err)
{
    bool wants_json = !request->accept || is_json(request->accept);

    if (transfer->compressed)
        return strange(request, err, "the answer is compressed, which was not asked for");
    if (!wants_json || (!answer->body.length && !transfer->stream))
        return true;
    if (!is_json(transfer->content_type))
        return strange(request, err, "the answer is not JSON");
    if (!transfer->stream && !answer->json)
        return strange(request, err, "the answer is no JSON object");
    return true;
}

bool transfer_answer(struct transfer *transfer, const struct kube_request *request,
                     struct kube_answer *answer, struct error *err)
{
    bool good = transfer->status >= 200 && transfer->status <= 299;

    kube_answer_done(answer);
    answer->status = transfer->status;
    answer->retry_after_s = transfer->retry_after_s;
    answer->date_s = transfer->date_s;
    if (good && transfer->stream)
        return check_good(transfer, request, answer, err);
    if (transfer->result != CURLE_OK && (good || transfer->too_large))
        return transfer_failure(transfer, request, err);
    answer->body = transfer->received;
    transfer->received = (struct text){0};
    if (is_json(transfer->content_type) && !transfer->compressed)
        answer->json =
            json_loadb(text_get(&answer->body), answer->body.length, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(answer->json)) {
        json_decref(answer->json);
        answer->json = NULL;
    }
    return good ? check_good(transfer, request, answer, err)
                : refuse(transfer, request, answer, err);
}

static bool plain(const char *text, const char *what, bool blanks, struct error *err)
{
    for (const unsigned char *c = (const unsigned char *)text; c && *c; c++)
        if (*c < (blanks ? 0x20 : 0x21) || *c >= 0x7f)
            return error_set(err, ERROR_INVALID,
                             "the %s of a request has a character that it may "
                             "not have",
                             what);
    return true;
}

bool request_check(const struct kube_request *request, struct error *err)
{
    if (request->path[0] != '/' || strchr(request->path, '#'))
        return error_set(err, ERROR_INVALID, "the path of a request must begin with a slash");
    return plain(request->method, "method", false, err) &&
           plain(request->path, "path", false, err) &&
           plain(request->content_type, "content type", true, err) &&
           plain(request->accept, "accept header", true, err);
}
