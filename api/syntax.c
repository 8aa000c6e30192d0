#include "api/syntax.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/cron.h"
#include "api/duration.h"
#include "api/names.h"
#include "base/limits.h"

static bool fault(struct error *err, const char *what)
{
    return error_set(err, ERROR_INVALID, "%s", what);
}

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* True when every character is a letter, a digit or one of `more`. */
static bool made_of(struct span text, const char *more)
{
    for (size_t i = 0; i < text.length; i++)
        if (!alnum(text.data[i]) && (!text.data[i] || !strchr(more, text.data[i])))
            return false;
    return true;
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (control(text.data[i]))
            return true;
    return false;
}

static struct span from(struct span text, size_t offset)
{
    return (struct span){text.data + offset, text.length - offset};
}

static bool begins(struct span text, const char *word)
{
    size_t length = strlen(word);

    return text.length >= length && strncasecmp(text.data, word, length) == 0;
}

/* The piece before the separator, and in *rest what follows it; false when there is none. */
static bool cut(struct span text, char separator, struct span *piece, struct span *rest)
{
    const char *at = text.length ? memchr(text.data, separator, text.length) : NULL;

    if (!at)
        return false;
    *piece = (struct span){text.data, (size_t)(at - text.data)};
    *rest = from(text, piece->length + 1);
    return true;
}

bool syntax_label(struct span text, struct error *err)
{
    return name_is_label(text) ||
           fault(err, "expected a name of at most 63 lower-case letters, digits and \"-\", with a "
                      "letter or digit at both ends");
}

bool syntax_subdomain(struct span text, struct error *err)
{
    return name_is_subdomain(text) ||
           fault(err, "expected a name of at most 253 lower-case letters, digits, \"-\" and \".\", "
                      "with a letter or digit at the ends of each part");
}

static bool qualified_name(struct span text)
{
    return text.length && name_is_label_value(text);
}

/* Subdomains of annotation keys are compared in lower case. */
static bool subdomain_any_case(struct span text)
{
    char lower[OBJECT_NAME_MAX_CHARS];

    if (text.length > sizeof lower)
        return false;
    for (size_t i = 0; i < text.length; i++)
        lower[i] = (char)tolower((unsigned char)text.data[i]);
    return name_is_subdomain((struct span){lower, text.length});
}

static bool key(struct span text, bool (*is_prefix)(struct span), struct error *err)
{
    struct span prefix, name;

    if (cut(text, '/', &prefix, &name) ? is_prefix(prefix) && qualified_name(name)
                                       : qualified_name(text))
        return true;
    return fault(err, "expected a key such as app or example.com/app: at most 63 letters, digits, "
                      "\"-\", \"_\" and \".\" behind the slash");
}

bool syntax_label_key(struct span text, struct error *err)
{
    return key(text, name_is_subdomain, err);
}

bool syntax_annotation_key(struct span text, struct error *err)
{
    return key(text, subdomain_any_case, err);
}

bool syntax_label_value(struct span text, struct error *err)
{
    return name_is_label_value(text) ||
           fault(err, "expected at most 63 letters, digits, \"-\", \"_\" and \".\", with a letter "
                      "or digit at both ends");
}

bool syntax_env_name(struct span text, struct error *err)
{
    if (text.length && made_of(text, "-._") && !isdigit((unsigned char)text.data[0]) &&
        !span_is(text, ".") && !begins(text, ".."))
        return true;
    return fault(err, "expected the name of an environment variable: letters, digits, \"_\", \"-\" "
                      "and \".\", not beginning with a digit");
}

bool syntax_data_key(struct span text, struct error *err)
{
    if (text.length && text.length <= OBJECT_NAME_MAX_CHARS && made_of(text, "-._") &&
        !span_is(text, ".") && !begins(text, ".."))
        return true;
    return fault(err, "expected a key of at most 253 letters, digits, \"-\", \"_\" and \".\"");
}

bool syntax_port_name(struct span text, struct error *err)
{
    bool letter = false, fine = text.length && text.length <= 15;

    for (size_t i = 0; i < text.length && fine; i++) {
        char c = text.data[i];

        letter |= c >= 'a' && c <= 'z';
        fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               (c == '-' && i && i + 1 < text.length && text.data[i - 1] != '-');
    }
    return (fine && letter) ||
           fault(err, "expected a port number, or the name of a port: at most 15 lower-case "
                      "letters, digits and single \"-\", at least one letter");
}

bool syntax_header_name(struct span text, struct error *err)
{
    return (text.length && made_of(text, "!#$%&'*+-.^_`|~")) ||
           fault(err, "expected the name of an HTTP header");
}

bool syntax_header_value(struct span text, struct error *err)
{
    for (size_t i = 0; i < text.length; i++)
        if (control(text.data[i]) && text.data[i] != '\t')
            return fault(err, "a header can not hold control characters");
    return true;
}

static bool has_parent(struct span text)
{
    struct span element;

    while (text_split(&text, '/', &element))
        if (span_is(element, ".."))
            return true;
    return false;
}

static bool path(struct span text, struct error *err)
{
    if (text.length > PATH_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "a path has at most %u bytes", PATH_MAX_BYTES);
    if (has_control(text))
        return fault(err, "a path can not hold control characters");
    if (has_parent(text))
        return fault(err, "\"..\" is not allowed in a path");
    return true;
}

bool syntax_absolute_path(struct span text, struct error *err)
{
    if (!text.length || text.data[0] != '/')
        return fault(err, "expected an absolute path, one that begins with \"/\"");
    return path(text, err);
}

bool syntax_relative_path(struct span text, struct error *err)
{
    if (text.length && text.data[0] == '/')
        return fault(err, "expected a relative path, one that does not begin with \"/\"");
    return path(text, err);
}

bool syntax_line(struct span text, struct error *err)
{
    return !has_control(text) || fault(err, "line breaks and control characters are not allowed");
}

bool syntax_no_nul(struct span text, struct error *err)
{
    return !text.length || !memchr(text.data, '\0', text.length) ||
           fault(err, "a NUL character is not allowed");
}

bool syntax_host(struct span text, struct error *err)
{
    return (text.length && text.length <= OBJECT_NAME_MAX_CHARS && made_of(text, "._-") &&
            text.data[0] != '-') ||
           fault(err, "expected a host such as host-0: letters, digits, \".\", \"_\" and \"-\"");
}

bool syntax_snapshot(struct span text, struct error *err)
{
    bool hex = text.length >= 8 && text.length <= 64;

    for (size_t i = 0; i < text.length && hex; i++)
        hex = isxdigit((unsigned char)text.data[i]) && !isupper((unsigned char)text.data[i]);
    return hex || span_is(text, "latest") ||
           fault(err, "expected the ID of a snapshot (8 to 64 hex digits) or latest");
}

/* The number of exactly `digits` digits at the front; -1 when there is none. */
static int take_number(struct span *text, size_t digits)
{
    int number = 0;

    if (text->length < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        if (!isdigit((unsigned char)text->data[i]))
            return -1;
        number = number * 10 + (text->data[i] - '0');
    }
    *text = from(*text, digits);
    return number;
}

static bool take_char(struct span *text, const char *one_of)
{
    if (!text->length || !text->data[0] || !strchr(one_of, text->data[0]))
        return false;
    *text = from(*text, 1);
    return true;
}

static int month_days(int year, int month)
{
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 ? 28 + leap : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static bool take_date(struct span *text)
{
    int year = take_number(text, 4);
    int month = take_char(text, "-") ? take_number(text, 2) : -1;
    int day = take_char(text, "-") ? take_number(text, 2) : -1;

    return year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= month_days(year, month);
}

static bool take_clock(struct span *text)
{
    int hour = take_number(text, 2);
    int minute = take_char(text, ":") ? take_number(text, 2) : -1;

    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

static bool take_seconds(struct span *text)
{
    int second = take_char(text, ":") ? take_number(text, 2) : -1;

    if (second < 0 || second > 59)
        return false;
    if (!take_char(text, "."))
        return true;
    if (take_number(text, 1) < 0)
        return false;
    while (take_number(text, 1) >= 0)
        continue;
    return true;
}

bool syntax_uid(struct span text, struct error *err)
{
    bool good = text.length == SYNTAX_UID_CHARS;

    for (size_t i = 0; good && i < text.length; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text.data[i];

        good = dash ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    return good || error_set(err, ERROR_INVALID, "expected a UID");
}

bool syntax_time(struct span text, struct error *err)
{
    bool fine = take_date(&text) && take_char(&text, "T") && take_clock(&text) &&
                take_seconds(&text) &&
                (take_char(&text, "Z") || (take_char(&text, "+-") && take_clock(&text)));

    return (fine && !text.length) ||
           fault(err, "expected a time with zone, such as 2024-05-01T13:30:00Z");
}

bool syntax_base64(struct span text, struct error *err)
{
    size_t length = text.length;

    while (length && text.length - length < 2 && text.data[length - 1] == '=')
        length--;
    return (text.length % 4 == 0 && made_of((struct span){text.data, length}, "+/")) ||
           fault(err, "expected base64 on one line");
}

bool syntax_image(struct span text, struct error *err)
{
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return fault(err, "an image reference holds no blanks");
    return true;
}

bool syntax_schedule(struct span text, struct error *err)
{
    struct cron cron;

    return cron_parse(&cron, text, err);
}

bool syntax_duration(struct span text, struct error *err)
{
    int64_t ns;

    if (!duration_parse(text, &ns, err))
        return false;
    return ns >= 0 || fault(err, "a duration of at least 0s is expected");
}

bool syntax_duration_positive(struct span text, struct error *err)
{
    int64_t ns;

    if (!duration_parse(text, &ns, err))
        return false;
    return ns > 0 || fault(err, "a duration above 0s is expected");
}

bool syntax_within(struct span text, struct error *err)
{
    struct within within;

    return within_parse(text, &within, err);
}

bool syntax_bucket(struct span text, struct error *err)
{
    bool slash = text.length && memchr(text.data, '/', text.length);

    return (text.length && text.length <= 256 && !slash && !has_control(text) &&
            !span_is(text, ".") && !span_is(text, "..")) ||
           fault(err, "expected the name of a bucket alone: no \"/\" (a folder goes into prefix), "
                      "at most 256 characters");
}

bool syntax_prefix(struct span text, struct error *err)
{
    if (text.length > 1024)
        return fault(err, "a prefix has at most 1024 characters");
    return path(text, err);
}

/* The part of a URL between "//" and the path. */
static struct span authority(struct span url)
{
    const char *mark = url.length ? memmem(url.data, url.length, "://", 3) : NULL;
    struct span rest = mark ? from(url, (size_t)(mark - url.data) + 3) : url;
    size_t length = 0;

    while (length < rest.length && !strchr("/?#", rest.data[length]))
        length++;
    return (struct span){rest.data, length};
}

bool syntax_has_credentials(struct span url)
{
    struct span host = authority(url);

    return host.length && memchr(host.data, '@', host.length);
}

static bool port_is_legal(struct span port)
{
    int number = 0;

    if (!port.length || port.length > 5)
        return false;
    for (size_t i = 0; i < port.length; i++) {
        if (!isdigit((unsigned char)port.data[i]))
            return false;
        number = number * 10 + (port.data[i] - '0');
    }
    return number >= 1 && number <= 65535;
}

/* Splits "host:port" or "[::1]:port"; false when it is neither. */
static bool split_authority(struct span text, struct span *host)
{
    struct span port = {0};
    bool ported;

    if (text.length && text.data[0] == '[') {
        if (!cut(from(text, 1), ']', host, &port) || !made_of(*host, ":.%"))
            return false;
        return !port.length || (port.data[0] == ':' && port_is_legal(from(port, 1)));
    }
    *host = text;
    ported = cut(text, ':', host, &port);
    return host->length && host->length <= OBJECT_NAME_MAX_CHARS && made_of(*host, ".-_") &&
           (!ported || port_is_legal(port));
}

static bool link_local(struct span host)
{
    return begins(host, "169.254.") ||
           (begins(host, "fe") && host.length > 3 && memchr(host.data, ':', host.length) &&
            strchr("89abAB", host.data[2]));
}

bool syntax_is_loopback(struct span url)
{
    struct span host;

    return split_authority(authority(url), &host) &&
           (begins(host, "127.") || span_is(host, "::1") ||
            (host.length == 9 && begins(host, "localhost")));
}

static bool address(struct span text, struct error *err)
{
    struct span host;

    if (syntax_has_credentials(text))
        return fault(err, "an address can not hold credentials: they belong into the Secret");
    if (memchr(text.data, '?', text.length) || memchr(text.data, '#', text.length))
        return fault(err, "an address can not hold a query or a fragment");
    if (has_control(text) || memchr(text.data, ' ', text.length))
        return fault(err, "an address can not hold blanks or control characters");
    if (!split_authority(authority(text), &host))
        return fault(err, "expected a host and perhaps a port, such as s3.example.com:9000");
    if (link_local(host))
        return fault(err, "a link-local address is no storage service");
    return true;
}

static bool is_http(struct span text)
{
    return begins(text, "http://") || begins(text, "https://");
}

bool syntax_s3_endpoint(struct span text, struct error *err)
{
    bool scheme = text.length && memmem(text.data, text.length, "://", 3);

    if (!text.length || (scheme && !is_http(text) && !syntax_has_credentials(text)))
        return fault(err, "expected a host, or an address that begins with https:// or http://");
    return address(text, err);
}

bool syntax_rest_url(struct span text, struct error *err)
{
    if (!is_http(text) && !syntax_has_credentials(text))
        return fault(err, "expected an address that begins with https:// or http://");
    return address(text, err);
}
