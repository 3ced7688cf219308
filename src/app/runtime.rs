//! Builds the runtime of apps and its services.

use std::{num::NonZero, sync::Arc, thread, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    domain::Result,
    memory::MemoryLedger,
    ports::{lease_store::LeaseStore, runtime::AppRuntime, state_stores::StateStores},
    runtime::{
        builtin::{
            app_runtime::BuiltinRuntime,
            model::{
                ModelRegistry,
                echo::EchoModel,
                openai::{OpenAiModels, settings::OpenAiSettings},
            },
            run_context::RuntimeDependencies,
            run_limits::RunLimits,
            template::TemplateRenderer,
        },
        dify::{DifyRuntime, DifySettings},
        outbound::OutboundClient,
        unavailable::UnavailableRuntime,
    },
    service::{
        app::{AppSettings, Apps, access_gate::AccessGate, run_slots::RunSlots},
        context::ServiceContext,
        run::Runs,
    },
};

/// The tasks of runs. They outlive their requests, because the result of a run is stored, and a run whose client has
/// disconnected must also be stopped at Dify.
#[derive(Clone, Debug, Default)]
pub struct RunTasks {
    pub tracker: TaskTracker,
    /// Cancels the remaining runs when the process stops.
    pub end: CancellationToken,
}

/// The resources of the process that runs use.
#[derive(Clone, Copy)]
pub(super) struct RunResources<'a> {
    pub(super) tasks: &'a RunTasks,
    pub(super) memory: &'a MemoryLedger,
}

/// Time limit of the first byte of a model's answer. Reasoning can take minutes.
const MODEL_FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(5);
/// Time limit of a pause within the answer of a model.
const MODEL_IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// Limit of concurrent renderings of templates when the number of processors is not known.
const DEFAULT_MAX_RENDERINGS: usize = 2;

/// The use cases of apps, over the runtime of this deployment.
/// `local_leases` holds the slots of runs while the shared store is unavailable.
pub(super) fn apps(
    config: &Config,
    context: &ServiceContext,
    stores: &StateStores,
    local_leases: Arc<dyn LeaseStore>,
    access: AccessGate,
    standalone: bool,
    resources: RunResources<'_>,
) -> Result<(Apps, Runs)> {
    let settings = AppSettings { strict_workspace_id: config.deployment.strict_workspace_id };
    let apps = Apps::new(context.clone(), Arc::clone(&stores.token_cache), access, resources.memory.clone(), settings);
    let slots = RunSlots::new(
        Arc::clone(&stores.leases),
        local_leases,
        Arc::clone(&context.entropy),
        config.runtime.max_active_requests,
    );
    let runs = Runs::new(apps.clone(), slots, runtime(config, context, standalone, resources)?);
    Ok((apps, runs))
}

/// Standalone: the built-in runtime. Beside Dify: its service API if the address is configured, otherwise none.
fn runtime(
    config: &Config,
    context: &ServiceContext,
    standalone: bool,
    resources: RunResources<'_>,
) -> Result<Arc<dyn AppRuntime>> {
    if standalone {
        return Ok(Arc::new(built_in(config, context, resources)?));
    }
    let Some(url) = config.deployment.dify_api_url.clone() else { return Ok(Arc::new(UnavailableRuntime)) };
    let RunResources { tasks, memory } = resources;
    let settings = DifySettings {
        url,
        connect_timeout: config.dify_api.connect_timeout,
        first_byte_timeout: config.dify_api.first_byte_timeout,
        run_timeout: config.runtime.max_execution_time,
        end: tasks.end.clone(),
        max_connections: config.dify_api.max_connections,
        memory: memory.clone(),
    };
    let (clock, entropy) = (Arc::clone(&context.clock), Arc::clone(&context.entropy));
    Ok(Arc::new(DifyRuntime::new(settings, Arc::clone(&context.sql), clock, entropy, tasks.tracker.clone())?))
}

fn built_in(config: &Config, context: &ServiceContext, resources: RunResources<'_>) -> Result<BuiltinRuntime> {
    let RunResources { tasks, memory } = resources;
    let settings = &config.runtime;
    let endpoint = settings.openai.as_ref().map(|endpoint| {
        OpenAiModels::new(OpenAiSettings {
            base_url: endpoint.base_url.clone(),
            api_key: endpoint.api_key.clone(),
            names: endpoint.names.clone(),
            first_byte_timeout: MODEL_FIRST_BYTE_TIMEOUT,
            idle_timeout: MODEL_IDLE_TIMEOUT,
        })
    });
    let dependencies = RuntimeDependencies {
        sql: Arc::clone(&context.sql),
        clock: Arc::clone(&context.clock),
        entropy: Arc::clone(&context.entropy),
        models: Arc::new(ModelRegistry {
            echo: EchoModel { pace: settings.echo_pace },
            endpoint: endpoint.transpose()?,
        }),
        outbound: Arc::new(OutboundClient::new(settings.allowed_networks.clone(), memory)?),
        templates: Arc::new(TemplateRenderer::new(
            thread::available_parallelism().map_or(DEFAULT_MAX_RENDERINGS, NonZero::get),
            Arc::clone(&context.entropy),
            memory.clone(),
        )),
        memory: memory.clone(),
        tasks: tasks.tracker.clone(),
        shutdown: tasks.end.clone(),
    };
    let limits = RunLimits { run_timeout: settings.max_execution_time, ..RunLimits::default() };
    Ok(BuiltinRuntime::new(dependencies, limits, settings.max_runs))
}
