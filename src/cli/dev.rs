//! `dev`: the whole system on this machine, with nothing to set up.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    Failure,
    demo::{self, DEMO, MEMBER, PASSWORD},
    output::say,
    serve::{Signals, surroundings, until_told_to_stop},
};
use crate::{
    app,
    config::{Config, DataDirLock, Env, data_dir::DataDirError, process_env, reader::parse_listen},
    http::pages::login_command,
    telemetry::{Output, Telemetry},
};

/// Options of `dev`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  dify-openapi dev
  dify-openapi dev --listen 127.0.0.1:0 --data /tmp/try-it --fresh")]
pub(crate) struct Args {
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

/// What `dev` starts from. The lock lives as long as the server.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The configuration.
    pub config: Config,
    /// Keeps other processes out of the data directory.
    pub lock: DataDirLock,
}

/// Locks the data directory, clears it when asked to, and reads the configuration.
pub(crate) fn prepare(args: &Args, env: Env<'_>) -> Result<Prepared, Failure> {
    let data_dir = match &args.data {
        Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()),
        None => Config::dev_data_dir(env)?,
    };
    // Said before anything is made or deleted.
    if !args.listen.ip().is_loopback() {
        let port = args.listen.port();
        return Err(Failure::usage(format!(
            "--listen is {}, but dev listens on loopback only; use 127.0.0.1:{port}, or the serve command",
            args.listen
        )));
    }
    let lock = DataDirLock::acquire(&data_dir).map_err(unusable)?;
    if args.fresh {
        lock.clear().map_err(unusable)?;
    }
    let options = crate::config::DevOptions { listen: args.listen, data_dir };
    Ok(Prepared { config: Config::for_dev(&options, env)?, lock })
}

fn unusable(fault: DataDirError) -> Failure {
    match fault {
        DataDirError::InUse(_) => Failure::other(fault),
        DataDirError::Io { .. } => Failure::usage(fault),
    }
}

/// Runs until it is told to stop.
pub(crate) async fn run(args: &Args) -> Result<(), Failure> {
    let Prepared { config, lock } = prepare(args, &process_env)?;
    let telemetry = Telemetry::install(&config.telemetry, Output::Stderr).map_err(Failure::other)?;
    let (sql, standalone) = app::connect_sql(&config).await?;
    sql.migrate_up(!standalone).await?;
    demo::add(&sql).await?;
    sql.as_ref().clone().close().await?;

    let signals = Signals::listen();
    let running = app::start(config, surroundings(&telemetry)).await?;
    let out = &mut std::io::stdout();
    say(out, start_screen(running.app.issuer()))?;
    say(out, format_args!("ready http://{}", running.bound.public))?;
    // Nobody balances between this and others.
    until_told_to_stop(running, &telemetry, signals, Duration::ZERO).await;
    drop(lock);
    Ok(())
}

/// Where to go next, within 80 columns: what is wrapped cannot be copied.
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
      H={url}/openapi/v1
      curl -s $H/oauth/device/code -d client_id=difyctl
      curl -s $H/oauth/device/token -d client_id=difyctl -d device_code=dc_…
      A='Authorization: Bearer dfoa_…'
      curl -s $H/account -H \"$A\"

  Run an app, such as Parrot
      curl -s \"$H/apps?workspace_id=…\" -H \"$A\"
      curl -sN $H/apps/…/run -H \"$A\" \\
        --json '{{\"inputs\":{{}},\"query\":\"hello\",\"response_mode\":\"streaming\"}}'

  The API's description
      {url}/openapi/v1/openapi.json
"
    )
}
