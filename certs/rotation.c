#include "certs/rotation.h"

static bool valid(int64_t from_s, int64_t to_s, int64_t now_s)
{
    return from_s <= now_s && now_s <= to_s;
}

/* It can sign now. */
static bool usable(const struct rotation_authority *ca, int64_t now_s)
{
    return ca->there && valid(ca->from_s, ca->to_s, now_s);
}

static int64_t jitter_s(uint64_t seed)
{
    return (int64_t)(seed % (uint64_t)ROTATION_JITTER_S);
}

/* When the successor is due. A CA that was made to live shorter is renewed in its last third. */
static int64_t due_s(int64_t from_s, int64_t to_s, int64_t life_s, int64_t renew_s, uint64_t seed)
{
    int64_t lives_s = to_s - from_s;

    if (lives_s < life_s / 2)
        return to_s - lives_s / 3;
    return to_s - renew_s - jitter_s(seed);
}

static int64_t authority_due_s(const struct rotation_authority *ca)
{
    return due_s(ca->from_s, ca->to_s, ROTATION_CA_LIFE_S, ROTATION_CA_RENEW_S, ca->seed);
}

static int64_t leaf_due_s(const struct rotation_leaf *leaf)
{
    return due_s(leaf->from_s, leaf->to_s, ROTATION_LEAF_LIFE_S, ROTATION_LEAF_RENEW_S, leaf->seed);
}

static bool due(const struct rotation_authority *ca, int64_t now_s)
{
    return now_s >= authority_due_s(ca);
}

bool rotation_leaf_works(const struct rotation_seen *seen, enum rotation_who who)
{
    const struct rotation_leaf *leaf = &seen->leaves[who];

    return leaf->managed && leaf->good && leaf->issuer != ROTATION_UNKNOWN &&
           (seen->clock_doubted || valid(leaf->from_s, leaf->to_s, seen->now_s));
}

static bool anything_works(const struct rotation_seen *seen)
{
    for (int who = 0; who < ROTATION_LEAVES; who++)
        if (rotation_leaf_works(seen, who))
            return true;
    return false;
}

int64_t rotation_needed_until_s(const struct rotation_seen *seen, enum rotation_issuer issuer)
{
    int64_t until_s = 0;

    for (int who = 0; who < ROTATION_LEAVES; who++)
        if (rotation_leaf_works(seen, who) && seen->leaves[who].issuer == issuer &&
            seen->leaves[who].to_s > until_s)
            until_s = seen->leaves[who].to_s;
    return until_s;
}

int64_t rotation_expiry_s(const struct rotation_seen *seen)
{
    int64_t first_s = 0;

    for (int who = 0; who < ROTATION_LEAVES; who++) {
        const struct rotation_leaf *leaf = &seen->leaves[who];

        if (leaf->managed && leaf->good && (first_s == 0 || leaf->to_s < first_s))
            first_s = leaf->to_s;
    }
    return first_s;
}

static struct rotation_next step(enum rotation_step step, const char *reason)
{
    return (struct rotation_next){.step = step, .reason = reason};
}

/* A leaf that works by a CA which the next bundle would not have. */
static bool adopt(const struct rotation_seen *seen, struct rotation_next *next)
{
    for (int who = 0; who < ROTATION_LEAVES; who++)
        if (rotation_leaf_works(seen, who) && seen->leaves[who].issuer == ROTATION_BY_PUBLISHED) {
            *next = step(ROTATION_ADOPT, "the certificate in use is of a CA that was lost");
            next->who = who;
            return true;
        }
    return false;
}

static bool make_next(const struct rotation_seen *seen, struct rotation_next *next)
{
    bool signs = usable(&seen->current, seen->now_s);

    if (usable(&seen->next, seen->now_s))
        return false;
    if (!signs)
        *next = step(ROTATION_MAKE_NEXT, "there is no CA that can sign");
    else if (due(&seen->current, seen->now_s))
        *next = step(ROTATION_MAKE_NEXT, "the CA is due");
    else
        return false;
    return true;
}

/* Before anything is made: what there is, heals at once. */
static bool publish(const struct rotation_seen *seen, struct rotation_next *next)
{
    bool nothing = !seen->current.there && !seen->next.there && seen->previous == 0;

    if (nothing || seen->published || seen->publish_fails)
        return false;
    *next = step(ROTATION_PUBLISH, "the bundle is not everywhere as it should be");
    return true;
}

static bool settled(const struct rotation_seen *seen, const struct rotation_authority *ca)
{
    return ca->published_s >= (seen->settle_s ? seen->settle_s : ROTATION_PUBLISHED_S);
}

/* With nothing that works, waiting protects nobody. */
static bool take_over(const struct rotation_seen *seen, struct rotation_next *next)
{
    bool signs = usable(&seen->current, seen->now_s);

    if (seen->next.there && signs && !due(&seen->current, seen->now_s))
        *next = step(ROTATION_DROP_NEXT, "the current CA is good and not due");
    else if (!usable(&seen->next, seen->now_s))
        return false;
    else if (settled(seen, &seen->next))
        *next = step(ROTATION_SWITCH, "the next CA has been everywhere long enough");
    else if (!signs && !anything_works(seen))
        *next = step(ROTATION_SWITCH, "nothing works that could be lost");
    else
        return false;
    return true;
}

static const char *why_new(const struct rotation_seen *seen, const struct rotation_leaf *leaf)
{
    if (!leaf->good)
        return "there is no good certificate";
    if (!valid(leaf->from_s, leaf->to_s, seen->now_s))
        return "the certificate is not valid now";
    if (leaf->issuer == ROTATION_UNKNOWN)
        return "the certificate is of an unknown CA";
    if (leaf->issuer != ROTATION_BY_CURRENT)
        return "the certificate is not of the current CA";
    if (!leaf->fits)
        return "the certificate has other names";
    /* one that ends with its CA gains nothing from a successor by the same CA */
    if (seen->now_s >= leaf_due_s(leaf) && leaf->to_s < seen->current.to_s)
        return "the certificate is due";
    return NULL;
}

static bool make_leaf(const struct rotation_seen *seen, struct rotation_next *next)
{
    if (!usable(&seen->current, seen->now_s))
        return false;
    for (int who = 0; who < ROTATION_LEAVES; who++) {
        const struct rotation_leaf *leaf = &seen->leaves[who];
        const char *why = leaf->managed ? why_new(seen, leaf) : NULL;

        if (why && (settled(seen, &seen->current) || !rotation_leaf_works(seen, who))) {
            *next = step(ROTATION_MAKE_LEAF, why);
            next->who = who;
            return true;
        }
    }
    return false;
}

/* A time that no leaf of ours can have is one of a clock that was wrong. */
static bool retire(const struct rotation_seen *seen, struct rotation_next *next)
{
    bool over = seen->now_s > seen->previous_until_s ||
                seen->previous_until_s > seen->now_s + ROTATION_CA_LIFE_S;

    if (seen->previous == 0 || !over || rotation_needed_until_s(seen, ROTATION_BY_PREVIOUS) > 0)
        return false;
    *next = step(ROTATION_RETIRE, "what the previous CA signed has expired");
    return true;
}

/* Neither a CA nor a certificate waits for minutes to go by. */
static bool is_calm(const struct rotation_seen *seen)
{
    bool calm = seen->published && !seen->clock_doubted && !seen->next.there;

    for (int who = 0; who < ROTATION_LEAVES; who++)
        calm = calm && !(seen->leaves[who].managed && why_new(seen, &seen->leaves[who]));
    return calm;
}

struct rotation_next rotation_next(const struct rotation_seen *seen)
{
    /* with a doubted clock only those that ask none */
    static bool (*const rules[])(const struct rotation_seen *, struct rotation_next *) = {
        adopt, publish, make_next, take_over, make_leaf, retire,
    };
    size_t count = seen->clock_doubted ? 2 : sizeof rules / sizeof *rules;
    struct rotation_next next = {0};

    for (size_t i = 0; i < count; i++)
        if (rules[i](seen, &next))
            return next;
    next = step(ROTATION_WAIT, seen->clock_doubted ? "the clock is far from that of the API server"
                               : seen->published   ? "all is well"
                                                   : "some places can not be written");
    next.look_s = ROTATION_LOOK_S;
    next.calm = is_calm(seen);
    return next;
}
