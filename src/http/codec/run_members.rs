//! The members of a run that come from a form, as one JSON object. Their texts are not parsed into values: what those
//! weigh is checked with the whole body.

use std::collections::BTreeMap;

use serde_json::{json, value::RawValue};

use crate::{
    domain::{Code, Error, Result, file::kind::FileKind},
    rpc::proto,
};

/// The member that files are added to.
const INPUTS: &str = "inputs";

#[derive(Default)]
pub(super) struct RunMembers {
    /// Members of the run, by name: JSON.
    members: BTreeMap<String, String>,
    /// Inputs that are files, by name.
    files: BTreeMap<String, FileInput>,
}

/// The input that the file of a part is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePart {
    input: String,
    is_list: bool,
}

#[derive(Default)]
struct FileInput {
    is_list: bool,
    /// References in Dify's format: JSON.
    references: Vec<String>,
}

impl RunMembers {
    /// Adds a member. A text that is not JSON is a string. Fails with `invalid_request` for a member that appears
    /// twice, and for a file without a file name.
    pub(super) fn add_text(&mut self, name: String, text: String) -> Result<()> {
        if name.starts_with("files[") {
            return Err(Error::new(Code::InvalidRequest, "A file of the form has no file name."));
        }
        let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
        let json = if is_json { text } else { json!(text).to_string() };
        match self.members.insert(name, json) {
            None => Ok(()),
            Some(_) => Err(Error::new(Code::InvalidRequest, "A part of the form appears twice.")),
        }
    }

    /// The input that the file of a part is for. Fails with `invalid_request` for a second file of an input that is no
    /// list.
    pub(super) fn file_input(&self, part: &str) -> Result<FilePart> {
        let name = FilePart::parse(part).ok_or_else(|| {
            Error::new(Code::InvalidRequest, "A file is a part named `files[name]`, or `files[name][]` for a list.")
        })?;
        match self.files.get(&name.input) {
            Some(known) if !known.is_list || !name.is_list => {
                let message = format!("`files[{}]` appears twice.", name.input);
                Err(Error::new(Code::InvalidRequest, message).with_hint("Files of a list are parts `files[name][]`."))
            }
            _ => Ok(name),
        }
    }

    pub(super) fn add_file(&mut self, name: FilePart, file: &proto::UploadFileResponse) {
        let kind = FileKind::of(&file.extension, &file.mime_type);
        let reference = json!({"type": kind.as_str(), "transfer_method": "local_file", "upload_file_id": file.id});
        let input = self.files.entry(name.input).or_default();
        input.is_list = name.is_list;
        input.references.push(reference.to_string());
    }

    /// All members as one object. Fails with `invalid_request` when there are files and `inputs` is not an object.
    pub(super) fn into_json(mut self) -> Result<String> {
        if !self.files.is_empty() {
            let given = self.members.remove(INPUTS).unwrap_or_else(|| "{}".to_owned());
            let inner = given.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).map(str::trim);
            let inner =
                inner.ok_or_else(|| Error::new(Code::InvalidRequest, "The part `inputs` must be a JSON object."))?;
            let files = self.files.iter().map(|(name, file)| format!("{}:{}", json!(name), file.to_json()));
            let inputs: Vec<_> =
                Some(inner.to_owned()).filter(|inner| !inner.is_empty()).into_iter().chain(files).collect();
            self.members.insert(INPUTS.to_owned(), format!("{{{}}}", inputs.join(",")));
        }
        let members: Vec<_> = self.members.into_iter().map(|(name, json)| format!("{}:{json}", json!(name))).collect();
        Ok(format!("{{{}}}", members.join(",")))
    }
}

impl FilePart {
    fn parse(part: &str) -> Option<Self> {
        let rest = part.strip_prefix("files[")?;
        let (input, is_list) = match rest.strip_suffix("][]") {
            Some(input) => (input, true),
            None => (rest.strip_suffix(']')?, false),
        };
        let is_valid = !input.is_empty() && !input.contains(['[', ']']);
        is_valid.then(|| Self { input: input.to_owned(), is_list })
    }
}

impl FileInput {
    fn to_json(&self) -> String {
        let references = self.references.join(",");
        if self.is_list { format!("[{references}]") } else { references }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn png() -> proto::UploadFileResponse {
        proto::UploadFileResponse { id: "1".to_owned(), extension: "png".to_owned(), ..Default::default() }
    }

    fn json(members: RunMembers) -> Value {
        serde_json::from_str(&members.into_json().unwrap()).unwrap()
    }

    #[test]
    fn names_of_parts_select_inputs() {
        let name = |input: &str, is_list| Some(FilePart { input: input.to_owned(), is_list });
        for (part, expected) in [
            ("files[photo]", name("photo", false)),
            ("files[my papers][]", name("my papers", true)),
            ("files[]", None),
            ("files[][]", None),
            ("files[a][b]", None),
            ("files[a]b", None),
            ("files", None),
            ("photo", None),
        ] {
            assert_eq!(FilePart::parse(part), expected, "{part}");
        }
    }

    #[test]
    fn files_are_added_to_the_inputs() {
        let mut members = RunMembers::default();
        for (name, text) in [("inputs", " {\"n\": 1, \"photo\": 2} "), ("query", "hello \"you\""), ("limit", "7")] {
            members.add_text(name.to_owned(), text.to_owned()).unwrap();
        }
        for part in ["files[photo]", "files[a\"b][]", "files[a\"b][]"] {
            members.add_file(members.file_input(part).unwrap(), &png());
        }
        let file = json!({"type": "image", "transfer_method": "local_file", "upload_file_id": "1"});
        assert_eq!(
            json(members),
            json!({"inputs": {"n": 1, "photo": file, "a\"b": [file, file]}, "query": "hello \"you\"", "limit": 7})
        );
    }

    #[test]
    fn files_alone_make_inputs_and_no_file_leaves_them() {
        let mut members = RunMembers::default();
        members.add_file(members.file_input("files[a][]").unwrap(), &png());
        assert_eq!(json(members)["inputs"]["a"].as_array().unwrap().len(), 1);
        let mut members = RunMembers::default();
        members.add_text("inputs".to_owned(), "[1]".to_owned()).unwrap();
        assert_eq!(json(members), json!({"inputs": [1]}), "the run refuses it");
        assert_eq!(json(RunMembers::default()), json!({}));
    }

    #[test]
    fn texts_cannot_add_members() {
        let mut members = RunMembers::default();
        members.add_text("a".to_owned(), "1,\"b\":2".to_owned()).unwrap();
        members.add_text("c\":1,\"d".to_owned(), "1".to_owned()).unwrap();
        assert_eq!(json(members), json!({"a": "1,\"b\":2", "c\":1,\"d": 1}));
        for inputs in ["[]", "\"{}\"", "{}]", "{\"a\":1},\"b\":{}", "null"] {
            let mut members = RunMembers::default();
            members.add_text("inputs".to_owned(), inputs.to_owned()).unwrap();
            members.add_file(members.file_input("files[a]").unwrap(), &png());
            assert_eq!(members.into_json().unwrap_err().code(), Code::InvalidRequest, "{inputs}");
        }
    }

    #[test]
    fn parts_that_appear_twice_are_refused() {
        let mut members = RunMembers::default();
        members.add_text("query".to_owned(), "a".to_owned()).unwrap();
        assert!(members.add_text("query".to_owned(), "b".to_owned()).is_err());
        members.add_file(members.file_input("files[photo]").unwrap(), &png());
        assert!(members.file_input("files[photo]").is_err());
        assert!(members.file_input("files[photo][]").is_err());
        members.add_file(members.file_input("files[papers][]").unwrap(), &png());
        assert!(members.file_input("files[papers]").is_err());
        assert!(members.file_input("files[papers][]").is_ok());
        assert!(members.add_text("files[x]".to_owned(), "{}".to_owned()).is_err());
    }
}
