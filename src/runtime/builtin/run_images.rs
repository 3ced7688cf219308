//! The images of a run that models may see: uploads of its caller, and remote addresses.
//!
//! Values of a run may come from anywhere, so a value that names an upload counts only when the run was started with
//! it.

use std::collections::HashMap;

use serde_json::Value;
use url::Url;

use super::model::image::{ImageSource, PromptImage, StoredImage};
use crate::{
    domain::{file::uploaded::UploadedFile, id::FileId},
    memory::Owner,
};

#[derive(Clone, Debug)]
pub(crate) struct RunImages {
    /// The uploads that the run was started with.
    uploads: HashMap<FileId, StoredImage>,
    /// The workspace and the app.
    owners: [Owner; 2],
}

impl RunImages {
    pub(crate) fn new(uploads: Vec<UploadedFile>, owners: [Owner; 2]) -> Self {
        let stored = |file: UploadedFile| (file.id, StoredImage { key: file.key, size: file.size });
        Self { uploads: uploads.into_iter().map(stored).collect(), owners }
    }

    /// The images of a run that continues: `uploads` are those that it was started with.
    pub(crate) fn restored(uploads: HashMap<FileId, StoredImage>, owners: [Owner; 2]) -> Self {
        Self { uploads, owners }
    }

    /// The uploads that the run was started with.
    pub(crate) fn uploads(&self) -> &HashMap<FileId, StoredImage> {
        &self.uploads
    }

    /// The images of a value: a file or a list of files.
    pub(crate) fn of(&self, value: &Value, detail: Option<&str>) -> Vec<PromptImage> {
        match value {
            Value::Array(files) => self.of_files(files, detail),
            file => self.of_files(std::slice::from_ref(file), detail),
        }
    }

    pub(crate) fn of_files(&self, files: &[Value], detail: Option<&str>) -> Vec<PromptImage> {
        let image = |file: &Value| {
            let text = |name: &str| file.get(name).and_then(Value::as_str);
            if text("type") != Some("image") {
                return None;
            }
            let source = match text("transfer_method")? {
                "local_file" => ImageSource::Stored(self.uploads.get(&text("related_id")?.parse().ok()?)?.clone()),
                "remote_url" => ImageSource::Remote(Url::parse(text("remote_url")?).ok()?),
                _ => return None,
            };
            Some(PromptImage { source, detail: detail.map(str::to_owned), owners: self.owners })
        };
        files.iter().filter_map(image).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{
        file::uploaded::FileOwner,
        id::{AccountId, WorkspaceId},
    };

    #[test]
    fn only_uploads_of_the_run_are_images() {
        let (own, other) = (FileId(uuid::Uuid::from_u128(1)), FileId(uuid::Uuid::from_u128(2)));
        let file = UploadedFile {
            id: own,
            workspace_id: WorkspaceId(uuid::Uuid::nil()),
            storage_type: "opendal".to_owned(),
            key: "k".to_owned(),
            name: "a.png".to_owned(),
            size: 1,
            extension: "png".to_owned(),
            media_type: "image/png".to_owned(),
            owner: FileOwner::Account(AccountId(uuid::Uuid::nil())),
            created_at: chrono::DateTime::UNIX_EPOCH,
        };
        let owners = [Owner::of(&1), Owner::of(&2)];
        let images = RunImages::new(vec![file], owners);
        let local = |id: FileId, kind: &str| json!({"type": kind, "transfer_method": "local_file", "related_id": id.to_string()});
        let remote = json!({"type": "image", "transfer_method": "remote_url", "remote_url": "http://x/a.png"});
        let value = json!([local(own, "image"), local(other, "image"), local(own, "document"), remote, "text", null]);
        let sources: Vec<_> = images.of(&value, Some("high")).into_iter().map(|image| image.source).collect();
        let url = Url::parse("http://x/a.png").unwrap();
        assert_eq!(
            sources,
            [ImageSource::Stored(StoredImage { key: "k".to_owned(), size: 1 }), ImageSource::Remote(url)]
        );
        assert!(images.of(&json!({"type": "image"}), None).is_empty());
    }
}
