"""Chat, completion and agent-chat apps as Dify runs them: graphon has only graphs, so this is the rule written down once more.

The instruction is the system message when there is a question, and the question itself when there is none. A line break follows it. The opening
statement is not sent to the model.
"""

import re

from graphon.model_runtime.entities.message_entities import AssistantPromptMessage, SystemPromptMessage, UserPromptMessage
from model_client import EndpointModel

VARIABLE = re.compile(r"\{\{([a-zA-Z_][a-zA-Z0-9_]{0,29})\}\}")


def run_turns(client, config, turns, completion):
    exchanges, observations = [], []
    for turn in turns:
        prompt = VARIABLE.sub(lambda found: str(turn["inputs"].get(found[1], found[0])), config["pre_prompt"] + "\n")
        query = "" if completion else turn.get("query") or ""
        messages = []
        if query:
            messages += [SystemPromptMessage(content=prompt)] if prompt else []
            for asked, answered in exchanges:
                messages += [UserPromptMessage(content=asked), AssistantPromptMessage(content=answered)]
        messages.append(UserPromptMessage(content=query or prompt))
        model = config["model"]
        endpoint = EndpointModel(client, model["provider"], model["name"], model["mode"], model["completion_params"])
        chunks = endpoint.invoke_llm(
            prompt_messages=messages, model_parameters=endpoint.parameters, tools=None, stop=endpoint.stop, stream=True
        )
        text = "".join(chunk.delta.message.content for chunk in chunks)
        exchanges.append((query, text))
        observations.append({"order": [], "nodes": [], "text": text, "run": None})
    return observations
