"""The requests that model servers document, as strict shapes: an unknown field is a violation.

Takes: a decoded request body. Gives: a pydantic model, or ValidationError. Real servers drop what
they do not know in silence, so a field in the wrong place would never be noticed without this.
Does not know: how a server answers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class Message(Shape):
    role: Literal["system", "user", "assistant"]
    content: str


class OllamaOptions(Shape):
    num_ctx: Count | None = None
    num_predict: int | None = None
    temperature: float | int | None = None
    top_p: float | int | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    stop: list[str] | None = None
    num_keep: int | None = None
    repeat_penalty: float | None = None


class OllamaChat(Shape):
    """POST /api/chat."""

    model: str
    messages: list[Message]
    stream: bool = True
    think: bool | Literal["low", "medium", "high"] | None = None
    format: Literal["json"] | dict[str, Any] | None = None
    options: OllamaOptions | None = None
    keep_alive: str | int | None = None
    truncate: bool = True
    shift: bool = True
    logprobs: bool = False
    top_logprobs: int = 0


class OllamaShow(Shape):
    """POST /api/show."""

    model: str
    verbose: bool = False


class JsonSchema(Shape):
    name: str
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool = False
    description: str = ""


class ResponseFormat(Shape):
    type: Literal["json_schema"]
    json_schema: JsonSchema


class StreamOptions(Shape):
    include_usage: bool = False


class OpenAIChat(Shape):
    """POST /v1/chat/completions with the protocol's own fields."""

    model: str
    messages: list[Message]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    temperature: float | int | None = None
    top_p: float | int | None = None
    seed: int | None = None
    response_format: ResponseFormat | None = None


class VllmChat(OpenAIChat):
    """The same, with what vLLM adds and we may use."""

    chat_template_kwargs: dict[str, Any] | None = None
    structured_outputs: dict[str, Any] | None = None


class VllmTokenize(Shape):
    """POST /tokenize of vLLM."""

    model: str
    prompt: str
    add_special_tokens: bool = True


class Lora(Shape):
    id: Count
    scale: float


class LlamaCppChat(OpenAIChat):
    """The same, with what the llama.cpp server adds and we may use."""

    chat_template_kwargs: dict[str, Any] | None = None
    lora: list[Lora] | None = None
    cache_prompt: bool = True


class LlamaCppTokenize(Shape):
    """POST /tokenize of llama.cpp."""

    content: str
    add_special: bool = False
    parse_special: bool = True


SHAPES: dict[tuple[str, str], type[Shape]] = {
    ("ollama", "/api/chat"): OllamaChat,
    ("ollama", "/api/show"): OllamaShow,
    ("openai", "/v1/chat/completions"): OpenAIChat,
    ("vllm", "/v1/chat/completions"): VllmChat,
    ("vllm", "/tokenize"): VllmTokenize,
    ("llamacpp", "/v1/chat/completions"): LlamaCppChat,
    ("llamacpp", "/tokenize"): LlamaCppTokenize,
}
