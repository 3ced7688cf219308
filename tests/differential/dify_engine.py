"""What Dify puts around graphon: nodes with their collaborators, the variables of a run, and the engines of iterations."""

import datetime
import json
import time

import httpx
import jinja2
from graphon.dsl.node_factory import (
    _TextOnlyFileSaver,
    _TextOnlyHttpResponseFileManager,
    _UnsupportedHttpFileReferenceFactory,
    _UnsupportedHttpRequestFileManager,
)
from graphon.entities.graph_config import NodeConfigDictAdapter
from graphon.entities.graph_init_params import GraphInitParams
from graphon.graph.graph import Graph
from graphon.graph_engine.command_channels import InMemoryChannel
from graphon.graph_engine.graph_engine import GraphEngine
from graphon.graph_engine.ready_queue.in_memory import InMemoryReadyQueue
from graphon.model_runtime.entities.message_entities import AssistantPromptMessage, UserPromptMessage
from graphon.nodes.base.node import Node
from graphon.nodes.http_request.config import build_http_request_config
from graphon.nodes.http_request.node import HttpRequestNodeDependencies
from graphon.nodes.human_input.enums import HumanInputFormStatus
from graphon.runtime.graph_runtime_state import ChildGraphNotFoundError, GraphRuntimeState
from graphon.runtime.variable_pool import VariablePool
from graphon.template_rendering import Jinja2TemplateRenderer, TemplateRenderError
from graphon.variables.factory import build_segment, build_segment_with_type, segment_to_variable
from graphon.variables.types import SegmentType
from graphon.variables.variables import SecretVariable
from model_client import EndpointModel, PromptSerializer

# Imports register the node classes.
from graphon.nodes.answer.answer_node import AnswerNode  # noqa: F401
from graphon.nodes.end.end_node import EndNode  # noqa: F401
from graphon.nodes.http_request.node import HttpRequestNode  # noqa: F401
from graphon.nodes.human_input.human_input_node import HumanInputNode  # noqa: F401
from graphon.nodes.if_else.if_else_node import IfElseNode  # noqa: F401
from graphon.nodes.iteration.iteration_node import IterationNode  # noqa: F401
from graphon.nodes.iteration.iteration_start_node import IterationStartNode  # noqa: F401
from graphon.nodes.llm import LLMNode  # noqa: F401
from graphon.nodes.start import StartNode  # noqa: F401
from graphon.nodes.template_transform.template_transform_node import TemplateTransformNode  # noqa: F401
from graphon.nodes.variable_aggregator.variable_aggregator_node import VariableAggregatorNode  # noqa: F401
from graphon.nodes.variable_assigner.v1.node import VariableAssignerNode as AssignerV1  # noqa: F401
from graphon.nodes.variable_assigner.v2.node import VariableAssignerNode as AssignerV2  # noqa: F401

# A worker that is stopped first waits this long for work: 0.1 s in graphon, for every engine.
WORKER_WAIT = 0.003
wait_for_work = InMemoryReadyQueue.get
InMemoryReadyQueue.get = lambda self, timeout=None: wait_for_work(self, timeout and min(timeout, WORKER_WAIT))


class SandboxTemplates(Jinja2TemplateRenderer):
    """Dify's sandbox: a template with Jinja2's defaults, and variables that went through JSON."""

    def render_template(self, template, variables):
        try:
            return jinja2.Template(template).render(**json.loads(json.dumps(dict(variables))))
        except Exception as error:
            raise TemplateRenderError(str(error)) from error


class History:
    """Dify's memory of a conversation: the exchanges so far, oldest first."""

    def __init__(self, exchanges):
        self.exchanges = exchanges

    def get_history_prompt_messages(self, max_token_limit=2000, message_limit=None):
        exchanges = self.exchanges[-message_limit:] if message_limit else self.exchanges
        messages = []
        for query, answer in exchanges:
            messages += [UserPromptMessage(content=query), AssistantPromptMessage(content=answer)]
        return messages


class SubmittedForm:
    """A form that was submitted with its first action, and with a text or the first option for each input."""

    id = "form"
    submitted = True
    status = HumanInputFormStatus.SUBMITTED
    expiration_time = datetime.datetime.max

    def __init__(self, data, pool):
        self.rendered_content = pool.convert_template(data.form_content).markdown
        self.selected_action_id = data.user_actions[0].id
        self.submitted_data = {}
        for field in data.inputs:
            options = field.option_source.value if field.type == "select" else [f"filled {field.output_variable_name}"]
            self.submitted_data[field.output_variable_name] = options[0]


class SubmittedForms:
    """The runtime of `human-input` nodes, whose forms are submitted already: the run does not pause."""

    def __init__(self, data, pool):
        self.data, self.pool = data, pool

    def get_form(self, *, node_id):
        return SubmittedForm(self.data, self.pool)

    def create_form(self, **_):
        raise AssertionError("the form exists")


class NodeFactory:
    def __init__(self, engine, state, init_params):
        self.engine, self.state, self.init_params = engine, state, init_params

    def create_node(self, node_config):
        config = NodeConfigDictAdapter.validate_python(node_config)
        data = config["data"]
        versions = Node.get_node_type_classes_mapping()[data.type]
        node_class = versions.get(str(data.version)) or versions["latest"]
        typed = node_class.validate_node_data(data)
        more = getattr(self, "_" + str(data.type).replace("-", "_"), lambda _: {})(typed)
        return node_class(
            node_id=config["id"],
            # The node reads its data again, and would lose what has another name in the file.
            data=data,
            graph_init_params=self.init_params,
            graph_runtime_state=self.state,
            **more,
        )

    def _template_transform(self, _):
        return {"jinja2_template_renderer": SandboxTemplates()}

    def _human_input(self, data):
        return {
            "runtime": SubmittedForms(data, self.state.variable_pool),
            "file_reference_factory": _UnsupportedHttpFileReferenceFactory(),
        }

    def _http_request(self, _):
        return {
            "http_request_config": build_http_request_config(),
            "dependencies": HttpRequestNodeDependencies(
                tool_file_manager_factory=_TextOnlyHttpResponseFileManager,
                file_manager=_UnsupportedHttpRequestFileManager(),
                file_reference_factory=_UnsupportedHttpFileReferenceFactory(),
            ),
        }

    def _llm(self, data):
        model = data.model
        return {
            "model_instance": EndpointModel(
                self.engine.client, model.provider, model.name, model.mode, model.completion_params
            ),
            "memory": History(self.engine.history) if data.memory and self.engine.history is not None else None,
            "llm_file_saver": _TextOnlyFileSaver(),
            "prompt_message_serializer": PromptSerializer(),
            "jinja2_template_renderer": SandboxTemplates(),
            "default_query_selector": ("sys", "query"),
        }


class DifyEngine:
    """One run of a graph. Also builds the engines of its iterations."""

    def __init__(self, client: httpx.Client, graph: dict, history: list | None) -> None:
        self.client, self.graph, self.history = client, graph, history

    def engine(self, pool: VariablePool) -> GraphEngine:
        starts = [node for node in self.graph["nodes"] if node.get("data", {}).get("type") == "start"]
        state = GraphRuntimeState(variable_pool=pool, start_at=time.perf_counter())
        return self._build(starts[0]["id"], state, {})

    def _build(self, root, state, run_context):
        init_params = GraphInitParams(workflow_id="", graph_config=self.graph, run_context=run_context, call_depth=0)
        graph = Graph.init(
            graph_config=self.graph, node_factory=NodeFactory(self, state, init_params), root_node_id=root
        )
        return GraphEngine(
            workflow_id="",
            graph=graph,
            graph_runtime_state=state,
            command_channel=InMemoryChannel(),
            child_engine_builder=self,
        )

    def build_child_engine(
        self, *, workflow_id, graph_init_params, parent_graph_runtime_state, root_node_id, variable_pool=None
    ):
        if all(node["id"] != root_node_id for node in self.graph["nodes"]):
            raise ChildGraphNotFoundError(root_node_id)
        pool = variable_pool or parent_graph_runtime_state.variable_pool
        return self._build(root_node_id, GraphRuntimeState(variable_pool=pool, start_at=time.perf_counter()), {})


def variable_pool(workflow: dict, start: str, inputs: dict, system: dict, conversation: dict) -> VariablePool:
    """The variables that Dify starts a run with. `conversation` has the values that an earlier run left."""
    pool = VariablePool()
    for name, value in system.items():
        add(pool, ("sys", name), None, value)
    for variable in workflow.get("environment_variables") or []:
        add(pool, ("env", variable["name"]), variable["value_type"], variable["value"])
    for variable in workflow.get("conversation_variables") or []:
        value = conversation.get(variable["name"], variable["value"])
        add(pool, ("conversation", variable["name"]), variable["value_type"], value)
    for name, value in inputs.items():
        add(pool, (start, name), None, value)
    return pool


def add(pool, selector, declared, value):
    if declared == "secret":
        variable = SecretVariable(name=selector[1], selector=list(selector), value=value)
    else:
        kind = None
        if declared == "number":
            kind = SegmentType.INTEGER if isinstance(value, int) else SegmentType.FLOAT
        elif declared is not None:
            kind = SegmentType(declared)
        segment = build_segment(value) if kind is None else build_segment_with_type(kind, value)
        variable = segment_to_variable(segment=segment, selector=selector)
    pool.add(selector, variable)
