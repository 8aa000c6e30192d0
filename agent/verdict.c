#include "agent/verdict.h"

#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include "api/agent_messages.h"
#include "base/auto.h"

/* restic's exit codes. */
enum { UNREADABLE = 3, ABSENT = 10, LOCKED = 11, NO_KEY = 12, INTERRUPTED = 130 };

#define SECRET_MIN_BYTES 4

struct meaning {
    const char *reason;
    const char *happened; /* a sentence without its end */
    const char *help;     /* what to do */
};

static const struct {
    int code;
    struct meaning meaning;
} codes[] = {
    {2, {"ResticCrashed", "restic broke off by a mistake of its own", "look at the agent's log"}},
    {UNREADABLE,
     {"UnreadableFiles", "some files could not be read, the snapshot lacks them",
      "let the agent run as the user that owns them (fileAccess), or exclude them"}},
    {ABSENT,
     {"RepositoryMissing", "there is no repository at this address",
      "check bucket, prefix and endpoint of the Repository"}},
    {LOCKED,
     {"RepositoryLocked", "somebody else holds a lock of the repository",
      "wait for its owner; a lock that a dead pod left is removed by granary.dev/unlock on the "
      "Repository"}},
    {NO_KEY, {WRONG_PASSWORD, "the repository does not open with this password", PUT_PREVIOUS}},
    {INTERRUPTED, {"Interrupted", "restic was interrupted", "it is tried again"}},
};

/* Words of restic and its libraries, in the order in which they are looked for. Of what an S3
 * server answers the message is told, and seldom the code. */
static const struct {
    const char *words;
    struct meaning meaning;
} phrases[] = {
#define FULL                                                                                       \
    {                                                                                              \
        "DiskFull", "no space is left", "make room where the repository or the scratch is"         \
    }
#define DENIED                                                                                     \
    {                                                                                              \
        "AccessDenied", "the storage refuses these credentials",                                   \
            "check the keys in the storage Secret, what they may do, and the node's clock"         \
    }
#define SKEWED                                                                                     \
    {                                                                                              \
        "ClockSkewed", "the clocks of node and storage differ too much", "set the node's clock"    \
    }
#define BUSY                                                                                       \
    {                                                                                              \
        "StorageBusy", "the storage asks for fewer requests", "fewer sessions at once"             \
    }
#define NETWORK                                                                                    \
    {                                                                                              \
        "StorageUnreachable", "the storage is not reached",                                        \
            "check endpoint, DNS and network policies"                                             \
    }
#define CERTIFICATE                                                                                \
    {                                                                                              \
        "CertificateNotTrusted", "the storage shows a certificate that is not trusted",            \
            "put its CA into CA_CERT_DATA of the storage Secret"                                   \
    }
#define DAMAGED                                                                                    \
    {                                                                                              \
        "RepositoryDamaged", "the repository holds data that can not be right",                    \
            "keep it as it is, check it before anything is deleted"                                \
    }
    {"wrong password or no key",
     {WRONG_PASSWORD, "the repository does not open with this password", PUT_PREVIOUS}},
    {"no space left on device", FULL},
    {"disk quota exceeded", FULL},
    {"Insufficient Storage", FULL},
    {"RequestTimeTooSkewed", SKEWED},
    {"difference between the request time and the", SKEWED},
    {"x509:", CERTIFICATE},
    {"certificate", CERTIFICATE},
    {"SignatureDoesNotMatch", DENIED},
    {"signature we calculated does not match", DENIED},
    {"InvalidAccessKeyId", DENIED},
    {"Access Key Id you provided does not exist", DENIED},
    {"token has expired", DENIED},
    {"Access Denied", DENIED},
    {"AccessDenied", DENIED},
    {"403 Forbidden", DENIED},
    {"401 Unauthorized", DENIED},
    {"unexpected HTTP response (403)", DENIED},
    {"unexpected HTTP response (401)", DENIED},
    {"could not find default credentials", DENIED},
    {"invalid backend",
     {"BackendNotSupported", "this restic has no backend of that kind",
      "use an agent image whose restic has it"}},
    {"bucket does not exist",
     {"BucketMissing", "the bucket is not there", "make it, or correct its name"}},
    {"NoSuchBucket", {"BucketMissing", "the bucket is not there", "make it, or correct its name"}},
    {"no such host", NETWORK},
    {"connection refused", NETWORK},
    {"connection reset", NETWORK},
    {"network is unreachable", NETWORK},
    {"i/o timeout", NETWORK},
    {"context deadline exceeded", NETWORK},
    {"SlowDown", BUSY},
    {"reduce your request rate", BUSY},
    {"source directories/files do not exist",
     {"PathMissing", "the path is not there", "check the paths of the target"}},
    {"read-only file system",
     {"ReadOnly", "the file system can not be written", "mount it writable"}},
    {"permission denied",
     {"PermissionDenied", "the agent's user may not do this",
      "let the agent run as the user that owns the files (fileAccess)"}},
    {"ciphertext verification failed", DAMAGED},
    {"invalid data returned", DAMAGED},
    {"not found in index", DAMAGED},
    {"not found in repository", DAMAGED},
    {"file is too short", DAMAGED},
    {"Unexpected content in", DAMAGED},
    {"repository already contains keys",
     {"RepositoryHalfMade", "somebody was killed who made it: there are keys, and no repository",
      "remove what lies below keys/ at this address, when nothing lies below data/"}},
    {"unsupported repository version",
     {"RepositoryTooNew", "a newer restic made this repository", "use a newer agent image"}},
#undef FULL
#undef DENIED
#undef SKEWED
#undef BUSY
#undef NETWORK
#undef CERTIFICATE
#undef DAMAGED
};

static const struct meaning lost_data = {"RepositoryDamaged",
                                         "the repository lacks data that it must hold",
                                         "keep it as it is, check it before anything is deleted"};

static const struct meaning causes[] = {
    [RESTIC_DEADLINE] = {"DeadlineExceeded", "the session's time was over",
                         "raise timeOut, or back up less at once"},
    [RESTIC_CANCELLED] = {"Cancelled", "the session was ended", "nothing, unless it was a mistake"},
    [RESTIC_STOPPED] = {"PodEnded", "the pod was told to end", "it is tried again in another pod"},
    [RESTIC_MEMORY] = {"OutOfMemory", "restic needed more memory than the container has",
                       "raise limits.memory of the agent (granary.dev/resources)"},
};

void failure_done(struct failure *failure)
{
    text_done(&failure->message);
    failure->reason = NULL;
}

bool failure_set(struct failure *failure, const char *reason, const char *format, ...)
{
    va_list args;

    if (failure->reason)
        return false;
    failure->reason = reason;
    va_start(args, format);
    text_addv(&failure->message, format, args);
    va_end(args);
    return false;
}

/* A storage that answers, and has not what the index names. */
static bool says_lost(const char *words)
{
    static const char *const files[] = {"<data/", "<index/", "<snapshot/"};
    static const char *const lost[] = {"no such file or directory", "does not exist", "NoSuchKey",
                                       "(404)", "404 Not Found"};
    bool of_repository = false, is_lost = false;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        of_repository = of_repository || strstr(words, files[i]);
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        is_lost = is_lost || strstr(words, lost[i]);
    return of_repository && is_lost;
}

static const struct meaning *phrase_of(const char *words, const struct meaning *otherwise)
{
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (strcasestr(words, phrases[i].words))
            return &phrases[i].meaning;
    return says_lost(words) ? &lost_data : otherwise;
}

static const struct meaning *meaning_of(const struct restic_end *end)
{
    static const struct meaning killed = {"Killed", "restic was killed",
                                          "if it was for want of memory: raise limits.memory of "
                                          "the agent (granary.dev/resources)"};
    static const struct meaning unknown = {"ResticFailed", "restic failed",
                                           "see what restic says, and the agent's log"};
    int code = WIFEXITED(end->status) ? WEXITSTATUS(end->status) : -1;

    if (end->cause != RESTIC_BY_ITSELF && end->cause != RESTIC_HOPELESS)
        return &causes[end->cause];
    if (end->cause == RESTIC_HOPELESS)
        return phrase_of(end->message, &unknown);
    if (WIFSIGNALED(end->status))
        return &killed;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return &codes[i].meaning;
    return phrase_of(end->message, &unknown);
}

bool restic_is_hopeless(const char *words)
{
    static const char *const reasons[] = {"AccessDenied", "BucketMissing", "CertificateNotTrusted",
                                          "ClockSkewed"};
    const struct meaning *meaning = phrase_of(words, NULL);

    for (size_t i = 0; meaning && i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(meaning->reason, reasons[i]) == 0)
            return true;
    return false;
}

bool restic_is_doomed(const char *words)
{
    const struct meaning *meaning = phrase_of(words, NULL);

    return strncmp(words, "Save(", 5) == 0 && strstr(words, ") failed: ") && meaning &&
           strcmp(meaning->reason, "DiskFull") == 0;
}

static bool ended_well(const struct restic_end *end)
{
    return end->cause == RESTIC_BY_ITSELF && WIFEXITED(end->status) &&
           WEXITSTATUS(end->status) == 0;
}

static bool fail(const struct restic_end *end, const char *doing, const struct meaning *meaning,
                 struct failure *failure)
{
    bool exited = WIFEXITED(end->status);
    const char *words =
        end->cause == RESTIC_CANCELLED && end->cancelled ? end->cancelled : end->message;

    return failure_set(failure, meaning->reason, "%s: %s (%s %d%s%.900s). What to do: %s.", doing,
                       meaning->happened, exited ? "exit status" : "signal",
                       exited ? WEXITSTATUS(end->status) : WTERMSIG(end->status),
                       *words ? ": " : "", words, meaning->help);
}

bool restic_judge(const struct restic_end *end, const char *doing, struct failure *failure)
{
    return ended_well(end) || fail(end, doing, meaning_of(end), failure);
}

bool rclone_judge(const struct restic_end *end, const char *doing, struct failure *failure)
{
    static const struct meaning unknown = {"StorageFailed", "the storage did not do it",
                                           "see what rclone says, and the log of its pod"};
    bool ours = end->cause != RESTIC_BY_ITSELF && end->cause != RESTIC_HOPELESS;

    return ended_well(end) ||
           fail(end, doing, ours ? &causes[end->cause] : phrase_of(end->message, &unknown),
                failure);
}

static bool ended_with(const struct restic_end *end, int code)
{
    return end->cause == RESTIC_BY_ITSELF && WIFEXITED(end->status) &&
           WEXITSTATUS(end->status) == code;
}

bool restic_proves_absence(const struct restic_end *end)
{
    return ended_with(end, ABSENT);
}

bool restic_refuses_password(const struct restic_end *end)
{
    return ended_with(end, NO_KEY);
}

bool restic_is_locked(const struct restic_end *end)
{
    return ended_with(end, LOCKED);
}

bool restic_found_damage(const struct restic_end *end)
{
    const struct meaning *meaning = phrase_of(end->message, NULL);

    return end->cause == RESTIC_BY_ITSELF && WIFEXITED(end->status) &&
           WEXITSTATUS(end->status) <= 1 &&
           (!meaning || strcmp(meaning->reason, "RepositoryDamaged") == 0);
}

static void replace_all(struct text *text, const char *secret)
{
    size_t length = strlen(secret);
    AUTO(text) struct text clean = {0};
    const char *from = text_get(text), *found;

    if (length < SECRET_MIN_BYTES)
        return;
    while ((found = strstr(from, secret))) {
        text_add(&clean, from, (size_t)(found - from));
        text_puts(&clean, "***");
        from = found + length;
    }
    text_puts(&clean, from);

    struct text old = *text;

    *text = clean;
    clean = old;
}

/* "https://user:password@host" keeps its host. */
static void hide_users(struct text *text)
{
    AUTO(text) struct text clean = {0};
    const char *from = text_get(text), *found;

    while ((found = strstr(from, "://"))) {
        size_t name = strcspn(found + 3, " /\"'\t@");

        text_add(&clean, from, (size_t)(found + 3 - from));
        from = found + 3;
        if (from[name] == '@') {
            text_puts(&clean, "***");
            from += name;
        }
    }
    text_puts(&clean, from);

    struct text old = *text;

    *text = clean;
    clean = old;
}

void redact(struct text *text, const char *const *secrets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        replace_all(text, secrets[i]);
    hide_users(text);
}
