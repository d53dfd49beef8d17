#include "orchestrator/model/relay_screen.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/model/pick.h"

#include <string.h>

#define DEPTH_MAX 64

static bool is_one_of(const char *word, const char *const *list) {
    for (; *list; list++)
        if (strcmp(word, *list) == 0) return true;
    return false;
}

/* ---- tools ---- */

static int refuse_tool(const char *name, struct error *err) {
    _cleanup_free_ char *shown = str_printable(name, strnlen(name, 80));
    return error_set(err, ERROR_DENIED,
                     "the tool \"%s\" is run by the model's server, which is no way out of here: "
                     "only tools that the caller runs itself may be offered",
                     shown ? shown : "?");
}

/* Without a type they are the caller's; of the typed ones these are, too. */
static bool is_own_anthropic(const char *type) {
    static const char *const own[] = {"bash_", "text_editor_", "computer_", "memory_", NULL};
    if (!type || strcmp(type, "custom") == 0) return true;
    for (size_t i = 0; own[i]; i++)
        if (str_starts(type, own[i])) return true;
    return false;
}

/* Servers behind this protocol have tools of their own under names of their own. */
static int screen_members(const struct json *tool, const char *const *own, struct error *err) {
    for (size_t i = 0; i < json_count(tool); i++)
        if (!is_one_of(json_key_at(tool, i), own)) return refuse_tool(json_key_at(tool, i), err);
    return 0;
}

static int screen_tool(const char *protocol, const struct json *tool, struct error *err) {
    static const char *const gemini[] = {"functionDeclarations", "function_declarations", NULL};
    static const char *const openai[] = {"type", "function", "custom", "cache_control", NULL};
    static const char *const types[] = {"function", "custom", NULL};
    const char *type = pick_text(tool, "type");
    if (json_type(tool) != JSON_OBJECT) return json_error(tool, err, "must be an object");
    if (pick(tool, "type") && !type) return json_error(tool, err, "has a type that is no text");
    if (strcmp(protocol, "gemini") == 0) return screen_members(tool, gemini, err);
    if (strcmp(protocol, "anthropic") == 0)
        return is_own_anthropic(type) ? 0 : refuse_tool(type, err);
    if (!type || !is_one_of(type, types)) return refuse_tool(type ? type : "", err);
    return screen_members(tool, openai, err);
}

int relay_screen_tools(const char *protocol, const struct json *tools, struct error *err) {
    if (!tools || json_type(tools) == JSON_NULL) return 0;
    if (json_type(tools) != JSON_ARRAY) return json_error(tools, err, "must be a list");
    for (size_t i = 0; i < json_count(tools); i++)
        if (screen_tool(protocol, json_at(tools, i), err) < 0) return -1;
    return 0;
}

/* ---- content ---- */

static int refuse_content(const char *what, struct error *err) {
    return error_set(err, ERROR_DENIED,
                     "\"%s\" would have the model's server get something from elsewhere: only what "
                     "is in the request itself may be sent",
                     what);
}

static bool is_data(const char *url) {
    return url && strncasecmp(url, "data:", 5) == 0;
}

/* One member of a message or a part of it. */
static int screen_member(const char *key, const struct json *v, struct error *err) {
    static const char *const never[] = {"file_id", "fileId",           "fileData",      "file_uri",
                                        "fileUri", "container_upload", "cachedContent", NULL};
    const char *text = text_of(v);
    if (is_one_of(key, never)) return refuse_content(key, err);
    if (strcmp(key, "file_data") == 0 && !is_data(text)) return refuse_content(key, err);
    if (strcmp(key, "image_url") == 0 && !is_data(text ? text : pick_text(v, "url")))
        return refuse_content(key, err);
    if (strcmp(key, "source") != 0 || json_type(v) != JSON_OBJECT) return 0;
    static const char *const inside[] = {"base64", "text", "content", NULL};
    const char *type = pick_text(v, "type");
    return type && is_one_of(type, inside) ? 0 : refuse_content(key, err);
}

/* What a tool was called with and said, as objects: words of the conversation, which the
 * server only reads. */
static bool is_opaque(const char *key) {
    static const char *const words[] = {"input", "args", "response", "arguments", NULL};
    return is_one_of(key, words);
}

static int screen(const struct json *v, int depth, struct error *err) {
    bool object = json_type(v) == JSON_OBJECT;
    if (!object && json_type(v) != JSON_ARRAY) return 0;
    if (depth > DEPTH_MAX) return json_error(v, err, "is nested too deep");
    for (size_t i = 0; i < json_count(v); i++) {
        const struct json *one = json_at(v, i);
        if (object && is_opaque(json_key_at(v, i))) continue;
        if (object && screen_member(json_key_at(v, i), one, err) < 0) return -1;
        if (screen(one, depth + 1, err) < 0) return -1;
    }
    return 0;
}

int relay_screen_content(const struct json *content, struct error *err) {
    return content ? screen(content, 0, err) : 0;
}

/* ---- beta features ---- */

char *relay_screen_beta(const char *header) {
    static const char *const kept[] = {"interleaved-thinking-",  "fine-grained-tool-streaming-",
                                       "prompt-caching-",        "extended-cache-ttl-",
                                       "token-efficient-tools-", "output-128k-",
                                       "context-management-",    "computer-use-",
                                       "claude-code-",           "effort-",
                                       "structured-outputs-",    NULL};
    _cleanup_buf_ struct buf line = {0};
    for (const char *p = header ? header : ""; *p;) {
        p += strspn(p, " \t,");
        size_t len = strcspn(p, " \t,");
        bool plain = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-.") >= len && len < 80;
        for (size_t i = 0; plain && len && kept[i]; i++)
            if (strncmp(p, kept[i], strlen(kept[i])) == 0)
                buf_printf(&line, "%s%.*s", line.len ? "," : "anthropic-beta: ", (int)len, p);
        p += len;
    }
    return line.len ? buf_steal(&line) : NULL;
}
