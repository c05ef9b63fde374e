// Whose a key is that is pressed while a station waits for a scan.
//
// editing(target, field)  whether somebody writes text there, which is no scan.
// firstLetters(within)  gives typed(event, isFast): what goes to the scan field with this key, nothing
//     where it is for the list in focus. A letter chooses in a list, and a scan begins with a letter,
//     too: so the page hears what the first one chose when no other followed it `within` so many ms.
//     Where one did, the list is as it was, and both go to the field.

export function editing(target, field) {
  const takesNoText = ["checkbox", "radio", "button", "submit", "file"].map((type) => `:not([type=${type}])`).join("");
  return target !== field && target.matches?.(`input${takesNoText}, textarea`);
}

export function firstLetters(within) {
  let first;

  const tell = (list) => {
    for (const kind of ["input", "change"]) list.dispatchEvent(new Event(kind, { bubbles: true }));
  };
  const settle = (one) => {
    if (one.isTold) return;
    one.isTold = true;
    if (one.list.value !== one.value) tell(one.list);
  };
  const hold = (event) => {
    if (event.isTrusted && event.target === first?.list && !first.isTold) event.stopImmediatePropagation();
  };
  for (const kind of ["input", "change"]) document.addEventListener(kind, hold, true);

  return ({ key, target, repeat }, isFast) => {
    const before = first;
    first = undefined;
    clearTimeout(before?.timer);
    // A key that is held down is no scanner.
    const isBurst = isFast && !repeat;
    if (isBurst && before?.list === target) {
      if (target.value !== before.value) {
        target.value = before.value;
        // A busy page gets the second key late, and was told of the first.
        if (before.isTold) tell(target);
      }
      return before.key + key;
    }
    if (before) settle(before);
    if (isBurst || !target.matches?.("select")) return key;
    first = { list: target, value: target.value, key };
    first.timer = setTimeout(settle, within, first);
    return "";
  };
}
