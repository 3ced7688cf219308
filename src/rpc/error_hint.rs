//! Hints of errors in the words of gRPC: the domain's hints name JSON routes, and these name RPCs instead.

include!(concat!(env!("OUT_DIR"), "/rpc_names.rs"));

/// `GET /openapi/v1/apps?workspace_id=… lists the apps.` as `AppService.ListApps lists the apps.`
pub(super) fn for_grpc(hint: &str) -> String {
    let mut words = hint.split(' ').peekable();
    let mut translated = Vec::new();
    while let Some(word) = words.next() {
        match words.peek().and_then(|path| rpc(word, path)) {
            Some((name, end)) => {
                translated.push(format!("{name}{end}"));
                words.next();
            }
            None => translated.push(word.to_owned()),
        }
    }
    translated.join(" ")
}

/// The RPC of a verb and a path, and the punctuation after the path.
fn rpc<'a>(verb: &str, path: &'a str) -> Option<(&'static str, &'a str)> {
    let (without_end, end) = path.split_at(path.trim_end_matches(['.', ',', ';', ':']).len());
    let path = without_end.split('?').next()?;
    let (_, _, name) = RPC_NAMES.iter().find(|(of_verb, of_path, _)| *of_verb == verb && *of_path == path)?;
    Some((name, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_become_rpcs_and_other_words_stay() {
        for (hint, expected) in [
            (
                "GET /openapi/v1/workspaces lists your workspaces.",
                "WorkspaceService.ListWorkspaces lists your workspaces.",
            ),
            (
                "GET /openapi/v1/apps?workspace_id=… lists the apps of a workspace.",
                "AppService.ListApps lists the apps of a workspace.",
            ),
            ("Read GET /openapi/v1/apps/{id}/describe.", "Read AppService.DescribeApp."),
            ("POST /console/api/setup needs none.", "POST /console/api/setup needs none."),
            ("Sign in with `difyctl auth login`.", "Sign in with `difyctl auth login`."),
            ("GET", "GET"),
        ] {
            assert_eq!(for_grpc(hint), expected);
        }
    }
}
