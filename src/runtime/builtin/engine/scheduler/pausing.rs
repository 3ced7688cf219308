//! Pausing a run that waits for a form, and continuing it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;

use super::{Scheduler, Task, Work};
use crate::{
    domain::{human_form::FormToken, id::HumanFormId},
    ports::runtime::FormAnswer,
    runtime::builtin::{
        engine::{
            error::RunError,
            ids::ROOT_FRAME,
            pause::{EndedNode, Pause, PausedEngine, RequiredForm, Resumption, WaitingNode},
        },
        events::workflow::{HumanInputFormFilled, HumanInputFormTimeout},
        graph::{index::NodeIx, node::NodeKind},
        model::Usage,
        nodes::human_input,
    },
};

impl Scheduler<'_> {
    /// What is kept of a run whose nodes wait for forms, with the form of the first. `elapsed` is the time since the
    /// run began or was continued. Fails when the form cannot be made.
    pub(in super::super) fn pause(&self, elapsed: Duration) -> Result<Pause, String> {
        let execution = self.execution;
        let earlier = execution.resumption.as_ref().map_or_else(Duration::default, |earlier| earlier.engine.elapsed);
        let usage = self.usage.of_run();
        let id = |node: NodeIx| self.graph.node(node).id.to_string();
        let waiting = self.waiting.iter().map(|task| WaitingNode {
            node_id: id(task.node),
            task_id: task.id.clone(),
            index: task.index,
            predecessor: task.predecessor.map(id),
            created_at: task.created_at,
        });
        let ended = self.ended.iter().flatten().map(|(node, outputs, followed)| EndedNode {
            node_id: id(*node),
            outputs: outputs.as_ref().clone(),
            followed: followed.clone(),
        });
        let engine = PausedEngine {
            ended: ended.collect(),
            waiting: waiting.collect(),
            conversation_variables: self.frames.conversation().clone(),
            outputs: self.outputs.clone(),
            text: self.answer.text().to_owned(),
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            steps: self.steps.counts(),
            exceptions: self.exceptions,
            elapsed: earlier + elapsed,
            run_created_at: self.events.run_created_at(),
        };
        Ok(Pause { engine, form: self.required_form()? })
    }

    fn required_form(&self) -> Result<RequiredForm, String> {
        let execution = self.execution;
        let not_found = || "The run waits for nothing".to_owned();
        let task = self.waiting.first().ok_or_else(not_found)?;
        let node = self.graph.node(task.node);
        let (NodeKind::HumanInput(data), Some(view)) = (&node.kind, self.frames.view(ROOT_FRAME)) else {
            return Err(not_found());
        };
        let form = data.form(view, execution.limits.variable_bytes).map_err(|error| error.message)?;
        let timeout = data.timeout().min(execution.limits.form_timeout);
        let timeout = TimeDelta::from_std(timeout).map_err(|error| error.to_string())?;
        let mut secret = [0; 32];
        let drawn = execution.entropy.fill(&mut secret).and_then(|()| execution.entropy.uuid_v4());
        let id = drawn.map_err(|error| error.message().to_owned())?;
        Ok(RequiredForm {
            id: HumanFormId(id),
            token: FormToken::from_entropy(&secret),
            node_id: node.id.to_string(),
            node_title: node.title.clone(),
            form,
            expires_at: execution.clock.now() + timeout,
        })
    }

    /// Repeats the ends of the nodes that ended before the pause, without events, and queues the end of the node whose
    /// form was resolved.
    pub(super) async fn resume(&mut self, resumption: &Resumption) -> Result<(), RunError> {
        let changed = || RunError::Failed("The app's graph has changed since the run paused".to_owned());
        let graph = self.graph;
        let engine = &resumption.engine;
        self.answer.begin_again();
        self.frames.start(ROOT_FRAME);
        for ended in &engine.ended {
            let node = graph.find(&ended.node_id).ok_or_else(changed)?;
            let outputs = Arc::new(ended.outputs.clone());
            let set = self.frames.set(ROOT_FRAME, &graph.node(node).id, Arc::clone(&outputs));
            set.map_err(|limit| RunError::Failed(limit.to_string()))?;
            self.frames.leave(ROOT_FRAME, node, |edge| ended.followed.contains(edge));
            self.answer.repeat_end(node, &ended.followed);
            self.ended.get_or_insert_default().push((node, outputs, ended.followed.clone()));
        }
        self.answer.restore(&engine.text, &self.frames);
        self.outputs = engine.outputs.clone();
        self.usage.add(Usage { prompt_tokens: engine.prompt_tokens, completion_tokens: engine.completion_tokens });
        self.steps.restore(engine.steps);
        self.exceptions = engine.exceptions;
        for waiting in &engine.waiting {
            self.waiting.push(Task {
                frame: ROOT_FRAME,
                node: graph.find(&waiting.node_id).ok_or_else(changed)?,
                id: waiting.task_id.clone(),
                index: waiting.index,
                predecessor: waiting.predecessor.as_deref().and_then(|id| graph.find(id)),
                iteration_id: None,
                started: Instant::now(),
                created_at: waiting.created_at,
                failed_attempts: 0,
            });
        }
        if self.waiting.is_empty() {
            return Err(changed());
        }
        if self.execution.stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        let task = self.waiting.remove(0);
        self.resolve(task, &resumption.answer).await
    }

    /// Writes how a form was resolved, and queues the end of its node.
    async fn resolve(&mut self, task: Task, answer: &FormAnswer) -> Result<(), RunError> {
        let node = self.graph.node(task.node);
        let form = &answer.form;
        let outcome = if let Some(action) = answer.action.as_deref().and_then(|id| form.find_action(id)) {
            let filled = HumanInputFormFilled {
                node_id: &node.id,
                node_title: &node.title,
                rendered_content: &human_input::filled_in(&form.form_content, &answer.values),
                action_id: &action.id,
                action_text: &action.title,
                submitted_data: &answer.values,
            };
            self.events.write("human_input_form_filled", filled).await?;
            human_input::submitted(form, action, answer.values.clone())
        } else {
            let expiration_time = answer.expires_at.timestamp();
            let timeout = HumanInputFormTimeout { node_id: &node.id, node_title: &node.title, expiration_time };
            self.events.write("human_input_form_timeout", timeout).await?;
            human_input::timed_out(form)
        };
        self.queue.push(Work::NodeEnded(task, Ok(outcome)));
        Ok(())
    }
}
