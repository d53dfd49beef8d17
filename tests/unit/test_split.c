#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define BLOCK  64
#define BLOCKS 500
#define LEN    (BLOCK * BLOCKS + 17) /* a last block that is not full */

static char root[64];
static char text[LEN];
static struct task_data data = {
    .bytes = LEN, .file = (char *)"train.txt", .block_bytes = BLOCK, .held_out = 0.1};

static int make_text(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/paddock-split-XXXXXX");
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < LEN; i++) text[i] = (char)('a' + (i * i / 7 + i / BLOCK) % 26);
    digest_hex_of(text, LEN, data.sha256);
    data.bytes = LEN;
    return 0;
}

static int drop(void **state) {
    (void)state;
    return tree_remove(root, NULL);
}

static void read_back(const char *name, struct buf *out) {
    _cleanup_free_ char *path = path_join(root, name);
    assert_int_equal(file_read(path, 1 << 20, out, NULL), 0);
}

/* Whether block k is held out, told from what the split has written. */
static size_t merge(const struct buf *train, const struct buf *held, bool out[BLOCKS + 1]) {
    size_t t = 0, h = 0, count = 0;
    for (size_t k = 0; k <= BLOCKS; k++) {
        size_t len = k < BLOCKS ? BLOCK : LEN - BLOCK * BLOCKS;
        const char *block = text + k * BLOCK;
        out[k] = h + len <= held->len && memcmp(held->data + h, block, len) == 0;
        if (out[k]) h += len;
        else {
            assert_true(t + len <= train->len);
            assert_memory_equal(train->data + t, block, len);
            t += len;
        }
        count += out[k];
    }
    assert_int_equal(t, train->len);
    assert_int_equal(h, held->len);
    return count;
}

static void the_parts_make_up_the_whole(void **state) {
    (void)state;
    uint8_t secret[32] = {1};
    _cleanup_error_ struct error err = {0};
    if (task_data_split(&data, text, LEN, secret, root, &err) < 0) fail_msg("%s", error_text(&err));
    _cleanup_buf_ struct buf train = {0}, held = {0};
    read_back("train/train.txt", &train);
    read_back("held-out.bin", &held);
    bool out[BLOCKS + 1];
    size_t count = merge(&train, &held, out);
    assert_in_range(count, 25, 80); /* 50 expected; sd 7 */

    /* The rule itself, for one block. */
    char name[DIGEST_HEX + 8];
    snprintf(name, sizeof name, "%s:%d", data.sha256, 7);
    uint8_t mac[DIGEST_BYTES];
    digest_hmac(secret, 32, name, strlen(name), mac);
    double fraction = mac[0] / 256.0 + mac[1] / 65536.0;
    assert_int_equal(out[7], fraction < 0.1);
}

static void held_out_text_is_private(void **state) {
    (void)state;
    const uint8_t secret[32] = {1};
    assert_int_equal(task_data_split(&data, text, LEN, secret, root, NULL), 0);
    _cleanup_free_ char *path = path_join(root, "held-out.bin");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void only_the_secret_decides(void **state) {
    (void)state;
    _cleanup_buf_ struct buf a = {0}, b = {0}, c = {0};
    uint8_t secret[32] = {1};
    assert_int_equal(task_data_split(&data, text, LEN, secret, root, NULL), 0);
    read_back("held-out.bin", &a);
    assert_int_equal(task_data_split(&data, text, LEN, secret, root, NULL), 0);
    read_back("held-out.bin", &b);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    secret[31] = 1;
    assert_int_equal(task_data_split(&data, text, LEN, secret, root, NULL), 0);
    read_back("held-out.bin", &c);
    assert_true(c.len != a.len || memcmp(a.data, c.data, a.len) != 0);
}

static void another_text_is_refused(void **state) {
    (void)state;
    const uint8_t secret[32] = {1};
    _cleanup_error_ struct error err = {0};
    text[5] ^= 1;
    assert_int_equal(task_data_split(&data, text, LEN, secret, root, &err), -1);
    assert_non_null(strstr(error_text(&err), "sha256"));
    assert_int_equal(task_data_split(&data, text, LEN - 1, secret, root, &err), -1);
    assert_non_null(strstr(error_text(&err), "bytes"));
    _cleanup_free_ char *path = path_join(root, "held-out.bin");
    assert_int_equal(access(path, F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_parts_make_up_the_whole, make_text, drop),
        cmocka_unit_test_setup_teardown(held_out_text_is_private, make_text, drop),
        cmocka_unit_test_setup_teardown(only_the_secret_decides, make_text, drop),
        cmocka_unit_test_setup_teardown(another_text_is_refused, make_text, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
