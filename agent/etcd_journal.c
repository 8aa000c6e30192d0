#include "agent/etcd_journal.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/tree.h"

void etcd_journal_format(const struct etcd_journal *journal, struct text *out)
{
    AUTO(json) json_t *tree = json_object();

    tree_put_text(tree, "phase", etcd_phase_name(journal->phase));
    tree_put_text(tree, "id", journal->id);
    tree_put_int(tree, "beganMs", journal->began_ms);
    tree_put_int(tree, "stampNs", journal->stamp_ns);
    tree_put_int(tree, "revision", journal->revision);
    tree_put_text(tree, "snapshot", journal->snapshot);
    tree_put_text(tree, "member", journal->member);
    if (journal->session[0])
        tree_put_text(tree, "session", journal->session);
    tree_write(out, tree, false);
    text_putc(out, '\n');
}

static bool take(const json_t *tree, const char *key, char *out, size_t room)
{
    struct span text = tree_span(tree, key);

    return text.data && snprintf(out, room, "%s", text.data) < (int)room;
}

bool etcd_journal_parse(struct span text, struct etcd_journal *journal, struct error *err)
{
    AUTO(json)
    json_t *tree = text.length <= ETCD_JOURNAL_MAX_BYTES
                       ? json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
    struct etcd_journal read = {.began_ms = tree_int(tree, "beganMs", -1),
                                .stamp_ns = tree_int(tree, "stampNs", 0),
                                .revision = tree_int(tree, "revision", 0)};

    if (read.began_ms < 0 || !etcd_phase_parse(tree_text(tree, "phase"), &read.phase) ||
        !take(tree, "id", read.id, sizeof read.id) ||
        !take(tree, "snapshot", read.snapshot, sizeof read.snapshot) ||
        !take(tree, "member", read.member, sizeof read.member) ||
        (tree_get(tree, "session") && !take(tree, "session", read.session, sizeof read.session)))
        return error_set(err, ERROR_INVALID,
                         "the journal of a restore is not understood; nothing is moved");
    *journal = read;
    return true;
}
