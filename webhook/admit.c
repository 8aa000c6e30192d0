#include "webhook/admit.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/keys.h"
#include "api/part.h"
#include "api/plan.h"
#include "api/validate.h"
#include "base/patch.h"
#include "base/tree.h"
#include "mutators/restore_rules.h"
#include "mutators/workload.h"
#include "webhook/review.h"

/*
 * The order of judgement. Nothing here reads the clock, the network or a file, so the same bytes
 * over the same snapshot give the same answer: over HTTPS, from --once, in tests.
 */

#define CONTROLLER_USER "system:serviceaccount:" NAMESPACE_SYSTEM ":granary-controller"

/* One judgement on its way. */
struct judgement {
    const struct settings *settings;
    const struct cluster *cluster;
    struct review review;
    struct reply reply;
    const char *outcome; /* static: allowed, patched, refused, skipped */
    const char *why;     /* static: which rule decided */
    bool at_once;        /* both questions about what came in: admit_once() */
};

/* Asked both questions (--once), the one that has nothing to say leaves the other's words. */
static void skip(struct judgement *judgement, const char *why)
{
    judgement->reply.allowed = true;
    if (judgement->outcome && strcmp(judgement->outcome, "skipped") != 0)
        return;
    judgement->outcome = "skipped";
    judgement->why = why;
}

static void refuse(struct judgement *judgement, int code, const char *reason, const char *why)
{
    judgement->reply.allowed = false;
    judgement->reply.code = code;
    judgement->reply.reason = reason;
    judgement->outcome = "refused";
    judgement->why = why;
}

/* ---- what is none of our business, without building a tree ---- */

static bool key_is_ours(struct span key)
{
    static const char *const prefixes[] = {KEY_STASH_PREFIX, KEY_PARAMS_PREFIX, KEY_PREFIX};

    if (memchr(key.data, '\\', key.length))
        return true; /* escaped: somebody hides it, or it only looks odd; the tree will tell */
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (key.length > strlen(prefixes[i]) &&
            !memcmp(key.data + 1, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

/* Any key of ours in this object of annotations. */
static bool annotated(const struct scan *scan, uint32_t object, const char *path)
{
    uint32_t map = scan_path(scan, object, path);

    if (map == SCAN_NONE || scan->values[map].type != SCAN_OBJECT)
        return false;
    for (uint32_t key = map + 1; key < scan->values[map].next; key = scan->values[key + 1].next)
        if (key_is_ours(scan_slice(scan, key)))
            return true;
    return false;
}

static bool object_mentions_us(const struct scan *scan, uint32_t object)
{
    return annotated(scan, object, "metadata.annotations") ||
           annotated(scan, object, "spec.template.metadata.annotations");
}

static bool cluster_mentions(const struct judgement *judgement, const struct target_kind *kind)
{
    const struct review *review = &judgement->review;
    const json_t *space = cluster_namespace(judgement->cluster, review->space);

    return tree_text(tree_at(space, "metadata.labels"), LABEL_BLUEPRINT) ||
           cluster_configurations_of(judgement->cluster, kind->group, kind->kind, review->space,
                                     review->name) ||
           cluster_restores_of(judgement->cluster, kind->group, kind->kind, review->space,
                               review->name);
}

static bool concerns_us(const struct judgement *judgement, const struct target_kind *kind)
{
    const struct review *review = &judgement->review;

    return object_mentions_us(&review->scan, review->object) ||
           object_mentions_us(&review->scan, review->old) || cluster_mentions(judgement, kind);
}

/* ---- slices to trees ---- */

/* The trees of one object, as far as a decision needs them. */
struct slices {
    json_t *version, *metadata, *template, *claims, *spec;
};

static void auto_slices(struct slices *slices)
{
    json_decref(slices->version);
    json_decref(slices->metadata);
    json_decref(slices->template);
    json_decref(slices->claims);
    json_decref(slices->spec);
}

/* One object, and the other one of the review with its slices: what both have in common is built
 * once. */
struct cutting {
    const struct scan *scan;
    uint32_t object, other;
    const struct slices *others;
};

static json_t *slice(const struct cutting *cutting, const char *path, const char *const *only,
                     const json_t *others)
{
    return scan_tree_like(cutting->scan, scan_path(cutting->scan, cutting->object, path), only,
                          scan_path(cutting->scan, cutting->other, path), others);
}

static struct slices cut(const struct cutting *cutting, enum target_class class)
{
    static const char *const wanted[] = {
        "name", "uid", "annotations", "ownerReferences", "deletionTimestamp", NULL};
    const struct slices *others = cutting->others;
    struct slices slices = {
        .version = slice(cutting, "apiVersion", NULL, others->version),
        .metadata = slice(cutting, "metadata", wanted, others->metadata),
    };

    if (class == TARGET_WORKLOAD) {
        slices.template = slice(cutting, "spec.template", NULL, others->template);
        slices.claims = slice(cutting, "spec.volumeClaimTemplates", NULL, others->claims);
    } else {
        slices.spec = slice(cutting, "spec", NULL, others->spec);
    }
    return slices;
}

static struct target target_of(const struct review *review, const struct target_kind *kind,
                               const struct slices *slices)
{
    const char *name = tree_text(slices->metadata, "name");
    const char *version = json_string_value(slices->version);

    return (struct target){
        .kind = kind,
        .api_version = version ? version : "",
        .space = review->space,
        .name = name && *name ? name : review->name,
        .metadata = slices->metadata,
        .template = slices->template,
        .claim_templates = slices->claims,
        .spec = slices->spec,
    };
}

/* ---- what the owner and the audit log are told ---- */

/* The annotation that a finding is about, with a colon behind; else "". Stash's prefix is left out:
 * a warning has 120 characters. The caller frees it. */
static char *annotation_of(const struct finding *finding)
{
    static const char before[] = "metadata.annotations[";
    const char *key = finding->field, *end = strrchr(key, ']');

    if (strncmp(key, before, strlen(before)) != 0 || !end)
        return text_format("%s", "");
    key += strlen(before);
    if (strncmp(key, KEY_STASH_PREFIX, strlen(KEY_STASH_PREFIX)) == 0)
        key += strlen(KEY_STASH_PREFIX);
    return end > key ? text_format("%.*s: ", (int)(end - key), key) : text_format("%s", "");
}

static void warn_findings(struct reply *reply, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        AUTO(free) char *about = annotation_of(&findings->items[i]);
        AUTO(free) char *line = text_format("granary: %s%s", about, findings->items[i].message);

        reply_warn(reply, line);
    }
}

static void warn_notes(struct reply *reply, const struct text *notes)
{
    struct span rest = {notes->data, notes->length}, note;

    while (text_split(&rest, '\n', &note)) {
        AUTO(free) char *line = text_format("granary: %.*s", (int)note.length, note.data);

        reply_warn(reply, line);
    }
}

static void add_name(struct text *list, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");

    if (object)
        text_addf(list, "%s%s/%s", list->length ? "," : "", tree_text(metadata, "namespace"),
                  tree_text(metadata, "name"));
}

static void audit_plan(struct reply *reply, const struct plan *plan)
{
    AUTO(text) struct text repositories = {0}, configurations = {0}, hashes = {0};

    for (size_t i = 0; i < plan->backup_count; i++) {
        const struct plan_backup *backup = &plan->backups[i];

        add_name(&repositories, backup->repository);
        add_name(&configurations, backup->configuration);
        if (*backup->sha256)
            text_addf(&hashes, "%s%s", hashes.length ? "," : "", backup->sha256);
    }
    reply_audit(reply, "repository", text_get(&repositories));
    reply_audit(reply, "backup-configuration", text_get(&configurations));
    reply_audit(reply, "plan-sha256", text_get(&hashes));
}

static bool has_finding(const struct findings *findings, const struct finding *wanted)
{
    for (size_t i = 0; i < findings->count; i++)
        if (!strcmp(findings->items[i].field, wanted->field) &&
            !strcmp(findings->items[i].message, wanted->message))
            return true;
    return false;
}

static bool has_all(const struct findings *before, const struct findings *now)
{
    for (size_t i = 0; i < now->count; i++)
        if (!has_finding(before, &now->items[i]))
            return false;
    return true;
}

static bool same_hashes(const struct plan *a, const struct plan *b)
{
    if (a->backup_count != b->backup_count || a->state != b->state)
        return false;
    for (size_t i = 0; i < a->backup_count; i++)
        if (strcmp(a->backups[i].sha256, b->backups[i].sha256) != 0)
            return false;
    return true;
}

/* What becomes of a target. All borrowed. */
struct ruling {
    const struct plan *plan;
    const json_t *wanted; /* template; NULL for what has no pods */
    const json_t *patch;  /* NULL likewise */
    enum rule rule;
};

/* The plan of the stored object, made when somebody asks. */
struct earlier {
    const struct judgement *judgement;
    const struct target *stored; /* NULL on CREATE */
    struct plan plan;
    bool made;
};

static void plan_for(const struct judgement *judgement, const struct target *target,
                     struct plan *plan)
{
    plan_make(plan, &(struct plan_request){.settings = judgement->settings,
                                           .cluster = judgement->cluster,
                                           .target = target});
}

static const struct plan *earlier_plan(struct earlier *earlier)
{
    if (earlier->stored && !earlier->made) {
        plan_for(earlier->judgement, earlier->stored, &earlier->plan);
        earlier->made = true;
    }
    return earlier->stored ? &earlier->plan : NULL;
}

static void auto_earlier(struct earlier *earlier)
{
    plan_done(&earlier->plan);
}

/* True when a backup is asked for, whether it can be planned or not. */
static bool is_asked_for(const struct plan *plan)
{
    return plan->backup_count || plan->backup_broken || plan->state == PLAN_BROKEN;
}

/* A sidecar that is ours, or Stash's. */
static bool has_sidecar(const json_t *template)
{
    enum template_owner owner = template_owner_of(template);

    return (owner == TEMPLATE_OURS || owner == TEMPLATE_STASH) &&
           template_element(template, sidecar_place);
}

/* The one thing that an owner must not find out later. */
static void warn_end(struct reply *reply, const struct ruling *ruling, struct earlier *earlier)
{
    const struct plan *before;

    if (ruling->plan->state == PLAN_FOREIGN || is_asked_for(ruling->plan))
        return;
    before = earlier_plan(earlier);
    if (before && (is_asked_for(before) ||
                   (has_sidecar(earlier->stored->template) && !has_sidecar(ruling->wanted))))
        reply_warn(reply,
                   "granary: the backup stops with this change; Repository and data are kept");
}

/* Mistakes are refused where the administrator wants that, but only when this request makes them:
 * an object that was let in must stay editable when a blueprint disappears later. */
static bool refuse_mistakes(struct judgement *judgement, const struct plan *plan,
                            struct earlier *earlier)
{
    struct reply *reply = &judgement->reply;
    const struct plan *before;

    if (!plan->deny || plan->mistakes.count == 0)
        return false;
    before = earlier_plan(earlier);
    if (before && has_all(&before->mistakes, &plan->mistakes))
        return false;
    refuse(judgement, ERROR_FORBIDDEN, "Forbidden", "mistake");
    for (size_t i = 0; i < plan->mistakes.count; i++) {
        const struct finding *finding = &plan->mistakes.items[i];

        text_addf(&reply->message, "%s%s%s%s", i ? "\n" : "", finding->field,
                  *finding->field ? ": " : "", finding->message);
    }
    return true;
}

/* ---- targets ---- */

/* What will happen is told when it is news: not again with every label that is edited. */
static bool is_news(const struct change *change, const struct plan *plan, struct earlier *earlier,
                    bool rolls)
{
    return !change->stored || rolls ||
           (!workload_same_annotations(change) && !same_hashes(plan, earlier_plan(earlier)));
}

static void warn_pods(struct reply *reply, const struct ruling *ruling)
{
    if (!ruling->plan->carry.backup || ruling->plan->taken)
        return;
    reply_warn(reply, has_sidecar(ruling->wanted)
                          ? "granary: each pod gets a sidecar `stash` without any rights in the "
                            "cluster"
                          : "granary: the sidecar comes with the next change of the pod template");
}

static void warn(struct reply *reply, const struct change *change, const struct ruling *ruling,
                 struct earlier *earlier)
{
    bool rolls = ruling->rule == RULE_PLANNED && json_array_size(ruling->patch);

    warn_findings(reply, &ruling->plan->mistakes);
    warn_findings(reply, &ruling->plan->cautions);
    if (ruling->rule == RULE_KEPT && has_sidecar(ruling->wanted))
        reply_warn(reply, "granary: the sidecar that is there stays until this is repaired");
    warn_end(reply, ruling, earlier);
    if (!is_news(change, ruling->plan, earlier, rolls))
        return;
    warn_notes(reply, &ruling->plan->notes);
    warn_pods(reply, ruling);
}

static void answer_target(struct judgement *judgement, const struct change *change,
                          const struct ruling *ruling)
{
    AUTO(earlier) struct earlier earlier = {.judgement = judgement, .stored = change->stored};
    struct reply *reply = &judgement->reply;

    if (refuse_mistakes(judgement, ruling->plan, &earlier))
        return;
    reply->allowed = true;
    reply->patch = tree_share(ruling->patch);
    judgement->outcome = json_array_size(ruling->patch) ? "patched" : "unchanged";
    judgement->why = ruling->plan->why;
    reply_audit(reply, "rule", rule_name(ruling->rule));
    warn(reply, change, ruling, &earlier);
    audit_plan(reply, ruling->plan);
}

static void judge_workload(struct judgement *judgement, const struct change *change)
{
    const char *misshapen = workload_misshapen(change->target->template);
    AUTO(plan) struct plan plan = {0};
    enum rule rule;

    if (misshapen) {
        skip(judgement, "misshapen");
        return;
    }

    AUTO(json)
    json_t *owners = template_owners_part(change->target->template,
                                          change->stored ? change->stored->template : NULL);
    struct target owned = *change->target;

    owned.template = owners;
    plan_for(judgement, &owned, &plan);

    AUTO(json) json_t *wanted = workload_template(change, &plan, &rule);
    AUTO(json) json_t *patch = patch_diff(change->target->template, wanted, "/spec/template");

    answer_target(judgement, change, &(struct ruling){&plan, wanted, patch, rule});
}

static void judge_other(struct judgement *judgement, const struct change *change)
{
    AUTO(plan) struct plan plan = {0};

    plan_for(judgement, change->target, &plan);
    answer_target(judgement, change, &(struct ruling){.plan = &plan, .rule = RULE_UNTOUCHED});
}

static void judge_target(struct judgement *judgement, const struct target_kind *kind)
{
    const struct review *review = &judgement->review;

    if (!concerns_us(judgement, kind)) {
        skip(judgement, "no-reason");
        return;
    }

    const struct slices none = {0};
    const struct scan *scan = &review->scan;
    AUTO(slices)
    struct slices now = cut(&(struct cutting){scan, review->object, SCAN_NONE, &none}, kind->class);
    AUTO(slices)
    struct slices old =
        cut(&(struct cutting){scan, review->old, review->object, &now}, kind->class);
    struct target target = target_of(review, kind, &now), stored = target_of(review, kind, &old);
    bool update = review->operation == OPERATION_UPDATE && review->old != SCAN_NONE &&
                  (kind->class != TARGET_WORKLOAD || !workload_misshapen(stored.template));

    struct change change = {judgement->settings, judgement->cluster, &target,
                            update ? &stored : NULL};

    if (tree_get(target.metadata, "deletionTimestamp"))
        skip(judgement, "deleting");
    else if (kind->class == TARGET_WORKLOAD)
        judge_workload(judgement, &change);
    else
        judge_other(judgement, &change);
}

/* ---- RestoreSession ---- */

static bool is_restore_session(const struct review *review)
{
    return !strcmp(review->kind, "RestoreSession") && !strcmp(review->group, GROUP_STASH);
}

static json_t *spec_of(const struct review *review, uint32_t object)
{
    return scan_tree(&review->scan, scan_path(&review->scan, object, "spec"), NULL);
}

static void judge_restore_session(struct judgement *judgement)
{
    const struct review *review = &judgement->review;
    AUTO(json) json_t *spec = spec_of(review, review->object);
    AUTO(json)
    json_t *stored = review->operation == OPERATION_UPDATE ? spec_of(review, review->old) : NULL;
    struct error err;

    if (!json_is_object(spec)) {
        skip(judgement, "no-reason");
        return;
    }

    AUTO(json) json_t *moved = restore_rules_moved(spec, stored, &err);

    if (!moved) {
        refuse(judgement, err.code, NULL, "invalid");
        text_puts(&judgement->reply.message, err.message);
        return;
    }
    judgement->reply.allowed = true;
    judgement->reply.patch = patch_diff(spec, moved, "/spec");
    judgement->outcome = json_array_size(judgement->reply.patch) ? "patched" : "allowed";
    judgement->why = "rules";
}

/* ---- our own kinds ---- */

static json_t *details(const struct review *review, const struct findings *findings)
{
    json_t *made = json_object();

    tree_put_text(made, "name", review->name);
    tree_put_text(made, "group", review->group);
    tree_put_text(made, "kind", review->kind);
    tree_put_new(made, "causes", findings_causes(findings));
    return made;
}

/* kubectl prints only the causes of a Status whose reason is Invalid, and not who refused; so the
 * message holds all of them and the reason stays open. Spec: kubernetes-tried 3. */
static void refuse_findings(struct judgement *judgement, const struct findings *findings)
{
    const struct review *review = &judgement->review;
    struct reply *reply = &judgement->reply;

    refuse(judgement, ERROR_INVALID, NULL, "invalid");
    reply->details = details(review, findings);

    AUTO(free) char *name = text_printable(span_of(review->name), 253);

    text_addf(&reply->message, "%s \"%s\" is not valid:", review->kind, name);
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].level == FINDING_ERROR)
            text_addf(&reply->message, "\n  %s: %s", findings->items[i].field,
                      findings->items[i].message);
}

static void warn_validation(struct reply *reply, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        if (finding->level != FINDING_WARNING)
            continue;

        AUTO(free)
        char *line = text_format("granary: %s%s%s", finding->field, *finding->field ? ": " : "",
                                 finding->message);

        reply_warn(reply, line);
    }
}

static json_t *whole(const struct review *review, uint32_t value)
{
    json_t *object = scan_tree(&review->scan, value, NULL);

    json_object_del(json_object_get(object, "metadata"), "managedFields");
    return object;
}

/* What the API server does between the two questions; rules in both places are the validator's. */
static void move_rules(json_t *object, const json_t *old)
{
    const json_t *spec = tree_member(object, "spec", JSON_OBJECT);
    struct error err;
    json_t *moved = restore_rules_moved(spec, tree_get(old, "spec"), &err);

    if (moved)
        tree_put_new(object, "spec", moved);
}

static void judge_validity(struct judgement *judgement)
{
    const struct review *review = &judgement->review;
    AUTO(json) json_t *object = whole(review, review->object), *old = whole(review, review->old);
    AUTO(findings) struct findings findings = {0};

    if (judgement->at_once && is_restore_session(review))
        move_rules(object, review->operation == OPERATION_UPDATE ? old : NULL);

    if (tree_at(object, "metadata.deletionTimestamp")) {
        skip(judgement, "deleting");
        return;
    }
    if (!strcmp(review->user, CONTROLLER_USER)) {
        skip(judgement, "controller");
        return;
    }
    validate_object(&(struct validation){.object = object,
                                         .old = review->operation == OPERATION_UPDATE ? old : NULL,
                                         .cluster = judgement->cluster},
                    &findings);
    judgement->reply.allowed = true;
    judgement->outcome = "allowed";
    judgement->why = "valid";
    warn_validation(&judgement->reply, &findings);
    if (findings_count(&findings, FINDING_ERROR))
        refuse_findings(judgement, &findings);
}

/* ---- the order ---- */

static void judge(struct judgement *judgement, enum admit_endpoint endpoint)
{
    const struct review *review = &judgement->review;
    const struct target_kind *kind = target_kind_of(span_of(review->group), span_of(review->kind));

    if (review->operation > OPERATION_UPDATE)
        skip(judgement, "operation");
    else if (review->sub_resource)
        skip(judgement, "sub-resource");
    else if (endpoint == ADMIT_VALIDATE && validate_knows(review->group, review->kind))
        judge_validity(judgement);
    else if (endpoint == ADMIT_MUTATE && kind)
        judge_target(judgement, kind);
    else if (endpoint == ADMIT_MUTATE && is_restore_session(review))
        judge_restore_session(judgement);
    else
        skip(judgement, "kind");
}

static void copy_word(char *to, size_t size, const char *from)
{
    AUTO(free) char *text = text_printable(span_of(from), size - 1);
    size_t length = strnlen(text, size - 1);

    memcpy(to, text, length);
    to[length] = '\0';
}

static void describe(struct admit_answer *answer, const struct judgement *judgement)
{
    const struct review *review = &judgement->review;

    copy_word(answer->outcome, sizeof answer->outcome, judgement->outcome);
    copy_word(answer->reason, sizeof answer->reason, judgement->why);
    copy_word(answer->kind, sizeof answer->kind, review->kind);
    copy_word(answer->operation, sizeof answer->operation, review->operation_text);

    AUTO(free) char *uid = text_dup(review->uid.data + 1, review->uid.length - 2);

    copy_word(answer->uid, sizeof answer->uid, uid);
}

static void auto_judgement(struct judgement *judgement)
{
    review_done(&judgement->review);
    reply_done(&judgement->reply);
}

static bool decide(struct judgement *judgement, struct span body, const enum admit_endpoint *asked,
                   size_t count, struct admit_answer *answer, struct error *err)
{
    if (!review_read(&judgement->review, body, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        judge(judgement, asked[i]);
        if (!judgement->reply.allowed)
            break;
    }
    reply_audit(&judgement->reply, "decision", judgement->outcome);
    reply_audit(&judgement->reply, "reason", judgement->why);
    reply_write(&answer->body, &judgement->review, &judgement->reply);
    describe(answer, judgement);
    return true;
}

bool admit(const struct settings *settings, const struct cluster *cluster,
           enum admit_endpoint endpoint, struct span body, struct admit_answer *answer,
           struct error *err)
{
    AUTO(judgement) struct judgement judgement = {.settings = settings, .cluster = cluster};

    return decide(&judgement, body, &endpoint, 1, answer, err);
}

bool admit_once(const struct settings *settings, const struct cluster *cluster, struct span body,
                struct admit_answer *answer, struct error *err)
{
    static const enum admit_endpoint both[] = {ADMIT_VALIDATE, ADMIT_MUTATE};
    AUTO(judgement)
    struct judgement judgement = {.settings = settings, .cluster = cluster, .at_once = true};

    return decide(&judgement, body, both, sizeof both / sizeof *both, answer, err);
}
