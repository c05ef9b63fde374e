// Moments as a clock in China shows them, and how long ago they were.

const lang = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(lang, {
  timeZone: "Asia/Shanghai", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false,
});

const told = Date.parse(document.querySelector("[data-now]")?.dataset.now ?? "") || Date.now();

// What the server's clock says, which may be another time than that of this machine.
export function now() {
  return told + performance.now();
}

export function when(time) {
  return time ? clock.format(new Date(time)) : "";
}

// Days, hours and minutes since then.
export function age(since) {
  const minutes = Math.max(0, Math.floor((now() - new Date(since)) / 60_000));
  const hours = Math.floor(minutes / 60);
  return { days: Math.floor(hours / 24), hours, minutes: minutes % 60 };
}
