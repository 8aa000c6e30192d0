#include "base/scan.h"

#include "base/auto.h"
#include "tests/unit/suite.h"

static const char review[] =
    "{\"kind\":\"Review\",\"request\":{\"object\":{\"metadata\":{\"name\":\"a"
    "\",\"x\\u002fy\":1},\"status\":null}, \"list\":[1,\"two\",{}]}}";

START_TEST(members_are_found)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert_msg(scan_text(&scan, span_of(review), &err), "%s", err.message);
        ck_assert(scan_is(&scan, scan_path(&scan, 0, "request.object.metadata.name"), "a"));
        ck_assert(!scan_is(&scan, scan_path(&scan, 0, "request.object"), "a"));
        ck_assert(
            span_is(scan_slice(&scan, scan_path(&scan, 0, "request.list")), "[1,\"two\",{}]"));
        ck_assert(span_is(scan_slice(&scan, scan_member(&scan, 0, "kind")), "\"Review\""));

        uint32_t metadata = scan_path(&scan, 0, "request.object.metadata");

        ck_assert(span_is(scan_slice(&scan, scan_member(&scan, metadata, "x/y")), "1"));
    }
END_TEST

START_TEST(absent_members_answer_none)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert(scan_text(&scan, span_of(review), &err));
        ck_assert_uint_eq(scan_member(&scan, 0, "kin"), SCAN_NONE);
        ck_assert_uint_eq(scan_path(&scan, 0, "kind.name"), SCAN_NONE);
        ck_assert_uint_eq(scan_path(&scan, 0, "request.list.name"), SCAN_NONE);
        ck_assert_uint_eq(scan_path(&scan, SCAN_NONE, "request"), SCAN_NONE);
        ck_assert_ptr_null(scan_slice(&scan, SCAN_NONE).data);
        ck_assert_ptr_null(scan_tree(&scan, SCAN_NONE, NULL));
        ck_assert(!scan_is(&scan, SCAN_NONE, ""));
        ck_assert(!scan_holds(&scan, SCAN_NONE, ""));
    }
END_TEST

SUITE(base_scan)
{
    tcase_add_test(tests, members_are_found);
    tcase_add_test(tests, absent_members_answer_none);
}
