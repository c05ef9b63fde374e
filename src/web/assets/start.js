// Where one comes after signing out: the device forgets who left, and the address says no more of it.

import { leave } from "./leave.js";

if (location.search === "?left") {
  await leave();
  history.replaceState(null, "", "/");
}
