"""The three protocols of models, from a server's side: what a request asks, and an answer
as one document or as the events of a stream. Used by models.py."""
import json


def text_of(content):
    """The text of a message's content: a string, or parts with one each."""
    if isinstance(content, str):
        return content
    return "".join(p.get("text", "") for p in content or [])


def split(text, size=None):
    """Pieces as a model would send them."""
    size = size or max(12, len(text) // 200)
    return [text[i:i + size] for i in range(0, len(text), size)]


def frame(data, event=None):
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {text}\n\n".encode()


class OpenAI:
    name = "openai"
    stops = {"end": "stop", "length": "length", "refused": "content_filter"}

    def __init__(self, path, body):
        self.stream = body.get("stream", False)
        self.model = body.get("model", "unknown")
        self.messages = [(m["role"], text_of(m["content"])) for m in body["messages"]]
        self.wants_usage = body.get("stream_options", {}).get("include_usage", False)

    @staticmethod
    def key(headers):
        bearer = headers.get("Authorization", "")
        return bearer[7:] if bearer.startswith("Bearer ") else headers.get("api-key")

    def usage(self, u):
        return {"prompt_tokens": u["input"], "completion_tokens": u["output"],
                "total_tokens": u["input"] + u["output"],
                "prompt_tokens_details": {"cached_tokens": u["cached_input"]},
                "completion_tokens_details": {"reasoning_tokens": u["reasoning"]}}

    def whole(self, a):
        message = {"role": "assistant", "content": a["text"]}
        if a["reasoning"]:
            message["reasoning_content"] = a["reasoning"]
        if a["stop"] == "refused":
            message.update(content=None, refusal=a["text"])
        doc = {"id": a["id"], "object": "chat.completion", "model": a["model"] or self.model,
               "choices": [{"index": 0, "message": message, "finish_reason": self.stops[a["stop"]]}]}
        if a["usage"] is not None:
            doc["usage"] = a["usage"]
        return doc

    def chunk(self, a, choices, **more):
        return frame({"id": a["id"], "object": "chat.completion.chunk",
                      "model": a["model"] or self.model, "choices": choices, **more})

    def delta(self, a, delta, reason=None):
        return self.chunk(a, [{"index": 0, "delta": delta, "finish_reason": reason}])

    def events(self, a):
        field = "refusal" if a["stop"] == "refused" else "content"
        yield self.delta(a, {"role": "assistant", "content": ""})
        for piece in split(a["reasoning"]):
            yield self.delta(a, {"reasoning_content": piece})
        for piece in split(a["text"]):
            yield self.delta(a, {field: piece})
        yield self.delta(a, {}, self.stops[a["stop"]])
        if a["usage"] is not None and self.wants_usage:
            yield self.chunk(a, [], usage=a["usage"])
        yield b"data: [DONE]\n\n"

    @staticmethod
    def told_before_end(told):
        return None

    @staticmethod
    def error(status, kind, message):
        return {"error": {"message": message, "type": kind or "server_error", "code": str(status)}}

    @classmethod
    def error_event(cls, status, kind, message):
        return frame(cls.error(status, kind, message))


class Anthropic:
    name = "anthropic"
    stops = {"end": "end_turn", "length": "max_tokens", "refused": "refusal"}

    def __init__(self, path, body):
        self.stream = body.get("stream", False)
        self.model = body.get("model", "unknown")
        assert body["max_tokens"] > 0
        system = text_of(body.get("system"))
        self.messages = [("system", system)] if system else []
        self.messages += [(m["role"], text_of(m["content"])) for m in body["messages"]]

    @staticmethod
    def key(headers):
        return headers.get("x-api-key")

    def usage(self, u):
        return {"input_tokens": u["input"] - u["cached_input"] - u["cache_write"],
                "cache_read_input_tokens": u["cached_input"],
                "cache_creation_input_tokens": u["cache_write"], "output_tokens": u["output"]}

    def whole(self, a):
        content = [{"type": "thinking", "thinking": a["reasoning"], "signature": "c2ln"}] if a["reasoning"] else []
        if a["text"]:
            content.append({"type": "text", "text": a["text"]})
        doc = {"id": a["id"], "type": "message", "role": "assistant", "model": a["model"] or self.model,
               "content": content, "stop_reason": self.stops[a["stop"]], "stop_sequence": None}
        if a["usage"] is not None:
            doc["usage"] = a["usage"]
        return doc

    def block(self, index, kind, field, delta, text):
        start = {"type": kind, field: ""}
        yield frame({"type": "content_block_start", "index": index, "content_block": start}, "content_block_start")
        for piece in split(text):
            yield frame({"type": "content_block_delta", "index": index,
                         "delta": {"type": delta, field: piece}}, "content_block_delta")
        yield frame({"type": "content_block_stop", "index": index}, "content_block_stop")

    def events(self, a):
        head = self.whole(dict(a, text="", reasoning=""))
        head["stop_reason"] = None
        if isinstance(a["usage"], dict) and "output_tokens" in a["usage"]:
            head["usage"] = dict(a["usage"], output_tokens=1)
        yield frame({"type": "message_start", "message": head}, "message_start")
        yield frame({"type": "ping"}, "ping")
        index = 0
        if a["reasoning"]:
            yield from self.block(index, "thinking", "thinking", "thinking_delta", a["reasoning"])
            index += 1
        if a["text"]:
            yield from self.block(index, "text", "text", "text_delta", a["text"])
        end = {"type": "message_delta", "delta": {"stop_reason": self.stops[a["stop"]], "stop_sequence": None}}
        if isinstance(a["usage"], dict) and "output_tokens" in a["usage"]:
            end["usage"] = {"output_tokens": a["usage"]["output_tokens"]}
        yield frame(end, "message_delta")
        yield frame({"type": "message_stop"}, "message_stop")

    @staticmethod
    def told_before_end(told):
        return dict(told, output=1, reasoning=0)

    @staticmethod
    def error(status, kind, message):
        return {"type": "error", "error": {"type": kind or "api_error", "message": message}}

    @classmethod
    def error_event(cls, status, kind, message):
        return frame(cls.error(status, kind, message), "error")


class Gemini:
    name = "gemini"
    stops = {"end": "STOP", "length": "MAX_TOKENS", "refused": "SAFETY"}

    def __init__(self, path, body):
        self.stream = ":streamGenerateContent" in path
        self.model = path.split("/models/")[1].split(":")[0]
        system = text_of(body.get("systemInstruction", {}).get("parts"))
        self.messages = [("system", system)] if system else []
        self.messages += [(m["role"], text_of(m["parts"])) for m in body["contents"]]

    @staticmethod
    def key(headers):
        return headers.get("x-goog-api-key")

    def usage(self, u):
        return {"promptTokenCount": u["input"], "cachedContentTokenCount": u["cached_input"],
                "candidatesTokenCount": u["output"] - u["reasoning"],
                "thoughtsTokenCount": u["reasoning"], "totalTokenCount": u["input"] + u["output"]}

    def doc(self, a, parts, reason=None, usage=None):
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
        if reason:
            candidate["finishReason"] = reason
        doc = {"candidates": [candidate], "modelVersion": a["model"] or self.model, "responseId": a["id"]}
        if usage is not None:
            doc["usageMetadata"] = usage
        return doc

    def blocked(self, a):
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata":
                {"promptTokenCount": a["usage"]["promptTokenCount"]}, "modelVersion": self.model}

    def whole(self, a):
        parts = [{"text": a["reasoning"], "thought": True}] if a["reasoning"] else []
        if a["text"]:
            parts.append({"text": a["text"]})
        return self.doc(a, parts, self.stops[a["stop"]], a["usage"])

    def events(self, a):
        for piece in split(a["reasoning"]):
            yield frame(self.doc(a, [{"text": piece, "thought": True}]))
        for piece in split(a["text"]):
            yield frame(self.doc(a, [{"text": piece}]))
        yield frame(self.doc(a, [], self.stops[a["stop"]], a["usage"]))

    @staticmethod
    def told_before_end(told):
        return None

    @staticmethod
    def error(status, kind, message):
        names = {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 400: "INVALID_ARGUMENT"}
        return {"error": {"code": status, "message": message, "status": kind or names.get(status, "INTERNAL")}}

    @classmethod
    def error_event(cls, status, kind, message):
        return frame(cls.error(status, kind, message))


def protocol_of(path):
    bare = path.split("?")[0]
    if bare.endswith("/chat/completions"):
        return OpenAI
    if bare.endswith("/messages"):
        return Anthropic
    if bare.endswith((":generateContent", ":streamGenerateContent")):
        return Gemini
    return None
