"""The models of the oracle: graphon's port of a model over the same HTTP endpoint that the service calls."""

import json
from decimal import Decimal

import httpx
from graphon.model_runtime.entities.common_entities import I18nObject
from graphon.model_runtime.entities.llm_entities import (
    LLMResultChunk,
    LLMResultChunkDelta,
    LLMResultChunkWithStructuredOutput,
    LLMUsage,
)
from graphon.model_runtime.entities.message_entities import AssistantPromptMessage, PromptMessageRole
from graphon.model_runtime.entities.model_entities import AIModelEntity, FetchFrom, ModelPropertyKey, ModelType
from graphon.nodes.llm.runtime_protocols import LLMProtocol

CONTEXT_SIZE = 1_000_000


class InvokeError(ValueError):
    """A model that answers with an HTTP error."""


class EndpointModel(LLMProtocol):
    def __init__(self, client: httpx.Client, provider: str, name: str, mode: str, parameters: dict) -> None:
        self._client = client
        self._provider = provider if "/" in provider else f"langgenius/{provider}/{provider}"
        self._name = name
        self._mode = mode
        self._parameters = {key: value for key, value in parameters.items() if key != "stop"}
        self._stop = list(parameters.get("stop") or [])

    @property
    def provider(self):
        return self._provider

    @property
    def model_name(self):
        return self._name

    @property
    def parameters(self):
        return dict(self._parameters)

    @parameters.setter
    def parameters(self, value):
        self._parameters = dict(value)

    @property
    def stop(self):
        return self._stop

    def get_model_schema(self):
        return AIModelEntity(
            model=self._name,
            label=I18nObject(en_US=self._name),
            model_type=ModelType.LLM,
            fetch_from=FetchFrom.PREDEFINED_MODEL,
            model_properties={ModelPropertyKey.MODE: self._mode, ModelPropertyKey.CONTEXT_SIZE: CONTEXT_SIZE},
        )

    def get_llm_num_tokens(self, prompt_messages):
        return 0

    def is_structured_output_parse_error(self, error):
        return False

    def invoke_llm(self, *, prompt_messages, model_parameters, tools, stop, stream):
        assert stream and not tools
        return self._chunks(prompt_messages, model_parameters, stop, LLMResultChunk)

    def invoke_llm_with_structured_output(self, *, prompt_messages, json_schema, model_parameters, stop, stream):
        assert stream
        parameters = {**model_parameters, "json_schema": json_schema}
        text = []
        for chunk in self._chunks(prompt_messages, parameters, stop, LLMResultChunkWithStructuredOutput):
            text.append(chunk.delta.message.content)
            if chunk.delta.usage is not None:
                chunk.structured_output = json.loads("".join(text))
            yield chunk

    def _chunks(self, prompt_messages, parameters, stop, kind):
        body = {
            **parameters,
            "model": self._name,
            "messages": [{"role": message.role.value, "content": text_of(message)} for message in prompt_messages],
            "stream": True,
        }
        if stop:
            body["stop"] = list(stop)
        response = self._client.post("/v1/chat/completions", json=body)
        if response.status_code != httpx.codes.OK:
            # The words of the service, which prompts and templates of other nodes may contain.
            raise InvokeError(f"The model endpoint failed ({response.status_code}).")
        finish_reason = None
        for line in response.text.split("\n\n"):
            data = line.removeprefix("data: ")
            if not data or data == "[DONE]":
                continue
            event = json.loads(data)
            delta = (event["choices"] or [{}])[0]
            finish_reason = delta.get("finish_reason") or finish_reason
            usage = usage_of(event["usage"]) if "usage" in event else None
            text = delta.get("delta", {}).get("content", "")
            if text or usage:
                yield kind(
                    model=self._name,
                    delta=LLMResultChunkDelta(
                        index=0,
                        message=AssistantPromptMessage(content=text),
                        usage=usage,
                        finish_reason=finish_reason if usage else None,
                    ),
                )


def text_of(message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(part.data for part in message.content or [])


def usage_of(tokens: dict) -> LLMUsage:
    zero = Decimal(0)
    usage = LLMUsage.empty_usage()
    return usage.model_copy(update={**tokens, "total_price": zero})


class PromptSerializer:
    """Dify's form of prompts in `process_data`."""

    ROLES = {
        PromptMessageRole.SYSTEM: "system",
        PromptMessageRole.USER: "user",
        PromptMessageRole.ASSISTANT: "assistant",
        PromptMessageRole.TOOL: "tool",
    }

    def serialize(self, *, model_mode, prompt_messages):
        if model_mode == "chat":
            return [
                {"role": self.ROLES[message.role], "text": text_of(message), "files": []} for message in prompt_messages
            ]
        return [{"role": "user", "text": text_of(prompt_messages[0])}]
