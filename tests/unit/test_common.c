/* Strings, digests and time. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void buffers_grow_and_hand_over(void **state) {
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++) buf_printf(&b, "%d,", i);
    assert_false(buf_failed(&b));
    assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    _cleanup_free_ char *text = buf_steal(&b);
    assert_int_equal(strlen(text), 3890);
    assert_int_equal(b.len, 0);
    _cleanup_free_ char *empty = buf_steal(&b);
    assert_string_equal(empty, "");
}

static void names(void **state) {
    (void)state;
    char long_name[66] = {0};
    memset(long_name, 'a', 65);
    assert_true(str_is_name("tinygpt-1.b_c"));
    const char *bad[] = {"", ".x", "-x", "A", "a/b", "a b", "..", long_name, NULL};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) assert_false(str_is_name(bad[i]));
}

static void hostile_text_is_made_printable(void **state) {
    (void)state;
    struct {
        const char *in, *out;
    } cases[] = {
        {"plain \xc3\xa4", "plain \xc3\xa4"},
        {"\033[2J\n", "\\x1b[2J\\x0a"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"}, /* C1 control sequence introducer */
        {"\xe2\x80\xae"
         "x",
         "\\xe2\\x80\\xaex"},                /* right-to-left override */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
        {"\xf0\x9f\x90\x8e", "\xf0\x9f\x90\x8e"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *got = str_printable(cases[i].in, strlen(cases[i].in));
        assert_string_equal(got, cases[i].out);
    }
}

static void string_lists(void **state) {
    (void)state;
    _cleanup_strv_ char **v = NULL;
    assert_int_equal(strv_push(&v, "a"), 0);
    assert_int_equal(strv_push(&v, "b"), 0);
    _cleanup_strv_ char **copy = strv_copy(v);
    assert_int_equal(strv_len(copy), 2);
    assert_string_equal(copy[1], "b");
    assert_null(copy[2]);
}

/* FIPS 180-2 "abc" and RFC 4231 test case 2. */
static void digests_match_published_vectors(void **state) {
    (void)state;
    char hex[DIGEST_HEX];
    digest_hex_of("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    uint8_t mac[DIGEST_BYTES], back[DIGEST_BYTES];
    digest_hmac("Jefe", 4, "what do ya want for nothing?", 28, mac);
    hex_encode(mac, sizeof mac, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_int_equal(hex_decode(hex, back, sizeof back), 0);
    assert_memory_equal(mac, back, sizeof mac);
    assert_int_equal(hex_decode("zz", back, 1), -1);
    assert_int_equal(hex_decode("aabb", back, 1), -1);
    struct digest_ctx *ctx = digest_new();
    digest_update(ctx, "a", 1);
    digest_update(ctx, "bc", 2);
    uint8_t raw[DIGEST_BYTES];
    digest_final(ctx, raw);
    digest_bytes("abc", 3, back);
    assert_memory_equal(raw, back, sizeof raw);
}

static void dates_are_utc(void **state) {
    (void)state;
    char text[32];
    clock_format_utc(INT64_C(1700000000123456789), text);
    assert_string_equal(text, "2023-11-14T22:13:20.123Z");
    int64_t a = clock_mono_ns();
    assert_true(clock_mono_ns() >= a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_grow_and_hand_over),      cmocka_unit_test(names),
        cmocka_unit_test(hostile_text_is_made_printable),  cmocka_unit_test(string_lists),
        cmocka_unit_test(digests_match_published_vectors), cmocka_unit_test(dates_are_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
