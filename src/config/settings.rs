//! The declaration of every setting: an environment variable, its default and its description. [`Reader`] takes
//! variables from here only, `check-config` prints them, and `docs/configuration.md` is generated from them.
//!
//! [`Reader`]: super::reader::Reader

pub use super::setting::Setting;
use super::setting::{last, settings};

settings! {
    "Deployment" {
        /// The URL that people open in a browser: scheme, host and port. Links, the OAuth issuer, cookies and origin
        /// checks derive from it.
        CONSOLE_WEB_URL or "`CONSOLE_API_URL`, one of them is required; in `dev` the address it listens on";
        /// As in Dify: the URL of the API, if it has a host of its own. Identity providers return people to it, and
        /// with
        /// `CONSOLE_WEB_URL` it decides the names and attributes of the cookies.
        CONSOLE_API_URL or "`CONSOLE_WEB_URL`";
        /// As in Dify: the domain of the cookies.
        COOKIE_DOMAIN;
        /// `DEVELOPMENT` accepts weak and published secrets, with a warning.
        DEPLOY_ENV = "PRODUCTION";
        /// Whether Dify owns the accounts.
        BESIDE_DIFY or "decided by the tables of the database";
        /// The version of Dify that `_version` reports, to every client.
        DIFY_VERSION or "the one that the client works with: `1.18.0`, `1.17.1` or `1.14.2`";
        /// `true` allows PostgreSQL or MySQL without Redis, for a deployment of one process.
        SINGLE_REPLICA = "false", dev "true";
        /// Maximum of seconds from SIGTERM to the end of the process, with the end of open requests, the last writes and
        /// the last export of telemetry. Less than what the supervisor waits before SIGKILL.
        SHUTDOWN_TIMEOUT = "25";
        /// The directory of the SQLite file and of `dev`'s secret key. One process at a time uses it.
        DATA_DIR or "`$XDG_DATA_HOME/dify-openapi`, or `~/.local/share/dify-openapi`";
    }
    "Keys" {
        /// The secret that all keys derive from and console sessions are signed with, at least 32 bytes. Beside Dify,
        /// Dify's own.
        SECRET_KEY: secret or "required; `dev` generates one in `DATA_DIR`";
        /// Earlier values of `SECRET_KEY`, newest first: `kid:secret,kid:secret`. They open user codes and page links
        /// that were issued before, and are never used for new values.
        SECRET_KEYS_PREVIOUS: secret;
        /// The key that will replace `SECRET_KEY`: what it signs is accepted, and new values still use `SECRET_KEY`. For
        /// rotations under traffic, during which some replicas use it already.
        SECRET_KEY_NEXT: secret;
        /// The time when `SECRET_KEY` replaced the first of `SECRET_KEYS_PREVIOUS` on all replicas, like
        /// `2026-11-20T08:00:00Z`, at most an hour ahead. Console sessions that the replaced key signed end within
        /// `ACCESS_TOKEN_EXPIRE_MINUTES` after it.
        SECRET_KEY_ROTATED_AT or "such sessions end at the restart with the new key";
        /// The service key of internal callers, at least 16 bytes. Without it, introspection and `TokenService` are not
        /// served.
        INNER_API_KEY: secret;
        /// As in Dify: the password that the setup of the first administrator requires, standalone. Without it, the
        /// first caller of the setup becomes the administrator of a server without accounts.
        INIT_PASSWORD: secret;
    }
    "Listeners" {
        /// The public listener: JSON, gRPC and pages over HTTP/1.1 and HTTP/2.
        LISTEN = "0.0.0.0:5001";
        /// The admin listener: `/livez`, `/readyz` and `/metrics`. `off` closes it.
        ADMIN_LISTEN = "127.0.0.1:5002";
        /// The gRPC listener for internal services, with `TokenService`.
        GRPC_LISTEN = "off";
        /// The JSON listener for internal services, with `POST /openapi/v1/oauth/introspect`. Needs `INNER_API_KEY`.
        INNER_LISTEN = "off";
        /// The certificate chain of the public listener, a PEM file. Changed TLS files are loaded again within 30 s, or
        /// at once on SIGHUP.
        TLS_CERT_FILE or "plain HTTP";
        /// Its private key, a PEM file.
        TLS_KEY_FILE;
        /// The certificate chain of the gRPC listener, a PEM file.
        GRPC_TLS_CERT_FILE or "plain HTTP/2";
        /// Its private key, a PEM file.
        GRPC_TLS_KEY_FILE;
        /// The authorities of client certificates, a PEM file. With it, the gRPC listener requires one.
        GRPC_TLS_CLIENT_CA_FILE;
        /// Networks and addresses of proxies, separated by commas. Their `X-Forwarded-For` is trusted.
        TRUSTED_PROXIES;
        /// Whether gRPC reflection is served.
        GRPC_REFLECTION = "false", dev "true";
        /// Whether `/docs` serves the API reference as a page.
        API_REFERENCE = "false", dev "true";
        /// Origins of other sites whose scripts may call with a bearer token, separated by commas; `*` allows all.
        OPENAPI_CORS_ALLOW_ORIGINS;
        /// Whether `workspace_id` is also required to run an app and to describe one by id.
        OPENAPI_STRICT_WORKSPACE_ID = "false";
    }
    "Outgoing connections" {
        /// A PEM file of the certificate authorities that every outgoing TLS connection trusts: PostgreSQL, MySQL,
        /// Redis, models, Dify, the enterprise service, the identity provider and the collector.
        SSL_CERT_FILE or "the certificates of the machine, or Mozilla's where it has none";
        /// Directories of such files, separated by colons. Every file is read, whatever its name. With both settings, the
        /// authorities of both are trusted.
        SSL_CERT_DIR;
        /// The certificate chain that this server presents to the HTTPS servers that its own settings name: models,
        /// Dify, the enterprise service, the identity provider, the plugin daemon and S3. A PEM file. Servers that
        /// users name never receive it. Changed files are loaded again within 30 s, or at once on SIGHUP.
        SSL_CLIENT_CERT_FILE;
        /// Its private key, a PEM file.
        SSL_CLIENT_KEY_FILE;
    }
    "Database" {
        /// `sqlite://`, `postgres://` or `mysql://`, with user and password. PostgreSQL may have several hosts:
        /// `postgres://user:password@host1,host2/database?target_session_attrs=read-write`.
        DATABASE_URL: secret or "the `DB_…` settings; without them, SQLite in `DATA_DIR`";
        /// `postgresql` or `mysql`.
        DB_TYPE = "postgresql";
        /// Host name or address.
        DB_HOST = "localhost";
        /// Port.
        DB_PORT or "5432 for PostgreSQL, 3306 for MySQL";
        /// User name.
        DB_USERNAME or "`postgres` for PostgreSQL, `root` for MySQL";
        /// Password.
        DB_PASSWORD: secret;
        /// Name of the database.
        DB_DATABASE = "dify";
        /// Maximum of SQL connections of one process.
        SQLALCHEMY_POOL_SIZE = "30";
        /// Whether PostgreSQL is reached through a pooler in transaction mode.
        DB_TRANSACTION_POOLING = "false";
        /// `false` for a pooler in transaction mode that does not keep prepared statements apart, such as PgBouncer
        /// before 1.21 or without `max_prepared_statements`. Each statement then costs five round trips in place of
        /// one.
        DB_PREPARED_STATEMENTS = "true";
    }
    "Redis" {
        /// One Redis: `redis://` or `rediss://`, with password and database.
        REDIS_URL: secret or "the other `REDIS_…` settings; without them, state stays in the process: at most 100,000 \
            pending codes and 500,000 counters";
        /// Host name or address.
        REDIS_HOST;
        /// Port.
        REDIS_PORT = "6379";
        /// User name.
        REDIS_USERNAME;
        /// Password.
        REDIS_PASSWORD: secret;
        /// Number of the database.
        REDIS_DB = "0";
        /// Whether connections use TLS.
        REDIS_USE_SSL = "false";
        /// As in Dify: a PEM file of the authorities of Redis' certificate, in place of those that other connections
        /// trust.
        REDIS_SSL_CA_CERTS or "`SSL_CERT_FILE`";
        /// As in Dify: the certificate that this server presents to Redis, a PEM file. Changed files of `REDIS_SSL_…` are
        /// loaded again within 30 s, or at once on SIGHUP.
        REDIS_SSL_CERTFILE;
        /// As in Dify: its private key, a PEM file.
        REDIS_SSL_KEYFILE;
        /// As in Dify: `CERT_REQUIRED` or `CERT_OPTIONAL`, which are the same for a client. `CERT_NONE` is refused on
        /// TLS connections.
        REDIS_SSL_CERT_REQS = "CERT_REQUIRED";
        /// Whether the master is found through sentinels.
        REDIS_USE_SENTINEL = "false";
        /// The sentinels: `host:port,host:port`.
        REDIS_SENTINELS;
        /// Name of the master.
        REDIS_SENTINEL_SERVICE_NAME;
        /// User name at the sentinels.
        REDIS_SENTINEL_USERNAME;
        /// Password at the sentinels.
        REDIS_SENTINEL_PASSWORD: secret;
        /// Whether Redis is a cluster.
        REDIS_USE_CLUSTERS = "false";
        /// Nodes of the cluster: `host:port,host:port`.
        REDIS_CLUSTERS;
        /// Password of the cluster.
        REDIS_CLUSTERS_PASSWORD: secret or "`REDIS_PASSWORD`";
        /// A prefix of every key, joined by `:`.
        REDIS_KEY_PREFIX;
        /// Replicas that have to confirm a revocation, a decision, a redemption or a used nonce before the reply, 0 to
        /// 5. With 0, a failover of Redis may take these back.
        REDIS_WAIT_REPLICAS = "0";
    }
    "Tokens and sessions" {
        /// `false`: bearer tokens are neither accepted nor issued.
        ENABLE_OAUTH_BEARER = "true";
        /// Lifetime of new tokens in days, 1 to 365.
        OAUTH_TTL_DAYS = "14";
        /// Clients that may ask for codes, separated by commas.
        OPENAPI_KNOWN_CLIENT_IDS = "difyctl";
        /// The commands with which these clients sign in, like `acme-cli=acme login,other=other auth`. The pages,
        /// messages and hints show the command of the client; difyctl has one without this setting.
        OPENAPI_CLIENT_COMMANDS;
        /// Whether `device/code` returns `verification_uri_complete`.
        DEVICE_FLOW_VERIFICATION_URI_COMPLETE = "true";
        /// Days that ended sessions are kept.
        OAUTH_ACCESS_TOKEN_RETENTION_DAYS = "30";
        /// Whether ended sessions are deleted after that time.
        ENABLE_CLEAN_OAUTH_ACCESS_TOKENS_TASK = "true";
        /// Lifetime of a browser session's access cookie in minutes.
        ACCESS_TOKEN_EXPIRE_MINUTES = "60";
        /// Lifetime of a browser session's refresh cookie in days.
        REFRESH_TOKEN_EXPIRE_DAYS = "30";
    }
    "Limits" {
        /// Requests per minute and token; 0 switches the limit off.
        OPENAPI_RATE_LIMIT_PER_TOKEN = "60";
        /// Decisions about devices per hour and account; 0 switches the limit off.
        DEVICE_FLOW_APPROVE_RATE_LIMIT_PER_HOUR = "10";
        /// Longest delay in seconds between wrong passwords of an account from one address.
        LOGIN_LOCKOUT_DURATION = "86400";
        /// Memory in MiB that the process divides among connections, bodies, hashing and runs. A request over its share
        /// gets 503. `check-config` prints the shares, and the numbers of connections and requests that follow.
        MEMORY_LIMIT_MIB or "what the cgroup or the machine has";
        /// Any limit by name, like `device_code=600/1h,lookup=0`. `check-config` prints all of them.
        OPENAPI_RATE_LIMITS;
    }
    "Apps" {
        /// The endpoint of every model except the demo model `echo`: anything that implements OpenAI's chat
        /// completions.
        OPENAI_BASE_URL or "`https://api.openai.com/v1` if `OPENAI_API_KEY` is set";
        /// The key of that endpoint.
        OPENAI_API_KEY: secret;
        /// The endpoint's names of models, like `langgenius/openai/openai:gpt-4o=llama3`, separated by commas.
        OPENAI_MODELS or "the names in the apps";
        /// Milliseconds that the demo model waits before each word.
        ECHO_PACE_MS = "0", dev "30";
        /// Maximum of seconds of one run.
        APP_MAX_EXECUTION_TIME = "1200";
        /// Maximum of seconds that a run waits for a form, whatever the timeout of its node is.
        HITL_GLOBAL_TIMEOUT_SECONDS = "604800";
        /// Maximum of concurrent runs of one app, over all replicas; 0 is unlimited. An app may set less.
        APP_MAX_ACTIVE_REQUESTS = "0";
        /// Maximum of concurrent runs in one process, within the share of memory of runs. One more gets 429, and one
        /// app leaves places to others.
        MAX_RUNS_PER_PROCESS = "2000";
        /// Private networks and addresses that HTTP nodes may reach besides public ones, separated by commas. Leave out
        /// the metadata address `169.254.169.254`.
        HTTP_REQUEST_ALLOWED_NETWORKS;
    }
    "Files" {
        /// Where uploaded files are kept: `opendal` in a directory, `s3` in a bucket of S3 or of a service that speaks
        /// its protocol. Several replicas need a shared directory or a bucket.
        STORAGE_TYPE = "opendal";
        /// The directory of uploaded files; beside Dify the directory of its storage, for the private keys of
        /// workspaces.
        OPENDAL_FS_ROOT or "`files` in `DATA_DIR`";
        /// The URL of the service.
        S3_ENDPOINT or "the endpoint of AWS in `S3_REGION`";
        /// The region of the bucket.
        S3_REGION = "us-east-1";
        /// The name of the bucket.
        S3_BUCKET_NAME;
        /// The id of the access key.
        S3_ACCESS_KEY;
        /// The access key.
        S3_SECRET_KEY: secret;
        /// `virtual`: the bucket is part of the host name. `path` and `auto`: it is part of the path.
        S3_ADDRESS_STYLE = "auto";
        /// Largest upload in MiB, except images, videos and audio.
        UPLOAD_FILE_SIZE_LIMIT = "15";
        /// Largest image in MiB.
        UPLOAD_IMAGE_FILE_SIZE_LIMIT = "10";
        /// Largest video in MiB.
        UPLOAD_VIDEO_FILE_SIZE_LIMIT = "100";
        /// Largest audio file in MiB.
        UPLOAD_AUDIO_FILE_SIZE_LIMIT = "50";
        /// Extensions that are not accepted, like `exe,bat`, separated by commas.
        UPLOAD_FILE_EXTENSION_BLACKLIST;
        /// Maximum of files in one list of a run.
        WORKFLOW_FILE_UPLOAD_LIMIT = "10";
        /// Seconds for which the address of an uploaded file's contents is valid.
        FILES_ACCESS_TIMEOUT = "300";
    }
    "Beside Dify" {
        /// Dify's service API, which runs are forwarded to.
        DIFY_API_URL or "apps can be listed and described, but not run";
        /// Maximum of seconds until a connection to it is open.
        DIFY_API_CONNECT_TIMEOUT = "5";
        /// Maximum of seconds until the first byte of its answer.
        DIFY_API_FIRST_BYTE_TIMEOUT = "60";
        /// Maximum of runs that are forwarded at the same time.
        DIFY_API_MAX_CONNECTIONS = "1000";
        /// Whether connections to third-party services are served in place of Dify. Needs read access to the private
        /// keys in Dify's storage (`STORAGE_TYPE`, `OPENDAL_FS_ROOT`), and the gateway's routes. Standalone they always
        /// are.
        ENABLE_CONNECTIONS = "false";
    }
    "Connections" {
        /// Dify's plugin daemon, which runs the plugins of providers whose manifest has no `oauth` block, and the tools
        /// of
        /// `tool` nodes.
        PLUGIN_DAEMON_URL or "such providers cannot be connected, and apps with `tool` nodes cannot run";
        /// The key of the plugin daemon, sent as `X-Api-Key`.
        PLUGIN_DAEMON_KEY: secret;
    }
    "Dify Enterprise" {
        /// Whether the routes of the Enterprise edition are served.
        ENTERPRISE_ENABLED = "false";
        /// The enterprise service.
        ENTERPRISE_API_URL or "the tables of this server decide";
        /// The key of the enterprise service, sent as `Enterprise-Api-Secret-Key`.
        ENTERPRISE_API_SECRET_KEY: secret;
    }
    "Single sign-on" {
        /// The issuer of the OpenID provider at which people sign in, exactly as its metadata has it. Needs
        /// `ENTERPRISE_ENABLED`.
        SSO_OIDC_ISSUER or "single sign-on is offered by the enterprise service only";
        /// The client id of this server at the provider.
        SSO_OIDC_CLIENT_ID;
        /// The client secret of this server at the provider.
        SSO_OIDC_CLIENT_SECRET: secret;
        /// Scopes to request, separated by spaces.
        SSO_OIDC_SCOPES = "openid email profile";
        /// The provider's name on the button.
        SSO_OIDC_NAME or "`SSO`";
        /// Domains of email addresses that may sign in, separated by commas.
        SSO_OIDC_ALLOWED_DOMAINS or "every verified email address may";
    }
    "Pages" {
        /// The name in the header and in the titles of pages, up to 40 characters.
        BRAND_NAME = "Dify";
        /// A PNG or SVG file of at most 256 KiB, in place of the icon.
        BRAND_LOGO_FILE;
        /// The colour of buttons and links, such as `#0a7d55`. Its contrast to white must be at least 4.5; the colours
        /// of the dark scheme are derived from it.
        BRAND_ACCENT_COLOR;
        /// A link in the footer.
        HELP_URL;
        /// A link in the footer.
        PRIVACY_URL;
        /// A link in the footer.
        TERMS_URL;
        /// Where the sign-in page sends people who forgot their password.
        SIGN_IN_HELP_URL;
    }
    "Logs, traces and metrics" {
        /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`, or a list like `info,dify_openapi=debug`.
        LOG_LEVEL = "INFO";
        /// `text` for people, `json` for machines.
        LOG_OUTPUT_FORMAT = "text";
        /// Whether traces and metrics are exported over OTLP. Headers, resource, sampler and limits of spans follow the
        /// standard `OTEL_…` variables; those without an effect here are refused.
        ENABLE_OTEL = "false";
        /// `true` switches the export off, as in the OpenTelemetry specification.
        OTEL_SDK_DISABLED = "false";
        /// The collector, as in Dify. The standard names win.
        OTLP_BASE_ENDPOINT or "`http://localhost:4317`";
        /// The collector.
        OTEL_EXPORTER_OTLP_ENDPOINT;
        /// The collector of traces; over HTTP with the whole path.
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
        /// The collector of metrics; over HTTP with the whole path.
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT;
        /// `grpc` or `http/protobuf`.
        OTEL_EXPORTER_OTLP_PROTOCOL = "grpc";
        /// The protocol of traces.
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL;
        /// The protocol of metrics.
        OTEL_EXPORTER_OTLP_METRICS_PROTOCOL;
        /// Milliseconds that one export may take.
        OTEL_EXPORTER_OTLP_TIMEOUT = "10000";
        /// The same for traces.
        OTEL_EXPORTER_OTLP_TRACES_TIMEOUT;
        /// The same for metrics.
        OTEL_EXPORTER_OTLP_METRICS_TIMEOUT;
        /// A PEM file with the authorities of the collector's certificate.
        OTEL_EXPORTER_OTLP_CERTIFICATE or "`SSL_CERT_FILE`, then the machine's";
        /// A PEM file with the certificate that this server shows to the collector.
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE;
        /// A PEM file with its key.
        OTEL_EXPORTER_OTLP_CLIENT_KEY;
        /// The authorities of the collector of traces. With one of the three files for a signal, those for all signals
        /// do not apply to it.
        OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE;
        /// The certificate that this server shows to the collector of traces.
        OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE;
        /// Its key.
        OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY;
        /// The authorities of the collector of metrics.
        OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE;
        /// The certificate that this server shows to the collector of metrics.
        OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE;
        /// Its key.
        OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY;
        /// `otlp`, or `none` to export no traces.
        OTEL_TRACES_EXPORTER = "otlp";
        /// `otlp`, or `none` to export no metrics; `/metrics` has them in both cases.
        OTEL_METRICS_EXPORTER = "otlp";
        /// `trace_based`: `/metrics` in the format of OpenMetrics names sampled traces in the histograms of requests.
        /// `always_off`: it names none.
        OTEL_METRICS_EXEMPLAR_FILTER = "trace_based";
        /// Only `none`: logs are written to standard output.
        OTEL_LOGS_EXPORTER = "none";
        /// Only `tracecontext`: `traceparent` is passed on.
        OTEL_PROPAGATORS = "tracecontext";
        /// Ended spans that wait for their export. Others are dropped and counted.
        OTEL_BSP_MAX_QUEUE_SIZE = "2048";
        /// A sampler of the OpenTelemetry specification.
        OTEL_TRACES_SAMPLER or "`OTEL_SAMPLING_RATE`, following the caller's decision";
        /// Share of new traces that is kept, 0 to 1.
        OTEL_SAMPLING_RATE = "0.1";
    }
}
