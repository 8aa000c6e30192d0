#include "api/syntax.h"

#include "tests/unit/suite.h"

#define S10 "0123456789"
#define S60 S10 S10 S10 S10 S10 S10
#define S240 S60 S60 S60 S60

static const struct {
    bool (*check)(struct span text, struct error *err);
    const char *text;
    bool fine;
} rows[] = {
    {syntax_label, "web-1", true},
    {syntax_label, "1web", true},
    {syntax_label, "Web", false},
    {syntax_label, "web.db", false},
    {syntax_label, "", false},
    {syntax_label, S60 "abc", true},
    {syntax_label, S60 "abcd", false},
    {syntax_subdomain, "web.db-1", true},
    {syntax_subdomain, "web..db", false},
    {syntax_subdomain, "-web", false},
    {syntax_subdomain, S240 "0123456789abc", true},
    {syntax_subdomain, S240 "0123456789abcd", false},
    {syntax_label_key, "app", true},
    {syntax_label_key, "App_1.x", true},
    {syntax_label_key, "example.com/app", true},
    {syntax_label_key, "Example.com/app", false},
    {syntax_label_key, "/app", false},
    {syntax_label_key, "example.com/", false},
    {syntax_label_key, "a/b/c", false},
    {syntax_label_key, "", false},
    {syntax_label_key, "-app", false},
    {syntax_annotation_key, "Example.com/app", true},
    {syntax_annotation_key, "example.com/App", true},
    {syntax_annotation_key, S240 S60 "/app", false},
    {syntax_label_value, "", true},
    {syntax_label_value, "A.b_c-d", true},
    {syntax_label_value, "a b", false},
    {syntax_env_name, "PATH_2.x-y", true},
    {syntax_env_name, "_", true},
    {syntax_env_name, "2PATH", false},
    {syntax_env_name, "A=B", false},
    {syntax_env_name, ".", false},
    {syntax_env_name, "..a", false},
    {syntax_env_name, ".a", true},
    {syntax_env_name, "", false},
    {syntax_data_key, "tls.crt", true},
    {syntax_data_key, "..data", false},
    {syntax_data_key, "a/b", false},
    {syntax_data_key, S240 "01234567890123", false},
    {syntax_port_name, "http", true},
    {syntax_port_name, "http-2", true},
    {syntax_port_name, "8080", false},
    {syntax_port_name, "a--b", false},
    {syntax_port_name, "-a", false},
    {syntax_port_name, "a-", false},
    {syntax_port_name, "HTTP", false},
    {syntax_port_name, "abcdefghijklmno", true},
    {syntax_port_name, "abcdefghijklmnop", false},
    {syntax_port_name, "", false},
    {syntax_header_name, "X-Auth", true},
    {syntax_header_name, "X Auth", false},
    {syntax_header_name, "X:", false},
    {syntax_header_name, "", false},
    {syntax_header_value, "a\tb", true},
    {syntax_header_value, "a\r\nX: y", false},
    {syntax_absolute_path, "/", true},
    {syntax_absolute_path, "/source/data/", true},
    {syntax_absolute_path, "/a/..b/c", true},
    {syntax_absolute_path, "/a/../b", false},
    {syntax_absolute_path, "/a/..", false},
    {syntax_absolute_path, "a", false},
    {syntax_absolute_path, "--password-command=x", false},
    {syntax_absolute_path, "", false},
    {syntax_absolute_path, "/a\nb", false},
    {syntax_relative_path, "a/b", true},
    {syntax_relative_path, "/a", false},
    {syntax_relative_path, "../a", false},
    {syntax_relative_path, "a/..", false},
    {syntax_line, "*.tmp", true},
    {syntax_line, "a\nb", false},
    {syntax_host, "host-0", true},
    {syntax_host, "node-1.example.com", true},
    {syntax_host, "-x", false},
    {syntax_host, "a b", false},
    {syntax_host, "", false},
    {syntax_snapshot, "latest", true},
    {syntax_snapshot, "0123abcd", true},
    {syntax_snapshot, "0123ABCD", false},
    {syntax_snapshot, "0123abc", false},
    {syntax_snapshot, "--no-lock", false},
    {syntax_snapshot, "Latest", false},
    {syntax_snapshot, "latest:/etc", false},
    {syntax_uid, "5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3e", true},
    {syntax_uid, "5F0D8A3E-6b0f-4f0e-9a55-0b6f7a1c2d3e", false},
    {syntax_uid, "5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3", false},
    {syntax_uid, "5f0d8a3ee6b0f-4f0e-9a55-0b6f7a1c2d3e", false},
    {syntax_uid, "", false},
    {syntax_time, "2024-05-01T13:30:00Z", true},
    {syntax_time, "2024-02-29T00:00:00.123456789+05:30", true},
    {syntax_time, "2023-02-29T00:00:00Z", false},
    {syntax_time, "1900-02-29T00:00:00Z", false},
    {syntax_time, "2000-02-29T00:00:00Z", true},
    {syntax_time, "2024-04-31T00:00:00Z", false},
    {syntax_time, "2024-05-01", false},
    {syntax_time, "2024-05-01T13:30:00", false},
    {syntax_time, "2024-05-01 13:30:00Z", false},
    {syntax_time, "2024-05-01T24:00:00Z", false},
    {syntax_time, "2024-05-01T13:60:00Z", false},
    {syntax_time, "2024-05-01T13:30:60Z", false},
    {syntax_time, "2024-05-01T13:30:00.Z", false},
    {syntax_time, "2024-05-01T13:30:00ZZ", false},
    {syntax_time, "2024-05-01T13:30:00+24:00", false},
    {syntax_time, "2024-00-01T13:30:00Z", false},
    {syntax_time, "2024-5-1T13:30:00Z", false},
    {syntax_time, "yesterday", false},
    {syntax_base64, "", true},
    {syntax_base64, "QUJD", true},
    {syntax_base64, "QUI=", true},
    {syntax_base64, "QQ==", true},
    {syntax_base64, "Q===", false},
    {syntax_base64, "QUJ", false},
    {syntax_base64, "QU=D", false},
    {syntax_base64, "QUJD\n", false},
    {syntax_base64, "-----BEGIN CERTIFICATE-----", false},
    {syntax_image, "registry:5000/a/b@sha256:00", true},
    {syntax_image, "a b", false},
    {syntax_image, " a", false},
    {syntax_duration, "0s", true},
    {syntax_duration, "-1s", false},
    {syntax_duration, "1d", false},
    {syntax_duration_positive, "1h", true},
    {syntax_duration_positive, "0s", false},
    {syntax_within, "30d", true},
    {syntax_within, "30", false},
    {syntax_schedule, "@daily", true},
    {syntax_schedule, "daily", false},
    {syntax_bucket, "my-bucket.x_Y", true},
    {syntax_bucket, "a b", true}, /* Swift */
    {syntax_bucket, "a/b", false},
    {syntax_bucket, "", false},
    {syntax_bucket, "..", false},
    {syntax_bucket, "a\nb", false},
    {syntax_prefix, "/demo/app/", true},
    {syntax_prefix, "../x", false},
    {syntax_prefix, "a\tb", false},
    {syntax_s3_endpoint, "s3.amazonaws.com", true},
    {syntax_s3_endpoint, "minio.storage.svc:9000", true},
    {syntax_s3_endpoint, "http://minio.storage.svc:9000", true},
    {syntax_s3_endpoint, "https://s3.example.com/tenant", true},
    {syntax_s3_endpoint, "HTTPS://[2001:db8::1]:9000", true},
    {syntax_s3_endpoint, "", false},
    {syntax_s3_endpoint, "ftp://x", false},
    {syntax_s3_endpoint, "https://", false},
    {syntax_s3_endpoint, "https://key:secret@s3.example.com", false},
    {syntax_s3_endpoint, "key:secret@s3.example.com", false},
    {syntax_s3_endpoint, "https://s3.example.com?x=1", false},
    {syntax_s3_endpoint, "https://s3.example.com#x", false},
    {syntax_s3_endpoint, "s3.example.com:0", false},
    {syntax_s3_endpoint, "s3.example.com:65536", false},
    {syntax_s3_endpoint, "s3.example.com:", false},
    {syntax_s3_endpoint, "s3 example", false},
    {syntax_s3_endpoint, "http://169.254.169.254/latest", false},
    {syntax_s3_endpoint, "[fe80::1]:80", false},
    {syntax_s3_endpoint, "[::1", false},
    {syntax_s3_endpoint, "-oProxyCommand=x", false},
    {syntax_rest_url, "https://rest.example.com:8000/a/b", true},
    {syntax_rest_url, "rest.example.com", false},
    {syntax_rest_url, "file:///etc", false},
    {syntax_rest_url, "https://u:p@rest.example.com", false},
};

START_TEST(texts_are_judged)
    {
        struct error err = {0};
        bool fine = rows[_i].check(span_of(rows[_i].text), &err);

        ck_assert_msg(fine == rows[_i].fine, "row %d, \"%s\": %s", _i, rows[_i].text, err.message);
        if (!fine) {
            ck_assert_int_eq(err.code, ERROR_INVALID);
            ck_assert_str_ne(err.message, "");
            ck_assert_ptr_null(strstr(err.message, "secret"));
        }
    }
END_TEST

static bool (*const checks[])(struct span text, struct error *err) = {
    syntax_label,         syntax_subdomain,
    syntax_label_key,     syntax_annotation_key,
    syntax_label_value,   syntax_env_name,
    syntax_data_key,      syntax_port_name,
    syntax_header_name,   syntax_header_value,
    syntax_host,          syntax_absolute_path,
    syntax_relative_path, syntax_line,
    syntax_snapshot,      syntax_time,
    syntax_base64,        syntax_image,
    syntax_schedule,      syntax_duration,
    syntax_within,        syntax_bucket,
    syntax_prefix,        syntax_s3_endpoint,
    syntax_rest_url,      syntax_duration_positive,
    syntax_no_nul,
};

/* J5: a NUL is nowhere part of a legal text, and ends none. */
START_TEST(a_nul_is_never_legal)
    {
        static const char *const texts[] = {"a\0b", "/a\0b", "1h\0x", "@daily\0"};
        static const size_t lengths[] = {3, 4, 4, 7};

        for (size_t i = 0; i < 4; i++) {
            struct error err = {0};

            ck_assert(!checks[_i]((struct span){texts[i], lengths[i]}, &err));
        }
    }
END_TEST

START_TEST(an_absent_text_is_an_empty_one)
    {
        struct error a = {0}, b = {0};

        ck_assert_int_eq(checks[_i]((struct span){NULL, 0}, &a), checks[_i](span_of(""), &b));
    }
END_TEST

START_TEST(a_path_has_a_length)
    {
        static char path[5000];
        struct error err = {0};

        memset(path, '/', sizeof path);
        ck_assert(syntax_absolute_path((struct span){path, 4096}, &err));
        ck_assert(!syntax_absolute_path((struct span){path, 4097}, &err));
        ck_assert(!syntax_prefix((struct span){path, 1025}, &err));
        ck_assert(!syntax_bucket((struct span){path, 257}, &err));
    }
END_TEST

SUITE(api_syntax)
{
    suite_rows(tests, texts_are_judged, rows);
    suite_rows(tests, a_nul_is_never_legal, checks);
    suite_rows(tests, an_absent_text_is_an_empty_one, checks);
    tcase_add_test(tests, a_path_has_a_length);
}
