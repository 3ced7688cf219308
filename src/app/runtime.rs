//! Builds the runtime of apps and its services.

use std::{num::NonZero, sync::Arc, thread, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{files, settings};
use crate::{
    config::Config,
    domain::{Result, key::KeyRing},
    http_client::HttpClients,
    memory::MemoryLedger,
    ports::{
        lease_store::LeaseStore, run_credentials::RunCredentials, runtime::AppRuntime, state_stores::StateStores,
        tool_invoker::ToolInvoker,
    },
    runtime::{
        builtin::{
            app_runtime::BuiltinRuntime,
            model::{
                ModelRegistry,
                echo::EchoModel,
                image_loader::ImageLoader,
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
        file::{FileBackend, FileDependencies, Files},
        rate_limiter::RateLimiter,
        run::{RunDependencies, Runs},
    },
    store::files::FileStore,
};

/// The tasks of runs. They outlive their requests, because the result of a run is stored, and a run whose client has
/// disconnected must also be stopped at Dify.
#[derive(Clone, Debug, Default)]
pub struct RunTasks {
    pub tracker: TaskTracker,
    /// Writes the logs of runs. Ends after the runs.
    pub logs: TaskTracker,
    /// Cancels the remaining runs when the process stops.
    pub end: CancellationToken,
}

/// The resources of the process that runs use.
#[derive(Clone, Copy)]
pub(super) struct RunResources<'a> {
    pub(super) tasks: &'a RunTasks,
    pub(super) memory: &'a MemoryLedger,
    pub(super) clients: &'a HttpClients,
    pub(super) keys: &'a Arc<KeyRing>,
    /// The connections that nodes use.
    pub(super) credentials: &'a Arc<dyn RunCredentials>,
    /// `None` without a plugin daemon.
    pub(super) tools: Option<&'a Arc<dyn ToolInvoker>>,
    pub(super) rate_limiter: &'a RateLimiter,
}

/// Time limit of the first byte of a model's answer. Reasoning can take minutes.
const MODEL_FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(5);
/// Time limit of a pause within the answer of a model.
const MODEL_IDLE_TIMEOUT: Duration = Duration::from_mins(2);
/// Limit of concurrent renderings of templates when the number of processors is not known.
const DEFAULT_MAX_RENDERINGS: usize = 2;

/// The use cases of apps, over the runtime of this deployment.
/// `local_leases` holds the slots of runs while the shared store is unavailable. Also returns the use cases of files.
pub(super) fn apps(
    config: &Config,
    context: &ServiceContext,
    stores: &StateStores,
    local_leases: Arc<dyn LeaseStore>,
    access: AccessGate,
    standalone: bool,
    resources: RunResources<'_>,
) -> Result<(Apps, Runs, Files)> {
    let app_settings = AppSettings {
        strict_workspace_id: config.deployment.strict_workspace_id,
        uploads: config.files.limits.clone(),
    };
    let apps =
        Apps::new(context.clone(), Arc::clone(&stores.token_cache), access, resources.memory.clone(), app_settings);
    let slots = RunSlots::new(
        Arc::clone(&stores.leases),
        local_leases,
        Arc::clone(&context.entropy),
        config.runtime.max_active_requests,
    );
    let (runtime, backend) = runtime(config, context, standalone, resources)?;
    let files = Files::new(FileDependencies {
        context: context.clone(),
        apps: apps.clone(),
        backend,
        keys: Arc::clone(resources.keys),
        memory: resources.memory.clone(),
        rate_limiter: resources.rate_limiter.clone(),
        settings: settings::files(config),
    });
    let runs = Runs::new(RunDependencies {
        context: context.clone(),
        apps: apps.clone(),
        slots,
        files: files.clone(),
        runtime,
        logs: Arc::clone(&stores.run_logs),
        memory: resources.memory.clone(),
        tasks: resources.tasks.tracker.clone(),
        log_tasks: resources.tasks.logs.clone(),
        shutdown: resources.tasks.end.clone(),
    });
    Ok((apps, runs, files))
}

/// Standalone: the built-in runtime. Beside Dify: its service API if the address is configured, otherwise none.
fn runtime(
    config: &Config,
    context: &ServiceContext,
    standalone: bool,
    resources: RunResources<'_>,
) -> Result<(Arc<dyn AppRuntime>, FileBackend)> {
    if standalone {
        let store = files::store(config, resources.clients);
        let runtime = built_in(config, context, &store, resources)?;
        return Ok((Arc::new(runtime), files::stored(context, store, resources.tasks.tracker.clone())));
    }
    let Some(url) = config.deployment.dify_api_url.clone() else {
        let runtime = Arc::new(UnavailableRuntime);
        return Ok((Arc::clone(&runtime) as _, FileBackend { uploads: runtime, store: None }));
    };
    let RunResources { tasks, memory, clients, .. } = resources;
    let settings = DifySettings {
        url,
        connect_timeout: config.dify_api.connect_timeout,
        first_byte_timeout: config.dify_api.first_byte_timeout,
        run_timeout: config.runtime.max_execution_time,
        end: tasks.end.clone(),
        max_connections: config.dify_api.max_connections,
        metrics: Arc::clone(&context.metrics.upstreams),
        memory: memory.clone(),
        clients: clients.clone(),
    };
    let (clock, entropy) = (Arc::clone(&context.clock), Arc::clone(&context.entropy));
    let runtime = DifyRuntime::new(settings, Arc::clone(&context.sql), clock, entropy, tasks.tracker.clone())?;
    let runtime = Arc::new(runtime);
    Ok((Arc::clone(&runtime) as _, FileBackend { uploads: runtime, store: None }))
}

fn built_in(
    config: &Config,
    context: &ServiceContext,
    files: &FileStore,
    resources: RunResources<'_>,
) -> Result<BuiltinRuntime> {
    let RunResources { tasks, memory, clients, credentials, tools, .. } = resources;
    let settings = &config.runtime;
    let endpoint = settings.openai.as_ref().map(|endpoint| {
        OpenAiModels::new(OpenAiSettings {
            base_url: endpoint.base_url.clone(),
            api_key: endpoint.api_key.clone(),
            names: endpoint.names.clone(),
            first_byte_timeout: MODEL_FIRST_BYTE_TIMEOUT,
            idle_timeout: MODEL_IDLE_TIMEOUT,
            metrics: Arc::clone(&context.metrics.upstreams),
            clients: clients.clone(),
        })
    });
    let outbound = Arc::new(OutboundClient::new(settings.allowed_networks.clone(), memory, clients)?);
    let images = ImageLoader {
        files: files.clone(),
        outbound: Arc::clone(&outbound),
        memory: memory.clone(),
        max_bytes: usize::try_from(config.files.limits.image).unwrap_or(usize::MAX),
    };
    let dependencies = RuntimeDependencies {
        sql: Arc::clone(&context.sql),
        clock: Arc::clone(&context.clock),
        entropy: Arc::clone(&context.entropy),
        models: Arc::new(ModelRegistry {
            echo: EchoModel { pace: settings.echo_pace },
            endpoint: endpoint.transpose()?,
            images: Some(images),
        }),
        outbound,
        tools: tools.cloned(),
        credentials: Arc::clone(credentials),
        templates: Arc::new(TemplateRenderer::new(
            thread::available_parallelism().map_or(DEFAULT_MAX_RENDERINGS, NonZero::get),
            Arc::clone(&context.entropy),
            memory.clone(),
        )),
        memory: memory.clone(),
        tasks: tasks.tracker.clone(),
        shutdown: tasks.end.clone(),
    };
    let (run_timeout, form_timeout) = (settings.max_execution_time, settings.form_timeout);
    let limits = RunLimits { run_timeout, form_timeout, ..RunLimits::default() };
    Ok(BuiltinRuntime::new(dependencies, limits, settings.max_runs))
}
