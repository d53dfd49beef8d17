/*
 * Replays inputs without libFuzzer, so that seeds and regressions run in every
 * build and with every compiler: replay_<target> FILE|FOLDER...
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (64U << 20)

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    return 0;
}

static size_t replay_file(const char *path) {
    _cleanup_buf_ struct buf input = {0};
    _cleanup_error_ struct error err = {0};
    FUZZ_CHECK(file_read(path, INPUT_MAX, &input, &err) == 0, "%s", error_text(&err));
    /* Written before, so that a crash names its input. */
    fprintf(stderr, "replay %s\n", path);
    /* A copy of its very size: reading one byte too far is seen. */
    uint8_t *exact = malloc(input.len ? input.len : 1);
    FUZZ_CHECK(exact, "out of memory");
    if (input.len) memcpy(exact, input.data, input.len);
    LLVMFuzzerTestOneInput(exact, input.len);
    free(exact);
    return 1;
}

static size_t replay(const char *path) {
    struct stat st;
    if (stat(path, &st) < 0) return 0;
    if (!S_ISDIR(st.st_mode)) return replay_file(path);
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, alphasort);
    size_t count = 0;
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *below = path_join(path, names[i]->d_name);
        if (below && names[i]->d_name[0] != '.') count += replay(below);
        free(names[i]);
    }
    free(names);
    return count;
}

int main(int argc, char **argv) {
    LLVMFuzzerInitialize(&argc, &argv);
    size_t count = 0;
    for (int i = 1; i < argc; i++) count += replay(argv[i]);
    printf("%zu inputs\n", count);
    return 0;
}
