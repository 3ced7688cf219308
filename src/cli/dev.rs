//! `dev`: the whole system on this machine, with nothing to set up.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use super::{
    demo::{self, DEMO, MEMBER, PASSWORD},
    error::CommandError,
    output::{print_document, print_line},
    serve::stop_on_signal,
    signals::{ReloadSignal, Signals},
};
use crate::{
    app::{self, Dependencies},
    config::{Config, DataDirLock, DevOptions, Env, process_env, reader::parse_listen},
    domain::client_commands::login_command,
    telemetry::{Output, Telemetry},
};

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  dify-openapi dev
  dify-openapi dev --listen 127.0.0.1:0 --data /tmp/try-it --fresh")]
pub(crate) struct DevArgs {
    /// Where to listen: a loopback address; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5001", value_parser = listen)]
    pub listen: SocketAddr,
    /// Where to keep data (default: the variable `DATA_DIR`, else `~/.local/share/dify-openapi`).
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Start from scratch: delete what earlier runs stored in the data directory.
    #[arg(long)]
    pub fresh: bool,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    parse_listen(text).ok_or_else(|| "write an address and a port like 127.0.0.1:5001".to_owned())
}

/// The checked configuration of `dev`.
#[derive(Debug)]
pub(crate) struct DevSetup {
    pub config: Config,
    pub lock: DataDirLock,
}

/// Locks the data directory, clears it with `--fresh`, and reads the configuration.
pub(crate) fn prepare(args: &DevArgs, env: Env<'_>) -> Result<DevSetup, CommandError> {
    let data_dir = match &args.data {
        Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        None => Config::dev_data_dir(env)?,
    };
    // Checked before any file is created or deleted.
    if !args.listen.ip().is_loopback() {
        let port = args.listen.port();
        return Err(CommandError::usage(format!(
            "--listen is {}, but dev listens on loopback only; use 127.0.0.1:{port}, or the serve command",
            args.listen
        )));
    }
    let lock = DataDirLock::acquire(&data_dir)?;
    if args.fresh {
        lock.clear()?;
    }
    let options = DevOptions { listen: args.listen, data_dir };
    let config = Config::for_dev(&options, env)?;
    config.create_data_dir()?;
    Ok(DevSetup { config, lock })
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(args: &DevArgs) -> Result<(), CommandError> {
    let DevSetup { config, lock } = prepare(args, &process_env)?;
    let telemetry = Telemetry::install(&config.telemetry, Output::Stderr).map_err(CommandError::other)?;
    let (sql, standalone) = app::connect_sql(&config, None).await?;
    sql.migrate_up(!standalone).await?;
    demo::add(&sql).await?;
    sql.as_ref().clone().close().await?;

    let signals = Signals::listen();
    let running = app::start(config, Dependencies::system(Arc::clone(&telemetry.metrics))).await?;
    let out = &mut std::io::stdout();
    print_document("start screen", format!("{}\n", start_screen(running.app.issuer())).as_bytes(), out)?;
    print_line(out, format_args!("ready http://{}", running.bound.public))?;
    // No delay: there is no load balancer.
    stop_on_signal(running, &telemetry, signals, ReloadSignal::ignored(), false).await;
    drop(lock);
    Ok(())
}

/// The next steps, within 80 columns: wrapped commands cannot be copied.
pub(super) fn start_screen(url: &str) -> String {
    let login = login_command(url);
    format!(
        "
  dify-openapi is running in development mode. Only this machine can reach it.

  In your browser   {url}/device
  sign in as        {DEMO} / {PASSWORD}
  or as             {MEMBER} / {PASSWORD}

  With difyctl
      {login}

  With curl, ask for a code, approve it on the page, fetch the token, use it
      API={url}/openapi/v1
      curl -s $API/oauth/device/code -d client_id=difyctl
      curl -s $API/oauth/device/token -d client_id=difyctl -d device_code=dc_…
      A='Authorization: Bearer dfoa_…'
      curl -s $API/account -H \"$A\"

  Run an app, such as Parrot
      curl -s \"$API/apps?workspace_id=…\" -H \"$A\"
      curl -sN $API/apps/…/run -H \"$A\" \\
        --json '{{\"inputs\":{{}},\"query\":\"hello\",\"response_mode\":\"streaming\"}}'

  The API reference {url}/docs
  To stop           Ctrl+C
"
    )
}
