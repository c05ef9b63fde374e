//! Calls of a page that come late, or that nobody answers.

use serde_json::{Value, json};

use super::Browser;

/// Calls whose address has these words in it wait from here on until [`release`], or none of those
/// to come after [`hold_no_more`]. `window.held` counts those that wait, until the page has dealt
/// with their answers; one that the page gives up waits no more.
pub async fn hold(browser: &Browser, words: &str) {
    hold_back(browser, words, false).await;
}

/// Such calls are made at once, and it is their answers that wait, as they were.
pub async fn hold_answers(browser: &Browser, words: &str) {
    hold_back(browser, words, true).await;
}

async fn hold_back(browser: &Browser, words: &str, answers: bool) {
    let script = "const [words, answers] = arguments;
        const real = window.real = window.fetch;
        const gate = new Promise(open => { window.release = open; });
        const over = signal => new Promise((_, failed) => {
            signal?.addEventListener('abort', () => failed(signal.reason));
        });
        window.held = 0;
        window.fetch = async (url, ...rest) => {
            if (!String(url).includes(words)) return real(url, ...rest);
            const early = answers && await real(url, ...rest);
            window.held += 1;
            await Promise.race([gate, over(rest[0]?.signal)]).catch(reason => {
                window.held -= 1;
                throw reason;
            });
            const answer = early || await real(url, ...rest);
            answer.clone().text().then(() => setTimeout(() => { window.held -= 1; }, 100));
            return answer;
        }";
    browser.client.execute(script, vec![json!(words), json!(answers)]).await.unwrap();
}

/// Waits until so many calls wait.
pub async fn wait_held(browser: &Browser, count: u64) {
    browser.wait_for_value("window.held", &json!(count)).await;
}

/// Lets those that wait go on, and waits for what comes of them.
pub async fn release(browser: &Browser) {
    browser.client.execute("window.release()", Vec::new()).await.unwrap();
    wait_held(browser, 0).await;
}

/// Calls from here on go their way again; those that wait still wait.
pub async fn hold_no_more(browser: &Browser) {
    browser.client.execute("window.fetch = window.real", Vec::new()).await.unwrap();
}

/// Calls whose address has these words in it are refused from here on, as by a server that has too
/// much to do, until [`hold_no_more`].
pub async fn refuse(browser: &Browser, words: &str) {
    let script = "const [words] = arguments;
        const real = window.real = window.fetch;
        const problem = { code: 'store.busy', status: 503, detail: 'the store is busy' };
        window.fetch = async (url, ...rest) => String(url).includes(words)
            ? Response.json(problem, { status: 503 }) : real(url, ...rest)";
    browser.client.execute(script, vec![json!(words)]).await.unwrap();
}

/// The next call with this method reaches the server, and its answer is lost on the way back.
pub async fn lose_answer(browser: &Browser, method: &str) {
    let script = "const [method] = arguments;
        const real = window.fetch;
        window.fetch = async (url, options) => {
            if (options?.method !== method || String(url).includes('dry_run')) return real(url, options);
            window.fetch = real;
            await real(url, options);
            throw new TypeError('the answer is lost');
        }";
    browser.client.execute(script, vec![json!(method)]).await.unwrap();
}

/// From here on nobody answers the page's calls, also when it is loaded again.
pub async fn cut(browser: &Browser) {
    browser.cdp("Network.enable", json!({})).await;
    block(browser, json!(["*/v1/*"])).await;
}

/// They are answered again.
pub async fn mend(browser: &Browser) {
    block(browser, json!([])).await;
}

async fn block(browser: &Browser, urls: Value) {
    browser.cdp("Network.setBlockedURLs", json!({ "urls": urls })).await;
}
