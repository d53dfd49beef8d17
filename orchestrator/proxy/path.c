/* Which of the paths of three protocols was asked for (declared in proxy.h). Base URLs
 * are written with and without their version, so that only the ends count. */
#include "common/buf.h"
#include "orchestrator/proxy/proxy.h"

#include <string.h>

static bool is_gemini(const char *path) {
    return strstr(path, "/models/") != NULL;
}

static struct proxy_path of_post(const char *path) {
    static const struct {
        const char *end;
        bool gemini;
        struct proxy_path is;
    } ends[] = {
        {"/chat/completions", false, {ASK_CALL, "openai", false}},
        {"/messages", false, {ASK_CALL, "anthropic", false}},
        {"/messages/count_tokens", false, {ASK_COUNT, "anthropic", false}},
        {":generateContent", true, {ASK_CALL, "gemini", false}},
        {":streamGenerateContent", true, {ASK_CALL, "gemini", true}},
        {":countTokens", true, {ASK_COUNT, "gemini", false}},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(path, ends[i].end) && (!ends[i].gemini || is_gemini(path))) return ends[i].is;
    return (struct proxy_path){ASK_NOTHING, NULL, false};
}

struct proxy_path proxy_path(const char *method, const char *path) {
    struct proxy_path none = {ASK_NOTHING, NULL, false};
    if (strcmp(method, "POST") == 0) return of_post(path);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) return none;
    if (strcmp(path, "/") == 0) return (struct proxy_path){ASK_ALIVE, NULL, false};
    if (str_ends(path, "/models") || is_gemini(path))
        return (struct proxy_path){ASK_MODELS, NULL, false};
    return none;
}
