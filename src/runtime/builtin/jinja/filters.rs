//! The filters of Jinja2 3.1.

mod escapes;
mod json;
mod numbers;
mod order;
mod pretty;
mod select;
mod sequences;
mod texts;
mod urlize;
mod wrap;

use super::state::Builtin;

/// All filters by their names.
const FILTERS: [(&str, Builtin); 54] = [
    ("abs", numbers::abs),
    ("attr", sequences::attr),
    ("batch", sequences::batch),
    ("capitalize", |state, value, arguments| texts::change_case(state, value, arguments, "capitalize")),
    ("center", texts::center),
    ("count", sequences::length),
    ("d", sequences::default),
    ("default", sequences::default),
    ("dictsort", order::dictsort),
    ("e", escapes::escape),
    ("escape", escapes::escape),
    ("filesizeformat", numbers::filesizeformat),
    ("first", sequences::first),
    ("float", numbers::float),
    ("forceescape", escapes::forceescape),
    ("format", texts::format),
    ("groupby", order::groupby),
    ("indent", texts::indent),
    ("int", numbers::int),
    ("items", sequences::items),
    ("join", sequences::join),
    ("last", sequences::last),
    ("length", sequences::length),
    ("list", sequences::list),
    ("lower", |state, value, arguments| texts::change_case(state, value, arguments, "lower")),
    ("map", select::map),
    ("max", |state, value, arguments| order::extreme(state, value, arguments, true)),
    ("min", |state, value, arguments| order::extreme(state, value, arguments, false)),
    ("pprint", pretty::pprint),
    ("random", sequences::random),
    ("reject", |state, value, arguments| select::select(state, value, arguments, false)),
    ("rejectattr", |state, value, arguments| select::select_attribute(state, value, arguments, false)),
    ("replace", texts::replace),
    ("reverse", sequences::reverse),
    ("round", numbers::round),
    ("safe", escapes::safe),
    ("select", |state, value, arguments| select::select(state, value, arguments, true)),
    ("selectattr", |state, value, arguments| select::select_attribute(state, value, arguments, true)),
    ("slice", sequences::slice),
    ("sort", order::sort),
    ("string", texts::string),
    ("striptags", escapes::striptags),
    ("sum", sequences::sum),
    ("title", texts::title),
    ("tojson", json::tojson),
    ("trim", texts::trim),
    ("truncate", texts::truncate),
    ("unique", order::unique),
    ("upper", |state, value, arguments| texts::change_case(state, value, arguments, "upper")),
    ("urlencode", escapes::urlencode),
    ("urlize", urlize::urlize),
    ("wordcount", texts::wordcount),
    ("wordwrap", wrap::wordwrap),
    ("xmlattr", escapes::xmlattr),
];

/// The filter of this name.
pub(super) fn find(name: &str) -> Option<Builtin> {
    FILTERS.iter().find(|(known, _)| *known == name).map(|(_, filter)| *filter)
}

/// The names of all filters.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|(name, _)| *name)
}
