"""From the events of graphon to what is compared: the same members that the service streams, without ids and times."""

from decimal import Decimal

from graphon import graph_events as events
from graphon.file.models import File
from graphon.variables.segments import Segment


def plain(value):
    """A value as Dify writes it into an event."""
    if isinstance(value, Segment):
        return plain(value.to_object())
    if isinstance(value, File):
        return value.to_dict()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    return value


class Recorder:
    def __init__(self):
        self.order = []
        self.nodes = []
        self.text = ""
        self.run = {}
        self.outcome = None

    def record(self, event):
        match event:
            case events.GraphRunSucceededEvent():
                self.end("succeeded", outputs=event.outputs)
            case events.GraphRunPartialSucceededEvent():
                self.end("partial-succeeded", outputs=event.outputs, exceptions=event.exceptions_count)
            case events.GraphRunFailedEvent():
                self.end("failed", error=event.error, exceptions=event.exceptions_count)
            case events.NodeRunRetryEvent():
                self.step("node_retry", event)
                self.node("retry", event, event.error)
            case events.NodeRunStartedEvent() if event.node_type not in ("iteration", "loop"):
                self.step("node_started", event)
            case events.NodeRunStreamChunkEvent() if event.chunk:
                self.chunk(event.chunk)
            case events.NodeRunSucceededEvent() if event.node_type not in ("iteration", "loop"):
                self.node("succeeded", event)
            case events.NodeRunExceptionEvent():
                self.node("exception", event, event.error)
            case events.NodeRunFailedEvent() if event.node_type not in ("iteration", "loop"):
                self.node("failed", event, event.error)
            case events.NodeRunHumanInputFormFilledEvent():
                self.step("human_input_form_filled", event)
            case events.NodeRunIterationStartedEvent():
                self.step("iteration_started", event)
            case events.NodeRunIterationNextEvent():
                self.step("iteration_next", event)
            case events.NodeRunIterationSucceededEvent():
                self.iteration("succeeded", event)
            case events.NodeRunIterationFailedEvent():
                self.iteration("failed", event, event.error)

    def step(self, name, event):
        self.order.append(f"{name} {event.node_id}")

    def chunk(self, text):
        self.text += text
        if not self.order or self.order[-1] != "text":
            self.order.append("text")

    def node(self, status, event, error=None):
        result = event.node_run_result
        self.nodes.append({
            "node": event.node_id,
            "type": str(event.node_type),
            "status": status,
            "inputs": plain(dict(result.inputs)),
            "process_data": plain(dict(result.process_data)),
            "outputs": plain(dict(result.outputs)),
            "error": error,
        })
        if status != "retry":
            self.step("node_finished", event)

    def iteration(self, status, event, error=None):
        self.nodes.append({
            "node": event.node_id,
            "type": str(event.node_type),
            "status": status,
            "inputs": plain(dict(event.inputs)),
            "process_data": {},
            "outputs": plain(dict(event.outputs)),
            "error": error,
        })
        self.step("iteration_completed", event)

    def end(self, status, outputs=None, error=None, exceptions=0):
        self.run = {"status": status, "outputs": plain(outputs or {}), "error": error, "exceptions": exceptions}

    def observation(self):
        return {"order": self.order, "nodes": self.nodes, "text": self.text, "run": self.run}
