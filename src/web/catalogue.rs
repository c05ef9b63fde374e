//! Every text of the pages, in Chinese and English: one folder a language, one file a station,
//! the same keys in both. What the server says besides in English sentences stands in `server.ftl`
//! of the other languages alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderMap, header};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use rust_embed::RustEmbed;
use serde::Deserialize;
use unic_langid::LanguageIdentifier;
use utoipa::ToSchema;

use crate::http::cookie;

#[derive(RustEmbed)]
#[folder = "src/web/catalogue"]
struct Files;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Simplified Chinese.
    Chinese,
    /// English.
    English,
}

/// The language of the words in a picture, as a query asks for it.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl From<Words> for Language {
    fn from(words: Words) -> Self {
        match words {
            Words::En => Self::English,
            Words::Zh => Self::Chinese,
        }
    }
}

struct Catalogue {
    bundle: FluentBundle<FluentResource>,
    /// What ES modules may need, by key, with `{name}` where something is filled in.
    plain: BTreeMap<String, String>,
}

impl Language {
    /// Every language there is.
    pub const ALL: [Self; 2] = [Self::Chinese, Self::English];

    /// As a page says it, so that a browser picks the right shapes of characters.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// As a folder and a cookie say it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Chinese => "zh",
            Self::English => "en",
        }
    }

    /// The language with this code, whatever region stands behind it.
    pub fn parse(tag: &str) -> Option<Self> {
        let code = tag.trim().split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|language| code.eq_ignore_ascii_case(language.code()))
    }

    /// What was chosen, else what the browser prefers, else Chinese.
    pub fn of(headers: &HeaderMap) -> Self {
        let chosen = cookie::get(headers, cookie::LANGUAGE).and_then(Self::parse);
        let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        chosen.or_else(|| header.and_then(preferred)).unwrap_or(Self::Chinese)
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Chinese => Self::English,
            Self::English => Self::Chinese,
        }
    }

    /// The text with this key, filled in; the key itself where there is none, which a test rules
    /// out.
    pub fn say(self, key: &str, filled: &[(&str, FluentValue<'_>)]) -> Cow<'static, str> {
        self.find(key, filled).unwrap_or_else(|| {
            tracing::error!(key, "the catalogue has no such text");
            Cow::Owned(key.to_owned())
        })
    }

    /// The text for a problem's code, if there is one.
    pub fn problem(self, code: &str) -> Option<Cow<'static, str>> {
        let code = code.replace(['.', '_'], "-");
        let mut keys = CODED.iter().map(|start| format!("{start}{code}"));
        keys.find_map(|key| self.find(&key, &[]))
    }

    fn find(self, key: &str, filled: &[(&str, FluentValue<'_>)]) -> Option<Cow<'static, str>> {
        let bundle = &catalogue(self).bundle;
        let pattern = bundle.get_message(key)?.value()?;
        let mut arguments = FluentArgs::new();
        for (name, value) in filled {
            arguments.set(*name, value.clone());
        }
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&arguments), &mut errors);
        if !errors.is_empty() {
            tracing::error!(key, ?errors, "a text cannot be filled in");
        }
        Some(Cow::Owned(text.into_owned()))
    }

    /// What the ES module of this name may say, as JSON that can stand in a page.
    pub fn texts(self, module: &str) -> String {
        let own = format!("js-{module}-");
        let mut starts = vec!["js-station-", own.as_str()];
        starts.extend(if module == "collect" { &COLLECTED[..] } else { &CODED[..] });
        let wanted = |key: &str| starts.iter().any(|start| key.starts_with(start));
        let plain = &catalogue(self).plain;
        let texts: BTreeMap<_, _> = plain.iter().filter(|(key, _)| wanted(key)).collect();
        // Nothing that stands in it can end the element it stands in.
        serde_json::to_string(&texts).unwrap_or_default().replace('<', "\\u003c")
    }
}

/// How the keys of texts for problems' codes begin: said in every language, and only where the
/// server's own sentence would be a foreign one.
const CODED: [&str; 2] = ["problem-", "server-"];

/// What of these the collect page may be told: the first page of a phone is small.
const COLLECTED: [&str; 9] = [
    "problem-",
    "server-box-",
    "server-code-",
    "server-hand-over-",
    "server-handover-",
    "server-idempotency-",
    "server-text-",
    "server-time-",
    "server-tube-",
];

/// The first language of the header that there is, by its weight.
fn preferred(header: &str) -> Option<Language> {
    let weighed = header.split(',').filter_map(|item| {
        let (tag, weight) = item.split_once(";q=").unwrap_or((item, "1"));
        Some((Language::parse(tag)?, weight.trim().parse::<f32>().ok()?))
    });
    // Of equals the first one counts.
    weighed.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(found, _)| found)
}

fn catalogue(language: Language) -> &'static Catalogue {
    static CHINESE: LazyLock<Catalogue> = LazyLock::new(|| load(Language::Chinese));
    static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| load(Language::English));
    match language {
        Language::Chinese => &CHINESE,
        Language::English => &ENGLISH,
    }
}

/// Name and text of every file of a language.
pub fn sources(language: Language) -> Vec<(String, String)> {
    let start = format!("{}/", language.code());
    let names = Files::iter().filter(|name| name.starts_with(&start));
    let read = |name: Cow<'static, str>| {
        let text = Files::get(&name).map(|file| String::from_utf8_lossy(&file.data).into_owned());
        (name[start.len()..].to_owned(), text.unwrap_or_default())
    };
    let mut sources: Vec<_> = names.map(read).collect();
    sources.sort();
    sources
}

/// Key and written text of every message of a file.
pub fn messages(source: &str) -> Vec<(&str, &str)> {
    let is_key = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut found: Vec<(&str, usize, usize)> = Vec::new();
    let mut at = 0;
    for line in source.split_inclusive('\n') {
        let key = line.split_once('=').map(|(key, _)| key.trim_end());
        let starts = line.starts_with(|c: char| c.is_ascii_lowercase());
        if let Some(key) = key.filter(|key| starts && key.chars().all(is_key)) {
            found.push((key, at + line.find('=').unwrap_or_default() + 1, at + line.len()));
        } else if let Some(last) = found.last_mut().filter(|_| line.starts_with(' ')) {
            last.2 = at + line.len();
        }
        at += line.len();
    }
    found.into_iter().map(|(key, start, end)| (key, source[start..end].trim())).collect()
}

/// Names of what is filled into a written text, each once.
pub fn variables(text: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let names = text.split('$').skip(1);
    let mut names: Vec<_> =
        names.map(|rest| rest.split(|c| !is_name(c)).next().unwrap_or_default()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn load(language: Language) -> Catalogue {
    let identifier: LanguageIdentifier = language.code().parse().expect("it is a language's code");
    let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
    bundle.set_use_isolating(false);
    let sources = sources(language);
    for (name, source) in &sources {
        let resource =
            FluentResource::try_new(source.clone()).unwrap_or_else(|(resource, errors)| {
                tracing::error!(name, ?errors, "a file of the catalogue cannot be read");
                resource
            });
        if let Err(errors) = bundle.add_resource(resource) {
            tracing::error!(name, ?errors, "a file of the catalogue says something twice");
        }
    }
    let mut plain = BTreeMap::new();
    for (key, text) in sources.iter().flat_map(|(_, source)| messages(source)) {
        if let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) {
            let mut arguments = FluentArgs::new();
            for name in variables(text) {
                arguments.set(name, format!("{{{name}}}"));
            }
            let shown = bundle.format_pattern(pattern, Some(&arguments), &mut Vec::new());
            plain.insert(key.to_owned(), shown.into_owned());
        }
    }
    Catalogue { bundle, plain }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
