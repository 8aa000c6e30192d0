#include "kube/time.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Days since 1970 of a date of the Gregorian calendar; March is the first month of a year here. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
    int64_t moved = month > 2 ? month - 3 : month + 9, from = month > 2 ? year : year - 1;
    int64_t cycle = from / 400, of_cycle = from % 400;

    return cycle * 146097 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + (moved * 153 + 2) / 5 +
           day - 1 - 719468;
}

static bool date_exists(unsigned year, unsigned month, unsigned day)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] + (month == 2 && leap);
}

/* "Z" or "+02:00" */
static bool offset(const char *at, int64_t *offset_s)
{
    unsigned hours, minutes;
    int length = 0;

    if (strcmp(at, "Z") == 0 || strcmp(at, "z") == 0)
        return true;
    if ((*at != '+' && *at != '-') || !isdigit((unsigned char)at[1]) || strlen(at) != 6 ||
        sscanf(at + 1, "%2u:%2u%n", &hours, &minutes, &length) != 2 || length != 5 || hours > 23 ||
        minutes > 59)
        return false;
    *offset_s = (int64_t)(hours * 60 + minutes) * (*at == '-' ? -60 : 60);
    return true;
}

bool time_parse(struct span text, int64_t *moment_s)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    unsigned year, month, day, hour, minute, second;
    char copy[64];
    int64_t offset_s = 0;

    if (text.length >= sizeof copy || text.length < sizeof shape)
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)copy[i]) : toupper(copy[i]) != shape[i])
            return false;
    if (sscanf(copy, "%4u-%2u-%2u%*c%2u:%2u:%2u", &year, &month, &day, &hour, &minute, &second) !=
            6 ||
        !date_exists(year, month, day) || hour > 23 || minute > 59 || second > 60)
        return false;

    const char *rest = copy + sizeof shape - 1;

    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (!offset(rest, &offset_s))
        return false;
    *moment_s = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_s;
    return true;
}

static unsigned month_of(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (unsigned i = 0; i < 12; i++)
        if (memcmp(names + (size_t)3 * i, name, 3) == 0)
            return i + 1;
    return 0;
}

static unsigned two(const char *digits)
{
    return (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
}

bool time_parse_date(struct span text, int64_t *moment_s)
{
    static const char shape[] = "aaa, dd aaa dddd dd:dd:dd GMT";
    const char *at = text.data;

    if (text.length != sizeof shape - 1)
        return false;
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] == 'd'   ? !isdigit((unsigned char)at[i])
            : shape[i] == 'a' ? !isalpha((unsigned char)at[i])
                              : at[i] != shape[i])
            return false;

    unsigned year = two(at + 12) * 100 + two(at + 14), month = month_of(at + 8), day = two(at + 5);
    unsigned hour = two(at + 17), minute = two(at + 20), second = two(at + 23);

    if (!date_exists(year, month, day) || hour > 23 || minute > 59 || second > 60)
        return false;
    *moment_s = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}
