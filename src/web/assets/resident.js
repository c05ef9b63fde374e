// Where a resident asks: the link on the slip carries its token behind `#`, where no server and no
// log ever sees it; it is sent on as the body of a form. The country is asked for where it counts.

const form = document.querySelector("#ask");
const token = new URLSearchParams(location.hash.slice(1)).get("link");

if (token) {
  history.replaceState(null, "", location.pathname);
  form.elements.link.value = token;
  form.submit();
}

const kind = form.elements.kind;
const issuer = document.querySelector("#issuer-part");

function ask() {
  issuer.hidden = !["passport", "other"].includes(kind.value);
}

kind.addEventListener("change", ask);
ask();
