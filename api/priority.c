#include "api/priority.h"

#include "api/pairs.h"
#include "base/tree.h"

#define NICE_MIN (-20)
#define NICE_MAX 19
#define IO_LEVELS 8
#define IO_LEVEL_DEFAULT 4

static const char *const keys[] = {"nice", "ionice", NULL};

static const char *const io_classes[] = {"", "realtime", "best-effort", "idle"};

static bool set_nice(struct priority *priority, struct span text, struct error *err)
{
    bool minus = text.data[0] == '-';
    int value = 0;

    text = (struct span){text.data + minus, text.length - minus};
    for (size_t i = 0; i < text.length && i < 3; i++)
        value =
            text.data[i] >= '0' && text.data[i] <= '9' ? value * 10 + (text.data[i] - '0') : 100;
    value = minus ? -value : value;
    if (!text.length || text.length > 2 || value < NICE_MIN || value > NICE_MAX)
        return error_set(err, ERROR_INVALID, "must be a whole number from %d to %d", NICE_MIN,
                         NICE_MAX);
    priority->has_nice = true;
    priority->nice = value;
    return true;
}

static bool set_io(struct priority *priority, struct span text, struct error *err)
{
    struct span level = text, name;
    int number = IO_LEVEL_DEFAULT;

    text_split(&level, ':', &name);

    bool leveled = name.length < text.length;
    bool digit = level.length == 1 && level.data[0] >= '0' && level.data[0] < '0' + IO_LEVELS;

    if (leveled && digit)
        number = level.data[0] - '0';
    for (enum io_class class = IO_REALTIME; class <= IO_IDLE; class ++) {
        if (!span_is(name, io_classes[class]) || (leveled && (!digit || class == IO_IDLE)))
            continue;
        priority->io_class = class;
        priority->io_level = class == IO_IDLE ? 0 : number;
        return true;
    }
    return error_set(err, ERROR_INVALID,
                     "must be idle, best-effort, realtime, best-effort:0 to 7 or realtime:0 to 7");
}

static bool set(void *into, size_t key, struct span value, struct error *err)
{
    return key == 0 ? set_nice(into, value, err) : set_io(into, value, err);
}

bool priority_parse(struct span text, struct priority *priority, struct error *err)
{
    static const struct pairs pairs = {keys, set};
    struct priority made = {.io_class = IO_NONE};

    if (!pairs_parse(&pairs, text, &made, err))
        return false;
    if (!made.has_nice && !made.io_class)
        return error_set(err, ERROR_INVALID, "it sets nothing");
    *priority = made;
    return true;
}

static void clamp_nice(struct priority *priority, const struct priority *min,
                       const struct priority *max, struct text *told)
{
    int before = priority->nice;

    if (!priority->has_nice)
        return;
    if (min && min->has_nice && priority->nice < min->nice)
        priority->nice = min->nice;
    if (max && max->has_nice && priority->nice > max->nice)
        priority->nice = max->nice;
    if (priority->nice != before)
        text_addf(told, "%snice=%d instead of %d", told->length ? ", " : "", priority->nice,
                  before);
}

/* The gentler, the higher; as nice has it. */
static int io_rank(const struct priority *priority)
{
    return (int)priority->io_class * IO_LEVELS + priority->io_level;
}

static void add_io(struct text *out, const struct priority *priority)
{
    text_puts(out, io_classes[priority->io_class]);
    if (priority->io_class != IO_IDLE)
        text_addf(out, ":%d", priority->io_level);
}

static void clamp_io(struct priority *priority, const struct priority *min,
                     const struct priority *max, struct text *told)
{
    const struct priority *bound = NULL;

    if (!priority->io_class)
        return;
    if (min && min->io_class && io_rank(priority) < io_rank(min))
        bound = min;
    else if (max && max->io_class && io_rank(priority) > io_rank(max))
        bound = max;
    if (!bound)
        return;
    text_addf(told, "%sionice=", told->length ? ", " : "");
    add_io(told, bound);
    text_puts(told, " instead of ");
    add_io(told, priority);
    priority->io_class = bound->io_class;
    priority->io_level = bound->io_level;
}

bool priority_clamp(struct priority *priority, const struct priority *min,
                    const struct priority *max, struct text *told)
{
    size_t before = told->length;

    clamp_nice(priority, min, max, told);
    clamp_io(priority, min, max, told);
    return told->length != before;
}

void priority_put(json_t *container, const struct priority *priority)
{
    if (priority->has_nice) {
        json_t *nice = json_object();

        tree_put_int(nice, "adjustment", priority->nice);
        tree_put_new(container, "nice", nice);
    }
    if (priority->io_class) {
        json_t *ionice = json_object();

        tree_put_int(ionice, "class", priority->io_class);
        if (priority->io_class != IO_IDLE)
            tree_put_int(ionice, "classData", priority->io_level);
        tree_put_new(container, "ionice", ionice);
    }
}
