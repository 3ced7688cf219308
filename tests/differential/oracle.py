"""Runs cases on graphon, the engine of Dify, and prints what happened.

Reads one JSON object a line: `{"dsl": …, "turns": [{"inputs", "query"}], "system": {…}}`, with the app as DSL text and the system
variables that both engines have in common. Prints one JSON object a line: `{"turns": [observation]}`, or `{"error": …}` for an app
that graphon does not take. The address of the upstream server is the argument.
"""

import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import yaml
from dify_engine import DifyEngine, variable_pool
from graphon.filters import GraphEventFilterContext, ResponseStreamFilter, filter_graph_events
from observation import Recorder, plain
from prompt_app import run_turns

THREADS = 4
ATTEMPTS = 5
RACE = "dictionary changed size during iteration"


def run_turn(client, workflow, turn, system, conversation, history):
    graph = workflow["graph"]
    start = next(node for node in graph["nodes"] if node.get("data", {}).get("type") == "start")
    inputs = {variable["variable"]: None for variable in start["data"].get("variables") or []}
    inputs.update(turn["inputs"])
    pool = variable_pool(workflow, start["id"], inputs, system, conversation)
    engine = DifyEngine(client, graph, history).engine(pool)
    recorder = Recorder()
    context = GraphEventFilterContext.from_engine(engine)
    try:
        for event in filter_graph_events(engine.run(), context=context, filters=[ResponseStreamFilter()]):
            recorder.record(event)
    except Exception as error:
        # The engine mostly reports its failure as an event before it raises.
        if not recorder.run:
            recorder.end("failed", error=str(error))
    left = {name: plain(variable) for name, variable in pool.get_by_prefix("conversation").items()}
    return recorder.observation(), left


def run_stable_turn(*arguments):
    """Runs a turn again when graphon loses a race between parallel branches and its own bookkeeping."""
    for _ in range(ATTEMPTS):
        observation, conversation = run_turn(*arguments)
        if RACE not in str(observation["run"].get("error")):
            break
    return observation, conversation


def run_case(client, case):
    app = yaml.safe_load(case["dsl"])
    if "model_config" in app:
        completion = app["app"]["mode"] == "completion"
        return {"turns": run_turns(client, app["model_config"], case["turns"], completion)}
    workflow = app["workflow"]
    chat = app["app"]["mode"] == "advanced-chat"
    conversation, history, turns = {}, [] if chat else None, []
    for number, turn in enumerate(case["turns"], 1):
        system = dict(case["system"])
        if chat:
            system = {"query": turn.get("query") or "", "dialogue_count": number, **system}
        else:
            system.pop("conversation_id", None)
        observation, conversation = run_stable_turn(client, workflow, turn, system, conversation, history)
        turns.append(observation)
        if chat:
            history.append((turn.get("query") or "", observation["text"]))
    return {"turns": turns}


def main():
    logging.disable(logging.CRITICAL)
    client = httpx.Client(base_url=sys.argv[1], timeout=60, trust_env=False)

    def answer(line):
        try:
            return run_case(client, json.loads(line))
        except Exception as error:  # noqa: BLE001
            return {"error": f"{type(error).__name__}: {error}"}

    # graphon mostly waits for its own threads.
    with ThreadPoolExecutor(THREADS) as pool:
        for result in pool.map(answer, sys.stdin):
            print(json.dumps(result, default=str), flush=True)


if __name__ == "__main__":
    main()
